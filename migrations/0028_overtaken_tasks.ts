import { type Kysely, sql } from 'kysely';

/** Tasks that life has overtaken are in a state of their own, also those of before. */
export async function up(db: Kysely<unknown>): Promise<void> {
  await sql.raw(STATE).execute(db);
  await sql.raw(INDEX).execute(db);
  await sql.raw(EVENT).execute(db);
  await sql.raw(OLD_ROWS).execute(db);
}

/** Only for an empty database, like the ones before it. */
export async function down(db: Kysely<unknown>): Promise<void> {
  await sql
    .raw(`
    ALTER TABLE task DROP CONSTRAINT task_status_check;
    ALTER TABLE task ADD CONSTRAINT task_status_check
      CHECK (status IN ('UNASSIGNED','ASSIGNED','IN_PROGRESS','COMPLETED','CANCELLED','MERGED'));
    DROP INDEX task_overtaken;
  `)
    .execute(db);
}

const STATE = `
ALTER TABLE task DROP CONSTRAINT task_status_check;
ALTER TABLE task ADD CONSTRAINT task_status_check
  CHECK (status IN ('UNASSIGNED','ASSIGNED','IN_PROGRESS','COMPLETED','CANCELLED','MERGED','OVERTAKEN'));
`;
const INDEX = `
CREATE INDEX task_overtaken ON task (property_id, created_at, id) WHERE status = 'OVERTAKEN';
`;

/** The list of 0019 and one more. */
const EVENT = `
DO $$
DECLARE
  list text;
BEGIN
  SELECT pg_get_constraintdef(oid) INTO STRICT list FROM pg_constraint WHERE conname = 'known_event_type';
  ALTER TABLE domain_event DROP CONSTRAINT known_event_type;
  EXECUTE 'ALTER TABLE domain_event ADD CONSTRAINT known_event_type '
    || replace(list, '''task.merged''::text', '''task.merged''::text, ''task.overtaken''::text');
END $$;
`;

/**
 * Nothing happens to these that anybody is to be told of. Their version stays, by which a check-in under way finds them again
 * should it be undone.
 */
const OLD_ROWS = `
ALTER TABLE task DISABLE TRIGGER USER;
UPDATE task t SET status = 'OVERTAKEN' FROM reservation r
 WHERE r.id = t.reservation_id AND t.status = 'UNASSIGNED' AND t.next_assign_at IS NULL
   AND (t.occurrence IN ('PRE_ARRIVAL','ARRIVAL') AND r.status IN ('CHECKED_IN','CHECKED_OUT')
     OR t.occurrence = 'DEPARTURE' AND r.status = 'CHECKED_OUT');
ALTER TABLE task ENABLE TRIGGER USER;
`;
