-- Who is alive and what stands still. The API processes look at it and tell it themselves, without any worker.

-- One row a process, which writes it itself every few seconds. A crash of Postgres empties it, and it is written anew.
CREATE UNLOGGED TABLE process (
  id text PRIMARY KEY CHECK (length(id) <= 100),
  program text NOT NULL CHECK (program IN ('api', 'worker')),
  roles text[] NOT NULL DEFAULT '{}',
  version text NOT NULL,
  started_at timestamptz NOT NULL DEFAULT now(),
  seen_at timestamptz NOT NULL DEFAULT now(),
  -- Since when each circuit that lets nothing through is open, as an ISO instant by its name.
  circuits jsonb NOT NULL DEFAULT '{}'
) WITH (fillfactor = 50);

-- The one watch: who keeps it, and how far the audit trail has been walked.
CREATE TABLE watch (
  id integer PRIMARY KEY DEFAULT 1 CHECK (id = 1),
  holder text,
  lease_until timestamptz NOT NULL DEFAULT '-infinity',
  looked_at timestamptz,
  audit_after text NOT NULL DEFAULT '',
  -- The walk that is under way; null: none is.
  audit_began_at timestamptz,
  audit_done_at timestamptz,
  -- Rows of broken chains: of the walk under way, and of the last whole one.
  audit_found jsonb NOT NULL DEFAULT '[]',
  audit_broken jsonb NOT NULL DEFAULT '[]',
  -- The last day of the agency on which the open incidents were told again.
  digest_on date
) WITH (fillfactor = 50);
INSERT INTO watch DEFAULT VALUES;
CREATE TRIGGER kept BEFORE DELETE OR TRUNCATE ON watch FOR EACH STATEMENT EXECUTE FUNCTION forbid();

CREATE TABLE incident (
  id text PRIMARY KEY,
  kind text NOT NULL CHECK (kind ~ '^[A-Z][A-Z_]{2,39}$'),
  -- Which of its kind: a queue, a step with its error, a gateway.
  subject text NOT NULL CHECK (length(subject) BETWEEN 1 AND 200),
  area text NOT NULL CHECK (area IN ('ENGINE', 'MONEY')),
  severity text NOT NULL CHECK (severity IN ('CRITICAL', 'WARNING')),
  -- How many it is about, and how many it was about at the most.
  count integer NOT NULL CHECK (count > 0),
  most integer NOT NULL CHECK (most >= count),
  -- Since when it is so, as far as anybody can tell.
  since timestamptz NOT NULL,
  -- Ids, codes and counts; nothing of a person.
  details jsonb NOT NULL,
  first_at timestamptz NOT NULL DEFAULT now(),
  last_at timestamptz NOT NULL DEFAULT now(),
  -- How often in a row it was looked for and not found: three times, and it is over.
  missed integer NOT NULL DEFAULT 0,
  -- Closed by a person, it is found on: until it is not, it stays closed.
  lingers boolean NOT NULL DEFAULT false,
  muted_until timestamptz,
  muted_by text,
  closed_at timestamptz,
  -- A person, or `watchdog`: it was over by itself.
  closed_by text,
  reason text CHECK (length(reason) <= 500),
  version integer NOT NULL DEFAULT 1,
  CONSTRAINT incident_is_closed CHECK ((closed_at IS NULL) = (closed_by IS NULL)),
  CONSTRAINT incident_is_muted CHECK ((muted_until IS NULL) = (muted_by IS NULL))
) WITH (fillfactor = 70);
CREATE UNIQUE INDEX one_open_incident ON incident (kind, subject) WHERE closed_at IS NULL;
CREATE INDEX incident_by_age ON incident (first_at, id);
CREATE INDEX incident_by_kind ON incident (kind, first_at, id);
CREATE INDEX incident_by_area ON incident (area, first_at, id);
CREATE INDEX incident_by_subject ON incident (kind, subject, first_at);
CREATE INDEX incident_open_by_age ON incident (first_at, id) WHERE closed_at IS NULL;
CREATE INDEX incident_lingering ON incident (kind, subject) WHERE lingers;
CREATE TRIGGER kept BEFORE DELETE OR TRUNCATE ON incident FOR EACH STATEMENT EXECUTE FUNCTION forbid();

-- What is to be told of an incident, and whether it was.
CREATE TABLE incident_notice (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  -- Null: of all that are open.
  incident_id text REFERENCES incident,
  what text NOT NULL CHECK (what IN ('OPENED', 'CLOSED', 'DIGEST')),
  target text NOT NULL CHECK (target IN ('OPS', 'FINANCE', 'WEBHOOK')),
  created_at timestamptz NOT NULL DEFAULT now(),
  due_at timestamptz NOT NULL DEFAULT now(),
  attempts integer NOT NULL DEFAULT 0,
  -- A code: never what a server said.
  last_error text CHECK (length(last_error) <= 100),
  -- Told, or given up.
  ended_at timestamptz,
  told boolean NOT NULL DEFAULT false,
  CONSTRAINT incident_notice_of CHECK ((what = 'DIGEST') = (incident_id IS NULL)),
  CONSTRAINT incident_notice_is_told CHECK (NOT told OR ended_at IS NOT NULL)
) WITH (fillfactor = 70);
CREATE INDEX incident_notice_due ON incident_notice (due_at) WHERE ended_at IS NULL;
CREATE INDEX incident_notice_of_incident ON incident_notice (incident_id, id) WHERE incident_id IS NOT NULL;
