import { type Kysely, sql } from 'kysely';

/**
 * Tasks of the office: money that a person must see to, because no program can (domain.md 9). And a cleaning is never
 * merged into one that is cancelled at the same moment: it would not be done at all.
 */
export async function up(db: Kysely<unknown>): Promise<void> {
  await sql.raw(FINANCE).execute(db);
  await sql.raw(MERGED).execute(db);
}

/** Only for an empty database, like the ones before it. */
export async function down(db: Kysely<unknown>): Promise<void> {
  await sql
    .raw(`
    DROP TRIGGER IF EXISTS task_merged_into_live ON task;
    DROP FUNCTION IF EXISTS task_merged_into_live;
    ALTER TABLE task DROP CONSTRAINT task_type_check, ADD CONSTRAINT task_type_check
      CHECK (type IN ('CLEANING','CHECK_IN','CHECK_OUT','INSPECTION','MAINTENANCE','EMERGENCY'));
  `)
    .execute(db);
}

const FINANCE = `
ALTER TABLE task DROP CONSTRAINT task_type_check, ADD CONSTRAINT task_type_check
  CHECK (type IN ('CLEANING','CHECK_IN','CHECK_OUT','INSPECTION','MAINTENANCE','EMERGENCY','FINANCE'));
`;

const MERGED = `
-- At the commit, under a lock that a cancellation needs as well: one of the two sees the other. The code asks for a retry.
CREATE FUNCTION task_merged_into_live() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
  target text;
BEGIN
  SELECT t.status INTO target FROM task t WHERE t.id = NEW.merged_into_task_id FOR SHARE;
  IF target = 'CANCELLED' AND EXISTS (SELECT FROM task m WHERE m.id = NEW.id AND m.merged_into_task_id = NEW.merged_into_task_id) THEN
    RAISE EXCEPTION 'task % is merged into %, which is cancelled', NEW.id, NEW.merged_into_task_id USING ERRCODE = '40001';
  END IF;
  RETURN NULL;
END $$;
CREATE CONSTRAINT TRIGGER task_merged_into_live AFTER INSERT OR UPDATE OF merged_into_task_id ON task
  DEFERRABLE INITIALLY DEFERRED FOR EACH ROW WHEN (NEW.merged_into_task_id IS NOT NULL) EXECUTE FUNCTION task_merged_into_live();
`;
