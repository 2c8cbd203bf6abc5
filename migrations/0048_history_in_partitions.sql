-- History leaves the hot tables (docs/adr/0020). Events, steps, attempts, what messages said and the mailbox of development
-- are cut by time, along keys that grow with time. What a table holds becomes one partition as it is, without being
-- written anew. `npm run maintain` makes further partitions; without it the last one of each table takes every row that
-- is still to come, so that none is refused for want of a partition. Published orders move to a table of their own.

-- Nobody may write these meanwhile, or take a number of theirs.
LOCK TABLE saga, saga_step, step_attempt, notification, notification_content, domain_event, dev_mail, outbox IN ACCESS EXCLUSIVE MODE;

-- A table that is made like another, with its indexes, rules and the triggers that partitions do not get from their parent.
CREATE FUNCTION make_like(name text, model text) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
  definition text;
BEGIN
  EXECUTE format('CREATE TABLE %I (LIKE %I INCLUDING ALL EXCLUDING IDENTITY)', name, model);
  FOR definition IN
    SELECT pg_get_triggerdef(oid) FROM pg_trigger WHERE tgrelid = model::regclass AND NOT tgisinternal AND tgtype & 1 = 0
  LOOP
    EXECUTE replace(definition, '.' || model || ' ', '.' || name || ' ');
  END LOOP;
END $$;

-- Ends the open partition of a table at `until`, under the name `closed`, and opens the next one, `<table>_next`, from there
-- on. Rows that are there must be below `until`. Waits for its lock only shortly, as whoever inserts waits behind it.
CREATE FUNCTION close_partition(t text, until text, closed text) RETURNS void LANGUAGE plpgsql SET lock_timeout = '20ms' AS $$
DECLARE
  open text := t || '_open';
  next text := t || '_next';
  low text;
  high text;
  one record;
BEGIN
  EXECUTE format('LOCK TABLE ONLY %I IN ACCESS EXCLUSIVE MODE', t);
  SELECT bound[1], bound[2] INTO STRICT low, high
    FROM pg_class, regexp_match(pg_get_expr(relpartbound, oid), '^FOR VALUES FROM \((.+)\) TO \((.+)\)$') AS bound WHERE oid = open::regclass;
  EXECUTE format('ALTER TABLE %I DETACH PARTITION %I', t, open);
  EXECUTE format('ALTER TABLE %I RENAME TO %I', open, closed);
  EXECUTE format('ALTER TABLE %I RENAME TO %I', next, open);
  FOR one IN
    SELECT i.indexrelid::regclass::text AS name, replace(c.relname, v.part, v.whole) AS renamed
      FROM (VALUES (1, closed, open, closed), (2, open, next, open)) AS v(place, relation, part, whole)
      JOIN pg_index i ON i.indrelid = v.relation::regclass JOIN pg_class c ON c.oid = i.indexrelid ORDER BY v.place
  LOOP
    EXECUTE format('ALTER INDEX %s RENAME TO %I', one.name, one.renamed);
  END LOOP;
  EXECUTE format('ALTER TABLE %I ATTACH PARTITION %I FOR VALUES FROM (%s) TO (%L)', t, closed, low, until);
  EXECUTE format('ALTER TABLE %I ATTACH PARTITION %I FOR VALUES FROM (%L) TO (%s)', t, open, until, high);
  IF EXISTS (SELECT FROM pg_constraint WHERE conrelid = closed::regclass AND conname = 'closing') THEN
    EXECUTE format('ALTER TABLE %I DROP CONSTRAINT closing', closed);
  END IF;
END $$;

-- Says of the open partition that its rows are from `low` on and below `until`, without looking at them; `VALIDATE` looks, and keeps
-- nobody waiting. Then the server need not look when the partition is attached with these bounds.
CREATE FUNCTION announce_close(t text, key text, low text, until text) RETURNS void LANGUAGE plpgsql SET lock_timeout = '20ms' AS $$
BEGIN
  EXECUTE format('ALTER TABLE %1$I ADD CONSTRAINT closing CHECK (%2$I >= %3$L AND %2$I < %4$L) NOT VALID', t || '_open', key, low, until);
