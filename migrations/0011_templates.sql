-- Texts that people have changed, in which of them a message was sent, and what it said.

-- The newest version of a key and locale counts, before the text that is built in. Nothing is ever changed or deleted.
CREATE TABLE message_template (
  key text NOT NULL, locale text NOT NULL, version int NOT NULL CHECK (version > 0),
  subject text, message text NOT NULL, created_by text NOT NULL, created_at timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (key, locale, version)
);
CREATE TRIGGER kept BEFORE UPDATE OR DELETE OR TRUNCATE ON message_template FOR EACH STATEMENT EXECUTE FUNCTION forbid();

ALTER TABLE notification
  ADD COLUMN locale text, ADD COLUMN wanted_locale text,  -- what it was sent in, and what the recipient reads
  ADD COLUMN template_version int,                        -- 0: the built-in text
  ADD COLUMN body_hash bytea CHECK (octet_length(body_hash) = 32);

-- What was sent, without what opens doors.
CREATE TABLE notification_content (
  notification_id text PRIMARY KEY REFERENCES notification(id) ON DELETE CASCADE, subject text, body text NOT NULL
);

-- A message that there is no text for in the recipient's language is not sent in another one.
ALTER TABLE property ADD COLUMN require_translation boolean NOT NULL DEFAULT false;
