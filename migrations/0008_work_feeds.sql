-- Calendars that staff subscribe to: an address that nobody can guess, and that can be taken back.

-- One a person; a new address ends the old one. Only a digest of it is kept.
CREATE TABLE calendar_feed (
  staff_id text PRIMARY KEY REFERENCES staff(id),
  token_hash bytea NOT NULL UNIQUE CHECK (octet_length(token_hash) = 32),
  created_at timestamptz NOT NULL DEFAULT now()
);
-- What somebody has to do, in the order of the work.
CREATE INDEX task_by_assignee ON task (assignee_id, (coalesce(slot_start, scheduled_at)), id) WHERE assignee_id IS NOT NULL;