END $$;
CREATE FUNCTION validate_close(t text) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
  EXECUTE format('ALTER TABLE %I VALIDATE CONSTRAINT closing', t || '_open');
END $$;
-- Takes back what was announced, and drops a table that was made and never used.
CREATE FUNCTION forget_close(t text) RETURNS void LANGUAGE plpgsql SET lock_timeout = '20ms' AS $$
BEGIN
  EXECUTE format('DROP TABLE IF EXISTS %I', t || '_next');
  IF EXISTS (SELECT FROM pg_constraint WHERE conrelid = (t || '_open')::regclass AND conname = 'closing') THEN
    EXECUTE format('ALTER TABLE %I DROP CONSTRAINT closing', t || '_open');
  END IF;
END $$;
CREATE FUNCTION drop_partition(t text, name text) RETURNS void LANGUAGE plpgsql SET lock_timeout = '20ms' AS $$
BEGIN
  EXECUTE format('LOCK TABLE ONLY %I IN ACCESS EXCLUSIVE MODE', t);
  EXECUTE format('DROP TABLE %I', name);
END $$;

-- The table as a partitioned one, empty, with what was there beside it as the table `rest`. Answers the next number of its identity.
CREATE FUNCTION pg_temp.set_aside(t text, key text, rest text) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
  next_id bigint;
  one record;
BEGIN
  IF pg_get_serial_sequence(t, key) IS NOT NULL THEN
    EXECUTE format('SELECT last_value + is_called::int FROM %s', pg_get_serial_sequence(t, key)) INTO next_id;
    EXECUTE format('ALTER TABLE %I ALTER COLUMN %I DROP IDENTITY', t, key);
  END IF;
  EXECUTE format('ALTER TABLE %I RENAME TO %I', t, rest);
  FOR one IN SELECT c.relname AS name FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid WHERE i.indrelid = rest::regclass LOOP
    EXECUTE format('ALTER INDEX %I RENAME TO %I', one.name, CASE WHEN starts_with(one.name, t) THEN replace(one.name, t, rest) ELSE rest || '_' || one.name END);
  END LOOP;
  EXECUTE format('CREATE TABLE %I (LIKE %I INCLUDING DEFAULTS INCLUDING GENERATED INCLUDING STORAGE INCLUDING COMPRESSION) PARTITION BY RANGE (%I)',
    t, rest, key);
  IF next_id IS NOT NULL THEN
    EXECUTE format('ALTER TABLE %I ALTER COLUMN %I ADD GENERATED ALWAYS AS IDENTITY (RESTART %s)', t, key, next_id);
  END IF;
  -- A unique rule that does not hold the key cannot be one of all partitions: it stays one of each.
  FOR one IN
    SELECT c.relname AS name, k.conname, pg_get_constraintdef(k.oid) AS rule, pg_get_indexdef(c.oid) AS definition,
        replace(replace(c.relname, rest || '_one_', 'one_'), rest, t) AS original
      FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid
      LEFT JOIN pg_constraint k ON k.conindid = c.oid AND k.contype IN ('p', 'u')
     WHERE i.indrelid = rest::regclass AND (NOT i.indisunique
       OR (SELECT attnum FROM pg_attribute WHERE attrelid = rest::regclass AND attname = key) = ANY (i.indkey::int2[]))
  LOOP
    IF one.conname IS NOT NULL THEN
      EXECUTE format('ALTER TABLE %I ADD CONSTRAINT %I %s', t, one.original, one.rule);
    ELSE
      EXECUTE replace(replace(one.definition, ' ' || one.name || ' ', ' ' || one.original || ' '), '.' || rest || ' ', '.' || t || ' ');
    END IF;
  END LOOP;
  FOR one IN SELECT conname, pg_get_constraintdef(oid) AS rule FROM pg_constraint WHERE conrelid = rest::regclass AND contype IN ('c', 'f') LOOP
    EXECUTE format('ALTER TABLE %I ADD CONSTRAINT %I %s', t, one.conname, one.rule);
  END LOOP;
  -- Triggers for each row come to the partitions from their parent; those for each statement stand at each.
  FOR one IN
    SELECT tgname AS name, tgtype & 1 = 1 AS each_row, pg_get_triggerdef(oid) AS definition FROM pg_trigger
     WHERE tgrelid = rest::regclass AND NOT tgisinternal
  LOOP
    IF one.each_row THEN EXECUTE format('DROP TRIGGER %I ON %I', one.name, rest); END IF;
    EXECUTE replace(one.definition, '.' || rest || ' ', '.' || t || ' ');
  END LOOP;
  RETURN next_id;
