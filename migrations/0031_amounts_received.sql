-- Events name as the amount of a completed payment what it received, as everything else does, and beside it what was
-- asked: the last of several payments settles the row of the whole amount due.

-- The same rule as amountOf of the program.
CREATE OR REPLACE FUNCTION transaction_events() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF TG_OP = 'INSERT' THEN
    INSERT INTO domain_event (type, resource, resource_id, reservation_id, data)
    SELECT 'transaction.created', 'transaction', n.id, n.reservation_id, jsonb_build_object('status', n.status, 'type', n.type, 'amountMinor', CASE WHEN n.type = 'GUEST_PAYMENT' AND n.status = 'COMPLETED' THEN n.settled_minor ELSE n.amount_minor END, 'amountDueMinor', CASE WHEN n.type = 'GUEST_PAYMENT' THEN n.amount_minor END, 'outstandingMinor', n.outstanding_minor,
      'currency', n.currency, 'version', n.version) FROM new_rows n;
  ELSE
    INSERT INTO domain_event (type, resource, resource_id, reservation_id, data)
    SELECT 'transaction.' || what.happened, 'transaction', n.id, n.reservation_id, jsonb_build_object('status', n.status, 'type', n.type, 'amountMinor', CASE WHEN n.type = 'GUEST_PAYMENT' AND n.status = 'COMPLETED' THEN n.settled_minor ELSE n.amount_minor END, 'amountDueMinor', CASE WHEN n.type = 'GUEST_PAYMENT' THEN n.amount_minor END, 'outstandingMinor', n.outstanding_minor,
      'currency', n.currency, 'version', n.version)
      FROM new_rows n JOIN old_rows o ON o.id = n.id,
        LATERAL (SELECT CASE WHEN n.status <> o.status THEN lower(n.status) WHEN n.version <> o.version THEN 'updated' END AS happened) AS what
     WHERE what.happened IS NOT NULL;
  END IF;
  RETURN NULL;
END $$;
