import type { PostgresPool } from 'kysely';
import type pg from 'pg';
import { createDbOver } from '../../src/db/client.ts';
import { checkIntegrity } from '../../src/domain/finance/integrity.ts';

/** Each column of each table, changed as the account of the programs: refused, noticed, or neither. */

export interface Outcome {
  readonly table: string;
  /** Of the column; `rows removed` for all of them. */
  readonly what: string;
  readonly how: 'refused' | 'noticed' | 'unnoticed' | 'untried';
}
interface Column {
  readonly table: string;
  readonly name: string;
  readonly type: string;
  /** Values that constraints, enumerations and references allow, as expressions. */
  readonly allowed: readonly string[];
}

/** By type: another value than the one that is there. */
const OTHERS: Readonly<Record<string, (column: string) => readonly string[]>> = {
  text: (c) => [`${c} || 'x'`, `'x'`, `'0' || ${c}`],
  int: (c) => [`${c} + 1`, `${c} - 1`, '1', '0'],
  bool: (c) => [`NOT coalesce(${c}, false)`],
  time: (c) => [`${c} + interval '1 minute'`, `${c} - interval '1 minute'`, 'now()'],
  date: (c) => [`${c} + 1`, `${c} - 1`, 'current_date'],
  jsonb: (c) => [`${c} || '{"x": 1}'`, `'{}'`, `'[]'`],
  bytea: (c) => [`${c} || '\\x00'`, `decode(repeat('00', 32), 'hex')`],
  array: (c) => [`${c} || '{x}'`, `'{}'`],
};
const kindOf = (type: string): string => {
  if (type.endsWith('[]')) return 'array';
  if (/^(?:bigint|integer|smallint|numeric)/.test(type)) return 'int';
  if (type === 'boolean') return 'bool';
  if (type === 'date') return 'date';
  if (/^time/.test(type)) return 'time';
  return type === 'jsonb' || type === 'bytea' ? type : 'text';
};

export async function columnsOf(owner: pg.Client): Promise<readonly Column[]> {
  const { rows } = await owner.query<Column>(`
    SELECT c.relname AS table, a.attname AS name, format_type(a.atttypid, a.atttypmod) AS type,
        coalesce((SELECT array_agg(DISTINCT quote_literal(m[1])) FROM pg_constraint k,
            regexp_matches(pg_get_constraintdef(k.oid), '''([A-Za-z_]+)''::text', 'g') AS m
           WHERE k.conrelid = c.oid AND k.contype = 'c' AND a.attnum = ANY(k.conkey)), '{}')
        || coalesce((SELECT array_agg(quote_literal(e.enumlabel)) FROM pg_enum e WHERE e.enumtypid = a.atttypid), '{}')
        || coalesce((SELECT array_agg(format('(SELECT r.%I FROM %s r WHERE r.%I <> t.%I LIMIT 1)', f.attname, k.confrelid::regclass, f.attname, a.attname))
             FROM pg_constraint k JOIN pg_attribute f ON f.attrelid = k.confrelid AND f.attnum = k.confkey[1]
            WHERE k.conrelid = c.oid AND k.contype = 'f' AND k.conkey = ARRAY[a.attnum]), '{}') AS allowed
      FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid
     WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p') AND NOT c.relispartition
       AND a.attnum > 0 AND NOT a.attisdropped AND a.attgenerated = '' AND c.relname NOT LIKE 'kysely%' ORDER BY 1, a.attnum`);
  return rows;
}

