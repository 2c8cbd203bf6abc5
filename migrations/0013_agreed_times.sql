-- A task whose own time has passed is still agreed for the time at which it will be done.

CREATE OR REPLACE FUNCTION slot_follows_rule() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF (NEW.scheduled_at, NEW.ends_at) IS DISTINCT FROM (OLD.scheduled_at, OLD.ends_at)
     AND (NEW.slot_start, NEW.slot_end) IS NOT DISTINCT FROM (OLD.slot_start, OLD.slot_end) AND NOT (NEW.scheduled_at < now() AND NEW.slot_start > now()) THEN
    NEW.slot_start := NULL;
    NEW.slot_end := NULL;
  END IF;
  RETURN NEW;
END $$;
