-- A refund that a person decides says who bears it. What the agency or the owner bears alone is no part of the split of
-- the stay, so it is kept with the refund: minor units of what had been divided, without a guest's own credit.

ALTER TABLE transaction
  ADD COLUMN borne_by text,
  ADD COLUMN borne_minor bigint NOT NULL DEFAULT 0,
  ADD CONSTRAINT transaction_borne_by CHECK (borne_by IN ('SPLIT', 'AGENCY', 'OWNER')),
  ADD CONSTRAINT transaction_borne CHECK (borne_minor = 0 OR type = 'REFUND' AND borne_by IS NOT NULL AND borne_minor BETWEEN 0 AND amount_minor);
