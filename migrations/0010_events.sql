-- What happens, as others may follow it: every change of state writes one event in its own transaction, whichever
-- statement makes it, and gets its place in the feed once it is committed. Webhook endpoints read the same feed.

CREATE TABLE domain_event (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  seq bigint UNIQUE,                                    -- its place in the feed: dense, given after the commit
  at timestamptz NOT NULL DEFAULT now(),
  type text NOT NULL, resource text NOT NULL, resource_id text NOT NULL, reservation_id text,
  data jsonb NOT NULL                                   -- ids, codes, times and amounts; never what a person wrote
);
-- Ids are given before the commit and seen in another order; whoever reads the feed numbers what is committed first.
CREATE INDEX domain_event_unnumbered ON domain_event (id) WHERE seq IS NULL;
CREATE INDEX domain_event_by_reservation ON domain_event (reservation_id, seq) WHERE reservation_id IS NOT NULL;
CREATE INDEX domain_event_by_age ON domain_event (at);
CREATE TABLE event_feed (
  only_row boolean PRIMARY KEY DEFAULT true CHECK (only_row),
  last_seq bigint NOT NULL DEFAULT 0
);
INSERT INTO event_feed DEFAULT VALUES;

-- For each statement, not for each row: the steps of many sagas share one.
CREATE FUNCTION reservation_events() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF TG_OP = 'INSERT' THEN
    INSERT INTO domain_event (type, resource, resource_id, reservation_id, data)
    SELECT 'reservation.' || 'created', 'reservation', n.id, n.id, jsonb_build_object('status', n.status, 'paymentStatus', n.payment_status, 'propertyId', n.property_id, 'checkInDate', n.check_in_date,
      'checkOutDate', n.check_out_date, 'version', n.version) FROM new_rows n;
  ELSE
    INSERT INTO domain_event (type, resource, resource_id, reservation_id, data)
    SELECT 'reservation.' || what.happened, 'reservation', n.id, n.id, jsonb_build_object('status', n.status, 'paymentStatus', n.payment_status, 'propertyId', n.property_id, 'checkInDate', n.check_in_date,
      'checkOutDate', n.check_out_date, 'version', n.version)
      FROM new_rows n JOIN old_rows o ON o.id = n.id, LATERAL (SELECT CASE WHEN n.status <> o.status THEN CASE n.status WHEN 'PENDING' THEN 'unconfirmed' ELSE lower(n.status) END
      WHEN n.payment_status <> o.payment_status THEN 'payment_status_changed'
      WHEN n.version <> o.version THEN 'updated' END AS happened) AS what
     WHERE what.happened IS NOT NULL;
  END IF;
  RETURN NULL;
END $$;
CREATE TRIGGER events_of_new AFTER INSERT ON reservation REFERENCING NEW TABLE AS new_rows
  FOR EACH STATEMENT EXECUTE FUNCTION reservation_events();
CREATE TRIGGER events_of_change AFTER UPDATE ON reservation REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows
  FOR EACH STATEMENT EXECUTE FUNCTION reservation_events();

CREATE FUNCTION task_events() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF TG_OP = 'INSERT' THEN
    INSERT INTO domain_event (type, resource, resource_id, reservation_id, data)
    SELECT 'task.' || 'created', 'task', n.id, n.reservation_id, jsonb_build_object('status', n.status, 'type', n.type, 'occurrence', n.occurrence, 'propertyId', n.property_id, 'assigneeId', n.assignee_id,
      'startsAt', coalesce(n.slot_start, n.scheduled_at), 'endsAt', coalesce(n.slot_end, n.ends_at), 'version', n.version) FROM new_rows n;
  ELSE
    INSERT INTO domain_event (type, resource, resource_id, reservation_id, data)
    SELECT 'task.' || what.happened, 'task', n.id, n.reservation_id, jsonb_build_object('status', n.status, 'type', n.type, 'occurrence', n.occurrence, 'propertyId', n.property_id, 'assigneeId', n.assignee_id,
      'startsAt', coalesce(n.slot_start, n.scheduled_at), 'endsAt', coalesce(n.slot_end, n.ends_at), 'version', n.version)
      FROM new_rows n JOIN old_rows o ON o.id = n.id, LATERAL (SELECT CASE WHEN n.status <> o.status THEN CASE n.status WHEN 'IN_PROGRESS' THEN 'started' ELSE lower(n.status) END
      WHEN n.assignee_id IS DISTINCT FROM o.assignee_id THEN 'assigned'
      WHEN (n.scheduled_at, n.ends_at) <> (o.scheduled_at, o.ends_at)
        OR (n.slot_start, n.slot_end) IS DISTINCT FROM (o.slot_start, o.slot_end) THEN 'rescheduled'
      WHEN n.version <> o.version THEN 'updated' END AS happened) AS what
     WHERE what.happened IS NOT NULL;
  END IF;
  RETURN NULL;
