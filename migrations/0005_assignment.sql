-- Who does which task, and when it was agreed: skills, leave, holds, refusals, and the agreed time beside the time by
-- rule. The database itself counts what a person is given, so that two who plan with the same person cannot both be right.

ALTER TABLE staff
  ADD COLUMN bookings int NOT NULL DEFAULT 0,           -- grows with everything that this person is given; compared by who planned with it
  ADD COLUMN last_job_at timestamptz,                   -- when this person was last given a task
  SET (fillfactor = 70);
ALTER TABLE property
  ADD COLUMN primary_staff_ids text[] NOT NULL DEFAULT '{}',
  -- Minutes within which an assignee must accept; null: nobody is asked.
  ADD COLUMN accept_minutes int CHECK (accept_minutes BETWEEN 1 AND 10080);

-- How candidates are weighed (domain.md 11); one row, read with every assignment.
CREATE TABLE assignment_rule (
  only_row boolean PRIMARY KEY DEFAULT true CHECK (only_row),
  workload_percent int NOT NULL DEFAULT 45, proximity_percent int NOT NULL DEFAULT 35,
  primary_percent int NOT NULL DEFAULT 15, fairness_percent int NOT NULL DEFAULT 5,
  max_km double precision NOT NULL DEFAULT 25 CHECK (max_km > 0),             -- from here on a way is as far as can be
  speed_kmh double precision NOT NULL DEFAULT 30 CHECK (speed_kmh > 0),       -- between two tasks, as the crow flies
  day_minutes int NOT NULL DEFAULT 480 CHECK (day_minutes BETWEEN 1 AND 1440), -- a full day, for the workload of those without a cap
  fairness_hours int NOT NULL DEFAULT 168 CHECK (fairness_hours > 0),         -- who was given nothing for so long comes first
  hold_minutes int NOT NULL DEFAULT 10 CHECK (hold_minutes BETWEEN 1 AND 60),
  emergency_accept_minutes int NOT NULL DEFAULT 15 CHECK (emergency_accept_minutes BETWEEN 1 AND 1440),
  CHECK (least(workload_percent, proximity_percent, primary_percent, fairness_percent) >= 0),
  CHECK (workload_percent + proximity_percent + primary_percent + fairness_percent = 100)
);
INSERT INTO assignment_rule DEFAULT VALUES;

CREATE TABLE staff_leave (
  id text PRIMARY KEY,
  staff_id text NOT NULL REFERENCES staff(id),
  starts_at timestamptz NOT NULL, ends_at timestamptz NOT NULL,
  reason text,
  created_by text NOT NULL, created_at timestamptz NOT NULL DEFAULT now(),
  CHECK (starts_at < ends_at)
);
CREATE INDEX staff_leave_by_staff ON staff_leave (staff_id, ends_at);

-- A time that is kept free for whoever comes back with the id of the hold.
CREATE TABLE staff_hold (
  id text NOT NULL,
  occasion text NOT NULL,                               -- for which of the tasks of a request
  staff_id text NOT NULL REFERENCES staff(id),
  property_id text NOT NULL REFERENCES property(id),
  starts_at timestamptz NOT NULL, ends_at timestamptz NOT NULL,
  expires_at timestamptz NOT NULL,
  used_by text,                                         -- the task that came of it; while that one lives, the hold counts for nothing
  PRIMARY KEY (id, occasion, staff_id, starts_at),
  CHECK (starts_at < ends_at)
);
CREATE INDEX staff_hold_by_staff ON staff_hold (staff_id, expires_at);
CREATE INDEX staff_hold_by_expiry ON staff_hold (expires_at);

ALTER TABLE task
  ADD COLUMN required_skills text[] NOT NULL DEFAULT '{}',
  -- When the work is agreed to happen, where that differs from scheduled_at and ends_at, which stay the rule's.
  ADD COLUMN slot_start timestamptz, ADD COLUMN slot_end timestamptz,
  ADD COLUMN accept_by timestamptz, ADD COLUMN accepted_at timestamptz,
  ADD COLUMN alert_level int NOT NULL DEFAULT 0 CHECK (alert_level BETWEEN 0 AND 3),  -- told: 1 unassigned, 2 a day before, 3 four hours before
  ADD CONSTRAINT slot_order CHECK ((slot_start IS NULL) = (slot_end IS NULL) AND slot_start < slot_end),
  DROP CONSTRAINT no_double_shift;
ALTER TABLE task ADD CONSTRAINT no_double_shift EXCLUDE USING gist
  (assignee_id WITH =, tstzrange(coalesce(slot_start, scheduled_at), coalesce(slot_end, ends_at), '[)') WITH &&)
  WHERE (status IN ('ASSIGNED','IN_PROGRESS'));
CREATE INDEX task_at_work ON task (assignee_id, (coalesce(slot_start, scheduled_at)), (coalesce(slot_end, ends_at)))
  WHERE status IN ('ASSIGNED','IN_PROGRESS');
CREATE INDEX task_offered ON task (accept_by) WHERE status = 'ASSIGNED' AND accept_by IS NOT NULL AND accepted_at IS NULL;

CREATE TABLE task_refusal (
  task_id text NOT NULL REFERENCES task(id),
  staff_id text NOT NULL REFERENCES staff(id),
  reason text NOT NULL CHECK (reason IN ('DECLINED','NO_ANSWER')),
  note text,                                            -- what the person said
  at timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (task_id, staff_id)
);

-- A task that is re-timed is no longer agreed for the old time.
CREATE FUNCTION slot_follows_rule() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF (NEW.scheduled_at, NEW.ends_at) IS DISTINCT FROM (OLD.scheduled_at, OLD.ends_at)
     AND (NEW.slot_start, NEW.slot_end) IS NOT DISTINCT FROM (OLD.slot_start, OLD.slot_end) THEN
    NEW.slot_start := NULL;
    NEW.slot_end := NULL;
  END IF;
  RETURN NEW;
END $$;
CREATE TRIGGER slot_follows_rule BEFORE UPDATE OF scheduled_at, ends_at ON task FOR EACH ROW
  WHEN (OLD.slot_start IS NOT NULL) EXECUTE FUNCTION slot_follows_rule();

-- Whoever gives work to a person, by whatever statement, takes that person's row: caps, travel and holds were looked at with
-- the count as it was, and count for nothing when it has moved (book.ts compares it under the lock).
CREATE FUNCTION count_booking() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  UPDATE staff SET bookings = bookings + 1, last_job_at = now() WHERE id = NEW.assignee_id;
  RETURN NULL;
END $$;
CREATE TRIGGER count_new_booking AFTER INSERT ON task FOR EACH ROW
  WHEN (NEW.status IN ('ASSIGNED','IN_PROGRESS')) EXECUTE FUNCTION count_booking();
CREATE TRIGGER count_booking AFTER UPDATE OF status, assignee_id, scheduled_at, ends_at, slot_start, slot_end ON task FOR EACH ROW
  WHEN (NEW.status IN ('ASSIGNED','IN_PROGRESS') AND (OLD.status NOT IN ('ASSIGNED','IN_PROGRESS')
    OR OLD.assignee_id IS DISTINCT FROM NEW.assignee_id
    OR coalesce(OLD.slot_start, OLD.scheduled_at) <> coalesce(NEW.slot_start, NEW.scheduled_at)
    OR coalesce(OLD.slot_end, OLD.ends_at) <> coalesce(NEW.slot_end, NEW.ends_at)))
  EXECUTE FUNCTION count_booking();
