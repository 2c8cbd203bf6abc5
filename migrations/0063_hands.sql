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