END $$;
CREATE TRIGGER events_of_new AFTER INSERT ON task REFERENCING NEW TABLE AS new_rows
  FOR EACH STATEMENT EXECUTE FUNCTION task_events();
CREATE TRIGGER events_of_change AFTER UPDATE ON task REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows
  FOR EACH STATEMENT EXECUTE FUNCTION task_events();

CREATE FUNCTION transaction_events() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF TG_OP = 'INSERT' THEN
    INSERT INTO domain_event (type, resource, resource_id, reservation_id, data)
    SELECT 'transaction.' || 'created', 'transaction', n.id, n.reservation_id, jsonb_build_object('status', n.status, 'type', n.type, 'amountMinor', n.amount_minor, 'outstandingMinor', n.outstanding_minor,
      'currency', n.currency, 'version', n.version) FROM new_rows n;
  ELSE
    INSERT INTO domain_event (type, resource, resource_id, reservation_id, data)
    SELECT 'transaction.' || what.happened, 'transaction', n.id, n.reservation_id, jsonb_build_object('status', n.status, 'type', n.type, 'amountMinor', n.amount_minor, 'outstandingMinor', n.outstanding_minor,
      'currency', n.currency, 'version', n.version)
      FROM new_rows n JOIN old_rows o ON o.id = n.id, LATERAL (SELECT CASE WHEN n.status <> o.status THEN lower(n.status) WHEN n.version <> o.version THEN 'updated' END AS happened) AS what
     WHERE what.happened IS NOT NULL;
  END IF;
  RETURN NULL;
END $$;
CREATE TRIGGER events_of_new AFTER INSERT ON transaction REFERENCING NEW TABLE AS new_rows
  FOR EACH STATEMENT EXECUTE FUNCTION transaction_events();
CREATE TRIGGER events_of_change AFTER UPDATE ON transaction REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows
  FOR EACH STATEMENT EXECUTE FUNCTION transaction_events();

CREATE FUNCTION payment_events() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF TG_OP = 'INSERT' THEN
    INSERT INTO domain_event (type, resource, resource_id, reservation_id, data)
    SELECT 'payment.' || lower(n.status), 'payment', n.id, n.reservation_id, jsonb_build_object('status', n.status, 'amountMinor', n.amount_minor, 'currency', n.currency, 'errorCode', n.error_code) FROM new_rows n;
  ELSE
    INSERT INTO domain_event (type, resource, resource_id, reservation_id, data)
    SELECT 'payment.' || what.happened, 'payment', n.id, n.reservation_id, jsonb_build_object('status', n.status, 'amountMinor', n.amount_minor, 'currency', n.currency, 'errorCode', n.error_code)
      FROM new_rows n JOIN old_rows o ON o.id = n.id, LATERAL (SELECT CASE WHEN n.status <> o.status THEN lower(n.status) END AS happened) AS what
     WHERE what.happened IS NOT NULL;
  END IF;
  RETURN NULL;
END $$;
CREATE TRIGGER events_of_new AFTER INSERT ON payment REFERENCING NEW TABLE AS new_rows
  FOR EACH STATEMENT EXECUTE FUNCTION payment_events();
CREATE TRIGGER events_of_change AFTER UPDATE ON payment REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows
  FOR EACH STATEMENT EXECUTE FUNCTION payment_events();

