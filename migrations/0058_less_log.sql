-- What a confirmed stay writes into the log is for the most part entries of indexes, and rows that are written whole once more because
-- their page is full.

-- Room on the page for the next version of a row: then it is written where it stands, the log takes only what has changed of it, and no
-- index hears of it. Pages that are there fill as they are.
ALTER TABLE notification SET (fillfactor = 40);
ALTER TABLE task SET (fillfactor = 40);
ALTER TABLE outbox SET (fillfactor = 50);

-- The ids were in these indexes of a property's rows so that they could be read from there alone. Tasks are looked at anyhow, for what is
-- deleted or overtaken; of messages the list looks for the moment of its last row first, and then only at the few rows since.
DROP INDEX task_of_property;
CREATE INDEX task_of_property ON task (property_id, created_at);
DROP INDEX task_of_property_by_assignee;
CREATE INDEX task_of_property_by_assignee ON task (property_id, assignee_id, created_at) WHERE assignee_id IS NOT NULL;
DROP INDEX notification_of_property;
CREATE INDEX notification_of_property ON notification (property_id, created_at) WHERE property_id IS NOT NULL;
DROP INDEX notification_of_property_by_event;
CREATE INDEX notification_of_property_by_event ON notification (property_id, event, created_at) WHERE property_id IS NOT NULL;
DROP INDEX notification_of_property_by_recipient;
CREATE INDEX notification_of_property_by_recipient ON notification (property_id, recipient_id, created_at) WHERE property_id IS NOT NULL;
DROP INDEX audit_by_actor;
CREATE INDEX audit_by_actor ON audit_log (actor, at);
DROP INDEX audit_by_event;
CREATE INDEX audit_by_event ON audit_log (event, at);
DROP INDEX audit_by_time;
CREATE INDEX audit_by_time ON audit_log (at);

-- The messages of a saga about a stay are found among those of the stay.
DROP INDEX notification_by_saga;
CREATE INDEX notification_by_saga ON notification (saga_id) WHERE saga_id IS NOT NULL AND reservation_id IS NULL;

-- What waits is found by its moment, and among many of one moment by a number made of its id: the ids were half of what it cost to
-- let a message wait. A message has one row, as triggers keep them.
ALTER TABLE notification_due DROP CONSTRAINT notification_due_pkey;
CREATE INDEX notification_due_by_moment ON notification_due (due_at, hashtext(notification_id));
CREATE OR REPLACE FUNCTION notification_waits() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF TG_OP = 'TRUNCATE' THEN
    TRUNCATE notification_due;
    RETURN NULL;
  END IF;
  IF OLD.status IN ('QUEUED', 'SENDING') THEN
    DELETE FROM notification_due d
     WHERE d.due_at = OLD.due_at AND hashtext(d.notification_id) = hashtext(OLD.id) AND d.notification_id = OLD.id;
  END IF;
  IF TG_OP = 'UPDATE' AND NEW.status IN ('QUEUED', 'SENDING') THEN
    INSERT INTO notification_due (due_at, notification_id) VALUES (NEW.due_at, NEW.id);
  END IF;
  RETURN NULL;
END $$;

-- The places of events, a row for each run of them: `events` events whose ids follow each other as their places do. A row for each
-- event was three records of the log, with its entries in two indexes.
LOCK TABLE event_feed, event_place IN ACCESS EXCLUSIVE MODE;
-- Under another name: a program of before, which would take a run for one event and pass over the others, has no feed at all until it ends.
ALTER TABLE event_place RENAME TO event_run;
ALTER INDEX event_place_pkey RENAME TO event_run_pkey;
ALTER INDEX event_place_event_id_key RENAME TO event_run_event_id_key;
ALTER TABLE event_run ADD COLUMN events integer NOT NULL DEFAULT 1 CHECK (events > 0);
-- No event has two places, and no place two events.
CREATE FUNCTION places_are_apart() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF (SELECT p.event_id + p.events FROM event_run p WHERE p.event_id <= NEW.event_id ORDER BY p.event_id DESC LIMIT 1) > NEW.event_id
    OR EXISTS (SELECT FROM event_run p WHERE p.event_id > NEW.event_id AND p.event_id < NEW.event_id + NEW.events)
    OR (SELECT p.seq + p.events FROM event_run p WHERE p.seq <= NEW.seq ORDER BY p.seq DESC LIMIT 1) > NEW.seq
    OR EXISTS (SELECT FROM event_run p WHERE p.seq > NEW.seq AND p.seq < NEW.seq + NEW.events) THEN
    RAISE EXCEPTION 'events from % have places, or places from % have events', NEW.event_id, NEW.seq
      USING ERRCODE = '23505', CONSTRAINT = 'event_run_event_id_key';
  END IF;
  RETURN NEW;
END $$;
CREATE TRIGGER apart BEFORE INSERT ON event_run FOR EACH ROW EXECUTE FUNCTION places_are_apart();

-- Events lie in the order of their age, so that a summary of each few pages says which of them are of a time.
DROP INDEX domain_event_by_age;
CREATE INDEX domain_event_by_age ON domain_event USING brin (at) WITH (pages_per_range = 16, autosummarize = on);
