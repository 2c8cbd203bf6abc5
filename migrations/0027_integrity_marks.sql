-- What the check of integrity has to look at again: every change of money leaves a mark, whoever makes it and in whatever
-- mode of replication; and when all of it was last looked at.

CREATE TABLE integrity_mark (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  kind text NOT NULL CHECK (kind IN ('reservation','payment','transaction','ledger_tx','saga','all')),
  ref text NOT NULL
);
-- One row each time that all was looked at.
CREATE TABLE integrity_pass (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  at timestamptz NOT NULL,                              -- the snapshot that was looked at
  finished_at timestamptz NOT NULL DEFAULT now(),
  difference_count int NOT NULL,
  sums jsonb NOT NULL                                   -- what its sums over all rows did not agree with
);

-- A change of a row has the stay looked at that it belongs to, or the row itself where there is none.
CREATE FUNCTION payment_marks() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF TG_OP = 'INSERT' THEN
    INSERT INTO integrity_mark (kind, ref) SELECT DISTINCT 'reservation' AS kind, r.reservation_id AS ref FROM new_rows r;
  ELSIF TG_OP = 'UPDATE' THEN
    INSERT INTO integrity_mark (kind, ref) SELECT 'reservation' AS kind, r.reservation_id AS ref FROM new_rows r UNION SELECT 'reservation' AS kind, r.reservation_id AS ref FROM old_rows r;
  ELSE
    INSERT INTO integrity_mark (kind, ref) SELECT DISTINCT 'reservation' AS kind, r.reservation_id AS ref FROM old_rows r;
  END IF;
  RETURN NULL;
END $$;
CREATE TRIGGER marks_of_new AFTER INSERT ON payment REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION payment_marks();
CREATE TRIGGER marks_of_change AFTER UPDATE ON payment REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows
  FOR EACH STATEMENT EXECUTE FUNCTION payment_marks();
CREATE TRIGGER marks_of_gone AFTER DELETE ON payment REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT EXECUTE FUNCTION payment_marks();
ALTER TABLE payment ENABLE ALWAYS TRIGGER marks_of_new;
ALTER TABLE payment ENABLE ALWAYS TRIGGER marks_of_change;
ALTER TABLE payment ENABLE ALWAYS TRIGGER marks_of_gone;

CREATE FUNCTION transaction_marks() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF TG_OP = 'INSERT' THEN
    INSERT INTO integrity_mark (kind, ref) SELECT DISTINCT CASE WHEN r.reservation_id IS NOT NULL THEN 'reservation' ELSE 'transaction' END AS kind, coalesce(r.reservation_id, r.id) AS ref FROM new_rows r;
  ELSIF TG_OP = 'UPDATE' THEN
    INSERT INTO integrity_mark (kind, ref) SELECT CASE WHEN r.reservation_id IS NOT NULL THEN 'reservation' ELSE 'transaction' END AS kind, coalesce(r.reservation_id, r.id) AS ref FROM new_rows r UNION SELECT CASE WHEN r.reservation_id IS NOT NULL THEN 'reservation' ELSE 'transaction' END AS kind, coalesce(r.reservation_id, r.id) AS ref FROM old_rows r;
  ELSE
    INSERT INTO integrity_mark (kind, ref) SELECT DISTINCT CASE WHEN r.reservation_id IS NOT NULL THEN 'reservation' ELSE 'transaction' END AS kind, coalesce(r.reservation_id, r.id) AS ref FROM old_rows r;
  END IF;
  RETURN NULL;
END $$;
CREATE TRIGGER marks_of_new AFTER INSERT ON transaction REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION transaction_marks();
CREATE TRIGGER marks_of_change AFTER UPDATE ON transaction REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows
  FOR EACH STATEMENT EXECUTE FUNCTION transaction_marks();
CREATE TRIGGER marks_of_gone AFTER DELETE ON transaction REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT EXECUTE FUNCTION transaction_marks();
ALTER TABLE transaction ENABLE ALWAYS TRIGGER marks_of_new;
ALTER TABLE transaction ENABLE ALWAYS TRIGGER marks_of_change;
ALTER TABLE transaction ENABLE ALWAYS TRIGGER marks_of_gone;

CREATE FUNCTION ledger_tx_marks() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF TG_OP = 'INSERT' THEN
    INSERT INTO integrity_mark (kind, ref) SELECT DISTINCT CASE WHEN r.reservation_id IS NOT NULL THEN 'reservation' ELSE 'ledger_tx' END AS kind, coalesce(r.reservation_id, r.id) AS ref FROM new_rows r;
  ELSIF TG_OP = 'UPDATE' THEN
    INSERT INTO integrity_mark (kind, ref) SELECT CASE WHEN r.reservation_id IS NOT NULL THEN 'reservation' ELSE 'ledger_tx' END AS kind, coalesce(r.reservation_id, r.id) AS ref FROM new_rows r UNION SELECT CASE WHEN r.reservation_id IS NOT NULL THEN 'reservation' ELSE 'ledger_tx' END AS kind, coalesce(r.reservation_id, r.id) AS ref FROM old_rows r;
  ELSE
    INSERT INTO integrity_mark (kind, ref) SELECT DISTINCT CASE WHEN r.reservation_id IS NOT NULL THEN 'reservation' ELSE 'ledger_tx' END AS kind, coalesce(r.reservation_id, r.id) AS ref FROM old_rows r;
  END IF;
  RETURN NULL;
