-- What people have paused: a hold keeps sagas from starting their next step, wherever their jobs are. It stands here, so that neither an
-- emptied Redis nor a restart ends it.
CREATE TABLE hold (
  id text PRIMARY KEY,
  -- `ALL`: every saga. `NAME`: of one name. `STEP`: at one step, `name.step`. `GATEWAY`: steps that speak to one other system. `SAGA`: one execution.
  scope text NOT NULL CHECK (scope IN ('ALL', 'NAME', 'STEP', 'GATEWAY', 'SAGA')),
  subject text NOT NULL CHECK (length(subject) BETWEEN 1 AND 200),
  reason text NOT NULL CHECK (length(reason) BETWEEN 1 AND 500),
  held_by text NOT NULL,
  held_at timestamptz NOT NULL DEFAULT now(),
  released_by text,
  released_at timestamptz,
  release_reason text CHECK (length(release_reason) BETWEEN 1 AND 500),
  version integer NOT NULL DEFAULT 1,
  CONSTRAINT hold_is_released CHECK (num_nulls(released_at, released_by, release_reason) IN (0, 3)),
  CONSTRAINT hold_of_all CHECK ((scope = 'ALL') = (subject = 'ALL'))
);
CREATE UNIQUE INDEX one_hold ON hold (scope, subject) WHERE released_at IS NULL;
CREATE INDEX hold_by_age ON hold (held_at, id);
CREATE TRIGGER kept BEFORE DELETE OR TRUNCATE ON hold FOR EACH STATEMENT EXECUTE FUNCTION forbid();
