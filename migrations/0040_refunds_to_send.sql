-- Refunds that are to be sent: few at any time, of many transactions.

CREATE INDEX refund_to_send ON transaction (created_at, id)
  WHERE type = 'REFUND' AND status = 'PENDING';
