import { type Kysely, sql } from 'kysely';

/** Rows that are set aside are listed, newest first, by sweep or all of them. */
export async function up(db: Kysely<unknown>): Promise<void> {
  await sql
    .raw(`
    DROP INDEX IF EXISTS sweep_failure_newest;
    CREATE INDEX sweep_failure_by_age ON sweep_failure (last_at, sweep, row_id);
    CREATE INDEX sweep_failure_of_sweep ON sweep_failure (sweep, last_at, row_id);
  `)
    .execute(db);
}

/** Only for an empty database, like the ones before it. */
export async function down(db: Kysely<unknown>): Promise<void> {
  await sql
    .raw(`
    DROP INDEX IF EXISTS sweep_failure_by_age, sweep_failure_of_sweep;
    CREATE INDEX sweep_failure_newest ON sweep_failure (last_at DESC, sweep, row_id);
  `)
    .execute(db);
}
