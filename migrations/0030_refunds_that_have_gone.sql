-- What counts as refunded is what has gone back: a refund that is on its way, or that a person has to send, is still the
-- guest's money in our hands. payment_status_of is VOLATILE, so that of two refunds that complete at once the second,
-- which waits for the row of the stay, counts the first as well.

CREATE OR REPLACE FUNCTION payment_status_of(of_reservation text) RETURNS text LANGUAGE sql VOLATILE AS $$
  SELECT CASE WHEN p.captured = 0 THEN CASE WHEN r.total_minor = 0 AND r.confirmed_at IS NOT NULL THEN 'PAID' ELSE 'UNPAID' END
              WHEN p.refunded >= p.captured THEN 'REFUNDED'
              WHEN p.credit > 0 THEN 'OVERPAID'
              WHEN p.refunded > 0 THEN 'PARTIALLY_REFUNDED'
              WHEN p.captured >= r.total_minor THEN 'PAID'
              ELSE 'PARTIALLY_PAID' END
    FROM reservation r, (SELECT coalesce(sum(amount_minor), 0) AS captured, coalesce(sum(refunded), 0) AS refunded,
                                coalesce(sum(greatest(0, excess_minor - refunded)), 0) AS credit
                           FROM (SELECT y.amount_minor, y.excess_minor, coalesce((SELECT sum(t.amount_minor) FROM transaction t WHERE t.reservation_id = of_reservation AND t.payment_id = y.id
      AND t.type = 'REFUND' AND t.status = 'COMPLETED'), 0) AS refunded FROM payment y
                                  WHERE y.reservation_id = of_reservation AND y.status = 'COMPLETED') one) p
   WHERE r.id = of_reservation $$;

UPDATE reservation r SET payment_status = payment_status_of(r.id)
 WHERE r.id IN (SELECT t.reservation_id FROM transaction t WHERE t.type = 'REFUND' AND t.status IN ('PENDING', 'PROCESSING', 'MANUAL_REQUIRED'));
