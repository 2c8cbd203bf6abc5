-- Money: the double-entry ledger, the payments that gateways captured, the terms under which income is shared, paid out
-- and refunded, what gateways told us, and how their record compares with ours.

-- A version of the terms: a reservation pins the one that it was confirmed, or first paid, under (domain.md 4, 6 and T16).
ALTER TABLE income_distribution
  ADD COLUMN effective_from timestamptz NOT NULL DEFAULT '2000-01-01T00:00:00Z',
  ADD COLUMN unassigned_referral text NOT NULL DEFAULT 'RETAIN'
    CHECK (unassigned_referral IN ('RETAIN','TO_AGENCY','TO_OWNER','PRO_RATA')),
  ADD COLUMN gateway_fee_bearer text NOT NULL DEFAULT 'AGENCY' CHECK (gateway_fee_bearer IN ('AGENCY','OWNER','PRO_RATA')),
  ADD COLUMN agency_fee_refundable boolean NOT NULL DEFAULT true,
  ADD COLUMN payout_policy text NOT NULL DEFAULT 'AFTER_CHECK_IN'
    CHECK (payout_policy ~ '^(ON_PAYMENT|AFTER_CHECK_IN|AFTER_CHECK_OUT|MONTHLY:([1-9]|1[0-9]|2[0-8]))$'),
  ADD COLUMN refund_base text NOT NULL DEFAULT 'PAID' CHECK (refund_base IN ('PAID','TOTAL')),
  -- Descending by days: whoever cancels at least so many calendar days before arrival gets so many percent.
  ADD COLUMN refund_tiers jsonb NOT NULL DEFAULT '[{"days":7,"percent":100},{"days":3,"percent":50},{"days":1,"percent":25}]';
ALTER TABLE income_distribution ALTER COLUMN effective_from SET DEFAULT now();
CREATE INDEX income_distribution_in_force ON income_distribution (effective_from, version);

-- {policy?, hold?, minimumMinor?: {AED: 1}, workingCapitalMinor?: {AED: 1}}; null: the terms' own policy, paid at once.
ALTER TABLE owner ADD COLUMN payout_terms jsonb;

ALTER TABLE reservation
  ADD COLUMN payment_status text NOT NULL DEFAULT 'UNPAID'
    CHECK (payment_status IN ('UNPAID','PARTIALLY_PAID','PAID','OVERPAID','PARTIALLY_REFUNDED','REFUNDED')),
  ADD COLUMN cancelled_at timestamptz, ADD COLUMN cancel_reason text;
-- Whether the attempt certainly never reached the other side: it then leaves nothing to settle.
ALTER TABLE step_attempt ADD COLUMN unsent boolean NOT NULL DEFAULT false;

-- What one processPayment asked of a gateway. Only what a gateway confirmed is COMPLETED.
CREATE TABLE payment (
  id text PRIMARY KEY,
  reservation_id text NOT NULL REFERENCES reservation(id), saga_id text NOT NULL UNIQUE REFERENCES saga(id),
  gateway_id text NOT NULL, gateway_reference text NOT NULL, payment_method text,
  amount_minor bigint NOT NULL CHECK (amount_minor BETWEEN 1 AND 100000000000), currency char(3) NOT NULL,
  fee_minor bigint NOT NULL DEFAULT 0 CHECK (fee_minor BETWEEN 0 AND amount_minor),
  excess_minor bigint NOT NULL DEFAULT 0 CHECK (excess_minor BETWEEN 0 AND amount_minor),   -- over the balance: the guest's credit
  refunded_minor bigint NOT NULL DEFAULT 0 CHECK (refunded_minor BETWEEN 0 AND amount_minor),
  status text NOT NULL CHECK (status IN ('PROCESSING','COMPLETED','FAILED','CANCELLED','REVERSED')),
  provider_id text, error_code text, requested_by text NOT NULL,
  created_at timestamptz NOT NULL DEFAULT now(), completed_at timestamptz,
  CHECK ((status = 'COMPLETED') <= (completed_at IS NOT NULL))
);
-- Booked once, whoever claims it.
CREATE UNIQUE INDEX one_claim ON payment (gateway_id, gateway_reference) WHERE status NOT IN ('FAILED','CANCELLED','REVERSED');
CREATE INDEX payment_by_reservation ON payment (reservation_id, created_at);
CREATE INDEX payment_by_age ON payment (created_at);
CREATE INDEX payment_by_completion ON payment (completed_at);
CREATE INDEX payment_by_provider_id ON payment (provider_id);
CREATE INDEX payment_failed_by_requester ON payment (requested_by, created_at) WHERE status = 'FAILED';
CREATE TRIGGER kept BEFORE DELETE OR TRUNCATE ON payment FOR EACH STATEMENT EXECUTE FUNCTION forbid();

