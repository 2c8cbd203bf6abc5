import pg from 'pg';
import { LIVES, PEOPLE } from './life.ts';
import { isSpread, OF_TESTS, type Shape } from './shapes.ts';

/**
 * A history: finished stays as the product left them, copied by SQL with ids, places and instants of their own. What
 * belongs together stays together, whatever table it stands in, as every known id in a value is replaced.
 */

/** Of settings and of what is the same however long a history is; a test fails when a new table is in neither. */
const NOT_COPIED: Readonly<Record<string, string>> = {
  income_distribution: 'terms',
  approval_limit: 'settings',
  assignment_rule: 'settings',
  message_rule: 'settings',
  message_setting: 'settings',
  message_opt_out: 'settings',
  api_key: 'as many as there are programs',
  message_template: 'texts',
  mail_frame: 'texts',
  event_feed: 'one row',
  watch: 'one row',
  data_key: 'one for each person, and read by its id or by whose it is',
  audit_seal: 'as many as there were minutes in which something happened',
  reminder_mark: 'what is to be planned now',
  saga_amendment: 'as often as somebody amended, not as there were stays',
  redrive: 'as often as somebody ordered it, not as there were stays',
  redrive_saga: 'as often as somebody ordered it, not as there were stays',
  hold: 'as often as somebody paused, not as there were stays',
  name_word: 'as many as there are people and places, not stays',
  incident: 'as many as there were faults, not stays',
  incident_notice: 'as many as there were faults, not stays',
  process: 'what runs',
  idempotency_key: 'kept for 30 days',
  archived_outbox: 'filled by maintenance, and looked at by its key alone',
  sweep_failure: 'what is wrong now',
  integrity_mark: 'what has changed since it was looked at',
  integrity_pass: 'made before each walk',
  ledger_total: 'made anew from the entries',
  ledger_property_total: 'made anew from the entries',
  ledger_owner_line: 'made anew from the entries',
  ledger_part: 'made anew from the entries',
};
/** Some of their rows are one stay's, others are shared by many. */
const MERGED = new Set(['ledger_account']);
/** Records that many stays share. */
const SHARED = new Set(['webhook_endpoint']);
export interface Column {
  readonly name: string;
  readonly type: string;
  readonly unique: boolean;
}
export interface Sample {
  readonly table: string;
  readonly columns: readonly Column[];
  readonly rows: readonly Readonly<Record<string, string | null>>[];
}
export interface Pattern {
  readonly samples: readonly Sample[];
  readonly ids: readonly string[];
}

/** The rows that the product has left in a database: the pattern of a history. */
export async function patternOf(databaseUrl: string): Promise<Pattern> {
  return withClient(databaseUrl, async (client) => {
    const samples: Sample[] = [];
    for (const [table, columns] of await columnsOf(client)) {
      if (Object.hasOwn(NOT_COPIED, table)) continue;
      const list = columns.map(({ name }) => `"${name}"::text`).join(', ');
      const { rows } = await client.query<Record<string, string | null>>(
        `SELECT ${list} FROM "${table}" ORDER BY ctid`,
      );
      samples.push({ table, columns, rows });
    }
    return { samples, ids: idsIn(samples) };
  });
}

async function columnsOf(client: pg.Client): Promise<ReadonlyMap<string, readonly Column[]>> {
  const { rows } = await client.query<Column & { table: string }>(`
    SELECT c.relname AS table, a.attname AS name, format_type(a.atttypid, a.atttypmod) AS type,
      EXISTS (SELECT FROM pg_index i WHERE i.indrelid = c.oid AND i.indisunique AND i.indkey::int2[] @> ARRAY[a.attnum]
        AND NOT EXISTS (SELECT FROM pg_constraint f WHERE f.conrelid = c.oid AND f.contype = 'f' AND f.conkey @> ARRAY[a.attnum])) AS unique
      FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid
     WHERE c.relkind IN ('r', 'p') AND NOT c.relispartition AND c.relnamespace = 'public'::regnamespace AND c.relname NOT LIKE 'kysely%'
       AND a.attnum > 0 AND NOT a.attisdropped AND a.attgenerated = ''
     ORDER BY c.relname, a.attnum`);
  const tables = new Map<string, Column[]>();
  for (const { table, ...column } of rows) tables.set(table, [...(tables.get(table) ?? []), column]);
  return tables;
}

