-- What is left of a stay's log is for the most part of its tasks, its messages and its steps.

-- In the order in which the programs take these: whoever waits, waits here, and nobody in a circle.
LOCK TABLE saga, saga_step, task, notification IN ACCESS EXCLUSIVE MODE;

-- A person's work is found among what is theirs to do; what was cancelled, merged or withdrawn, which is little, has its own index.
DROP INDEX task_by_assignee;
CREATE INDEX task_dropped ON task (assignee_id, (COALESCE(slot_start, scheduled_at)))
  WHERE assignee_id IS NOT NULL AND (deleted_at IS NOT NULL OR status IN ('CANCELLED', 'MERGED'));

-- The answer of a saga is kept compressed (0067), so that fewer of them on a page still take less room than before. Many are under way at
-- once, and messages are claimed and settled on the same page.
ALTER TABLE saga SET (fillfactor = 30);
ALTER TABLE notification SET (fillfactor = 30);

-- The effect key of a step is its primary key and nothing else, so it cannot be another one's, and need not be kept beside it.
ALTER TABLE saga_step DROP COLUMN effect_key;
CREATE OR REPLACE FUNCTION step_guard() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF OLD.status = 'skipped' OR OLD.status = 'done' AND NOT (NEW.status = 'pending' AND OLD.class = 'READ' AND OLD.direction = 'F') THEN
    RAISE EXCEPTION 'step %/%/% is final', OLD.saga_id, OLD.step_no, OLD.direction USING ERRCODE = '23514';
  END IF;
  IF NEW.attempt < OLD.attempt OR (NEW.saga_id, NEW.step_no, NEW.direction) <> (OLD.saga_id, OLD.step_no, OLD.direction)
     OR (OLD.first_sent_at IS NOT NULL AND NEW.first_sent_at IS DISTINCT FROM OLD.first_sent_at) THEN
    RAISE EXCEPTION 'frozen column changed on step %/%/%', OLD.saga_id, OLD.step_no, OLD.direction USING ERRCODE = '23514';
  END IF;
  RETURN NEW;
END $$;
