-- People, properties, reservations, tasks, transactions, notifications; sagas with their steps, outbox and idempotency
-- keys; the audit trail. Constraints, triggers and partial indexes carry the rules too, so that the database refuses a
-- bad state even when the code is wrong.

CREATE EXTENSION IF NOT EXISTS btree_gist;

CREATE FUNCTION forbid() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN RAISE EXCEPTION '% on % is forbidden', TG_OP, TG_TABLE_NAME USING ERRCODE = '42501'; END $$;

-- The elements of a JSON array of a few things to work on. jsonb_array_elements is planned for a hundred rows, which makes
-- the planner scan whole tables; VOLATILE keeps it from being inlined, and its estimate from being lost.
CREATE FUNCTION few_items(items jsonb) RETURNS SETOF jsonb LANGUAGE sql VOLATILE ROWS 2 AS $$ SELECT jsonb_array_elements(items) $$;

CREATE TABLE owner (
  id text PRIMARY KEY,
  name text NOT NULL, email text NOT NULL, phone text, locale text, payout_account text,
  version int NOT NULL DEFAULT 1, created_at timestamptz NOT NULL DEFAULT now()
);
CREATE TABLE guest (
  id text PRIMARY KEY,
  name text NOT NULL, email text NOT NULL, phone text, locale text, time_zone text,
  version int NOT NULL DEFAULT 1, created_at timestamptz NOT NULL DEFAULT now()
);
CREATE TABLE staff (
  id text PRIMARY KEY,
  name text NOT NULL, email text NOT NULL, phone text,
  role text NOT NULL CHECK (role IN ('CLEANER','AGENT','MAINTENANCE_STAFF')),
  skills text[] NOT NULL DEFAULT '{}', home_location jsonb,
  property_ids text[], region text,                     -- where this person works; both null: everywhere
  shifts jsonb,                                         -- null: always on shift
  max_minutes_per_day int CHECK (max_minutes_per_day > 0),
  active boolean NOT NULL DEFAULT true,
  version int NOT NULL DEFAULT 1, created_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX staff_by_role ON staff (role) WHERE active;

CREATE TABLE property (
  id text PRIMARY KEY,
  name text NOT NULL, owner_id text NOT NULL REFERENCES owner(id), region text,
  time_zone text NOT NULL DEFAULT 'Asia/Dubai',
  check_in_time text NOT NULL DEFAULT '15:00', check_out_time text NOT NULL DEFAULT '11:00',   -- local wall clock
  location jsonb, cleaning_minutes int NOT NULL DEFAULT 120 CHECK (cleaning_minutes BETWEEN 1 AND 1440),
  agent_ids text[] NOT NULL DEFAULT '{}', amenity_device text,
  version int NOT NULL DEFAULT 1, created_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX property_by_owner ON property (owner_id);

-- Insert-only versions of the income split, in basis points; a reservation pins the one it was confirmed under.
CREATE TABLE income_distribution (
  version int GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  owner_bp int NOT NULL, agency_bp int NOT NULL, referrer_bp int NOT NULL,
  set_by text NOT NULL, set_at timestamptz NOT NULL DEFAULT now(),
  CHECK (owner_bp >= 0 AND agency_bp >= 0 AND referrer_bp >= 0 AND owner_bp + agency_bp + referrer_bp = 10000)
);
CREATE TRIGGER frozen BEFORE UPDATE OR DELETE OR TRUNCATE ON income_distribution FOR EACH STATEMENT EXECUTE FUNCTION forbid();
INSERT INTO income_distribution (owner_bp, agency_bp, referrer_bp, set_by) VALUES (7000, 2500, 500, 'system');

CREATE TABLE reservation (
  id text PRIMARY KEY,
  kind text NOT NULL DEFAULT 'STAY' CHECK (kind IN ('STAY','OWNER_STAY','MAINTENANCE_BLOCK')),
  property_id text NOT NULL REFERENCES property(id),
  guest_id text REFERENCES guest(id),
  check_in_date date NOT NULL, check_out_date date NOT NULL,
  total_minor bigint NOT NULL CHECK (total_minor BETWEEN 0 AND 9007199254740991), currency char(3) NOT NULL,
  referring_agent_id text REFERENCES staff(id),
  guest_count int CHECK (guest_count > 0), planned_arrival text, planned_departure text, notes text,
  status text NOT NULL DEFAULT 'PENDING'
    CHECK (status IN ('PENDING','CONFIRMED','CHECKED_IN','CHECKED_OUT','CANCELLED','NO_SHOW')),
  distribution_version int REFERENCES income_distribution(version),
  confirmed_at timestamptz,
  version int NOT NULL DEFAULT 1, created_by text NOT NULL, created_at timestamptz NOT NULL DEFAULT now(),
  stay daterange GENERATED ALWAYS AS (daterange(check_in_date, check_out_date, '[)')) STORED,
  CONSTRAINT stay_order CHECK (check_in_date < check_out_date),
  CONSTRAINT stay_has_guest CHECK ((kind = 'STAY') = (guest_id IS NOT NULL)),
  -- Half-open nights: a stay may begin on the day another ends (domain.md 3).
  CONSTRAINT no_double_booking EXCLUDE USING gist (property_id WITH =, stay WITH &&)
    WHERE (status IN ('CONFIRMED','CHECKED_IN'))
);
CREATE INDEX reservation_by_property ON reservation (property_id, check_in_date);
CREATE INDEX reservation_by_guest ON reservation (guest_id);
CREATE INDEX reservation_by_age ON reservation (created_at, id);

CREATE TABLE saga (
  id text PRIMARY KEY,
  name text NOT NULL,
  definition_ver int NOT NULL,                          -- pinned: a deploy never changes a running saga
  subject_type text NOT NULL CHECK (subject_type IN ('reservation','transaction')),
  subject_id text NOT NULL,
  input jsonb NOT NULL,                                 -- validated and frozen; ids, minor units, pinned versions; no guest data
  input_hash bytea NOT NULL,
  requested_by text NOT NULL,                           -- the token's sub
  on_behalf_of text, request_id text,
  notes text,                                           -- what the requester wrote; for people, read by no step
  retry_of text REFERENCES saga(id),
  requested_at timestamptz NOT NULL DEFAULT now(),      -- the only clock that business rules read
  updated_at timestamptz NOT NULL DEFAULT now(),
  status text NOT NULL DEFAULT 'pending'
    CHECK (status IN ('pending','running','compensating','parked','completed','compensated','resolved')),
  current_step int NOT NULL DEFAULT 1,
  total_steps int NOT NULL CHECK (total_steps BETWEEN 2 AND 32),
  generation int NOT NULL DEFAULT 1,                    -- dispatch generation, part of every job id
  version bigint NOT NULL DEFAULT 0,
  redispatches int NOT NULL DEFAULT 0,                  -- by the reconciler, since the last step that was done
  error_code text, error_detail jsonb,
  next_check_at timestamptz NOT NULL DEFAULT now() + interval '15 seconds',
  deadline_at timestamptz NOT NULL,
  response_status int, response_body bytea,             -- the exact bytes that the client gets, and gets again
  finished_at timestamptz,
  CHECK ((status IN ('completed','compensated','resolved')) = (finished_at IS NOT NULL)),
  CHECK (num_nulls(finished_at, response_status, response_body) IN (0, 3))
) WITH (fillfactor = 70);
-- The semantic lock: one open saga per subject.
CREATE UNIQUE INDEX one_open_saga ON saga (subject_type, subject_id) WHERE finished_at IS NULL;
-- On finished_at, not on status: a guard that asks for status = 'running' must find its saga by its id, not in here.
CREATE INDEX saga_due ON saga (next_check_at) WHERE finished_at IS NULL;
CREATE INDEX saga_by_age ON saga (requested_at, id);
CREATE INDEX saga_by_name ON saga (name, requested_at, id);
CREATE INDEX saga_by_subject ON saga (subject_id, requested_at);

CREATE FUNCTION saga_guard() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF OLD.status IN ('completed','compensated','resolved') THEN
    RAISE EXCEPTION 'saga % is terminal', OLD.id USING ERRCODE = '23514';
  END IF;
  IF NEW.status <> OLD.status AND ((OLD.status, NEW.status) NOT IN (
       ('pending','running'), ('pending','compensated'),
       ('running','completed'), ('running','compensating'), ('running','parked'), ('pending','parked'),
       ('compensating','compensated'), ('compensating','parked'),
       ('parked','running'), ('parked','compensating'), ('parked','resolved'))   -- and once undoing, never forward:
     OR NEW.status = 'running' AND OLD.status = 'parked'
        AND EXISTS (SELECT FROM saga_step WHERE saga_id = OLD.id AND direction = 'C')) THEN
    RAISE EXCEPTION 'illegal saga transition % -> %', OLD.status, NEW.status USING ERRCODE = '23514';
  END IF;
  IF NEW.generation < OLD.generation THEN
    RAISE EXCEPTION 'generation of saga % fell', OLD.id USING ERRCODE = '23514';
  END IF;
  NEW.version := OLD.version + 1;
  NEW.updated_at := clock_timestamp();
  RETURN NEW;
END $$;
CREATE TRIGGER saga_guard BEFORE UPDATE ON saga FOR EACH ROW EXECUTE FUNCTION saga_guard();
CREATE TRIGGER frozen BEFORE UPDATE OF id, name, definition_ver, total_steps, subject_type, subject_id, input, input_hash,
  requested_by, requested_at ON saga FOR EACH STATEMENT EXECUTE FUNCTION forbid();
CREATE TRIGGER kept BEFORE DELETE OR TRUNCATE ON saga FOR EACH STATEMENT EXECUTE FUNCTION forbid();

-- A forward step's row appears when the step is done, has failed, or is claimed for a call; a compensation's when it falls due.
CREATE TABLE saga_step (
  saga_id text NOT NULL REFERENCES saga(id),
  step_no int NOT NULL CHECK (step_no >= 1),
  direction char(1) NOT NULL CHECK (direction IN ('F','C')),
  name text NOT NULL,
  kind text NOT NULL CHECK (kind IN ('LOCAL','EXTERNAL')),
  class text NOT NULL CHECK (class IN ('READ','COMPENSABLE','PIVOT','RETRIABLE')),
  status text NOT NULL DEFAULT 'pending' CHECK (status IN ('pending','running','done','failed','skipped')),
  attempt int NOT NULL DEFAULT 0,                       -- fencing token
  max_attempts int NOT NULL,
  effect_key text NOT NULL UNIQUE,                      -- <sagaId>-<stepNo>-<F|C>
  worker_id text, lease_until timestamptz,
  first_sent_at timestamptz,                            -- first time an external request may have left
  request_hash bytea, result jsonb, error jsonb,
  started_at timestamptz, finished_at timestamptz,      -- for people
  done_at_version bigint,                               -- saga.version under the lock: the clock-free order of steps
  PRIMARY KEY (saga_id, step_no, direction),
  CHECK ((status = 'running') = (lease_until IS NOT NULL)),
  CHECK ((status IN ('done','failed','skipped')) = (finished_at IS NOT NULL)),
  CHECK ((status = 'done') = (done_at_version IS NOT NULL))
);
CREATE FUNCTION step_guard() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF OLD.status IN ('done','skipped') THEN
    RAISE EXCEPTION 'step %/%/% is final', OLD.saga_id, OLD.step_no, OLD.direction USING ERRCODE = '23514';
  END IF;
  IF NEW.attempt < OLD.attempt OR NEW.effect_key <> OLD.effect_key
     OR (OLD.first_sent_at IS NOT NULL AND NEW.first_sent_at IS DISTINCT FROM OLD.first_sent_at) THEN
    RAISE EXCEPTION 'frozen column changed on step %', OLD.effect_key USING ERRCODE = '23514';
  END IF;
  RETURN NEW;
END $$;
CREATE TRIGGER step_guard BEFORE UPDATE ON saga_step FOR EACH ROW EXECUTE FUNCTION step_guard();
CREATE TRIGGER kept BEFORE DELETE OR TRUNCATE ON saga_step FOR EACH STATEMENT EXECUTE FUNCTION forbid();

CREATE TABLE step_attempt (                             -- evidence for the fence; external steps only
  saga_id text NOT NULL, step_no int NOT NULL, direction char(1) NOT NULL, attempt int NOT NULL,
  worker_id text NOT NULL, claimed_at timestamptz NOT NULL DEFAULT now(),
  outcome text CHECK (outcome IN ('done','retry','failed','fenced','abandoned')), ended_at timestamptz,
  PRIMARY KEY (saga_id, step_no, direction, attempt),
  FOREIGN KEY (saga_id, step_no, direction) REFERENCES saga_step
);

-- Raised inside a fused statement when a step's effect found nothing to act on: all of the statement is undone with it.
CREATE FUNCTION saga_refuse(code text) RETURNS text LANGUAGE plpgsql AS $$
BEGIN RAISE EXCEPTION '%', code USING ERRCODE = 'RM001'; END $$;

CREATE TABLE outbox (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  kind text NOT NULL CHECK (kind IN ('FLOW_F','FLOW_C','JOB','ALERT')),
  dedupe_key text NOT NULL UNIQUE,                      -- <sagaId>-<F|C>-<generation>, <sagaId>-A-<version>, a JOB's effect key
  saga_id text REFERENCES saga(id),
  payload jsonb NOT NULL,                               -- ids only
  available_at timestamptz NOT NULL DEFAULT now(),
  created_at timestamptz NOT NULL DEFAULT now(),
  attempts int NOT NULL DEFAULT 0, last_error text,
  published_at timestamptz
) WITH (fillfactor = 80);
CREATE INDEX outbox_due ON outbox (available_at, id) WHERE published_at IS NULL;
CREATE INDEX outbox_unpublished_by_saga ON outbox (saga_id) WHERE published_at IS NULL;

CREATE TABLE idempotency_key (
  principal text NOT NULL, key text NOT NULL CHECK (length(key) BETWEEN 1 AND 255),
  request_hash bytea NOT NULL,                          -- sha256(method | path | canonical body)
  saga_id text REFERENCES saga(id) DEFERRABLE INITIALLY DEFERRED,
  accepted_status int NOT NULL, accepted_body bytea NOT NULL,
  created_at timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (principal, key)
);
CREATE INDEX idempotency_key_by_saga ON idempotency_key (saga_id);
CREATE INDEX idempotency_key_by_age ON idempotency_key (created_at);

CREATE TABLE task (
  id text PRIMARY KEY,
  reservation_id text REFERENCES reservation(id), property_id text NOT NULL REFERENCES property(id),
  type text NOT NULL CHECK (type IN ('CLEANING','CHECK_IN','CHECK_OUT','INSPECTION','MAINTENANCE','EMERGENCY')),
  occurrence text NOT NULL,                             -- a stay has two CLEANINGs
  title text NOT NULL, description text,
  status text NOT NULL CHECK (status IN ('UNASSIGNED','ASSIGNED','IN_PROGRESS','COMPLETED','CANCELLED','MERGED')),
  priority text NOT NULL DEFAULT 'NORMAL' CHECK (priority IN ('LOW','NORMAL','HIGH','URGENT')),
  assignee_id text REFERENCES staff(id),
  scheduled_at timestamptz NOT NULL, ends_at timestamptz NOT NULL, must_finish_by timestamptz,
  local_rule text,                                      -- how scheduled_at was derived, so that new tz rules can re-derive it
  merged_into_task_id text REFERENCES task(id),
  manual_fields text[] NOT NULL DEFAULT '{}', assignment_explanation jsonb,
  assign_attempts int NOT NULL DEFAULT 0, next_assign_at timestamptz DEFAULT now(),
  created_by_saga text REFERENCES saga(id), effect_key text UNIQUE,   -- null: made by hand or by a schedule
  deleted_at timestamptz, version int NOT NULL DEFAULT 1, created_at timestamptz NOT NULL DEFAULT now(),
  CHECK (scheduled_at < ends_at),
  CHECK ((status IN ('ASSIGNED','IN_PROGRESS')) <= (assignee_id IS NOT NULL)),
  CHECK ((status = 'MERGED') = (merged_into_task_id IS NOT NULL)),
  CONSTRAINT no_double_shift EXCLUDE USING gist (assignee_id WITH =, tstzrange(scheduled_at, ends_at, '[)') WITH &&)
    WHERE (status IN ('ASSIGNED','IN_PROGRESS'))
);
CREATE UNIQUE INDEX one_live_task ON task (reservation_id, type, occurrence) WHERE status <> 'CANCELLED';
CREATE INDEX task_to_assign ON task (next_assign_at) WHERE status = 'UNASSIGNED';
CREATE INDEX task_merged_into ON task (merged_into_task_id) WHERE merged_into_task_id IS NOT NULL;
CREATE INDEX task_by_property ON task (property_id, scheduled_at);
CREATE INDEX task_by_age ON task (created_at, id);

CREATE TABLE transaction (
  id text PRIMARY KEY,
  type text NOT NULL CHECK (type IN ('GUEST_PAYMENT','OWNER_PAYOUT','AGENCY_FEE','REFERRAL_FEE','REFUND','GATEWAY_FEE','ADJUSTMENT','REVERSAL')),
  status text NOT NULL CHECK (status IN ('PENDING','PROCESSING','COMPLETED','FAILED','CANCELLED','REVERSED')),
  reservation_id text REFERENCES reservation(id), owner_id text REFERENCES owner(id), parent_id text REFERENCES transaction(id),
  amount_minor bigint NOT NULL, outstanding_minor bigint NOT NULL, currency char(3) NOT NULL,
  distribution_version int REFERENCES income_distribution(version),
  created_by_saga text REFERENCES saga(id), effect_key text UNIQUE,
  completed_at timestamptz, cancelled_at timestamptz,
  version int NOT NULL DEFAULT 1, created_at timestamptz NOT NULL DEFAULT now(),
  CHECK (outstanding_minor BETWEEN 0 AND abs(amount_minor))
);
-- The amount due of a stay is one row.
CREATE UNIQUE INDEX one_amount_due ON transaction (reservation_id)
  WHERE type = 'GUEST_PAYMENT' AND parent_id IS NULL AND status NOT IN ('FAILED','CANCELLED','REVERSED');
CREATE INDEX transaction_by_reservation ON transaction (reservation_id);
CREATE INDEX transaction_by_age ON transaction (created_at, id);
CREATE TRIGGER kept BEFORE DELETE OR TRUNCATE ON transaction FOR EACH STATEMENT EXECUTE FUNCTION forbid();

-- A message to one recipient over one channel. Its row is the order to send it; delivery never touches a saga.
CREATE TABLE notification (
  id text PRIMARY KEY,
  effect_key text NOT NULL UNIQUE,                      -- <sagaId>-<stepNo>-F-<channel>-<role>
  saga_id text REFERENCES saga(id), reservation_id text REFERENCES reservation(id), task_id text REFERENCES task(id),
  event text NOT NULL, template text NOT NULL,
  channel text NOT NULL CHECK (channel IN ('EMAIL','SMS')),
  recipient_type text NOT NULL CHECK (recipient_type IN ('GUEST','OWNER','STAFF','OPS')), recipient_id text NOT NULL,
  params jsonb NOT NULL DEFAULT '{}',                   -- ids and codes only
  status text NOT NULL DEFAULT 'QUEUED' CHECK (status IN ('QUEUED','SENDING','SENT','FAILED','SKIPPED','BLOCKED')),
  reason text, attempts int NOT NULL DEFAULT 0,         -- fencing token of a delivery
  due_at timestamptz NOT NULL DEFAULT now(), lease_until timestamptz,
  provider_id text, sent_at timestamptz, created_at timestamptz NOT NULL DEFAULT now(),
  CHECK ((status = 'SENDING') = (lease_until IS NOT NULL))
) WITH (fillfactor = 80);
CREATE INDEX notification_due ON notification (due_at) WHERE status IN ('QUEUED','SENDING');
CREATE INDEX notification_by_reservation ON notification (reservation_id);
CREATE INDEX notification_by_saga ON notification (saga_id);
CREATE INDEX notification_by_age ON notification (created_at, id);

-- What was "sent" while no real provider is configured; a person reads it on the ops port.
CREATE TABLE dev_mail (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  message_id text NOT NULL UNIQUE, channel text NOT NULL, recipient text NOT NULL,
  subject text, body text NOT NULL, received_at timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE audit_log (
  stream_id text NOT NULL, seq int NOT NULL, at timestamptz NOT NULL DEFAULT clock_timestamp(),
  event text NOT NULL, ends boolean NOT NULL DEFAULT false, actor text NOT NULL,
  saga_id text, reservation_id text, request_id text,
  body text NOT NULL,                                   -- canonical JSON (RFC 8785)
  prev_hash bytea NOT NULL, hash bytea NOT NULL,
  PRIMARY KEY (stream_id, seq)
);
CREATE UNIQUE INDEX audit_one_end ON audit_log (saga_id) WHERE ends;
CREATE INDEX audit_by_time ON audit_log (at, stream_id, seq);
CREATE INDEX audit_by_saga ON audit_log (saga_id);
CREATE INDEX audit_by_reservation ON audit_log (reservation_id, at);
CREATE FUNCTION audit_hash(a audit_log) RETURNS bytea LANGUAGE sql IMMUTABLE AS $$   -- all columns; '=' tells '' from null
  SELECT sha256(a.prev_hash || string_agg(sha256(convert_to(coalesce('=' || x, ''),'UTF8')), ''::bytea ORDER BY n))
    FROM unnest(ARRAY[a.stream_id, a.seq::text, (extract(epoch FROM a.at) * 1000000)::bigint::text, a.event, a.ends::text, a.actor,
                      a.saga_id, a.reservation_id, a.request_id, a.body]) WITH ORDINALITY u(x, n) $$;
CREATE FUNCTION audit_chain() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE ls int; lh bytea;
BEGIN
  PERFORM pg_advisory_xact_lock(hashtextextended(NEW.stream_id, 7));     -- per stream, not global
  SELECT seq, hash INTO ls, lh FROM audit_log WHERE stream_id = NEW.stream_id ORDER BY seq DESC LIMIT 1;
  NEW.seq := coalesce(ls, 0) + 1;
  NEW.prev_hash := coalesce(lh, sha256(convert_to('genesis:' || NEW.stream_id, 'UTF8')));
  NEW.hash := audit_hash(NEW);
  RETURN NEW;
END $$;
CREATE TRIGGER audit_chain BEFORE INSERT ON audit_log FOR EACH ROW EXECUTE FUNCTION audit_chain();
CREATE TRIGGER frozen BEFORE UPDATE OR DELETE OR TRUNCATE ON audit_log FOR EACH STATEMENT EXECUTE FUNCTION forbid();
