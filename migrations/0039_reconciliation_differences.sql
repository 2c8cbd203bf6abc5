-- What differs between a gateway's record and ours is named field by field, stands for itself until it is explained,
-- booked or gone, whichever comparison finds it; and what has reached the bank is kept with its journals, once for each
-- charge and refund, whatever the record calls it.

CREATE TABLE difference (
  id text PRIMARY KEY,
  gateway_id text NOT NULL,
  movement text NOT NULL CHECK (movement IN ('CHARGE','REFUND','PAYOUT')),
  subject text NOT NULL,                                -- 'ours:<payment, refund or payout>', or 'theirs:<provider id>' of what we have not booked
  kind text NOT NULL CHECK (kind IN ('AMOUNT_MISMATCH','FEE_MISMATCH','CURRENCY_MISMATCH','STATUS_MISMATCH','DATE_MISMATCH',
    'MISSING_IN_LEDGER','MISSING_AT_GATEWAY')),         -- the gravest of what differs
  differs jsonb NOT NULL,                               -- [{what, ledger, gateway}], amounts in minor units
  reference text NOT NULL, provider_id text, currency char(3) NOT NULL, ledger_currency char(3),
  ledger_minor bigint, gateway_minor bigint,
  transaction_id text REFERENCES transaction(id), payment_id text REFERENCES payment(id), reservation_id text REFERENCES reservation(id),
  status text NOT NULL DEFAULT 'OPEN' CHECK (status IN ('OPEN','EXPLAINED','RESOLVED')),
  reason text, explained_by text, explained_at timestamptz,
  correction_id text REFERENCES transaction(id),        -- what was booked for it
  found_in text NOT NULL REFERENCES reconciliation(id), -- the comparison that first found these values
  seen_in text NOT NULL REFERENCES reconciliation(id),  -- the last one that found them
  opened_at timestamptz NOT NULL DEFAULT now(), resolved_at timestamptz,
  version int NOT NULL DEFAULT 1, created_at timestamptz NOT NULL DEFAULT now(),
  UNIQUE (gateway_id, movement, subject),
  CHECK (CASE status WHEN 'EXPLAINED' THEN explained_by IS NOT NULL WHEN 'OPEN' THEN explained_by IS NULL ELSE true END),
  CHECK ((explained_by IS NULL) = (reason IS NULL) AND (explained_by IS NULL) = (explained_at IS NULL)),
  CHECK ((status = 'RESOLVED') = (resolved_at IS NOT NULL))
);
CREATE INDEX difference_by_age ON difference (created_at, id);
CREATE INDEX difference_by_status ON difference (status, created_at, id);
CREATE INDEX difference_by_gateway ON difference (gateway_id, created_at, id);
CREATE INDEX difference_by_kind ON difference (kind, created_at, id);
CREATE INDEX difference_by_reservation ON difference (reservation_id) WHERE reservation_id IS NOT NULL;
CREATE TRIGGER kept BEFORE DELETE OR TRUNCATE ON difference FOR EACH STATEMENT EXECUTE FUNCTION forbid();
ALTER TABLE reconciliation
  ADD COLUMN fee_mismatch int NOT NULL DEFAULT 0, ADD COLUMN currency_mismatch int NOT NULL DEFAULT 0,
  ADD COLUMN status_mismatch int NOT NULL DEFAULT 0, ADD COLUMN date_mismatch int NOT NULL DEFAULT 0,
  ADD COLUMN settled jsonb NOT NULL DEFAULT '{}';       -- {AED: minor units that it booked into the bank}

ALTER TABLE reconciliation_line
  DROP CONSTRAINT reconciliation_line_status_check,
  ADD CONSTRAINT reconciliation_line_status_check CHECK (status IN ('MATCHED','AMOUNT_MISMATCH','FEE_MISMATCH',
    'CURRENCY_MISMATCH','STATUS_MISMATCH','DATE_MISMATCH','MISSING_IN_LEDGER','MISSING_AT_GATEWAY')),
  ADD COLUMN provider_id text, ADD COLUMN ledger_currency char(3),
  ADD COLUMN ledger_fee_minor bigint, ADD COLUMN gateway_fee_minor bigint,
  ADD COLUMN differs jsonb NOT NULL DEFAULT '[]',
  ADD COLUMN difference_id text REFERENCES difference(id);
