-- What stands here of a link is its name alone: the link has a MAC by a key that is not in the database (src/kernel/link-seal.ts), so who
-- reads the database cannot open it. Links of before open by their digest, and what stood here of them is replaced.
ALTER TABLE task_offer ADD COLUMN link_before bytea, ADD CONSTRAINT task_offer_link_before_check CHECK (octet_length(link_before) = 32);
ALTER TABLE repair_approval ADD COLUMN link_before bytea,
  ADD CONSTRAINT repair_approval_link_before_check CHECK (octet_length(link_before) = 32);
UPDATE task_offer SET link_before = sha256(convert_to(token, 'UTF8')), token = replace(gen_random_uuid()::text, '-', '');
UPDATE repair_approval SET link_before = sha256(convert_to(token, 'UTF8')),
  token = left(replace(gen_random_uuid()::text || gen_random_uuid()::text, '-', ''), 43);
CREATE UNIQUE INDEX task_offer_by_link_before ON task_offer (link_before) WHERE link_before IS NOT NULL;
CREATE UNIQUE INDEX repair_approval_by_link_before ON repair_approval (link_before) WHERE link_before IS NOT NULL;
CREATE OR REPLACE FUNCTION offer_task() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  -- What is given back after an undo is the question of before, under its address.
  INSERT INTO task_offer (token, task_id, staff_id, accept_by)
  VALUES (replace(gen_random_uuid()::text, '-', ''), NEW.id, NEW.assignee_id, NEW.accept_by)
  ON CONFLICT (task_id, staff_id, accept_by) DO NOTHING;
  RETURN NULL;
END $$;
