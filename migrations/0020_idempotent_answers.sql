-- A key of any mutation keeps the answer, not only that of a saga: status and bytes as before, and the headers that matter.

ALTER TABLE idempotency_key
  ADD COLUMN answer_headers jsonb,                      -- of the first answer: ETag, Location and the like
  ADD COLUMN sealed_by text,                            -- kid of the key that the body is sealed with; null: in clear
  ADD COLUMN lease_until timestamptz,                   -- a call to the outside is under way and has no answer yet
  ADD CHECK (saga_id IS NULL OR (answer_headers IS NULL AND sealed_by IS NULL AND lease_until IS NULL));
