-- Who has skipped a step, and why. A skipped step counts as done with the output in `result`, has had no effect, and is never undone.
ALTER TABLE saga_step ADD COLUMN skipped_by text, ADD COLUMN skip_reason text;
-- No step was ever skipped, and a look at all of them would keep the table locked for as long.
ALTER TABLE saga_step ADD CONSTRAINT saga_step_is_skipped CHECK ((status = 'skipped') = (skipped_by IS NOT NULL)
  AND (skipped_by IS NULL) = (skip_reason IS NULL) AND length(skip_reason) BETWEEN 1 AND 500) NOT VALID;
