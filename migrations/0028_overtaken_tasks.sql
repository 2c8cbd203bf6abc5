-- Tasks that life has overtaken are in a state of their own, also those of before.

ALTER TABLE task DROP CONSTRAINT task_status_check;
ALTER TABLE task ADD CONSTRAINT task_status_check
  CHECK (status IN ('UNASSIGNED','ASSIGNED','IN_PROGRESS','COMPLETED','CANCELLED','MERGED','OVERTAKEN'));

CREATE INDEX task_overtaken ON task (property_id, created_at, id) WHERE status = 'OVERTAKEN';

-- The list of 0019 and one more.
DO $$
DECLARE
  list text;
BEGIN
  SELECT pg_get_constraintdef(oid) INTO STRICT list FROM pg_constraint WHERE conname = 'known_event_type';
  ALTER TABLE domain_event DROP CONSTRAINT known_event_type;
  EXECUTE 'ALTER TABLE domain_event ADD CONSTRAINT known_event_type '
    || replace(list, '''task.merged''::text', '''task.merged''::text, ''task.overtaken''::text');
END $$;

-- The list of 0019 and one more.
ALTER TABLE task DISABLE TRIGGER USER;
UPDATE task t SET status = 'OVERTAKEN' FROM reservation r
 WHERE r.id = t.reservation_id AND t.status = 'UNASSIGNED' AND t.next_assign_at IS NULL
   AND (t.occurrence IN ('PRE_ARRIVAL','ARRIVAL') AND r.status IN ('CHECKED_IN','CHECKED_OUT')
     OR t.occurrence = 'DEPARTURE' AND r.status = 'CHECKED_OUT');
ALTER TABLE task ENABLE TRIGGER USER;