END $$;

CREATE FUNCTION pg_temp.add_partition(t text, name text, rest text, low text, high text) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
  PERFORM make_like(name, rest);
  EXECUTE format('ALTER TABLE %I ATTACH PARTITION %I FOR VALUES FROM (%s) TO (%s)', t, name, low, high);
END $$;

-- Statements are planned by statistics of the table as a whole, which autovacuum does not take. Partitions have theirs.
CREATE FUNCTION pg_temp.take_statistics(t text) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
  EXECUTE format('ANALYZE %s %I', CASE WHEN current_setting('server_version_num')::int >= 180000 THEN 'ONLY' END, t);
END $$;

-- Whose keys are numbers: what there is, the two million after it, and all that come later.
CREATE FUNCTION pg_temp.cut_by_number(t text, key text) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
  rest text := t || '_first';
  size constant bigint := 2000000;
  next_id bigint := pg_temp.set_aside(t, key, rest);
  first_end bigint;
BEGIN
  EXECUTE format('SELECT (greatest(max(%I) + 1, %s) / %s + 1) * %3$s FROM %4$I', key, next_id, size, rest) INTO first_end;
  PERFORM pg_temp.add_partition(t, t || '_from_' || first_end, rest, first_end::text, (first_end + size)::text);
  PERFORM pg_temp.add_partition(t, t || '_open', rest, (first_end + size)::text, 'MAXVALUE');
  EXECUTE format('ALTER TABLE %I ATTACH PARTITION %I FOR VALUES FROM (MINVALUE) TO (%s)', t, rest, first_end);
  IF next_id > 1 THEN PERFORM pg_temp.take_statistics(t); END IF;
END $$;

-- A key of `<prefix><UUID version 7>` begins with this at that instant; from the year 2527 on, with `<prefix>1`.
CREATE FUNCTION pg_temp.key_at(prefix text, at timestamptz) RETURNS text LANGUAGE sql AS $$
  SELECT quote_literal(prefix || left(ms, 8) || '-' || right(ms, 4))
    FROM (SELECT lpad(to_hex((extract(epoch FROM at) * 1000)::bigint), 12, '0') AS ms) AS since
$$;

-- Whose keys begin with an instant: what there is, and keys that do not begin so; the year 2027, and that of 2026 where there
-- is nothing yet; all that come later.
CREATE FUNCTION pg_temp.cut_by_time(t text, key text, prefix text) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
  rest text := t || '_other';
  low text := pg_temp.key_at(prefix, '2027-01-01Z');
  open_low text := pg_temp.key_at(prefix, '2028-01-01Z');
  high text := quote_literal(prefix || '1');
  is_new boolean;
