-- A stay of price 0 is paid once it is confirmed, and has no row of money: nothing is asked of its guest. Those of before
-- are corrected.

CREATE OR REPLACE FUNCTION payment_status_of(of_reservation text) RETURNS text LANGUAGE sql STABLE AS $$
  SELECT CASE WHEN p.captured = 0 THEN CASE WHEN r.total_minor = 0 AND r.confirmed_at IS NOT NULL THEN 'PAID' ELSE 'UNPAID' END
              WHEN p.refunded >= p.captured THEN 'REFUNDED'
              WHEN p.credit > 0 THEN 'OVERPAID'
              WHEN p.refunded > 0 THEN 'PARTIALLY_REFUNDED'
              WHEN p.captured >= r.total_minor THEN 'PAID'
              ELSE 'PARTIALLY_PAID' END
    FROM reservation r, (SELECT coalesce(sum(amount_minor), 0) AS captured, coalesce(sum(refunded_minor), 0) AS refunded,
                                coalesce(sum(greatest(0, excess_minor - refunded_minor)), 0) AS credit
                           FROM payment WHERE reservation_id = of_reservation AND status = 'COMPLETED') p
   WHERE r.id = of_reservation $$;

UPDATE reservation SET payment_status = 'PAID' WHERE total_minor = 0 AND confirmed_at IS NOT NULL AND payment_status = 'UNPAID';
UPDATE transaction SET status = 'CANCELLED', cancelled_at = now(), version = version + 1
 WHERE type = 'GUEST_PAYMENT' AND parent_id IS NULL AND status = 'PENDING' AND amount_minor = 0;