/** Values that name a thing: of unique columns, and what providers call it. Of one within another, the shorter. */
function idsIn(samples: readonly Sample[]): readonly string[] {
  const found = new Set<string>();
  for (const { table, columns, rows } of samples) {
    if (SHARED.has(table) || isSpread(table) || MERGED.has(table)) continue;
    for (const { name, type, unique } of columns) {
      if (type !== 'text' || name === 'gateway_id' || !(unique || /(provider_id|gateway_reference)$/.test(name)))
        continue;
      for (const row of rows) {
        const value = row[name] ?? '';
        if (value.length >= MIN_ID && /\d|life/.test(value)) found.add(value);
      }
    }
  }
  const all = [...found].sort((a, b) => a.length - b.length);
  const atoms: string[] = [];
  for (const id of all) if (!atoms.some((atom) => id.includes(atom))) atoms.push(id);
  return atoms;
}
const MIN_ID = 8;

/** Writes a history of so many stays. Triggers do not run: what they would write is among the copies. */
export async function writeHistory(
  databaseUrl: string,
  pattern: Pattern,
  stays: number,
  shape: Shape = OF_TESTS,
): Promise<void> {
  await withClient(databaseUrl, async (client) => {
    await client.query(QUICKLY);
    await client.query('CREATE UNLOGGED TABLE audit_copy (LIKE audit_log)');
    const rebuild = await dropIndexes(client);
    const inserts = pattern.samples
      .filter(({ rows }) => rows.length > 0)
      // The largest begin first, so that no lane is left alone with one.
      .toSorted((a, b) => b.rows.length - a.rows.length)
      .map((sample) => insertOf(sample, pattern, stays, shape));
    await inLanes(databaseUrl, shape.lanes, inserts);
    await client.query(`
      UPDATE event_feed SET last_seq = (SELECT coalesce(max(seq + events - 1), 0) FROM event_run), from_id = n.id, next_id = n.id
        FROM (SELECT coalesce(max(id), 0) + 1 AS id FROM domain_event) n`);
    await client.query(`UPDATE webhook_endpoint SET next_seq = (SELECT last_seq + 1 FROM event_feed)`);
    await chainAudit(databaseUrl, client);
    await inLanes(databaseUrl, shape.lanes, rebuild);
    await client.query('SELECT ledger_totals_anew()');
    // A history has been looked at long ago: the walk begins with a look at all of it.
    await client.query('TRUNCATE integrity_mark');
    await restartSequences(client);
  });
}

const QUICKLY = `SET session_replication_role = replica; SET synchronous_commit = off; SET statement_timeout = 0;
  SET maintenance_work_mem = '512MB'; SET work_mem = '128MB'; SET jit = off`;

/** Each statement once, in so many connections at a time. */
async function inLanes(databaseUrl: string, lanes: number, statements: readonly string[]): Promise<void> {
  const left = [...statements];
  const lane = () =>
    withClient(databaseUrl, async (client) => {
      await client.query(QUICKLY);
      for (let next = left.shift(); next !== undefined; next = left.shift()) await client.query(next);
    });
  await Promise.all(Array.from({ length: lanes }, lane));
}

/**
 * For an empty database whose blocks are to be counted: while autovacuum looks at a large table, dead rows of the small
 * ones stay, and a measurement reads them.
 */
export const stopAutovacuum = (databaseUrl: string): Promise<unknown> =>
  withClient(databaseUrl, (client) =>
    client.query(`DO $$ DECLARE t regclass; BEGIN
      FOR t IN SELECT oid FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace LOOP
        EXECUTE format('ALTER TABLE %s SET (autovacuum_enabled = off)', t);
      END LOOP; END $$`),
  );

