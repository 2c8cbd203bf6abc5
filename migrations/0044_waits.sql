-- A step may wait for a signal or a time. Its saga stays `running` meanwhile, and needs nothing in the queues.

ALTER TABLE saga_step ADD COLUMN wait_until timestamptz, DROP CONSTRAINT saga_step_status_check;
ALTER TABLE saga_step
  ADD CONSTRAINT saga_step_status_check CHECK (status IN ('pending','running','waiting','done','failed','skipped')),
  ADD CONSTRAINT saga_step_wait_check CHECK (status <> 'waiting' OR wait_until IS NOT NULL);
-- The time-out is found through the saga: its next_check_at is the step's wait_until.
CREATE UNIQUE INDEX one_wait ON saga_step (saga_id) WHERE status = 'waiting';

-- One signal for each wait. It may come before the saga arrives there.
CREATE TABLE saga_signal (
  saga_id text NOT NULL REFERENCES saga(id),
  name text NOT NULL,                                   -- of the step that waits for it
  key text NOT NULL CHECK (length(key) BETWEEN 1 AND 255), -- the sender's, the same on every repeat
  payload jsonb NOT NULL CHECK (octet_length(payload::text) <= 16384),
  sent_by text NOT NULL,
  sent_at timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (saga_id, name)
);
CREATE TRIGGER frozen BEFORE UPDATE ON saga_signal FOR EACH STATEMENT EXECUTE FUNCTION forbid();
CREATE TRIGGER kept BEFORE DELETE OR TRUNCATE ON saga_signal FOR EACH STATEMENT EXECUTE FUNCTION forbid();
