-- Rows that are set aside are listed, newest first, by sweep or all of them.

DROP INDEX IF EXISTS sweep_failure_newest;
CREATE INDEX sweep_failure_by_age ON sweep_failure (last_at, sweep, row_id);
CREATE INDEX sweep_failure_of_sweep ON sweep_failure (sweep, last_at, row_id);
