-- Messages that were sent again together, which nobody waits for: unlike one that a person asked for, they keep quiet hours.

ALTER TABLE notification ADD COLUMN in_bulk boolean NOT NULL DEFAULT false;
