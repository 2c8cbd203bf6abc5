-- Which emergency a task had to give way to. It gives way once, so that one column will do.

ALTER TABLE task ADD COLUMN displaced_by text REFERENCES task(id);
CREATE INDEX task_displaced_by ON task (displaced_by) WHERE displaced_by IS NOT NULL;
