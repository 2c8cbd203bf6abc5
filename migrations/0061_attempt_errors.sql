-- Why each attempt of a call has failed; the step itself keeps the last reason alone.
ALTER TABLE step_attempt ADD COLUMN error jsonb;
