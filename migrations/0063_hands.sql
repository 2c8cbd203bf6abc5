-- A read that a person has done once more: it changes nothing, so its row may begin anew. What has changed something stays done.
CREATE OR REPLACE FUNCTION step_guard() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF OLD.status = 'skipped' OR OLD.status = 'done' AND NOT (NEW.status = 'pending' AND OLD.class = 'READ' AND OLD.direction = 'F') THEN
    RAISE EXCEPTION 'step %/%/% is final', OLD.saga_id, OLD.step_no, OLD.direction USING ERRCODE = '23514';
  END IF;
  IF NEW.attempt < OLD.attempt OR NEW.effect_key <> OLD.effect_key
     OR (OLD.first_sent_at IS NOT NULL AND NEW.first_sent_at IS DISTINCT FROM OLD.first_sent_at) THEN
    RAISE EXCEPTION 'frozen column changed on step %', OLD.effect_key USING ERRCODE = '23514';
  END IF;
  RETURN NEW;
END $$;

-- What a person has changed of the input of a parked saga; the input itself, and what its request is known by, stay as they were accepted.
CREATE TABLE saga_amendment (
  saga_id text NOT NULL REFERENCES saga,
  no integer NOT NULL CHECK (no BETWEEN 1 AND 100),
  -- The fields with their new values: each replaces what the input, or an earlier amendment, has.
  fields jsonb NOT NULL CHECK (octet_length(fields::text) <= 16384),
  -- At which it was parked; the steps before it have run with what was true then.
  step_no integer NOT NULL,
  reason text NOT NULL CHECK (length(reason) BETWEEN 1 AND 500),
  amended_by text NOT NULL,
  amended_at timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (saga_id, no)
);
CREATE TRIGGER frozen BEFORE UPDATE ON saga_amendment FOR EACH STATEMENT EXECUTE FUNCTION forbid();
CREATE TRIGGER kept BEFORE DELETE OR TRUNCATE ON saga_amendment FOR EACH STATEMENT EXECUTE FUNCTION forbid();

-- A person has all sagas of an incident tried again, so many a second. It stands here, so that neither an emptied Redis nor a restart ends it.
CREATE TABLE redrive (
  id text PRIMARY KEY,
  incident_id text NOT NULL REFERENCES incident,
  -- `RETRY`: they were parked. `RETRY_NOW`: they backed off.
  act text NOT NULL CHECK (act IN ('RETRY', 'RETRY_NOW')),
  is_undoing boolean NOT NULL,
  per_second integer NOT NULL CHECK (per_second BETWEEN 1 AND 50),
  stop_after_errors integer NOT NULL CHECK (stop_after_errors BETWEEN 1 AND 1000),
  reason text NOT NULL CHECK (length(reason) BETWEEN 1 AND 500),
  ordered_by text NOT NULL,
  request_id text,
  ordered_at timestamptz NOT NULL DEFAULT now(),
  -- Of its next second.
  due_at timestamptz NOT NULL DEFAULT now(),
  ended_at timestamptz,
  -- `DONE`: all were tried. `STOPPED`: by a person. `FAILED`: by its own errors.
  ended_as text CHECK (ended_as IN ('DONE', 'STOPPED', 'FAILED')),
  ended_by text,
  end_reason text CHECK (length(end_reason) BETWEEN 1 AND 500),
  CONSTRAINT redrive_is_over CHECK ((ended_at IS NULL) = (ended_as IS NULL)),
  CONSTRAINT redrive_is_stopped CHECK ((ended_as IS NOT DISTINCT FROM 'STOPPED') = (ended_by IS NOT NULL)
    AND (ended_by IS NULL) = (end_reason IS NULL))
);
CREATE UNIQUE INDEX one_redrive ON redrive (incident_id) WHERE ended_at IS NULL;
CREATE INDEX redrive_due ON redrive (due_at) WHERE ended_at IS NULL;
CREATE INDEX redrive_of_incident ON redrive (incident_id, ordered_at, id);
CREATE TRIGGER kept BEFORE DELETE OR TRUNCATE ON redrive FOR EACH STATEMENT EXECUTE FUNCTION forbid();

-- The sagas that there were when it was ordered, those that have stood longest first.
CREATE TABLE redrive_saga (
  redrive_id text NOT NULL REFERENCES redrive,
  no integer NOT NULL,
  saga_id text NOT NULL REFERENCES saga,
  -- `RETRIED`: it goes on. `DONE`: and has ended well. `FAILED`: it waits for a person again, or could not be tried. `SKIPPED`: it had moved on.
  status text NOT NULL DEFAULT 'WAITING' CHECK (status IN ('WAITING', 'RETRIED', 'DONE', 'FAILED', 'SKIPPED')),
  at timestamptz,
  code text CHECK (length(code) <= 100),
  PRIMARY KEY (redrive_id, no)
) WITH (fillfactor = 70);
CREATE INDEX redrive_saga_waiting ON redrive_saga (redrive_id, no) WHERE status = 'WAITING';
CREATE INDEX redrive_saga_under_way ON redrive_saga (redrive_id, no) WHERE status = 'RETRIED';
CREATE INDEX redrive_saga_of_saga ON redrive_saga (saga_id);
CREATE TRIGGER kept BEFORE DELETE OR TRUNCATE ON redrive_saga FOR EACH STATEMENT EXECUTE FUNCTION forbid();
