import { type Kysely, sql } from 'kysely';

/**
 * A refund that a person decides says who bears it. What the agency or the owner bears alone is no part of the split of
 * the stay, so it is kept with the refund: minor units of what had been divided, without a guest's own credit.
 */
export async function up(db: Kysely<unknown>): Promise<void> {
  await sql
    .raw(`
ALTER TABLE transaction
  ADD COLUMN borne_by text,
  ADD COLUMN borne_minor bigint NOT NULL DEFAULT 0,
  ADD CONSTRAINT transaction_borne_by CHECK (borne_by IN ('SPLIT', 'AGENCY', 'OWNER')),
  ADD CONSTRAINT transaction_borne CHECK (borne_minor = 0 OR type = 'REFUND' AND borne_by IS NOT NULL AND borne_minor BETWEEN 0 AND amount_minor);
`)
    .execute(db);
}

/** Only for an empty database, like the ones before it. */
export async function down(db: Kysely<unknown>): Promise<void> {
  await sql.raw('ALTER TABLE transaction DROP COLUMN borne_by, DROP COLUMN borne_minor').execute(db);
}
