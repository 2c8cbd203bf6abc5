-- What came of a message after it was handed over, and the other channel where one failed.

ALTER TABLE notification
  DROP CONSTRAINT notification_status_check,
  ADD CONSTRAINT notification_status_check CHECK (status IN ('QUEUED','SENDING','SENT','DELIVERED','FAILED','SKIPPED','BLOCKED')),
  ADD COLUMN delivered_at timestamptz,
  ADD COLUMN fallback_of text REFERENCES notification(id);  -- the message over the other channel that could not be sent
CREATE INDEX notification_by_provider ON notification (provider_id) WHERE channel = 'SMS' AND provider_id IS NOT NULL;
