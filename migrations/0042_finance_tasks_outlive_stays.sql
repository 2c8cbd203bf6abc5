-- Tasks about money were cancelled with their stay, and what they were about was left undone: they are to be done again.

UPDATE task k SET status = 'UNASSIGNED', assignee_id = NULL, version = k.version + 1
  FROM transaction t
 WHERE k.type = 'FINANCE' AND k.status = 'CANCELLED'
   AND (k.effect_key = 'finance-dispute-' || t.id AND t.type = 'DISPUTE' AND t.status IN ('PENDING','PROCESSING')
     OR k.effect_key = 'finance-refund-' || t.id AND t.type = 'REFUND' AND t.status = 'MANUAL_REQUIRED'
       AND NOT EXISTS (SELECT FROM transaction d WHERE d.reservation_id = t.reservation_id AND d.payment_id = t.payment_id
                        AND d.type = 'DISPUTE' AND d.status = 'PROCESSING'));