ALTER TABLE transaction
  DROP CONSTRAINT transaction_status_check,
  ADD CONSTRAINT transaction_status_check
    CHECK (status IN ('PENDING','PROCESSING','COMPLETED','FAILED','CANCELLED','REVERSED','MANUAL_REQUIRED')),
  ADD COLUMN settled_minor bigint NOT NULL DEFAULT 0,   -- the money that this row itself moved
  ADD COLUMN payment_id text REFERENCES payment(id),
  ADD COLUMN beneficiary_id text REFERENCES staff(id), ADD COLUMN retained_by text CHECK (retained_by = 'AGENCY'),
  ADD COLUMN scheduled_for timestamptz,
  ADD COLUMN payout_saga text REFERENCES saga(id),      -- the instruction that pays this payout
  ADD COLUMN gateway_id text, ADD COLUMN gateway_reference text, ADD COLUMN payment_method text,
  ADD COLUMN provider_id text, ADD COLUMN error_code text,
  ADD COLUMN details jsonb;                             -- of a refund: {percent, rule, daysBeforeCheckIn}
CREATE INDEX payout_due ON transaction (scheduled_for) WHERE type = 'OWNER_PAYOUT' AND status = 'PENDING';
CREATE INDEX payout_open ON transaction (owner_id, currency) WHERE type = 'OWNER_PAYOUT' AND status IN ('PENDING','PROCESSING','FAILED');
CREATE INDEX transaction_by_owner ON transaction (owner_id, created_at) WHERE owner_id IS NOT NULL;
CREATE INDEX transaction_by_gateway_reference ON transaction (gateway_reference) WHERE gateway_reference IS NOT NULL;
CREATE INDEX transaction_by_provider_id ON transaction (provider_id) WHERE provider_id IS NOT NULL;
CREATE INDEX task_by_reservation ON task (reservation_id);
CREATE INDEX transaction_by_parent ON transaction (parent_id) WHERE parent_id IS NOT NULL;
CREATE INDEX transaction_by_payout_saga ON transaction (payout_saga) WHERE payout_saga IS NOT NULL;

-- What a stay's payments say of it: nobody sets it by hand.
CREATE FUNCTION payment_status_of(of_reservation text) RETURNS text LANGUAGE sql STABLE AS $$
  SELECT CASE WHEN p.captured = 0 THEN 'UNPAID'
              WHEN p.refunded >= p.captured THEN 'REFUNDED'
              WHEN p.refunded > 0 THEN 'PARTIALLY_REFUNDED'
              WHEN p.captured > r.total_minor THEN 'OVERPAID'
              WHEN p.captured = r.total_minor THEN 'PAID'
              ELSE 'PARTIALLY_PAID' END
    FROM reservation r, (SELECT coalesce(sum(amount_minor), 0) AS captured, coalesce(sum(refunded_minor), 0) AS refunded
                           FROM payment WHERE reservation_id = of_reservation AND status = 'COMPLETED') p
   WHERE r.id = of_reservation $$;

