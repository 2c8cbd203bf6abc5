-- Work that comes back: which rule asks for it, what became of each of its periods, and emergencies that wait.

CREATE TABLE recurrence (
  id text PRIMARY KEY,
  property_id text NOT NULL REFERENCES property(id),
  type text NOT NULL CHECK (type IN ('INSPECTION','MAINTENANCE')),
  title text NOT NULL, description text, checklist jsonb,
  every jsonb NOT NULL,                                 -- "MONTHLY", "QUARTERLY", {"days": n}, {"stays": n} or {"nights": n}
  anchor_date date NOT NULL,                            -- the first due day; usage counts from here
  local_time text NOT NULL, duration_minutes int NOT NULL CHECK (duration_minutes BETWEEN 1 AND 1440),
  active boolean NOT NULL DEFAULT true,
  next_period int NOT NULL CHECK (next_period >= 0),    -- all before it are made or skipped
  next_look_at timestamptz NOT NULL DEFAULT to_timestamp(0),
  created_by text NOT NULL, version int NOT NULL DEFAULT 1, created_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX recurrence_to_look_at ON recurrence (next_look_at) WHERE active;
CREATE INDEX recurrence_by_property ON recurrence (property_id);
CREATE INDEX recurrence_by_age ON recurrence (created_at, id);

CREATE TABLE recurrence_period (
  recurrence_id text NOT NULL REFERENCES recurrence(id), period int NOT NULL,
  due_date date NOT NULL, last_date date NOT NULL,      -- a task of it may stand on these days, both included
  status text NOT NULL CHECK (status IN ('MADE','SKIPPED')),
  task_id text UNIQUE REFERENCES task(id),
  recorded_at timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (recurrence_id, period),
  CHECK ((status = 'MADE') = (task_id IS NOT NULL))
);

CREATE INDEX emergency_waiting ON task (created_at) WHERE type = 'EMERGENCY' AND status IN ('UNASSIGNED','ASSIGNED');
