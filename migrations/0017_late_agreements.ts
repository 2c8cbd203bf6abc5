import { type Kysely, sql } from 'kysely';

/** A cleaning may also be late because it was agreed for later than its rule says. */
export async function up(db: Kysely<unknown>): Promise<void> {
  await sql.raw(tooLate('coalesce(slot_end, ends_at)')).execute(db);
}

/** Only for an empty database, like the ones before it. */
export async function down(db: Kysely<unknown>): Promise<void> {
  await sql.raw(tooLate('ends_at')).execute(db);
}

const tooLate = (end: string): string => `
DROP INDEX task_too_late;
CREATE INDEX task_too_late ON task (id) WHERE status = 'ASSIGNED' AND must_finish_by < ${end};
`;
