-- What devices were told for a stay follows the departure: a grant can be the subject of a saga, which changes until when
-- it serves, and knows what is wanted of it and what was asked for last.

ALTER TABLE amenity_grant
  ADD COLUMN wanted_until timestamptz,              -- by the departure; null: to be looked at
  ADD COLUMN asked_until timestamptz,               -- what the device was last asked for
  ADD COLUMN changes int NOT NULL DEFAULT 0,        -- how often it was asked for another time
  ADD COLUMN told_since timestamptz NOT NULL DEFAULT '-infinity'; -- what the guest was told before may have been another time
-- Departures that were agreed before this was there are looked at once.
UPDATE amenity_grant SET asked_until = valid_until, told_since = now();
ALTER TABLE amenity_grant ALTER COLUMN asked_until SET NOT NULL;
-- A program of the version before, which still runs, names no time that was asked for.
CREATE FUNCTION grant_was_asked_for() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  NEW.asked_until := coalesce(NEW.asked_until, NEW.valid_until);
  RETURN NEW;
END $$;
CREATE TRIGGER asked_for BEFORE INSERT ON amenity_grant FOR EACH ROW EXECUTE FUNCTION grant_was_asked_for();
CREATE INDEX amenity_grant_unsettled ON amenity_grant (reservation_id)
  WHERE status = 'ACTIVE' AND wanted_until IS DISTINCT FROM asked_until;

-- Every way in which a departure changes has the grant looked at.
CREATE FUNCTION departure_of_stay_moves() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  UPDATE amenity_grant SET wanted_until = NULL WHERE reservation_id = NEW.id AND status = 'ACTIVE';
  RETURN NULL;
END $$;
CREATE TRIGGER departure_moves AFTER UPDATE OF planned_departure, check_out_date, property_id ON reservation FOR EACH ROW
  WHEN ((OLD.planned_departure, OLD.check_out_date, OLD.property_id) IS DISTINCT FROM (NEW.planned_departure, NEW.check_out_date, NEW.property_id))
  EXECUTE FUNCTION departure_of_stay_moves();
CREATE FUNCTION departures_of_property_move() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  UPDATE amenity_grant SET wanted_until = NULL WHERE property_id = NEW.id AND status = 'ACTIVE';
  RETURN NULL;
END $$;
CREATE TRIGGER departures_move AFTER UPDATE OF check_out_time, time_zone ON property FOR EACH ROW
  WHEN ((OLD.check_out_time, OLD.time_zone) IS DISTINCT FROM (NEW.check_out_time, NEW.time_zone))
  EXECUTE FUNCTION departures_of_property_move();

ALTER TABLE saga DROP CONSTRAINT saga_subject_type_check;
ALTER TABLE saga ADD CONSTRAINT saga_subject_type_check CHECK (subject_type IN ('reservation','transaction','amenity_grant'));

-- A grant is named by its stay.
CREATE OR REPLACE FUNCTION place_of_saga() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF NEW.subject_type = 'transaction' THEN
    NEW.property_id := (SELECT t.property_id FROM transaction t WHERE t.id = NEW.subject_id);
  ELSE
    NEW.property_id := (SELECT r.property_id FROM reservation r WHERE r.id = NEW.subject_id);
  END IF;
  RETURN NEW;
END $$;

CREATE OR REPLACE FUNCTION saga_events() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF TG_OP = 'INSERT' THEN
    INSERT INTO domain_event (type, resource, resource_id, reservation_id, data)
    SELECT 'saga.accepted', 'saga', n.id, CASE WHEN n.subject_type <> 'transaction' THEN n.subject_id END,
           jsonb_build_object('status', n.status, 'name', n.name, 'subjectType', n.subject_type, 'subjectId', n.subject_id, 'errorCode', n.error_code)
      FROM new_rows n;
  ELSE
    INSERT INTO domain_event (type, resource, resource_id, reservation_id, data)
    SELECT 'saga.' || n.status, 'saga', n.id, CASE WHEN n.subject_type <> 'transaction' THEN n.subject_id END,
           jsonb_build_object('status', n.status, 'name', n.name, 'subjectType', n.subject_type, 'subjectId', n.subject_id, 'errorCode', n.error_code)
      FROM new_rows n JOIN old_rows o ON o.id = n.id
     WHERE n.status <> o.status AND n.status NOT IN ('pending', 'running');
  END IF;
  RETURN NULL;
END $$;
