-- First of this release, which drops an index of the stays further on: whoever waits, waits here, and nobody in a circle.
LOCK TABLE reservation IN ACCESS EXCLUSIVE MODE;

-- A redrive of all that wait for a device, a gateway or the bank has parked sagas and such as back off, on their way forward and undoing:
-- each has its own act then. Null: as its redrive says, which is null for a mixed one.
ALTER TABLE redrive ALTER COLUMN act DROP NOT NULL, ALTER COLUMN is_undoing DROP NOT NULL,
  ADD CONSTRAINT redrive_has_act CHECK ((act IS NULL) = (is_undoing IS NULL));
ALTER TABLE redrive_saga ADD COLUMN act text CHECK (act IN ('RETRY', 'RETRY_NOW')), ADD COLUMN is_undoing boolean,
  ADD CONSTRAINT redrive_saga_has_act CHECK ((act IS NULL) = (is_undoing IS NULL));