/** Statistics and visibility as autovacuum keeps them. */
export const vacuum = (databaseUrl: string): Promise<unknown> =>
  withClient(databaseUrl, async (client) => {
    await client.query('SET statement_timeout = 0');
    await client.query('VACUUM (ANALYZE, INDEX_CLEANUP OFF, TRUNCATE OFF)');
  });

function insertOf({ table, columns, rows }: Sample, pattern: Pattern, stays: number, shape: Shape): string {
  const names = columns.map(({ name }) => `"${name}"`).join(', ');
  const largest = (of: Sample['rows'], name: string): number => Math.max(...of.map((row) => Number(row[name] ?? 0)));
  const maxima = new Map(columns.map(({ name }) => [name, largest(rows, name)]));
  // A place is that of an event, and not every event has one yet.
  if (table === 'event_run') {
    const events = pattern.samples.find((sample) => sample.table === 'domain_event');
    maxima.set('event_id', largest(events?.rows ?? [], 'id'));
    maxima.set('seq', Math.max(...rows.map((row) => Number(row['seq']) + Number(row['events']) - 1)));
  }
  const selects = rows.map((row) => {
    const values = columns.map((column) => expressionOf(table, column, row, maxima, pattern, shape));
    return `SELECT ${values.join(', ')}`;
  });
  const target = table === 'audit_log' ? 'audit_copy' : table;
  const from = `CROSS JOIN LATERAL (${selects.join(' UNION ALL ')}) AS r`;
  const insert = `INSERT INTO "${target}" (${names}) OVERRIDING SYSTEM VALUE SELECT r.* FROM`;
  if (SHARED.has(table)) return `${insert} (SELECT 0 AS n, 0 AS nth) AS copy ${from}`;
  const spread = isSpread(table) ? shape.spread[table] : undefined;
  if (spread !== undefined)
    return `${insert} (SELECT n, n AS nth FROM generate_series(0, ${spread - 1}) AS n) AS copy ${from} ON CONFLICT DO NOTHING`;
  const step = shape.thinned[table] ?? 1;
  const last = Math.floor((copiesOf(stays) - 1) / step) * step;
  return `${insert} (SELECT n, (${last} - n) / ${step} AS nth FROM generate_series(${last}, 0, ${-step}) AS n) AS copy ${from}
    ${MERGED.has(table) ? 'ON CONFLICT DO NOTHING' : ''}`;
}

/** A copy holds as many stays as the pattern does. */
const copiesOf = (stays: number): number => Math.ceil(stays / LIVES.length);

function expressionOf(
  table: string,
  { name, type, unique }: Column,
  row: Sample['rows'][number],
  maxima: ReadonlyMap<string, number>,
  { ids }: Pattern,
  shape: Shape,
): string {
  const value = row[name] ?? null;
  if (value === null) return `NULL::${type}`;
  if (table === 'check_out_report' && name === 'hash')
    return `sha256(convert_to(${replaced(row['body'] ?? '', ids, shape)}, 'UTF8'))`;
  if (table === 'saga' && name === 'response_body' && shape.shortAnswers)
    return `CASE WHEN n % 10 = 0 THEN ${quote(value)} ELSE '\\x7b7d' END::bytea`;
  if (SHARED.has(table)) return `${quote(value)}::${type}`;
  if (type === 'bigint' && (unique || name === 'seq')) return `${value}::bigint + nth * ${maxima.get(name)}::bigint`;
  // A device opens one property.
  if (name === 'amenity_device') return `${quote(`${value}-`)} || n`;
  if (isSpread(table)) return `${replaced(value, ids, shape)}::${type}`;
  if (type.startsWith('timestamp')) return `${quote(value)}::${type} - (${agoOf(shape)})`;
  if (type === 'date') return `(${quote(value)}::date - (${shape.youngestDays} + n / 8))`;
  return `${replaced(value, ids, shape)}::${type}`;
}

/** Newest first in time, oldest first in the tables: a copy every three hours. */
const agoOf = ({ youngestDays }: Shape): string => `interval '${youngestDays} days' + n * interval '3 hours'`;

