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

-- A message that is claimed changes no column of an index any more, so only its row is written, and not one entry in each of
-- twelve indexes. Its status stood in the conditions of three of them: those have columns of their own now, which a claim
-- leaves alone, and a message that is sent changes one.
ALTER TABLE notification
  ADD COLUMN claim_at timestamptz GENERATED ALWAYS AS (CASE WHEN status IN ('QUEUED', 'SENDING') THEN due_at END) STORED,
  ADD COLUMN rare_status text GENERATED ALWAYS AS (CASE WHEN status IN ('DELIVERED', 'FAILED', 'SKIPPED', 'BLOCKED') THEN status END) STORED;
DROP INDEX notification_due, notification_not_sent, notification_of_property_not_sent;
CREATE INDEX notification_due ON notification (claim_at) WHERE claim_at IS NOT NULL;
CREATE INDEX notification_not_sent ON notification (rare_status, created_at, id) WHERE rare_status IS NOT NULL;
CREATE INDEX notification_of_property_not_sent ON notification (property_id, rare_status, created_at, id) WHERE rare_status IS NOT NULL;
-- Room on its page for the row of a claim, when all messages of a page are claimed at once.
ALTER TABLE notification SET (fillfactor = 60);