-- domain.md 5; one account of a kind per party and currency. Id: owner_payable:owner-1:AED, bank:AED.
CREATE TABLE ledger_account (
  id text PRIMARY KEY,
  kind text NOT NULL CHECK (kind IN ('GATEWAY_CLEARING','BANK','OWNER_PAYABLE','AGENT_PAYABLE','GUEST_CREDIT','DEPOSIT_HELD',
    'AGENCY_FEE','REFERRAL_RETAINED','GATEWAY_FEE')),
  party_id text, currency char(3) NOT NULL,
  UNIQUE (id, currency)
);
CREATE INDEX ledger_account_by_party ON ledger_account (kind, party_id);
CREATE TABLE ledger_tx (
  id text PRIMARY KEY,
  effect_key text NOT NULL UNIQUE,                      -- posted once, however often it is asked for
  kind text NOT NULL CHECK (kind IN ('GUEST_PAYMENT','OWNER_SHARE','AGENCY_FEE','REFERRAL_FEE','GATEWAY_FEE','REFUND','REFUND_PAID',
    'OWNER_PAYOUT','SETTLEMENT','ADJUSTMENT','REVERSAL')),
  -- What it moves: the guest's money in and out, its distribution, a gateway's fee, a payout, a gateway's settlement.
  purpose text NOT NULL CHECK (purpose IN ('RECEIPT','DISTRIBUTION','FEE','PAYOUT','SETTLEMENT')),
  currency char(3) NOT NULL,
  transaction_id text REFERENCES transaction(id), reservation_id text REFERENCES reservation(id), payment_id text REFERENCES payment(id),
  saga_id text REFERENCES saga(id), posted_by text NOT NULL,
  reverses text UNIQUE,
  made_in xid8 NOT NULL DEFAULT pg_current_xact_id(), created_at timestamptz NOT NULL DEFAULT now(),
  UNIQUE (id, currency), FOREIGN KEY (reverses, currency) REFERENCES ledger_tx (id, currency),
  CHECK ((kind = 'REVERSAL') = (reverses IS NOT NULL))
);
CREATE INDEX ledger_tx_by_reservation ON ledger_tx (reservation_id);
CREATE INDEX ledger_tx_by_transaction ON ledger_tx (transaction_id);
CREATE INDEX ledger_tx_by_saga ON ledger_tx (saga_id);
CREATE INDEX ledger_tx_by_age ON ledger_tx (created_at, id);
CREATE TABLE ledger_entry (
  tx_id text NOT NULL, line int NOT NULL, account_id text NOT NULL, currency char(3) NOT NULL,
  amount bigint NOT NULL CHECK (amount <> 0 AND amount BETWEEN -100000000000 AND 100000000000),   -- + debit, - credit; minor units
  PRIMARY KEY (tx_id, line),
  FOREIGN KEY (tx_id, currency) REFERENCES ledger_tx (id, currency),
  FOREIGN KEY (account_id, currency) REFERENCES ledger_account (id, currency)
);
CREATE INDEX ledger_entry_by_account ON ledger_entry (account_id);

CREATE FUNCTION ledger_check(t text) RETURNS void LANGUAGE plpgsql AS $$
DECLARE n int; s numeric;
BEGIN
  SELECT count(*), coalesce(sum(amount), 0) INTO n, s FROM ledger_entry WHERE tx_id = t;
  IF n < 2 OR s <> 0 THEN
    RAISE EXCEPTION 'ledger tx % unbalanced: % lines, sum %', t, n, s USING ERRCODE = '23514', CONSTRAINT = 'ledger_balanced';
  END IF;
  IF EXISTS (SELECT FROM ledger_tx x JOIN ledger_entry e ON e.tx_id IN (x.id, x.reverses)
              WHERE x.id = t AND x.reverses IS NOT NULL GROUP BY e.account_id HAVING sum(e.amount) <> 0) THEN
    RAISE EXCEPTION 'ledger tx % does not mirror what it reverses', t USING ERRCODE = '23514', CONSTRAINT = 'ledger_mirrored';
  END IF;
