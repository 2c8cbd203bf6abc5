-- Messages at the right time: reminders whose due times are rows, when a message is worth nothing any more, quiet hours,
-- what is switched off, and what a recipient does not want.

ALTER TABLE notification
  ADD COLUMN not_after timestamptz,                     -- worth nothing after that: never sent late
  ADD COLUMN waits int NOT NULL DEFAULT 0,              -- how often it was put off; attempts that do not count towards the last
  ADD COLUMN due_rule text,                             -- how due_at came about: 2027-05-31T10:00[Asia/Dubai]
  ADD COLUMN resend_of text REFERENCES notification(id);
CREATE INDEX notification_resent ON notification (resend_of) WHERE resend_of IS NOT NULL;

ALTER TABLE property
  ADD COLUMN check_in_reminder_time text NOT NULL DEFAULT '10:00',  -- local, on the day before the arrival
  ADD COLUMN check_out_reminder_time text NOT NULL DEFAULT '18:00', -- local, on the eve of the departure
  ADD COLUMN payment_due_days int DEFAULT 3 CHECK (payment_due_days BETWEEN 1 AND 365); -- before the arrival; null: nobody is reminded

-- The version of the stay that its reminders were planned for; the sweep looks at what differs. NULL asks for it anew.
ALTER TABLE reservation ADD COLUMN reminded_version int;
CREATE INDEX reservation_to_remind ON reservation (id)
  WHERE reminded_version IS DISTINCT FROM version AND (status <> 'PENDING' OR reminded_version IS NOT NULL);

-- One row, like the rules of assignment: what holds for every message.
CREATE TABLE message_rule (
  only_row boolean PRIMARY KEY DEFAULT true CHECK (only_row),
  quiet_from text NOT NULL DEFAULT '21:00', quiet_to text NOT NULL DEFAULT '09:00',   -- local, of the recipient
  last_call text NOT NULL DEFAULT '20:30',              -- when a message goes that would be too late in the morning
  quiet_channels text[] NOT NULL DEFAULT '{SMS}' CHECK (quiet_channels <@ ARRAY['EMAIL','SMS']),
  review_delay_hours int NOT NULL DEFAULT 24 CHECK (review_delay_hours BETWEEN 24 AND 720),
  review_despite_incident boolean NOT NULL DEFAULT false
);
INSERT INTO message_rule DEFAULT VALUES;

-- What is not sent at all (domain.md 12: others extension, off-switchable); no row: it is sent.
CREATE TABLE message_setting (
  event text NOT NULL, recipient_type text NOT NULL CHECK (recipient_type IN ('GUEST','OWNER','STAFF','OPS')),
  channel text NOT NULL CHECK (channel IN ('EMAIL','SMS')), enabled boolean NOT NULL,
  PRIMARY KEY (event, recipient_type, channel)
);

-- What a recipient does not want; event '*' stands for whatever may be declined.
CREATE TABLE message_opt_out (
  recipient_type text NOT NULL CHECK (recipient_type IN ('GUEST','OWNER','STAFF')), recipient_id text NOT NULL,
  event text NOT NULL, channel text NOT NULL CHECK (channel IN ('EMAIL','SMS')),
  created_at timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (recipient_type, recipient_id, channel, event)
);
