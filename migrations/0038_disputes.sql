-- Disputes of charges (chargebacks): a transaction of its own for each, money that its provider has taken back and nobody
-- has yet, what the provider keeps for it, and events.

ALTER TABLE transaction DROP CONSTRAINT transaction_type_check, ADD CONSTRAINT transaction_type_check
  CHECK (type IN ('GUEST_PAYMENT','OWNER_PAYOUT','AGENCY_FEE','REFERRAL_FEE','REFUND','GATEWAY_FEE','ADJUSTMENT','REVERSAL','DISPUTE'));
-- PENDING: opened, and no money moved; PROCESSING: its money is taken, and nobody knows yet who gets it.
CREATE UNIQUE INDEX one_dispute ON transaction (gateway_id, provider_id) WHERE type = 'DISPUTE';
CREATE INDEX dispute_open ON transaction (reservation_id) WHERE type = 'DISPUTE' AND status IN ('PENDING','PROCESSING');
ALTER TABLE ledger_account DROP CONSTRAINT ledger_account_kind_check, ADD CONSTRAINT ledger_account_kind_check
  CHECK (kind IN ('GATEWAY_CLEARING','BANK','OWNER_PAYABLE','AGENT_PAYABLE','GUEST_CREDIT','DEPOSIT_HELD',
    'AGENCY_FEE','REFERRAL_RETAINED','GATEWAY_FEE','DISPUTED'));
ALTER TABLE ledger_tx DROP CONSTRAINT ledger_tx_kind_check, ADD CONSTRAINT ledger_tx_kind_check
  CHECK (kind IN ('GUEST_PAYMENT','OWNER_SHARE','AGENCY_FEE','REFERRAL_FEE','GATEWAY_FEE','REFUND','REFUND_PAID',
    'OWNER_PAYOUT','SETTLEMENT','ADJUSTMENT','REVERSAL','DISPUTE','DISPUTE_FEE'));
ALTER TABLE ledger_tx DROP CONSTRAINT ledger_tx_purpose_check, ADD CONSTRAINT ledger_tx_purpose_check
  CHECK (purpose IN ('RECEIPT','DISTRIBUTION','FEE','PAYOUT','SETTLEMENT','COST','DISPUTE'));

-- The list of 0028 and five more.
DO $$
DECLARE
  list text;
BEGIN
  SELECT pg_get_constraintdef(oid) INTO STRICT list FROM pg_constraint WHERE conname = 'known_event_type';
  ALTER TABLE domain_event DROP CONSTRAINT known_event_type;
  EXECUTE 'ALTER TABLE domain_event ADD CONSTRAINT known_event_type '
    || replace(list, '''payment.reversed''::text', '''payment.reversed''::text, ''dispute.opened''::text, ''dispute.funds_withdrawn''::text,'
    || ' ''dispute.won''::text, ''dispute.lost''::text, ''dispute.closed''::text');
END $$;

CREATE FUNCTION dispute_events() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
  happened text := CASE WHEN TG_OP = 'INSERT' THEN 'opened' WHEN NEW.status NOT IN ('PENDING','FAILED','MANUAL_REQUIRED') THEN
    CASE NEW.status WHEN 'PROCESSING' THEN 'funds_withdrawn' WHEN 'REVERSED' THEN 'won' WHEN 'COMPLETED' THEN 'lost' WHEN 'CANCELLED' THEN 'closed' END END;
BEGIN
  IF happened IS NULL THEN RETURN NULL; END IF;
  INSERT INTO domain_event (type, resource, resource_id, reservation_id, data)
  VALUES ('dispute.' || happened, 'dispute', NEW.id, NEW.reservation_id, jsonb_build_object('status', NEW.status, 'paymentId', NEW.payment_id,
    'providerId', NEW.provider_id, 'amountMinor', NEW.amount_minor, 'currency', NEW.currency, 'reason', NEW.details ->> 'reason',
    'respondBy', NEW.details ->> 'respondBy', 'version', NEW.version));
  RETURN NULL;
END $$;
CREATE TRIGGER dispute_events_of_new AFTER INSERT ON transaction FOR EACH ROW WHEN (NEW.type = 'DISPUTE') EXECUTE FUNCTION dispute_events();
CREATE TRIGGER dispute_events_of_change AFTER UPDATE OF status ON transaction FOR EACH ROW
  WHEN (NEW.type = 'DISPUTE' AND OLD.status <> NEW.status) EXECUTE FUNCTION dispute_events();
