-- What a gateway has taken for a dispute leaves clearing like what it has handed over.

ALTER TABLE settlement DROP CONSTRAINT settlement_movement_check,
  ADD CONSTRAINT settlement_movement_check CHECK (movement IN ('CHARGE','REFUND','DISPUTE'));
