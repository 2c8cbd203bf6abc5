-- What became of a task: who did it and how, by which checklist, with which photos, and what followed from it.

ALTER TABLE task
  ADD COLUMN started_at timestamptz, ADD COLUMN completed_at timestamptz,
  ADD COLUMN completed_by text,                         -- the token's sub; null: the system saw to it
  ADD COLUMN completion jsonb,                          -- {notes, minutes, checklist, photos, outcome, findings, cost}
  ADD COLUMN checklist jsonb;                           -- [{id, label, required}]; null: the property's for this type
UPDATE task SET completed_at = created_at WHERE status = 'COMPLETED';
ALTER TABLE task ADD CONSTRAINT completed_when CHECK ((status = 'COMPLETED') = (completed_at IS NOT NULL));
-- For what is due in a time (domain.md 15): by when it had to be done.
CREATE INDEX task_by_deadline ON task ((coalesce(must_finish_by, ends_at))) WHERE deleted_at IS NULL;

-- Cleanings that must be done before they would end; hardly ever any.
CREATE INDEX task_too_late ON task (id) WHERE status = 'ASSIGNED' AND must_finish_by < ends_at;

-- {CLEANING: [{id, label, required}], ...}
ALTER TABLE property ADD COLUMN checklists jsonb NOT NULL DEFAULT '{}';

-- The id is the phone's, so that what was sent twice is there once.
CREATE TABLE task_photo (
  task_id text NOT NULL REFERENCES task(id), id text NOT NULL,
  content_type text NOT NULL CHECK (content_type IN ('image/jpeg','image/png','image/webp')),
  bytes bytea NOT NULL CHECK (octet_length(bytes) BETWEEN 1 AND 2097152), sha256 bytea NOT NULL,
  uploaded_by text NOT NULL, created_at timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (task_id, id)
);
CREATE TRIGGER frozen BEFORE UPDATE OR TRUNCATE ON task_photo FOR EACH STATEMENT EXECUTE FUNCTION forbid();

-- What followed from a completion, each once (domain.md 14).
CREATE TABLE task_action (
  task_id text NOT NULL REFERENCES task(id), action text NOT NULL,
  subject_id text NOT NULL,                             -- what it was done to
  created_at timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (task_id, action, subject_id)
);
