-- An agent's lists start from the properties of the portfolio, newest first in each, so that a page costs by the portfolio
-- and not by everybody's history. Sagas, messages and transactions therefore have the property of their stay or task.

ALTER TABLE saga ADD COLUMN property_id text;
ALTER TABLE notification ADD COLUMN property_id text;
ALTER TABLE transaction ADD COLUMN property_id text;

-- Of rows that are there already; nothing happens to them that anybody is to be told of.
ALTER TABLE saga DISABLE TRIGGER USER;
ALTER TABLE notification DISABLE TRIGGER USER;
ALTER TABLE transaction DISABLE TRIGGER USER;
UPDATE transaction t SET property_id = r.property_id FROM reservation r WHERE r.id = t.reservation_id;
UPDATE notification n SET property_id = r.property_id FROM reservation r WHERE r.id = n.reservation_id;
UPDATE notification n SET property_id = t.property_id FROM task t WHERE t.id = n.task_id AND n.property_id IS NULL;
UPDATE saga s SET property_id = r.property_id FROM reservation r WHERE s.subject_type = 'reservation' AND r.id = s.subject_id;
UPDATE saga s SET property_id = t.property_id FROM transaction t WHERE s.subject_type = 'transaction' AND t.id = s.subject_id;
ALTER TABLE saga ENABLE TRIGGER USER;
ALTER TABLE notification ENABLE TRIGGER USER;
ALTER TABLE transaction ENABLE TRIGGER USER;

CREATE FUNCTION place_of_saga() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF NEW.subject_type = 'reservation' THEN
    NEW.property_id := (SELECT r.property_id FROM reservation r WHERE r.id = NEW.subject_id);
  ELSE
    NEW.property_id := (SELECT t.property_id FROM transaction t WHERE t.id = NEW.subject_id);
  END IF;
  RETURN NEW;
END $$;
CREATE TRIGGER place BEFORE INSERT ON saga FOR EACH ROW EXECUTE FUNCTION place_of_saga();

CREATE FUNCTION place_of_notification() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF NEW.reservation_id IS NOT NULL THEN
    NEW.property_id := (SELECT r.property_id FROM reservation r WHERE r.id = NEW.reservation_id);
  ELSE
    NEW.property_id := (SELECT t.property_id FROM task t WHERE t.id = NEW.task_id);
  END IF;
  RETURN NEW;
END $$;
CREATE TRIGGER place BEFORE INSERT ON notification FOR EACH ROW
  WHEN (NEW.reservation_id IS NOT NULL OR NEW.task_id IS NOT NULL) EXECUTE FUNCTION place_of_notification();

CREATE FUNCTION place_of_transaction() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  NEW.property_id := (SELECT r.property_id FROM reservation r WHERE r.id = NEW.reservation_id);
  RETURN NEW;
END $$;
CREATE TRIGGER place BEFORE INSERT ON transaction FOR EACH ROW
  WHEN (NEW.reservation_id IS NOT NULL) EXECUTE FUNCTION place_of_transaction();

-- What has ended is changed by nothing else (migration 0001).
CREATE FUNCTION saga_moves() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF to_jsonb(NEW) - '{property_id,ended_as}'::text[] <> to_jsonb(OLD) - '{property_id,ended_as}'::text[] THEN
    RAISE EXCEPTION 'only the property of saga % changes with its stay', OLD.id USING ERRCODE = '23514';
  END IF;
  RETURN NEW;
END $$;
DROP TRIGGER saga_guard ON saga;
CREATE TRIGGER saga_guard BEFORE UPDATE ON saga FOR EACH ROW
  WHEN (OLD.property_id IS NOT DISTINCT FROM NEW.property_id) EXECUTE FUNCTION saga_guard();
CREATE TRIGGER saga_moves BEFORE UPDATE ON saga FOR EACH ROW
  WHEN (OLD.property_id IS DISTINCT FROM NEW.property_id) EXECUTE FUNCTION saga_moves();

-- A stay that is not confirmed yet can be given another property.
CREATE FUNCTION places_follow_stay() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  UPDATE notification SET property_id = NEW.property_id WHERE reservation_id = NEW.id;
  UPDATE saga SET property_id = NEW.property_id WHERE subject_type = 'reservation' AND subject_id = NEW.id;
  UPDATE saga SET property_id = NEW.property_id WHERE subject_type = 'transaction'
    AND subject_id IN (SELECT t.id FROM transaction t WHERE t.reservation_id = NEW.id);
  UPDATE transaction SET property_id = NEW.property_id WHERE reservation_id = NEW.id;
  RETURN NULL;
END $$;
CREATE TRIGGER places_follow AFTER UPDATE OF property_id ON reservation FOR EACH ROW
  WHEN (OLD.property_id IS DISTINCT FROM NEW.property_id) EXECUTE FUNCTION places_follow_stay();

