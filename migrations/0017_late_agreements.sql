-- A cleaning may also be late because it was agreed for later than its rule says.

DROP INDEX task_too_late;
CREATE INDEX task_too_late ON task (id) WHERE status = 'ASSIGNED' AND must_finish_by < coalesce(slot_end, ends_at);
