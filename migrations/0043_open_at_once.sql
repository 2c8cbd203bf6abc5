-- At most one open saga for each subject and lock kind, instead of one for each subject. Sagas that are open now hold both
-- kinds until they end, or get past the last step that needs one.

ALTER TABLE saga ADD COLUMN holds_state boolean NOT NULL DEFAULT true, ADD COLUMN holds_money boolean NOT NULL DEFAULT true;
CREATE UNIQUE INDEX one_open_state ON saga (subject_type, subject_id) WHERE finished_at IS NULL AND holds_state;
CREATE UNIQUE INDEX one_open_money ON saga (subject_type, subject_id) WHERE finished_at IS NULL AND holds_money;
CREATE INDEX saga_open_by_subject ON saga (subject_type, subject_id) WHERE finished_at IS NULL;
DROP INDEX one_open_saga;