BEGIN
  PERFORM pg_temp.set_aside(t, key, rest);
  PERFORM pg_temp.add_partition(t, t || '_from_2027', rest, low, open_low);
  EXECUTE format('SELECT NOT EXISTS (SELECT FROM %I)', rest) INTO is_new;
  IF is_new THEN
    PERFORM pg_temp.add_partition(t, t || '_from_2026', rest, pg_temp.key_at(prefix, '2026-01-01Z'), low);
    low := pg_temp.key_at(prefix, '2026-01-01Z');
  END IF;
  PERFORM pg_temp.add_partition(t, t || '_open', rest, open_low, high);
  -- Of a database that is migrated later.
  EXECUTE format('ALTER TABLE %I DISABLE TRIGGER USER', rest);
  EXECUTE format('WITH later AS (DELETE FROM %1$I WHERE %2$I >= %3$s AND %2$I < %4$s RETURNING *) INSERT INTO %5$I SELECT * FROM later',
    rest, key, low, high, t);
  EXECUTE format('ALTER TABLE %I ENABLE TRIGGER USER', rest);
  -- Says for good that it holds nothing of the others' range, so that it is not read when a partition is made.
  EXECUTE format('ALTER TABLE %1$I ADD CONSTRAINT %2$I CHECK (%3$I < %4$s OR %3$I >= %5$s)', rest, rest || '_check', key, low, high);
  EXECUTE format('ALTER TABLE %I ATTACH PARTITION %I DEFAULT', t, rest);
  IF NOT is_new THEN PERFORM pg_temp.take_statistics(t); END IF;
END $$;

SELECT pg_temp.cut_by_number('domain_event', 'id'), pg_temp.cut_by_number('dev_mail', 'id');

-- The effect key says the row's primary key and nothing else, so the one is as unique as the other, over all partitions.
ALTER TABLE saga_step DROP CONSTRAINT saga_step_effect_key_key,
  ADD CONSTRAINT saga_step_effect_key_check CHECK (effect_key = saga_id || '-' || step_no || '-' || direction);
-- Steps are never deleted. A reference to them would bind partitions to each other; the saga is what an attempt cannot be without.
ALTER TABLE step_attempt DROP CONSTRAINT step_attempt_saga_id_step_no_direction_fkey,
  ADD CONSTRAINT step_attempt_saga_id_fkey FOREIGN KEY (saga_id) REFERENCES saga(id);
SELECT pg_temp.cut_by_time('saga_step', 'saga_id', 'saga-'), pg_temp.cut_by_time('step_attempt', 'saga_id', 'saga-'),
  pg_temp.cut_by_time('notification_content', 'notification_id', 'notification-t-');

-- A UUID version 7 (RFC 9562), which Postgres has from version 18 on.
CREATE FUNCTION time_ordered_uuid() RETURNS uuid LANGUAGE sql VOLATILE AS $$
  SELECT encode(set_bit(set_bit(overlay(uuid_send(gen_random_uuid())
    PLACING substring(int8send((extract(epoch FROM clock_timestamp()) * 1000)::bigint) FROM 3) FROM 1 FOR 6), 52, 1), 53, 1), 'hex')::uuid
$$;

-- Orders and alerts that have gone out, of sagas that ended long ago. No order has the key of one that is here.
CREATE TABLE archived_outbox (
  dedupe_key text PRIMARY KEY,
  id bigint NOT NULL,
  kind text NOT NULL,
  saga_id text REFERENCES saga(id),
  payload jsonb NOT NULL,
  available_at timestamptz NOT NULL,
  created_at timestamptz NOT NULL,
  attempts integer NOT NULL,
  last_error text,
  published_at timestamptz NOT NULL
);
CREATE FUNCTION not_archived() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF EXISTS (SELECT FROM archived_outbox WHERE dedupe_key = NEW.dedupe_key) THEN
    RAISE EXCEPTION 'order % has gone out long ago', NEW.dedupe_key USING ERRCODE = '23505', CONSTRAINT = 'archived_outbox_pkey';
  END IF;
  RETURN NEW;
END $$;
CREATE TRIGGER not_archived BEFORE INSERT ON outbox FOR EACH ROW EXECUTE FUNCTION not_archived();
CREATE TRIGGER kept BEFORE DELETE OR UPDATE OR TRUNCATE ON archived_outbox FOR EACH STATEMENT EXECUTE FUNCTION forbid();
