import { type RawBuilder, sql } from 'kysely';

/**
 * The hash of a row of `audit_log` under its alias, as the function `audit_hash` in the database gives it to new rows. Who owns the
 * database could change that function: what checks rows says by itself what their hash is.
 */
export function auditHashOf(alias: string): RawBuilder<Buffer> {
  const text = (column: string): RawBuilder<string> => sql`${sql.ref(`${alias}.${column}`)}::text`;
  const micros = sql`(extract(epoch FROM ${sql.ref(`${alias}.at`)}) * 1000000)::bigint::text`;
  const parts = [
    ...['stream_id', 'seq'].map(text),
    micros,
    ...['event', 'ends', 'actor', 'saga_id', 'reservation_id', 'request_id', 'body'].map(text),
  ].map((value) => sql`pg_catalog.sha256(pg_catalog.convert_to(coalesce('=' || ${value}, ''), 'UTF8'))`);
  return sql`pg_catalog.sha256(${sql.ref(`${alias}.prev_hash`)} || ${sql.join(parts, sql` || `)})`;
}