-- The guests that a property has had, by when they were made; those without a stay are at no place, ''.
CREATE TABLE guest_place (
  property_id text NOT NULL, guest_created_at timestamptz NOT NULL,
  guest_id text NOT NULL REFERENCES guest(id) ON DELETE CASCADE,
  PRIMARY KEY (property_id, guest_created_at, guest_id)
);
CREATE INDEX guest_place_by_guest ON guest_place (guest_id);
INSERT INTO guest_place SELECT DISTINCT r.property_id, g.created_at, g.id FROM reservation r JOIN guest g ON g.id = r.guest_id;
INSERT INTO guest_place SELECT '', g.created_at, g.id FROM guest g WHERE NOT EXISTS (SELECT FROM reservation r WHERE r.guest_id = g.id);

CREATE FUNCTION guest_without_stay() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  INSERT INTO guest_place VALUES ('', NEW.created_at, NEW.id);
  RETURN NULL;
END $$;
CREATE TRIGGER place AFTER INSERT ON guest FOR EACH ROW EXECUTE FUNCTION guest_without_stay();

CREATE FUNCTION guest_places() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF TG_OP <> 'INSERT' AND OLD.guest_id IS NOT NULL THEN
    DELETE FROM guest_place p WHERE p.guest_id = OLD.guest_id AND p.property_id = OLD.property_id
      AND NOT EXISTS (SELECT FROM reservation r WHERE r.guest_id = OLD.guest_id AND r.property_id = OLD.property_id);
    INSERT INTO guest_place SELECT '', g.created_at, g.id FROM guest g
     WHERE g.id = OLD.guest_id AND NOT EXISTS (SELECT FROM reservation r WHERE r.guest_id = g.id) ON CONFLICT DO NOTHING;
  END IF;
  IF TG_OP <> 'DELETE' AND NEW.guest_id IS NOT NULL THEN
    INSERT INTO guest_place SELECT NEW.property_id, g.created_at, g.id FROM guest g WHERE g.id = NEW.guest_id ON CONFLICT DO NOTHING;
    DELETE FROM guest_place p WHERE p.guest_id = NEW.guest_id AND p.property_id = '';
  END IF;
  RETURN NULL;
END $$;
CREATE TRIGGER guest_place_of_new AFTER INSERT OR DELETE ON reservation FOR EACH ROW EXECUTE FUNCTION guest_places();
CREATE TRIGGER guest_place_of_change AFTER UPDATE OF property_id, guest_id ON reservation FOR EACH ROW
  WHEN ((OLD.property_id, OLD.guest_id) IS DISTINCT FROM (NEW.property_id, NEW.guest_id)) EXECUTE FUNCTION guest_places();

-- With how it ended, so that they are counted without being read.
CREATE INDEX saga_of_property ON saga (property_id, requested_at, id) INCLUDE (ended_as) WHERE property_id IS NOT NULL;
CREATE INDEX saga_of_property_by_name ON saga (property_id, name, requested_at, id) INCLUDE (ended_as) WHERE property_id IS NOT NULL;
CREATE INDEX saga_of_property_undone_by_name ON saga (property_id, name, ended_as, requested_at, id) WHERE ended_as IN ('compensated','resolved');
CREATE INDEX saga_of_property_undone ON saga (property_id, ended_as, requested_at, id) WHERE ended_as IN ('compensated','resolved');

CREATE INDEX transaction_of_property ON transaction (property_id, created_at, id) WHERE property_id IS NOT NULL;
CREATE INDEX transaction_of_property_by_owner ON transaction (property_id, owner_id, created_at, id) WHERE owner_id IS NOT NULL;
CREATE INDEX transaction_of_property_not_completed ON transaction (property_id, status, created_at, id)
  WHERE status IN ('PENDING','PROCESSING','FAILED','CANCELLED','REVERSED','MANUAL_REQUIRED');
-- The others come with every payment.
CREATE INDEX transaction_of_property_by_type ON transaction (property_id, type, created_at, id) WHERE type IN ('REFUND','ADJUSTMENT','REVERSAL');

CREATE INDEX notification_of_property ON notification (property_id, created_at, id) WHERE property_id IS NOT NULL;
CREATE INDEX notification_of_property_by_event ON notification (property_id, event, created_at, id) WHERE property_id IS NOT NULL;
CREATE INDEX notification_of_property_by_recipient ON notification (property_id, recipient_id, created_at, id) WHERE property_id IS NOT NULL;
CREATE INDEX notification_of_property_not_sent ON notification (property_id, status, created_at, id)
  WHERE status IN ('DELIVERED','FAILED','SKIPPED','BLOCKED');

CREATE INDEX task_of_property_by_assignee ON task (property_id, assignee_id, created_at, id) WHERE assignee_id IS NOT NULL;
CREATE INDEX task_of_property_by_type ON task (property_id, type, created_at, id) WHERE type IN ('INSPECTION','MAINTENANCE','EMERGENCY','FINANCE');
CREATE INDEX task_of_property_ended ON task (property_id, status, created_at, id) WHERE status IN ('CANCELLED','MERGED');
-- Somebody's work in its order, without what was withdrawn.
CREATE INDEX task_to_do ON task (assignee_id, (coalesce(slot_start, scheduled_at)), id)
  WHERE assignee_id IS NOT NULL AND deleted_at IS NULL AND status NOT IN ('CANCELLED','MERGED');
