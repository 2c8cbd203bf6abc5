-- Nobody may write these between a copy and what goes by it, in the order in which the programs take them.
LOCK TABLE notification, event_feed, domain_event, dev_mail IN ACCESS EXCLUSIVE MODE;

-- A mail of the mailbox keeps its own content; the frame around it, which is the same for all, is kept once. Mails without a
-- frame are whole.
CREATE TABLE mail_frame (
  id text PRIMARY KEY,
  html text NOT NULL
);
ALTER TABLE dev_mail ADD COLUMN frame text, ADD COLUMN locale text,
  ADD CONSTRAINT dev_mail_framed CHECK ((frame IS NULL) = (locale IS NULL));

-- The places of events in the feed. Numbering wrote each event anew, with all its entries in indexes; now it adds a narrow row,
-- and an event is written once. `domain_event` has no place of its own any more.
CREATE TABLE event_place (
  seq bigint PRIMARY KEY,
  event_id bigint NOT NULL UNIQUE
);
INSERT INTO event_place (seq, event_id) SELECT seq, id FROM domain_event WHERE seq IS NOT NULL ORDER BY seq;
-- Where to look for events without a place: below `from_id` only those in `left_ids` have none, which could not be given one,
-- and none will come. That is true below `next_id` as well once every transaction before `next_xid` has ended.
ALTER TABLE event_feed ADD COLUMN from_id bigint NOT NULL DEFAULT 1, ADD COLUMN left_ids bigint[] NOT NULL DEFAULT '{}',
  ADD COLUMN next_id bigint NOT NULL DEFAULT 1, ADD COLUMN next_xid xid8 NOT NULL DEFAULT '0';
UPDATE event_feed SET from_id = first.id, next_id = first.id
  FROM (SELECT coalesce((SELECT min(id) FROM domain_event WHERE seq IS NULL), (SELECT max(id) + 1 FROM domain_event), 1) AS id) first;
DROP INDEX domain_event_by_reservation, domain_event_unnumbered;
ALTER TABLE domain_event DROP COLUMN seq;
CREATE INDEX domain_event_by_reservation ON domain_event (reservation_id, id) WHERE reservation_id IS NOT NULL;

-- A message that is claimed, and one that is sent, change no column of an index any more, so only the row is written, and not
-- one entry in each of twelve indexes. The status stood in the conditions of three of them, and the provider's id in one. What
-- waits stands in a narrow table now, which triggers keep; and what few messages come to has a column that others never change.
DROP INDEX notification_due;
CREATE TABLE notification_due (
  due_at timestamptz NOT NULL,
  notification_id text NOT NULL,
  PRIMARY KEY (due_at, notification_id)
);
INSERT INTO notification_due SELECT due_at, id FROM notification WHERE status IN ('QUEUED', 'SENDING') ORDER BY due_at;
ALTER TABLE notification
  ADD COLUMN rare_status text GENERATED ALWAYS AS (CASE WHEN status IN ('DELIVERED', 'FAILED', 'SKIPPED', 'BLOCKED') THEN status END) STORED,
  ADD COLUMN sms_id text GENERATED ALWAYS AS (CASE WHEN channel = 'SMS' THEN provider_id END) STORED;
DROP INDEX notification_not_sent, notification_of_property_not_sent, notification_by_provider;
CREATE INDEX notification_by_sms ON notification (sms_id) WHERE sms_id IS NOT NULL;
CREATE INDEX notification_not_sent ON notification (rare_status, created_at, id) WHERE rare_status IS NOT NULL;
CREATE INDEX notification_of_property_not_sent ON notification (property_id, rare_status, created_at, id) WHERE rare_status IS NOT NULL;
-- Room on its page for the row of a claim, when all messages of a page are claimed at once.
ALTER TABLE notification SET (fillfactor = 50);

CREATE FUNCTION new_notifications_wait() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  INSERT INTO notification_due (due_at, notification_id)
  SELECT n.due_at, n.id FROM new_rows n WHERE n.status IN ('QUEUED', 'SENDING');
  RETURN NULL;
END $$;
CREATE FUNCTION notification_waits() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF TG_OP = 'TRUNCATE' THEN
    TRUNCATE notification_due;
    RETURN NULL;
  END IF;
  IF OLD.status IN ('QUEUED', 'SENDING') THEN
    DELETE FROM notification_due d WHERE d.due_at = OLD.due_at AND d.notification_id = OLD.id;
  END IF;
  IF TG_OP = 'UPDATE' AND NEW.status IN ('QUEUED', 'SENDING') THEN
    INSERT INTO notification_due (due_at, notification_id) VALUES (NEW.due_at, NEW.id);
  END IF;
  RETURN NULL;
END $$;
CREATE TRIGGER waits AFTER INSERT ON notification REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT
  EXECUTE FUNCTION new_notifications_wait();
CREATE TRIGGER waits_on AFTER UPDATE ON notification FOR EACH ROW
  WHEN (OLD.due_at IS DISTINCT FROM NEW.due_at OR OLD.id IS DISTINCT FROM NEW.id
    OR (OLD.status IN ('QUEUED', 'SENDING')) IS DISTINCT FROM (NEW.status IN ('QUEUED', 'SENDING')))
  EXECUTE FUNCTION notification_waits();
CREATE TRIGGER waits_no_more AFTER DELETE ON notification FOR EACH ROW EXECUTE FUNCTION notification_waits();
CREATE TRIGGER none_waits AFTER TRUNCATE ON notification FOR EACH STATEMENT EXECUTE FUNCTION notification_waits();
