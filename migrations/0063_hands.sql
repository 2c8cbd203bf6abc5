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
