-- Arrival and departure as they really were: when a guest came and left, what the property's devices were told, how the
-- property stands, and the report of a departure, which never changes.

ALTER TABLE reservation
  ADD COLUMN actual_check_in_at timestamptz, ADD COLUMN actual_check_out_at timestamptz,
  -- The local day on which the guest left, when that was before check_out_date: the nights after it are free again.
  ADD COLUMN departure_date date,
  ADD CONSTRAINT departure_within_stay CHECK (departure_date BETWEEN check_in_date AND check_out_date),
  ADD CONSTRAINT departure_after_arrival CHECK (actual_check_in_at <= actual_check_out_at),
  DROP CONSTRAINT no_double_booking, DROP COLUMN stay;
ALTER TABLE reservation
  ADD COLUMN stay daterange GENERATED ALWAYS AS (daterange(check_in_date, coalesce(departure_date, check_out_date), '[)')) STORED,
  ADD CONSTRAINT no_double_booking EXCLUDE USING gist (property_id WITH =, stay WITH &&) WHERE (status IN ('CONFIRMED','CHECKED_IN'));

ALTER TABLE property
  ADD COLUMN readiness text NOT NULL DEFAULT 'CLEAN' CHECK (readiness IN ('DIRTY','CLEANING','CLEAN','INSPECTED','OUT_OF_ORDER')),
  -- A clean property is ready for a guest only once it has been inspected.
  ADD COLUMN inspection_required boolean NOT NULL DEFAULT false,
  -- Which conditions of an arrival or a departure are refusals here; the others are warnings (domain.md 2).
  ADD COLUMN strict_checks text[] NOT NULL DEFAULT '{}'
    CHECK (strict_checks <@ ARRAY['CHECK_IN_TOO_EARLY','BALANCE_DUE','PROPERTY_NOT_READY']),
  ADD COLUMN amenity_status text NOT NULL DEFAULT 'INACTIVE' CHECK (amenity_status IN ('INACTIVE','ACTIVE')),
  -- Whether a completed meeting starts the saga itself instead of asking a person to (domain.md 14).
  ADD COLUMN auto_check_in boolean NOT NULL DEFAULT false, ADD COLUMN auto_check_out boolean NOT NULL DEFAULT false;

-- The block in the calendar (reservation.kind MAINTENANCE_BLOCK) that a repair holds until it is done.
ALTER TABLE task ADD COLUMN block_id text REFERENCES reservation(id);

-- What the devices of a property were told for a stay. The code is the guest's: it is in no job, log, audit row or step output.
CREATE TABLE amenity_grant (
  reservation_id text PRIMARY KEY REFERENCES reservation(id),
  property_id text NOT NULL REFERENCES property(id),
  device text NOT NULL,
  activation_key text NOT NULL UNIQUE,                  -- under which the device was asked
  status text NOT NULL CHECK (status IN ('ACTIVE','REVOKED')),
  provider_id text NOT NULL, access_code text,
  valid_from timestamptz NOT NULL, valid_until timestamptz NOT NULL,
  activated_at timestamptz NOT NULL DEFAULT now(), revoked_at timestamptz,
  CHECK ((status = 'REVOKED') = (revoked_at IS NOT NULL)),
  CHECK (status = 'ACTIVE' OR access_code IS NULL)
);
CREATE INDEX amenity_grant_active ON amenity_grant (property_id) WHERE status = 'ACTIVE';

-- As it was at the moment of departure: what comes later (a late payment, a refund) is in the ledger, not in here.
CREATE TABLE check_out_report (
  id text PRIMARY KEY,
  reservation_id text NOT NULL REFERENCES reservation(id),
  saga_id text NOT NULL UNIQUE REFERENCES saga(id),
  body text NOT NULL,                                   -- canonical JSON (RFC 8785)
  hash bytea NOT NULL CHECK (hash = sha256(convert_to(body, 'UTF8'))),
  created_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX check_out_report_by_reservation ON check_out_report (reservation_id);
CREATE TRIGGER frozen BEFORE UPDATE OR DELETE OR TRUNCATE ON check_out_report FOR EACH STATEMENT EXECUTE FUNCTION forbid();