END $$;
CREATE TRIGGER marks_of_new AFTER INSERT ON ledger_tx REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION ledger_tx_marks();
CREATE TRIGGER marks_of_change AFTER UPDATE ON ledger_tx REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows
  FOR EACH STATEMENT EXECUTE FUNCTION ledger_tx_marks();
CREATE TRIGGER marks_of_gone AFTER DELETE ON ledger_tx REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT EXECUTE FUNCTION ledger_tx_marks();
ALTER TABLE ledger_tx ENABLE ALWAYS TRIGGER marks_of_new;
ALTER TABLE ledger_tx ENABLE ALWAYS TRIGGER marks_of_change;
ALTER TABLE ledger_tx ENABLE ALWAYS TRIGGER marks_of_gone;

CREATE FUNCTION ledger_entry_marks() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF TG_OP = 'INSERT' THEN
    INSERT INTO integrity_mark (kind, ref) SELECT DISTINCT 'ledger_tx' AS kind, r.tx_id AS ref FROM new_rows r;
  ELSIF TG_OP = 'UPDATE' THEN
    INSERT INTO integrity_mark (kind, ref) SELECT 'ledger_tx' AS kind, r.tx_id AS ref FROM new_rows r UNION SELECT 'ledger_tx' AS kind, r.tx_id AS ref FROM old_rows r;
  ELSE
    INSERT INTO integrity_mark (kind, ref) SELECT DISTINCT 'ledger_tx' AS kind, r.tx_id AS ref FROM old_rows r;
  END IF;
  RETURN NULL;
END $$;
CREATE TRIGGER marks_of_new AFTER INSERT ON ledger_entry REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION ledger_entry_marks();
CREATE TRIGGER marks_of_change AFTER UPDATE ON ledger_entry REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows
  FOR EACH STATEMENT EXECUTE FUNCTION ledger_entry_marks();
CREATE TRIGGER marks_of_gone AFTER DELETE ON ledger_entry REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT EXECUTE FUNCTION ledger_entry_marks();
ALTER TABLE ledger_entry ENABLE ALWAYS TRIGGER marks_of_new;
ALTER TABLE ledger_entry ENABLE ALWAYS TRIGGER marks_of_change;
ALTER TABLE ledger_entry ENABLE ALWAYS TRIGGER marks_of_gone;

-- The rows of these belong to so much that all is looked at again.
CREATE FUNCTION mark_all() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  INSERT INTO integrity_mark (kind, ref) VALUES ('all', TG_TABLE_NAME);
  RETURN NULL;
END $$;
CREATE TRIGGER marks_of_change AFTER UPDATE OR DELETE ON ledger_account FOR EACH ROW EXECUTE FUNCTION mark_all();
ALTER TABLE ledger_account ENABLE ALWAYS TRIGGER marks_of_change;

CREATE TRIGGER marks_of_change AFTER UPDATE OR DELETE ON income_distribution FOR EACH ROW EXECUTE FUNCTION mark_all();
ALTER TABLE income_distribution ENABLE ALWAYS TRIGGER marks_of_change;

CREATE FUNCTION reservation_mark() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  INSERT INTO integrity_mark (kind, ref) VALUES ('reservation', OLD.id);
  RETURN NULL;
END $$;
CREATE TRIGGER marks_of_change AFTER UPDATE OF status, payment_status, total_minor, currency, guest_id, property_id,
  referring_agent_id, distribution_version ON reservation FOR EACH ROW
  WHEN ((OLD.status, OLD.payment_status, OLD.total_minor, OLD.currency, OLD.guest_id, OLD.property_id, OLD.referring_agent_id, OLD.distribution_version)
    IS DISTINCT FROM (NEW.status, NEW.payment_status, NEW.total_minor, NEW.currency, NEW.guest_id, NEW.property_id, NEW.referring_agent_id, NEW.distribution_version))
  EXECUTE FUNCTION reservation_mark();
CREATE TRIGGER marks_of_gone AFTER DELETE ON reservation FOR EACH ROW EXECUTE FUNCTION reservation_mark();
ALTER TABLE reservation ENABLE ALWAYS TRIGGER marks_of_change;
ALTER TABLE reservation ENABLE ALWAYS TRIGGER marks_of_gone;

-- What a saga books is marked by itself; its end is not, as nothing that it marked is taken off before.
CREATE FUNCTION saga_mark() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  INSERT INTO integrity_mark (kind, ref) VALUES ('saga', OLD.id);
  RETURN NULL;
END $$;
CREATE TRIGGER marks_of_change AFTER UPDATE OF status, finished_at ON saga FOR EACH ROW
  WHEN (OLD.finished_at IS NOT NULL AND (OLD.status, OLD.finished_at) IS DISTINCT FROM (NEW.status, NEW.finished_at))
  EXECUTE FUNCTION saga_mark();
CREATE TRIGGER marks_of_gone AFTER DELETE ON saga FOR EACH ROW EXECUTE FUNCTION saga_mark();
ALTER TABLE saga ENABLE ALWAYS TRIGGER marks_of_change;
ALTER TABLE saga ENABLE ALWAYS TRIGGER marks_of_gone;
