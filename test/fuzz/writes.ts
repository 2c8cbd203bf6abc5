import { sql } from 'kysely';
import type { Db } from '../../src/db/client.ts';

/** Whether anything was written, and by what: digests of all tables before and after. */

/** Where refusals belong. */
const TRAIL = /^audit_/;

export type Digests = Readonly<Record<string, string>>;

export async function tablesOf(db: Db): Promise<readonly string[]> {
  const { rows } = await sql<{ name: string }>`
    SELECT c.relname AS name FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
     WHERE n.nspname = 'public' AND c.relkind IN ('r', 'p') AND NOT c.relispartition ORDER BY 1`.execute(db);
  return rows.map(({ name }) => name).filter((name) => !TRAIL.test(name));
}
/** Of every table but the audit trail, in one statement. */
export async function digestsOf(db: Db, tables: readonly string[]): Promise<Digests> {
  const each = tables.map(
    (name) =>
      sql`SELECT ${name}::text AS name, count(*) || ' ' || coalesce(sum(hashtextextended(t::text, 0)), 0) AS digest FROM ${sql.table(name)} t`,
  );
  const { rows } = await sql<{ name: string; digest: string }>`${sql.join(each, sql` UNION ALL `)}`.execute(db);
  return Object.fromEntries(rows.map(({ name, digest }) => [name, digest]));
}
export const changedTables = (before: Digests, after: Digests): readonly string[] =>
  Object.keys(after).filter((name) => before[name] !== after[name]);

/**
 * Those of the inputs that write although they are refused, found by sending halves again. `send` answers whether all were refused.
 * None: it does not happen again.
 */
export async function findWriters<T>(
  db: Db,
  tables: readonly string[],
  inputs: readonly T[],
  send: (inputs: readonly T[]) => Promise<boolean>,
): Promise<readonly { readonly input: T; readonly tables: readonly string[] }[]> {
  if (inputs.length === 0) return [];
  const before = await digestsOf(db, tables);
  const allRefused = await send(inputs);
  const changed = changedTables(before, await digestsOf(db, tables));
  if (changed.length === 0) return [];
  const [first] = inputs;
  if (inputs.length === 1 && first !== undefined) return allRefused ? [{ input: first, tables: changed }] : [];
  const half = inputs.length >> 1;
  return [
    ...(await findWriters(db, tables, inputs.slice(0, half), send)),
    ...(await findWriters(db, tables, inputs.slice(half), send)),
  ];
}
