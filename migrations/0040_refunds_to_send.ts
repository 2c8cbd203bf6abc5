import { type Kysely, sql } from 'kysely';

/** Refunds that are to be sent: few at any time, of many transactions. */
export async function up(db: Kysely<unknown>): Promise<void> {
  await sql
    .raw("CREATE INDEX refund_to_send ON transaction (created_at, id) WHERE type = 'REFUND' AND status = 'PENDING'")
    .execute(db);
}

/** Only for an empty database, like the ones before it. */
export async function down(db: Kysely<unknown>): Promise<void> {
  await sql.raw('DROP INDEX refund_to_send').execute(db);
}
