-- What a gateway tells of a charge, or of money that it has captured, may have to wait: a saga is at work on the stay, or
-- parked. Such an event is kept with all that is needed to take it up later, and holds the payouts of its stay meanwhile.

ALTER TABLE gateway_event
  ADD COLUMN event jsonb,                               -- ids, codes and amounts; null: nothing is left to be done
  ADD COLUMN payment_id text REFERENCES payment(id),
  ADD COLUMN reservation_id text;                       -- the gateway may name a stay that is not there
CREATE INDEX gateway_event_waiting ON gateway_event (received_at, gateway_id, event_id) WHERE processed_at IS NULL;
CREATE INDEX gateway_event_of_stay ON gateway_event (reservation_id) WHERE processed_at IS NULL;

-- Refunds in a gateway's dashboard that were only noted until now are taken up as well.
UPDATE gateway_event e
   SET processed_at = NULL, outcome = NULL, payment_id = y.id, reservation_id = y.reservation_id,
       event = jsonb_build_object('kind', 'charge-changed', 'reference', e.object_id, 'chargeId', y.provider_id)
  FROM payment y
 WHERE e.type = 'charge.refunded' AND e.outcome = 'noted'
   AND y.gateway_id = e.gateway_id AND y.gateway_reference = e.object_id AND y.status = 'COMPLETED';
