-- What a repair is going to cost, the owner's word where that is much, and what an owner is charged for it.

ALTER TABLE property
  -- A repair that is estimated at more waits for the owner's word; null: none does.
  ADD COLUMN repair_limit_minor bigint CHECK (repair_limit_minor >= 0), ADD COLUMN repair_limit_currency char(3),
  ADD CONSTRAINT repair_limit_whole CHECK ((repair_limit_minor IS NULL) = (repair_limit_currency IS NULL));
ALTER TABLE task
  ADD COLUMN estimate_minor bigint CHECK (estimate_minor > 0), ADD COLUMN estimate_currency char(3),
  ADD COLUMN approval text CHECK (approval IN ('PENDING','APPROVED','DECLINED')),     -- null: nobody needs to be asked
  ADD CONSTRAINT estimate_whole CHECK ((estimate_minor IS NULL) = (estimate_currency IS NULL)),
  ADD CONSTRAINT unapproved_is_nobodys CHECK (approval IS DISTINCT FROM 'PENDING' OR assignee_id IS NULL);
CREATE TABLE repair_approval (
  task_id text PRIMARY KEY REFERENCES task(id),
  owner_id text NOT NULL REFERENCES owner(id),          -- whom the question was put to, whoever owns the property later
  token text NOT NULL UNIQUE,                           -- in the address that only the owner is sent
  decided_at timestamptz, decided_by text, note text,
  created_at timestamptz NOT NULL DEFAULT now(),
  CHECK ((decided_at IS NULL) = (decided_by IS NULL))
);
ALTER TABLE ledger_tx DROP CONSTRAINT ledger_tx_purpose_check, ADD CONSTRAINT ledger_tx_purpose_check
  CHECK (purpose IN ('RECEIPT','DISTRIBUTION','FEE','PAYOUT','SETTLEMENT','COST'));