/** Tries one change in a transaction that is taken back; the judge sees it by the rows as they would be. */
export async function tryAll(
  client: pg.Client,
  columns: readonly Column[],
  judge: () => Promise<boolean>,
): Promise<readonly Outcome[]> {
  const outcomes: Outcome[] = [];
  const looked = await tablesLookedAt(client);
  const tables = Map.groupBy(columns, ({ table }) => table);
  for (const [table, own] of tables) {
    // What the check does not read it cannot notice; a removal may take rows of other tables with it.
    const sees = looked.has(table) ? judge : async () => false;
    const { rowCount } = await client.query(`SELECT FROM ${table} LIMIT 1`);
    if (rowCount === 0) {
      outcomes.push({ table, what: 'no row', how: 'untried' });
      continue;
    }
    const name = client.escapeIdentifier(table);
    for (const { name: column, type, allowed } of own) {
      const quoted = `t.${client.escapeIdentifier(column)}`;
      const values = [...allowed, ...(OTHERS[kindOf(type)]?.(quoted) ?? [])];
      const changes = values.flatMap((value) => {
        const change = `UPDATE ${name} t SET ${client.escapeIdentifier(column)} = ${value} WHERE ${quoted} IS DISTINCT FROM ${value}`;
        return [change, ...ROWS.map((row) => `${change} AND ${only(name, row)}`)];
      });
      outcomes.push({ table, what: column, how: await tryOne(client, changes, sees) });
    }
    outcomes.push({ table, what: 'rows removed', how: await tryOne(client, removals(name), judge) });
  }
  return outcomes;
}
/** Where all rows together cannot be changed, some of them alone may. */
const ROWS = [0, 1];
const only = (table: string, row: number): string =>
  `(t.tableoid, t.ctid) = (SELECT tableoid, ctid FROM ${table} OFFSET ${row} LIMIT 1)`;
const removals = (table: string): readonly string[] => [
  `DELETE FROM ${table} t`,
  ...Array.from({ length: 8 }, (_none, row) => `DELETE FROM ${table} t WHERE ${only(table, row)}`),
];
/** So many ways to change one column are judged: each is a look at all of the books. */
const JUDGED = 2;
/** The worst of the ways to do it. */
async function tryOne(
  client: pg.Client,
  changes: readonly string[],
  judge: () => Promise<boolean>,
): Promise<Outcome['how']> {
  let how: Outcome['how'] = 'refused';
  let judged = 0;
  for (const change of changes) {
    await client.query('BEGIN; SET LOCAL ROLE roomy_test_app');
    try {
      // In a block: the statements of tests are looked at otherwise, and these are no statements of the product.
      const block = `DECLARE n int; BEGIN EXECUTE ${client.escapeLiteral(change)}; GET DIAGNOSTICS n = ROW_COUNT;
        PERFORM set_config('roomy.changed', n::text, true); SET CONSTRAINTS ALL IMMEDIATE; END`;
      await client.query(`DO ${client.escapeLiteral(block)}`);
      const { rows } = await client.query<{ n: string }>(`SELECT current_setting('roomy.changed') AS n`);
      if (rows[0]?.n === '0') continue;
      if (!(await judge())) return 'unnoticed';
      how = 'noticed';
      judged += 1;
      if (judged === JUDGED) return how;
    } catch (error) {
      if (Reflect.get(Object(error), 'code') === undefined) throw error;
    } finally {
      await client.query('ROLLBACK');
    }
  }
  return how;
}

async function tablesLookedAt(client: pg.Client): Promise<ReadonlySet<string>> {
  await client.query('BEGIN');
  await differencesSeenBy(client);
  const { rows } = await client.query<{ name: string }>(
    `SELECT DISTINCT c.relname AS name FROM pg_locks l JOIN pg_class c ON c.oid = l.relation WHERE l.pid = pg_backend_pid()`,
  );
  await client.query('ROLLBACK');
  return new Set(rows.map(({ name }) => name));
}

/** All differences that the check of integrity finds, seen from the transaction that this connection is in. */
export async function differencesSeenBy(client: pg.Client): Promise<ReadonlySet<string>> {
  const { differences } = await checkIntegrity(createDbOver(within(client)));
  return new Set(differences.map(({ check, ref }) => `${check} ${ref}`));
}
/** A transaction of the check becomes a part of the one that is there. */
function within(client: pg.Client): PostgresPool {
  const query = (text: unknown, values?: unknown): unknown => {
    if (typeof text !== 'string') return Reflect.apply(client.query, client, [text]);
    const inner = /^(?:begin|start transaction)/i.test(text)
      ? 'SAVEPOINT judged'
      : text.replace(/^commit$/i, 'RELEASE SAVEPOINT judged').replace(/^rollback$/i, 'ROLLBACK TO SAVEPOINT judged');
    return Reflect.apply(client.query, client, [inner, values]);
  };
  return {
    connect: async () => ({ query, release: () => undefined }),
    end: async () => undefined,
  } as unknown as PostgresPool;
}