CREATE INDEX reconciliation_line_differing ON reconciliation_line (reconciliation_id, difference_id) WHERE difference_id IS NOT NULL;

-- Lines of before say what differed as far as it can still be told: the same amount in the same currency was another fee,
-- and what had been kept of it follows from its settlement. Compared again, they get a difference that can be explained.
ALTER TABLE reconciliation_line DISABLE TRIGGER frozen;
UPDATE reconciliation_line l SET status = 'CURRENCY_MISMATCH', ledger_currency = t.currency,
    differs = jsonb_build_array(jsonb_build_object('what', 'CURRENCY', 'ledger', t.currency, 'gateway', l.currency))
  FROM transaction t WHERE t.id = l.transaction_id AND l.status = 'AMOUNT_MISMATCH' AND t.currency <> l.currency;
UPDATE reconciliation_line l SET status = 'FEE_MISMATCH', ledger_currency = l.currency, ledger_fee_minor = y.fee_minor, gateway_fee_minor = f.fee,
    differs = jsonb_build_array(jsonb_build_object('what', 'FEE', 'ledger', y.fee_minor, 'gateway', f.fee))
  FROM transaction t JOIN payment y ON y.id = t.payment_id LEFT JOIN LATERAL (
    SELECT y.amount_minor - sum(e.amount) AS fee FROM ledger_tx x JOIN ledger_entry e ON e.tx_id = x.id JOIN ledger_account a ON a.id = e.account_id
     WHERE x.reservation_id = y.reservation_id AND x.payment_id = y.id AND x.kind = 'SETTLEMENT' AND a.kind = 'BANK' AND e.amount > 0) f ON true
 WHERE t.id = l.transaction_id AND l.kind = 'CHARGE' AND l.status = 'AMOUNT_MISMATCH' AND l.ledger_minor = l.gateway_minor;
UPDATE reconciliation_line SET ledger_currency = currency,
    differs = jsonb_build_array(jsonb_build_object('what', 'AMOUNT', 'ledger', ledger_minor, 'gateway', gateway_minor))
 WHERE status IN ('AMOUNT_MISMATCH','MISSING_IN_LEDGER','MISSING_AT_GATEWAY');
ALTER TABLE reconciliation_line ENABLE TRIGGER frozen;
UPDATE reconciliation r SET mismatched = n.amount, fee_mismatch = n.fee, currency_mismatch = n.currency
  FROM (SELECT reconciliation_id, count(*) FILTER (WHERE status = 'AMOUNT_MISMATCH') AS amount, count(*) FILTER (WHERE status = 'FEE_MISMATCH') AS fee,
               count(*) FILTER (WHERE status = 'CURRENCY_MISMATCH') AS currency
          FROM reconciliation_line WHERE status IN ('AMOUNT_MISMATCH','FEE_MISMATCH','CURRENCY_MISMATCH') GROUP BY 1) n
 WHERE n.reconciliation_id = r.id AND r.mismatched > 0;

-- Lines of before say what differed as far as it can still be told: the same amount in the same currency was another fee,
-- and what had been kept of it follows from its settlement. Compared again, they get a difference that can be explained.
DO $$
DECLARE
  list text;
