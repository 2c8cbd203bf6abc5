import { type Kysely, sql } from 'kysely';

/**
 * What the check of integrity has to look at again: every change of money leaves a mark, whoever makes it and in whatever
 * mode of replication; and when all of it was last looked at.
 */
export async function up(db: Kysely<unknown>): Promise<void> {
  await sql.raw(TABLES).execute(db);
  for (const [table, mark] of Object.entries(MARKS)) await sql.raw(triggersOf(table, mark)).execute(db);
  for (const table of FOR_ALL) await sql.raw(triggerForAll(table)).execute(db);
  await sql.raw(ROWS).execute(db);
}

/** Only for an empty database, like the ones before it. */
export async function down(db: Kysely<unknown>): Promise<void> {
  const functions = [
    ...Object.keys(MARKS).map((table) => `${table}_marks`),
    'reservation_mark',
    'saga_mark',
    'mark_all',
  ];
  await sql
    .raw(
      `DROP FUNCTION IF EXISTS ${functions.join(', ')} CASCADE; DROP TABLE IF EXISTS integrity_mark, integrity_pass;`,
    )
    .execute(db);
}

const TABLES = `
CREATE TABLE integrity_mark (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  kind text NOT NULL CHECK (kind IN ('reservation','payment','transaction','ledger_tx','saga','all')),
  ref text NOT NULL
);
-- One row each time that all was looked at.
CREATE TABLE integrity_pass (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  at timestamptz NOT NULL,                              -- the snapshot that was looked at
  finished_at timestamptz NOT NULL DEFAULT now(),
  difference_count int NOT NULL,
  sums jsonb NOT NULL                                   -- what its sums over all rows did not agree with
);
`;

/** What a change of a row is to be looked at by; \`r\` is the row. */
const ofStay = `CASE WHEN r.reservation_id IS NOT NULL THEN 'reservation' ELSE`;
const MARKS: Readonly<Record<string, string>> = {
  payment: `'reservation' AS kind, r.reservation_id AS ref`,
  transaction: `${ofStay} 'transaction' END AS kind, coalesce(r.reservation_id, r.id) AS ref`,
  ledger_tx: `${ofStay} 'ledger_tx' END AS kind, coalesce(r.reservation_id, r.id) AS ref`,
  ledger_entry: `'ledger_tx' AS kind, r.tx_id AS ref`,
};
const triggersOf = (table: string, mark: string): string => `
CREATE FUNCTION ${table}_marks() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF TG_OP = 'INSERT' THEN
    INSERT INTO integrity_mark (kind, ref) SELECT DISTINCT ${mark} FROM new_rows r;
  ELSIF TG_OP = 'UPDATE' THEN
    INSERT INTO integrity_mark (kind, ref) SELECT ${mark} FROM new_rows r UNION SELECT ${mark} FROM old_rows r;
  ELSE
    INSERT INTO integrity_mark (kind, ref) SELECT DISTINCT ${mark} FROM old_rows r;
  END IF;
  RETURN NULL;
END $$;
CREATE TRIGGER marks_of_new AFTER INSERT ON ${table} REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION ${table}_marks();
CREATE TRIGGER marks_of_change AFTER UPDATE ON ${table} REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows
  FOR EACH STATEMENT EXECUTE FUNCTION ${table}_marks();
CREATE TRIGGER marks_of_gone AFTER DELETE ON ${table} REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT EXECUTE FUNCTION ${table}_marks();
ALTER TABLE ${table} ENABLE ALWAYS TRIGGER marks_of_new;
ALTER TABLE ${table} ENABLE ALWAYS TRIGGER marks_of_change;
ALTER TABLE ${table} ENABLE ALWAYS TRIGGER marks_of_gone;
`;

/** Whose rows belong to so much that all is looked at again. */
const FOR_ALL = ['ledger_account', 'income_distribution'];
const triggerForAll = (table: string): string => `
CREATE OR REPLACE FUNCTION mark_all() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  INSERT INTO integrity_mark (kind, ref) VALUES ('all', TG_TABLE_NAME);
  RETURN NULL;
END $$;
CREATE TRIGGER marks_of_change AFTER UPDATE OR DELETE ON ${table} FOR EACH ROW EXECUTE FUNCTION mark_all();
ALTER TABLE ${table} ENABLE ALWAYS TRIGGER marks_of_change;
`;

const ROWS = `
CREATE FUNCTION reservation_mark() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  INSERT INTO integrity_mark (kind, ref) VALUES ('reservation', OLD.id);
  RETURN NULL;
END $$;
CREATE TRIGGER marks_of_change AFTER UPDATE OF status, payment_status, total_minor, currency, guest_id, property_id,
  referring_agent_id, distribution_version ON reservation FOR EACH ROW
  WHEN ((OLD.status, OLD.payment_status, OLD.total_minor, OLD.currency, OLD.guest_id, OLD.property_id, OLD.referring_agent_id, OLD.distribution_version)
    IS DISTINCT FROM (NEW.status, NEW.payment_status, NEW.total_minor, NEW.currency, NEW.guest_id, NEW.property_id, NEW.referring_agent_id, NEW.distribution_version))
  EXECUTE FUNCTION reservation_mark();
CREATE TRIGGER marks_of_gone AFTER DELETE ON reservation FOR EACH ROW EXECUTE FUNCTION reservation_mark();
ALTER TABLE reservation ENABLE ALWAYS TRIGGER marks_of_change;
ALTER TABLE reservation ENABLE ALWAYS TRIGGER marks_of_gone;

-- What a saga books is marked by itself; its end is not, as nothing that it marked is taken off before.
CREATE FUNCTION saga_mark() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  INSERT INTO integrity_mark (kind, ref) VALUES ('saga', OLD.id);
  RETURN NULL;
END $$;
CREATE TRIGGER marks_of_change AFTER UPDATE OF status, finished_at ON saga FOR EACH ROW
  WHEN (OLD.finished_at IS NOT NULL AND (OLD.status, OLD.finished_at) IS DISTINCT FROM (NEW.status, NEW.finished_at))
  EXECUTE FUNCTION saga_mark();
CREATE TRIGGER marks_of_gone AFTER DELETE ON saga FOR EACH ROW EXECUTE FUNCTION saga_mark();
ALTER TABLE saga ENABLE ALWAYS TRIGGER marks_of_change;
ALTER TABLE saga ENABLE ALWAYS TRIGGER marks_of_gone;
`;
