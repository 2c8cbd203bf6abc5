-- Those who are asked whether they take a task can answer by a link, have the hours in which people sleep on top, and are
-- asked again before nobody is. A trigger makes the address, so that every way in which somebody is asked has one.

ALTER TABLE assignment_rule
  ADD COLUMN accept_quiet_from text NOT NULL DEFAULT '21:00',   -- local, at the property; the same twice: no hours are quiet
  ADD COLUMN accept_quiet_to text NOT NULL DEFAULT '07:00';
ALTER TABLE task_refusal ADD COLUMN times int NOT NULL DEFAULT 1 CHECK (times > 0);   -- how often the person did not answer

-- One for each question, so that the address of an older one answers no newer one.
CREATE TABLE task_offer (
  token text PRIMARY KEY,
  task_id text NOT NULL REFERENCES task(id),
  staff_id text NOT NULL REFERENCES staff(id),
  accept_by timestamptz NOT NULL,
  asked_at timestamptz NOT NULL DEFAULT now(),
  UNIQUE (task_id, staff_id, accept_by)
);

CREATE FUNCTION offer_task() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  -- What is given back after an undo is the question of before, under its address.
  INSERT INTO task_offer (token, task_id, staff_id, accept_by)
  VALUES (replace(gen_random_uuid()::text || gen_random_uuid()::text, '-', ''), NEW.id, NEW.assignee_id, NEW.accept_by)
  ON CONFLICT (task_id, staff_id, accept_by) DO NOTHING;
  RETURN NULL;
END $$;
CREATE TRIGGER offer_new_task AFTER INSERT ON task FOR EACH ROW
  WHEN (NEW.status = 'ASSIGNED' AND NEW.assignee_id IS NOT NULL AND NEW.accept_by IS NOT NULL AND NEW.accepted_at IS NULL)
  EXECUTE FUNCTION offer_task();
CREATE TRIGGER offer_task AFTER UPDATE OF assignee_id, accept_by ON task FOR EACH ROW
  WHEN (NEW.status = 'ASSIGNED' AND NEW.assignee_id IS NOT NULL AND NEW.accept_by IS NOT NULL AND NEW.accepted_at IS NULL
    AND (NEW.assignee_id, NEW.accept_by) IS DISTINCT FROM (OLD.assignee_id, OLD.accept_by))
  EXECUTE FUNCTION offer_task();

-- Those who are being asked at this moment.
INSERT INTO task_offer (token, task_id, staff_id, accept_by)
SELECT replace(gen_random_uuid()::text || gen_random_uuid()::text, '-', ''), id, assignee_id, accept_by FROM task
 WHERE status = 'ASSIGNED' AND assignee_id IS NOT NULL AND accept_by IS NOT NULL AND accepted_at IS NULL;