BEGIN
  SELECT pg_get_constraintdef(oid) INTO STRICT list FROM pg_constraint WHERE conname = 'known_event_type';
  ALTER TABLE domain_event DROP CONSTRAINT known_event_type;
  EXECUTE 'ALTER TABLE domain_event ADD CONSTRAINT known_event_type '
    || replace(list, '''staff.updated''::text', '''staff.updated''::text, ''difference.opened''::text, ''difference.explained''::text, '
      || '''difference.resolved''::text, ''difference.updated''::text');
END $$;

CREATE FUNCTION difference_events() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  INSERT INTO domain_event (type, resource, resource_id, reservation_id, data)
  VALUES ('difference.' || CASE WHEN TG_OP = 'INSERT' THEN 'opened' WHEN NEW.status = OLD.status THEN 'updated'
      ELSE CASE NEW.status WHEN 'OPEN' THEN 'opened' ELSE lower(NEW.status) END END, 'difference', NEW.id, NEW.reservation_id,
    jsonb_build_object('status', NEW.status, 'kind', NEW.kind, 'movement', NEW.movement, 'gatewayId', NEW.gateway_id,
      'transactionId', NEW.transaction_id, 'currency', NEW.currency, 'version', NEW.version));
  RETURN NULL;
END $$;
CREATE TRIGGER events_of_new AFTER INSERT ON difference FOR EACH ROW EXECUTE FUNCTION difference_events();
CREATE TRIGGER events_of_change AFTER UPDATE ON difference FOR EACH ROW
  WHEN (NEW.version <> OLD.version) EXECUTE FUNCTION difference_events();

-- Lines of before say what differed as far as it can still be told: the same amount in the same currency was another fee,
-- and what had been kept of it follows from its settlement. Compared again, they get a difference that can be explained.
-- What has reached the bank of one charge or refund. A later word on its fee, or that it came back, is a revision; the rows add up.
CREATE TABLE settlement (
  gateway_id text NOT NULL,
  movement text NOT NULL CHECK (movement IN ('CHARGE','REFUND')),
  subject text NOT NULL,                                -- as of a difference
  revision int NOT NULL CHECK (revision > 0),
  provider_id text NOT NULL, currency char(3) NOT NULL,
  amount_minor bigint NOT NULL, fee_minor bigint NOT NULL,
  net_minor bigint NOT NULL,                            -- into the bank by this row; below zero, out of it
  ledger_tx_id text UNIQUE REFERENCES ledger_tx(id),
  payment_id text REFERENCES payment(id), transaction_id text REFERENCES transaction(id), reservation_id text REFERENCES reservation(id),
  of_earlier_version boolean NOT NULL DEFAULT false,    -- settled before differences were kept
  created_at timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (gateway_id, movement, subject, revision),
  CHECK ((net_minor = 0) = (ledger_tx_id IS NULL))
);
CREATE INDEX settlement_by_provider_id ON settlement (provider_id);
CREATE INDEX settlement_by_payment ON settlement (payment_id) WHERE payment_id IS NOT NULL;
CREATE INDEX settlement_by_transaction ON settlement (transaction_id) WHERE transaction_id IS NOT NULL;
CREATE INDEX settlement_by_reservation ON settlement (reservation_id) WHERE reservation_id IS NOT NULL;
CREATE TRIGGER frozen BEFORE UPDATE OR DELETE OR TRUNCATE ON settlement FOR EACH STATEMENT EXECUTE FUNCTION forbid();

-- Lines of before say what differed as far as it can still be told: the same amount in the same currency was another fee,
-- and what had been kept of it follows from its settlement. Compared again, they get a difference that can be explained.
INSERT INTO settlement (gateway_id, movement, subject, revision, provider_id, currency, amount_minor, fee_minor, net_minor, ledger_tx_id,
                        payment_id, transaction_id, reservation_id, of_earlier_version, created_at)
SELECT gateway_id, movement, subject, row_number() OVER (PARTITION BY gateway_id, movement, subject ORDER BY created_at, id), provider_id, currency,
       amount, CASE movement WHEN 'CHARGE' THEN amount ELSE -amount END - net, net, id, payment_id, transaction_id, reservation_id, true, created_at
  FROM (SELECT o.*, split_part(key, '-', 1) AS movement, substr(key, strpos(key, '-') + 1) AS provider_id,
               CASE WHEN key LIKE 'CHARGE-%' AND y.status = 'COMPLETED' THEN 'ours:' || o.payment_id
                    WHEN key LIKE 'REFUND-%' AND t.type = 'REFUND' THEN 'ours:' || o.transaction_id
                    ELSE 'theirs:' || substr(key, strpos(key, '-') + 1) END AS subject,
               CASE WHEN key LIKE 'REFUND-%' AND t.type = 'REFUND' THEN t.amount_minor ELSE coalesce(y.amount_minor, abs(net)) END AS amount
          FROM (SELECT x.id, x.payment_id, x.transaction_id, x.reservation_id, x.created_at, x.currency, a.party_id AS gateway_id, -e.amount AS net,
                       substr(x.effect_key, length('settlement-' || a.party_id || '-') + 1) AS key
                  FROM ledger_tx x JOIN ledger_entry e ON e.tx_id = x.id JOIN ledger_account a ON a.id = e.account_id
                 WHERE x.kind = 'SETTLEMENT' AND a.kind = 'GATEWAY_CLEARING') o
          LEFT JOIN payment y ON y.id = o.payment_id LEFT JOIN transaction t ON t.id = o.transaction_id) s;
