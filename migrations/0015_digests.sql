-- Whoever supervises much work may hear of what was completed once a day, in one mail.

ALTER TABLE staff ADD COLUMN digest boolean NOT NULL DEFAULT false;                  -- completed tasks in one mail a day
ALTER TABLE message_rule ADD COLUMN digest_time text NOT NULL DEFAULT '18:00';       -- local, at the property
ALTER TABLE notification ADD COLUMN digest_id text REFERENCES notification(id);      -- the mail that says it instead
CREATE INDEX notification_by_task ON notification (task_id) WHERE task_id IS NOT NULL;             -- what somebody was told of it before
CREATE INDEX notification_in_digest ON notification (digest_id) WHERE digest_id IS NOT NULL;
