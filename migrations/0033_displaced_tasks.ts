import { type Kysely, sql } from 'kysely';

/** Which emergency a task had to give way to. It gives way once, so that one column will do. */
export async function up(db: Kysely<unknown>): Promise<void> {
  await sql
    .raw(`
    ALTER TABLE task ADD COLUMN displaced_by text REFERENCES task(id);
    CREATE INDEX task_displaced_by ON task (displaced_by) WHERE displaced_by IS NOT NULL;
  `)
    .execute(db);
}

/** Only for an empty database, like the ones before it. */
export async function down(db: Kysely<unknown>): Promise<void> {
  await sql.raw('ALTER TABLE task DROP COLUMN displaced_by').execute(db);
}
