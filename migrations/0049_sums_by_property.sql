-- What a property, an owner or a portfolio has earned is read from sums, too, and costs the same after years. Beside the
-- place of the stay they tell the owner of the transaction, which decides before the owner of the place; '' is none.
CREATE TABLE ledger_property_total (
  property_id text NOT NULL, owner_id text NOT NULL,
  account_kind text NOT NULL, party_id text NOT NULL, currency char(3) NOT NULL, purpose text NOT NULL, kind text NOT NULL,
  amount bigint NOT NULL,
  PRIMARY KEY (property_id, owner_id, account_kind, party_id, currency, purpose, kind)
);
CREATE INDEX ledger_property_total_by_owner ON ledger_property_total (owner_id);
ALTER TABLE ledger_part ADD COLUMN property_id text NOT NULL DEFAULT '', ADD COLUMN owner_id text NOT NULL DEFAULT '';

-- The lines of owners' statements, found by owner and time: one a journal. What a statement shows, and what it leaves out, is
-- found without reading the lines of other years, and their sum is read from the index alone.
CREATE TABLE ledger_owner_line (
  owner_id text NOT NULL, at timestamptz NOT NULL, tx_id text NOT NULL, currency char(3) NOT NULL, amount bigint NOT NULL,
  PRIMARY KEY (owner_id, at, tx_id, currency) INCLUDE (amount)
);

CREATE OR REPLACE FUNCTION ledger_parts() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  INSERT INTO ledger_part (account_kind, party_id, currency, purpose, kind, property_id, owner_id, amount)
  SELECT a.kind, CASE a.kind WHEN 'OWNER_PAYABLE' THEN coalesce(a.party_id, '') ELSE '' END, e.currency, x.purpose, coalesce(o.kind, x.kind),
         coalesce(r.property_id, ''), coalesce(t.owner_id, ''), sum(e.amount)
    FROM new_rows e JOIN ledger_tx x ON x.id = e.tx_id JOIN ledger_account a ON a.id = e.account_id LEFT JOIN ledger_tx o ON o.id = x.reverses
    LEFT JOIN transaction t ON t.id = x.transaction_id LEFT JOIN reservation r ON r.id = coalesce(x.reservation_id, t.reservation_id)
   GROUP BY 1, 2, 3, 4, 5, 6, 7;
  INSERT INTO ledger_owner_line AS l (owner_id, at, tx_id, currency, amount)
  SELECT a.party_id, x.created_at, x.id, e.currency, sum(e.amount)
    FROM new_rows e JOIN ledger_account a ON a.id = e.account_id JOIN ledger_tx x ON x.id = e.tx_id
   WHERE a.kind = 'OWNER_PAYABLE' AND a.party_id IS NOT NULL GROUP BY 1, 2, 3, 4
  ON CONFLICT (owner_id, at, tx_id, currency) DO UPDATE SET amount = l.amount + excluded.amount;
  RETURN NULL;
END $$;

-- From the entries themselves: once, and after somebody has written them without triggers.
CREATE OR REPLACE FUNCTION ledger_totals_anew() RETURNS void LANGUAGE sql AS $$
  LOCK ledger_entry IN SHARE MODE;
  DELETE FROM ledger_part;
  DELETE FROM ledger_total;
  DELETE FROM ledger_property_total;
  DELETE FROM ledger_owner_line;
  INSERT INTO ledger_owner_line (owner_id, at, tx_id, currency, amount)
  SELECT a.party_id, x.created_at, x.id, e.currency, sum(e.amount)
    FROM ledger_entry e JOIN ledger_account a ON a.id = e.account_id JOIN ledger_tx x ON x.id = e.tx_id
   WHERE a.kind = 'OWNER_PAYABLE' AND a.party_id IS NOT NULL GROUP BY 1, 2, 3, 4;
  INSERT INTO ledger_property_total (property_id, owner_id, account_kind, party_id, currency, purpose, kind, amount)
  SELECT coalesce(r.property_id, ''), coalesce(t.owner_id, ''), a.kind,
         CASE a.kind WHEN 'OWNER_PAYABLE' THEN coalesce(a.party_id, '') ELSE '' END, e.currency, x.purpose, coalesce(o.kind, x.kind), sum(e.amount)
    FROM ledger_entry e JOIN ledger_tx x ON x.id = e.tx_id JOIN ledger_account a ON a.id = e.account_id LEFT JOIN ledger_tx o ON o.id = x.reverses
    LEFT JOIN transaction t ON t.id = x.transaction_id LEFT JOIN reservation r ON r.id = coalesce(x.reservation_id, t.reservation_id)
   GROUP BY 1, 2, 3, 4, 5, 6, 7;
  INSERT INTO ledger_total (account_kind, party_id, currency, purpose, kind, amount)
  SELECT account_kind, party_id, currency, purpose, kind, sum(amount) FROM ledger_property_total GROUP BY 1, 2, 3, 4, 5;
$$;
SELECT ledger_totals_anew();

-- A stay that is given another property takes its sums along. The stay's row is locked by the change, and the API refuses
-- it once there is money; what somebody does by hand is compared every night all the same.
CREATE FUNCTION ledger_follows_stay() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  INSERT INTO ledger_part (account_kind, party_id, currency, purpose, kind, property_id, owner_id, amount)
  SELECT l.account_kind, l.party_id, l.currency, l.purpose, l.kind, place.id, l.owner_id, place.sign * l.amount
    FROM (SELECT a.kind AS account_kind, CASE a.kind WHEN 'OWNER_PAYABLE' THEN coalesce(a.party_id, '') ELSE '' END AS party_id, e.currency, x.purpose,
                 coalesce(o.kind, x.kind) AS kind, coalesce(t.owner_id, '') AS owner_id, sum(e.amount) AS amount
            FROM (SELECT j.id FROM ledger_tx j WHERE j.reservation_id = NEW.id
                  UNION SELECT j.id FROM transaction y JOIN ledger_tx j ON j.transaction_id = y.id AND j.reservation_id IS NULL
                         WHERE y.reservation_id = NEW.id) own
            JOIN ledger_tx x ON x.id = own.id JOIN ledger_entry e ON e.tx_id = x.id JOIN ledger_account a ON a.id = e.account_id
            LEFT JOIN ledger_tx o ON o.id = x.reverses LEFT JOIN transaction t ON t.id = x.transaction_id
           GROUP BY 1, 2, 3, 4, 5, 6) l,
         (VALUES (OLD.property_id, -1), (NEW.property_id, 1)) AS place (id, sign)
   WHERE l.amount <> 0;
  RETURN NULL;
END $$;
CREATE TRIGGER ledger_follows AFTER UPDATE OF property_id ON reservation FOR EACH ROW
  WHEN (OLD.property_id IS DISTINCT FROM NEW.property_id) EXECUTE FUNCTION ledger_follows_stay();

-- One a night and gateway; a gateway that has few is not looked for among all of the others'.
CREATE INDEX reconciliation_by_gateway ON reconciliation (gateway_id, created_at, id);
