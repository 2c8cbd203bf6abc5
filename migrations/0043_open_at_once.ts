import { type Kysely, sql } from 'kysely';

/**
 * At most one open saga for each subject and lock kind, instead of one for each subject. Sagas that are open now hold both
 * kinds until they end, or get past the last step that needs one.
 */
export async function up(db: Kysely<unknown>): Promise<void> {
  await sql
    .raw(`
    ALTER TABLE saga ADD COLUMN holds_state boolean NOT NULL DEFAULT true, ADD COLUMN holds_money boolean NOT NULL DEFAULT true;
    CREATE UNIQUE INDEX one_open_state ON saga (subject_type, subject_id) WHERE finished_at IS NULL AND holds_state;
    CREATE UNIQUE INDEX one_open_money ON saga (subject_type, subject_id) WHERE finished_at IS NULL AND holds_money;
    CREATE INDEX saga_open_by_subject ON saga (subject_type, subject_id) WHERE finished_at IS NULL;
    DROP INDEX one_open_saga;
  `)
    .execute(db);
}

/** Fails while a subject has two open sagas. */
export async function down(db: Kysely<unknown>): Promise<void> {
  await sql
    .raw(`
    CREATE UNIQUE INDEX one_open_saga ON saga (subject_type, subject_id) WHERE finished_at IS NULL;
    DROP INDEX saga_open_by_subject, one_open_money, one_open_state;
    ALTER TABLE saga DROP COLUMN holds_money, DROP COLUMN holds_state;
  `)
    .execute(db);
}
