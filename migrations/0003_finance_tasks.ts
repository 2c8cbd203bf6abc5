import { type Kysely, sql } from 'kysely';

/** Tasks of the office: money that a person must see to, because no program can (domain.md 9). */
export async function up(db: Kysely<unknown>): Promise<void> {
  await sql
    .raw(
      `ALTER TABLE task DROP CONSTRAINT task_type_check, ADD CONSTRAINT task_type_check
        CHECK (type IN ('CLEANING','CHECK_IN','CHECK_OUT','INSPECTION','MAINTENANCE','EMERGENCY','FINANCE'))`,
    )
    .execute(db);
}

/** Only for an empty database, like the ones before it. */
export async function down(db: Kysely<unknown>): Promise<void> {
  await sql
    .raw(
      `ALTER TABLE task DROP CONSTRAINT task_type_check, ADD CONSTRAINT task_type_check
        CHECK (type IN ('CLEANING','CHECK_IN','CHECK_OUT','INSPECTION','MAINTENANCE','EMERGENCY'))`,
    )
    .execute(db);
}
