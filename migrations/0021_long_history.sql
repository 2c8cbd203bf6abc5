-- For years of history: every list that the API offers has an index that serves its filter and its order, and sums
-- of the ledger are kept. Where most rows have the usual value, the index holds the others alone, so that the
-- usual path does not pay for it.

-- How it ended. A column of its own, and not an index on the status: that would make every change of a status write all indexes.
ALTER TABLE saga ADD COLUMN ended_as text GENERATED ALWAYS AS (CASE WHEN finished_at IS NOT NULL THEN status END) STORED;
CREATE INDEX saga_undone_by_age ON saga (ended_as, requested_at, id) WHERE ended_as IN ('compensated','resolved');
CREATE INDEX saga_undone_by_name ON saga (name, ended_as, requested_at, id) WHERE ended_as IN ('compensated','resolved');
CREATE INDEX saga_open_by_age ON saga (requested_at, id) WHERE finished_at IS NULL;
CREATE INDEX saga_by_requester ON saga (requested_by, requested_at, id);

CREATE INDEX guest_by_age ON guest (created_at, id);
CREATE INDEX guest_by_locale ON guest (locale) WHERE locale IS NOT NULL;
CREATE INDEX owner_by_age ON owner (created_at, id);
CREATE INDEX staff_by_age ON staff (created_at, id);
CREATE INDEX property_by_age ON property (created_at, id);

DROP INDEX reservation_by_guest;
CREATE INDEX reservation_of_guest ON reservation (guest_id, created_at, id);
CREATE INDEX reservation_of_property ON reservation (property_id, created_at, id);
CREATE INDEX reservation_by_status ON reservation (status, created_at, id);
CREATE INDEX reservation_by_departure ON reservation (property_id, (coalesce(departure_date, check_out_date)));

CREATE INDEX task_of_property ON task (property_id, created_at, id);
CREATE INDEX task_of_assignee ON task (assignee_id, created_at, id) WHERE assignee_id IS NOT NULL;
CREATE INDEX task_by_status ON task (status, created_at, id);
CREATE INDEX task_by_start ON task (scheduled_at);
-- The others come with every stay.
CREATE INDEX task_by_type ON task (type, created_at, id) WHERE type IN ('INSPECTION','MAINTENANCE','EMERGENCY','FINANCE');

CREATE INDEX notification_of_recipient ON notification (recipient_id, created_at, id);
CREATE INDEX notification_by_event ON notification (event, created_at, id);
CREATE INDEX notification_not_sent ON notification (status, created_at, id) WHERE status IN ('DELIVERED','FAILED','SKIPPED','BLOCKED');

DROP INDEX transaction_by_owner;
CREATE INDEX transaction_of_owner ON transaction (owner_id, created_at, id) WHERE owner_id IS NOT NULL;
CREATE INDEX transaction_by_type ON transaction (type, created_at, id);
CREATE INDEX transaction_not_completed ON transaction (status, created_at, id)
  WHERE status IN ('PENDING','PROCESSING','FAILED','CANCELLED','REVERSED','MANUAL_REQUIRED');
CREATE INDEX transaction_by_completion ON transaction (completed_at) WHERE type IN ('REFUND','OWNER_PAYOUT');
CREATE INDEX payment_by_reference ON payment (gateway_reference);

CREATE INDEX audit_by_event ON audit_log (event, at, stream_id, seq);
CREATE INDEX audit_by_actor ON audit_log (actor, at, stream_id, seq);

-- Sums of all ledger entries. Of parties, owners alone are told apart, as they are few. Each statement that posts adds a
-- part of its own, so that nobody waits for a row that others change too; a sweep adds the parts up.
CREATE TABLE ledger_total (
  account_kind text NOT NULL, party_id text NOT NULL, currency char(3) NOT NULL, purpose text NOT NULL, kind text NOT NULL,
  amount bigint NOT NULL,
  PRIMARY KEY (account_kind, party_id, currency, purpose, kind)
);
CREATE TABLE ledger_part (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  account_kind text NOT NULL, party_id text NOT NULL, currency char(3) NOT NULL, purpose text NOT NULL, kind text NOT NULL,
  amount bigint NOT NULL
);
CREATE FUNCTION ledger_parts() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  INSERT INTO ledger_part (account_kind, party_id, currency, purpose, kind, amount)
  SELECT a.kind, CASE a.kind WHEN 'OWNER_PAYABLE' THEN coalesce(a.party_id, '') ELSE '' END, e.currency, x.purpose, coalesce(o.kind, x.kind), sum(e.amount)
    FROM new_rows e JOIN ledger_tx x ON x.id = e.tx_id JOIN ledger_account a ON a.id = e.account_id LEFT JOIN ledger_tx o ON o.id = x.reverses
   GROUP BY 1, 2, 3, 4, 5;
  RETURN NULL;
END $$;
CREATE TRIGGER ledger_parts AFTER INSERT ON ledger_entry REFERENCING NEW TABLE AS new_rows
  FOR EACH STATEMENT EXECUTE FUNCTION ledger_parts();
-- From the entries themselves: once, and after somebody has written them without triggers.
CREATE FUNCTION ledger_totals_anew() RETURNS void LANGUAGE sql AS $$
  LOCK ledger_entry IN SHARE MODE;
  DELETE FROM ledger_part;
  DELETE FROM ledger_total;
  INSERT INTO ledger_total (account_kind, party_id, currency, purpose, kind, amount)
  SELECT a.kind, CASE a.kind WHEN 'OWNER_PAYABLE' THEN coalesce(a.party_id, '') ELSE '' END, e.currency, x.purpose, coalesce(o.kind, x.kind), sum(e.amount)
    FROM ledger_entry e JOIN ledger_tx x ON x.id = e.tx_id JOIN ledger_account a ON a.id = e.account_id LEFT JOIN ledger_tx o ON o.id = x.reverses
   GROUP BY 1, 2, 3, 4, 5;
$$;
SELECT ledger_totals_anew();