const quote = (text: string): string => `'${text.replaceAll("'", "''")}'`;

/** The text with every id in it made that of the copy. */
function replaced(value: string, ids: readonly string[], shape: Shape): string {
  const known = new RegExp(
    [...Object.values(PEOPLE), ...ids.filter((id) => value.includes(id))].map((id) => RegExp.escape(id)).join('|'),
    'g',
  );
  let expression = '';
  let end = 0;
  for (const match of value.matchAll(known)) {
    expression += `${quote(value.slice(end, match.index))} || ${copyOf(match[0], shape)} || `;
    end = match.index + match[0].length;
  }
  return `(${expression}${quote(value.slice(end))})`;
}

/** Of a copy's place, owner and people there are a few; all else is its own. */
function copyOf(id: string, { spread, shareOf }: Shape): string {
  const [kind] = Object.entries(PEOPLE).find(([, of]) => of === id) ?? [];
  if (kind === undefined) return `${quote(`${id}-`)} || n`;
  return `${quote(id.slice(0, -1))} || ${shareOf(spread[kind === 'property' || kind === 'owner' ? kind : 'staff'])}`;
}

/** Each row's hash is over the one before it. */
async function chainAudit(databaseUrl: string, client: pg.Client): Promise<void> {
  await inLanes(databaseUrl, 1, ['ANALYZE audit_copy']);
  const { rows } = await client.query<{ longest: number }>('SELECT coalesce(max(seq), 0) AS longest FROM audit_copy');
  for (let seq = 1; seq <= (rows[0]?.longest ?? 0); seq += 1) {
    await client.query(
      `INSERT INTO audit_log
       SELECT (chained).stream_id, (chained).seq, (chained).at, (chained).event, (chained).ends, (chained).actor, (chained).saga_id,
         (chained).reservation_id, (chained).request_id, (chained).body, (chained).prev_hash, audit_hash(chained)
         FROM (SELECT ROW(c.stream_id, c.seq, c.at, c.event, c.ends, c.actor, c.saga_id, c.reservation_id, c.request_id, c.body,
                 coalesce(before.hash, sha256(convert_to('genesis:' || c.stream_id, 'UTF8'))), ''::bytea)::audit_log AS chained
                 FROM audit_copy c LEFT JOIN audit_log before ON before.stream_id = c.stream_id AND before.seq = c.seq - 1
                WHERE c.seq = $1 OFFSET 0) AS next`,
      [seq],
    );
  }
  await client.query('DROP TABLE audit_copy');
}

/** Those that no constraint needs are quicker made anew than kept up with. Answers how to make them. */
async function dropIndexes(client: pg.Client): Promise<readonly string[]> {
  const { rows } = await client.query<{ name: string; definition: string }>(`
    SELECT c.oid::regclass::text AS name, pg_get_indexdef(c.oid) AS definition FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid
     WHERE c.relnamespace = 'public'::regnamespace AND NOT c.relispartition AND NOT EXISTS (SELECT FROM pg_constraint k WHERE k.conindid = c.oid)`);
  for (const { name } of rows) await client.query(`DROP INDEX ${name}`);
  // That of a partitioned table is made at each of its partitions.
  return rows.map(({ definition }) => definition.replace(' ON ONLY ', ' ON '));
}

async function restartSequences(client: pg.Client): Promise<void> {
  const { rows } = await client.query<{ table: string; name: string }>(`
    SELECT c.relname AS table, a.attname AS name FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid
     WHERE a.attidentity <> '' AND NOT c.relispartition AND c.relnamespace = 'public'::regnamespace`);
  for (const { table, name } of rows)
    await client.query(
      `SELECT setval(pg_get_serial_sequence('"${table}"', '${name}'), (SELECT coalesce(max("${name}"), 0) + 1 FROM "${table}"), false)`,
    );
}

async function withClient<T>(databaseUrl: string, work: (client: pg.Client) => Promise<T>): Promise<T> {
  const client = new pg.Client({ connectionString: databaseUrl });
  await client.connect();
  try {
    return await work(client);
  } finally {
    await client.end();
  }
}
