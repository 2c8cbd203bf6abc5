import type { Client } from 'pg';

/** By kind, one line per object, sorted: equal for two databases exactly when their schemas are, whatever their rows. */
export type Catalog = Readonly<Record<string, readonly string[]>>;

export async function readCatalog(client: Client): Promise<Catalog> {
  const catalog: Record<string, readonly string[]> = {};
  for (const [kind, query] of Object.entries(QUERIES)) {
    const { rows } = await client.query({ text: query, rowMode: 'array' });
    catalog[kind] = rows.map((row) => JSON.stringify(row)).toSorted();
  }
  return catalog;
}

/** Of our tables and the indexes and sequences of them; the migrator makes its own. */
const ours = (relation: string): string => `${relation} IN (SELECT c.oid FROM pg_class c
  WHERE c.relnamespace = 'public'::regnamespace AND c.relname NOT LIKE 'kysely\\_%')`;

/**
 * Columns count by their order, as a dropped one leaves a gap in their numbers. Expressions are written without the
 * parentheses that they can do without: `(a AND b) AND c` becomes `a AND b AND c` when it is read again.
 */
const QUERIES = {
  relations: `SELECT relname, relkind, relpersistence, reloptions, relreplident, relrowsecurity, relispartition, relacl
    FROM pg_class o WHERE ${ours('o.oid')}`,
  columns: `SELECT attrelid::regclass::text, row_number() OVER (PARTITION BY attrelid ORDER BY attnum), attname,
      format_type(atttypid, atttypmod), attnotnull, attidentity, attgenerated, attcollation::regcollation::text, attstorage,
      attcompression, attstattarget, attoptions, attacl, pg_get_expr(adbin, adrelid, true)
    FROM pg_attribute LEFT JOIN pg_attrdef ON adrelid = attrelid AND adnum = attnum
   WHERE ${ours('attrelid')} AND attnum > 0 AND NOT attisdropped`,
  constraints: `SELECT conrelid::regclass::text, conname, contype, convalidated, conenforced, condeferrable, condeferred,
      pg_get_constraintdef(oid, true) FROM pg_constraint WHERE ${ours('conrelid')}`,
  indexes: `SELECT indisvalid, indisclustered, indisreplident, pg_get_indexdef(indexrelid, 0, true) FROM pg_index WHERE ${ours('indrelid')}`,
  triggers: `SELECT tgrelid::regclass::text, tgname, tgenabled, pg_get_triggerdef(oid, true) FROM pg_trigger
   WHERE ${ours('tgrelid')} AND NOT tgisinternal`,
  functions: `SELECT oid::regprocedure::text, prokind, proacl, CASE WHEN prokind <> 'a' THEN pg_get_functiondef(oid) END
    FROM pg_proc WHERE pronamespace = 'public'::regnamespace`,
  sequences: `SELECT seqrelid::regclass::text, seqtypid::regtype::text, seqstart, seqincrement, seqmin, seqmax, seqcache, seqcycle
    FROM pg_sequence`,
  comments: `SELECT objoid::regclass::text, objsubid, description FROM pg_description
   WHERE classoid = 'pg_class'::regclass AND ${ours('objoid')}`,
  types: `SELECT typname, typtype, typacl FROM pg_type WHERE typnamespace = 'public'::regnamespace
     AND typname NOT LIKE '%kysely\\_%'`,
  extensions: 'SELECT extname, extversion FROM pg_extension',
  schemas: `SELECT nspname, nspacl FROM pg_namespace WHERE nspname !~ '^pg_(toast|temp)'`,
  // Of these there are none.
  rules: `SELECT ev_class::regclass::text, rulename FROM pg_rewrite WHERE ${ours('ev_class')}`,
  policies: 'SELECT polrelid::regclass::text, polname FROM pg_policy',
  statistics: 'SELECT stxname FROM pg_statistic_ext',
  inheritance: `SELECT inhrelid::regclass::text, inhparent::regclass::text FROM pg_inherits WHERE ${ours('inhrelid')}`,
  events: 'SELECT evtname FROM pg_event_trigger',
};
