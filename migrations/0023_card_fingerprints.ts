import { type Kysely, sql } from 'kysely';

/** The provider's fingerprint of the card of a payment, so that its declines count whichever stay and guest they are of. */
export async function up(db: Kysely<unknown>): Promise<void> {
  await sql`ALTER TABLE payment ADD COLUMN card_fingerprint text CHECK (length(card_fingerprint) <= 255)`.execute(db);
  await sql`CREATE INDEX payment_failed_by_card ON payment (gateway_id, card_fingerprint, created_at)
    WHERE status = 'FAILED' AND card_fingerprint IS NOT NULL`.execute(db);
}

/** Only for an empty database, like the ones before it. */
export async function down(db: Kysely<unknown>): Promise<void> {
  await sql`DROP INDEX payment_failed_by_card`.execute(db);
  await sql`ALTER TABLE payment DROP COLUMN card_fingerprint`.execute(db);
}