CREATE FUNCTION property_events() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF TG_OP = 'INSERT' THEN
    INSERT INTO domain_event (type, resource, resource_id, reservation_id, data)
    SELECT 'property.' || 'created', 'property', n.id, NULL::text, jsonb_build_object('readiness', n.readiness, 'version', n.version) FROM new_rows n;
  ELSE
    INSERT INTO domain_event (type, resource, resource_id, reservation_id, data)
    SELECT 'property.' || what.happened, 'property', n.id, NULL::text, jsonb_build_object('readiness', n.readiness, 'version', n.version)
      FROM new_rows n JOIN old_rows o ON o.id = n.id, LATERAL (SELECT CASE WHEN n.readiness <> o.readiness THEN 'readiness_changed' WHEN n.version <> o.version THEN 'updated' END AS happened) AS what
     WHERE what.happened IS NOT NULL;
  END IF;
  RETURN NULL;
END $$;
CREATE TRIGGER events_of_new AFTER INSERT ON property REFERENCING NEW TABLE AS new_rows
  FOR EACH STATEMENT EXECUTE FUNCTION property_events();
CREATE TRIGGER events_of_change AFTER UPDATE ON property REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows
  FOR EACH STATEMENT EXECUTE FUNCTION property_events();

-- How far it runs is for its own page; here is what it came to.
CREATE FUNCTION saga_events() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF TG_OP = 'INSERT' THEN
    INSERT INTO domain_event (type, resource, resource_id, reservation_id, data)
    SELECT 'saga.' || 'accepted', 'saga', n.id, CASE WHEN n.subject_type = 'reservation' THEN n.subject_id END, jsonb_build_object('status', n.status, 'name', n.name, 'subjectType', n.subject_type, 'subjectId', n.subject_id, 'errorCode', n.error_code) FROM new_rows n;
  ELSE
    INSERT INTO domain_event (type, resource, resource_id, reservation_id, data)
    SELECT 'saga.' || what.happened, 'saga', n.id, CASE WHEN n.subject_type = 'reservation' THEN n.subject_id END, jsonb_build_object('status', n.status, 'name', n.name, 'subjectType', n.subject_type, 'subjectId', n.subject_id, 'errorCode', n.error_code)
      FROM new_rows n JOIN old_rows o ON o.id = n.id, LATERAL (SELECT CASE WHEN n.status <> o.status AND n.status NOT IN ('pending', 'running') THEN n.status END AS happened) AS what
     WHERE what.happened IS NOT NULL;
  END IF;
  RETURN NULL;
END $$;
CREATE TRIGGER events_of_new AFTER INSERT ON saga REFERENCING NEW TABLE AS new_rows
  FOR EACH STATEMENT EXECUTE FUNCTION saga_events();
CREATE TRIGGER events_of_change AFTER UPDATE ON saga REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows
  FOR EACH STATEMENT EXECUTE FUNCTION saga_events();

CREATE TABLE webhook_endpoint (
  id text PRIMARY KEY, url text NOT NULL, description text,
  types text[] NOT NULL DEFAULT '{}',                   -- 'task.assigned', 'task.*'; none: all
  status text NOT NULL DEFAULT 'ACTIVE' CHECK (status IN ('ACTIVE','DISABLED')), disabled_reason text,
  secret text NOT NULL, previous_secret text, previous_until timestamptz,
  next_seq bigint NOT NULL CHECK (next_seq > 0),        -- what comes before it has been delivered, in order
  attempt int NOT NULL DEFAULT 0,                       -- how often the next event was tried
  next_attempt_at timestamptz NOT NULL DEFAULT now(),
  lease_until timestamptz, fence int NOT NULL DEFAULT 0,
  created_by text NOT NULL, version int NOT NULL DEFAULT 1, created_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX webhook_endpoint_due ON webhook_endpoint (next_attempt_at) WHERE status = 'ACTIVE';
CREATE TABLE webhook_attempt (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  endpoint_id text NOT NULL REFERENCES webhook_endpoint(id) ON DELETE CASCADE,
  seq bigint NOT NULL, type text NOT NULL, attempt int NOT NULL, at timestamptz NOT NULL DEFAULT now(),
  status_code int, reason text, ms int NOT NULL
);
CREATE INDEX webhook_attempt_by_endpoint ON webhook_attempt (endpoint_id, id DESC);