END $$;
CREATE FUNCTION ledger_tx_ck() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM ledger_check(NEW.id); RETURN NULL; END $$;
CREATE FUNCTION ledger_entry_ck() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM ledger_check(NEW.tx_id); RETURN NULL; END $$;
CREATE CONSTRAINT TRIGGER ledger_tx_balanced AFTER INSERT ON ledger_tx
  DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION ledger_tx_ck();      -- catches a tx with no lines
CREATE CONSTRAINT TRIGGER ledger_entry_balanced AFTER INSERT ON ledger_entry
  DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION ledger_entry_ck();
CREATE FUNCTION ledger_same_tx() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN                                                    -- nobody adds lines to yesterday's transaction
  IF (SELECT made_in FROM ledger_tx WHERE id = NEW.tx_id) <> pg_current_xact_id() THEN
    RAISE EXCEPTION 'ledger tx % is closed', NEW.tx_id USING ERRCODE = '23514', CONSTRAINT = 'ledger_closed';
  END IF;
  RETURN NEW;
END $$;
CREATE TRIGGER ledger_same_tx BEFORE INSERT ON ledger_entry FOR EACH ROW EXECUTE FUNCTION ledger_same_tx();
CREATE TRIGGER frozen BEFORE UPDATE OR DELETE OR TRUNCATE ON ledger_tx FOR EACH STATEMENT EXECUTE FUNCTION forbid();
CREATE TRIGGER frozen BEFORE UPDATE OR DELETE OR TRUNCATE ON ledger_entry FOR EACH STATEMENT EXECUTE FUNCTION forbid();
CREATE TRIGGER frozen BEFORE UPDATE OR DELETE OR TRUNCATE ON ledger_account FOR EACH STATEMENT EXECUTE FUNCTION forbid();

-- What a gateway told us by webhook: an event counts once, in whatever order it comes.
CREATE TABLE gateway_event (
  gateway_id text NOT NULL, event_id text NOT NULL, type text NOT NULL, object_id text,
  received_at timestamptz NOT NULL DEFAULT now(), processed_at timestamptz, outcome text,
  PRIMARY KEY (gateway_id, event_id)
);

CREATE TABLE reconciliation (
  id text PRIMARY KEY,
  gateway_id text NOT NULL, source text NOT NULL CHECK (source IN ('GATEWAY','CSV')),
  occasion text NOT NULL UNIQUE,                        -- a night, or a file's hash: counted once
  from_at timestamptz, to_at timestamptz,
  matched int NOT NULL DEFAULT 0, mismatched int NOT NULL DEFAULT 0,
  missing_in_ledger int NOT NULL DEFAULT 0, missing_at_gateway int NOT NULL DEFAULT 0,
  started_by text NOT NULL, created_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX reconciliation_by_age ON reconciliation (created_at, id);
CREATE TABLE reconciliation_line (
  reconciliation_id text NOT NULL REFERENCES reconciliation(id), line int NOT NULL,
  kind text NOT NULL CHECK (kind IN ('CHARGE','REFUND','PAYOUT')), reference text NOT NULL, currency char(3) NOT NULL,
  ledger_minor bigint, gateway_minor bigint,
  status text NOT NULL CHECK (status IN ('MATCHED','AMOUNT_MISMATCH','MISSING_IN_LEDGER','MISSING_AT_GATEWAY')),
  transaction_id text REFERENCES transaction(id),
  PRIMARY KEY (reconciliation_id, line)
);
CREATE TRIGGER frozen BEFORE UPDATE OR DELETE OR TRUNCATE ON reconciliation_line FOR EACH STATEMENT EXECUTE FUNCTION forbid();
