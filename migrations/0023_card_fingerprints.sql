-- The provider's fingerprint of the card of a payment, so that its declines count whichever stay and guest they are of.

ALTER TABLE payment ADD COLUMN card_fingerprint text CHECK (length(card_fingerprint) <= 255);

CREATE INDEX payment_failed_by_card ON payment (gateway_id, card_fingerprint, created_at)
    WHERE status = 'FAILED' AND card_fingerprint IS NOT NULL;
