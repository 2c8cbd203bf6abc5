import { type Kysely, sql } from 'kysely';

/** Messages that were sent again together, which nobody waits for: unlike one that a person asked for, they keep quiet hours. */
export async function up(db: Kysely<unknown>): Promise<void> {
  await sql`ALTER TABLE notification ADD COLUMN in_bulk boolean NOT NULL DEFAULT false`.execute(db);
}

/** Only for an empty database, like the ones before it. */
export async function down(db: Kysely<unknown>): Promise<void> {
  await sql`ALTER TABLE notification DROP COLUMN in_bulk`.execute(db);
}
