-- A row that a sweep cannot work on is set aside with its reason, so that it neither blocks the others nor is tried for ever.

CREATE TABLE sweep_failure (
  sweep text NOT NULL CHECK (length(sweep) <= 40),
  row_id text NOT NULL CHECK (length(row_id) <= 300),
  reason text NOT NULL CHECK (length(reason) <= 500),
  attempts int NOT NULL DEFAULT 1 CHECK (attempts > 0),
  first_at timestamptz NOT NULL DEFAULT now(),
  last_at timestamptz NOT NULL DEFAULT now(),
  next_try_at timestamptz NOT NULL,                     -- the sweep leaves the row alone until then
  PRIMARY KEY (sweep, row_id)
);
CREATE INDEX sweep_failure_newest ON sweep_failure (last_at DESC, sweep, row_id);
