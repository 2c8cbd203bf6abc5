import { type Kysely, sql } from 'kysely';

/** Where a property is, as guests are told it. */
export async function up(db: Kysely<unknown>): Promise<void> {
  await sql.raw('ALTER TABLE property ADD COLUMN address text').execute(db);
}

/** Only for an empty database, like the ones before it. */
export async function down(db: Kysely<unknown>): Promise<void> {
  await sql.raw('ALTER TABLE property DROP COLUMN address').execute(db);
}
