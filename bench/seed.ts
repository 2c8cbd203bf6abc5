import pg from 'pg';
import type { Outcome } from './types.ts';

/**
 * Stays to confirm, each on a property of its own, with guests who have phones. Those of `owner-refused` cannot be
 * confirmed: the database refuses the message to that owner, which is the last step's effect, so everything before is
 * undone.
 */
export const stayId = (outcome: Outcome, index: number): string => `${outcome}-${index}`;

const GUESTS = 2_000;
const OWNERS = 200;
/** Enough people, because every confirmed stay brings four tasks to assign. */
const STAFF = 60;

export async function vacuum(databaseUrl: string): Promise<void> {
  const client = new pg.Client({ connectionString: databaseUrl });
  await client.connect();
  await client.query('VACUUM (ANALYZE)').finally(() => client.end());
}

export async function seed(databaseUrl: string, stays: Readonly<Record<Outcome, number>>): Promise<void> {
  const client = new pg.Client({ connectionString: databaseUrl });
  await client.connect();
  try {
    await client.query(PEOPLE);
    for (const outcome of ['confirm', 'rollback'] as const) await addStays(client, outcome, 0, stays[outcome]);
    await client.query('VACUUM (ANALYZE)');
    await client.query('CHECKPOINT');
  } finally {
    await client.end();
  }
}

/** So many more stays, from the `from`th on, while the programs run. */
export async function seedMore(databaseUrl: string, from: number, count: number): Promise<void> {
  const client = new pg.Client({ connectionString: databaseUrl });
  await client.connect();
  await addStays(client, 'confirm', from, count).finally(() => client.end());
}

async function addStays(client: pg.Client, outcome: Outcome, from: number, count: number): Promise<void> {
  const numbers = `generate_series(${from}, ${from + count - 1}) n`;
  const owner = outcome === 'rollback' ? `'owner-refused'` : `'owner-' || n % ${OWNERS}`;
  await client.query(`INSERT INTO property (id, name, owner_id, region)
    SELECT '${outcome}-property-' || n, 'Villa ' || n, ${owner}, 'Marina' FROM ${numbers}`);
  await client.query(`
    INSERT INTO reservation (id, property_id, guest_id, check_in_date, check_out_date, total_minor, currency, guest_count, created_by)
    SELECT '${outcome}-' || n, '${outcome}-property-' || n, 'guest-' || n % ${GUESTS}, current_date + 30 + n % 700,
      current_date + 30 + n % 700 + 3 + n % 5, 100000 + n, 'AED', 2, 'bench' FROM ${numbers}`);
}

/** In a migrated database: refuses the message, and gives the events of the seed their places, so that none waits. */
export async function refuseAndNumber(databaseUrl: string): Promise<void> {
  const client = new pg.Client({ connectionString: databaseUrl });
  await client.connect();
  try {
    await client.query(REFUSAL);
    await client.query(NUMBERED);
    await client.query('VACUUM (ANALYZE)');
  } finally {
    await client.end();
  }
}

const PEOPLE = `
INSERT INTO owner (id, name, email) SELECT 'owner-' || n, 'Owner ' || n, 'owner-' || n || '@example.com' FROM generate_series(0, ${OWNERS - 1}) n;
INSERT INTO owner (id, name, email) VALUES ('owner-refused', 'Refused', 'refused@example.com');
INSERT INTO guest (id, name, email, phone)
  SELECT 'guest-' || n, 'Guest ' || n, 'guest-' || n || '@example.com', '+97150' || lpad(n::text, 7, '0') FROM generate_series(0, ${GUESTS - 1}) n;
INSERT INTO staff (id, name, email, role)
  SELECT 'staff-' || n, 'Staff ' || n, 'staff-' || n || '@example.com', (ARRAY['CLEANER', 'AGENT'])[1 + n % 2] FROM generate_series(0, ${STAFF - 1}) n;`;

const REFUSAL = `
CREATE FUNCTION bench_refuse() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN RAISE EXCEPTION 'NO_STAFF_AVAILABLE' USING ERRCODE = 'RM001'; END $$;
CREATE TRIGGER bench_refusal BEFORE INSERT ON notification FOR EACH ROW
  WHEN (NEW.event = 'NEW_RESERVATION' AND NEW.recipient_id = 'owner-refused') EXECUTE FUNCTION bench_refuse();`;

/**
 * Trees that `--against` may name keep the place of an event in its own row (until migration 46), or in a row for each (until 57). As
 * one run of places: a row for each event would be compared with all before it.
 */
const NUMBERED = `
DO $$ BEGIN
  IF to_regclass('event_place') IS NULL AND to_regclass('event_run') IS NULL THEN
    UPDATE domain_event e SET seq = placed.seq FROM (SELECT id, row_number() OVER (ORDER BY id) AS seq FROM domain_event) placed WHERE placed.id = e.id;
    UPDATE event_feed SET last_seq = (SELECT coalesce(max(seq), 0) FROM domain_event);
  ELSE
    IF to_regclass('event_run') IS NULL THEN
      INSERT INTO event_place (seq, event_id) SELECT row_number() OVER (ORDER BY id), id FROM domain_event;
    ELSE
      INSERT INTO event_run (seq, event_id, events) SELECT min(placed.seq), min(placed.id), count(*)
        FROM (SELECT id, row_number() OVER (ORDER BY id) AS seq FROM domain_event) placed GROUP BY placed.id - placed.seq;
    END IF;
    UPDATE event_feed SET last_seq = n.events, from_id = n.id, next_id = n.id
      FROM (SELECT count(*) AS events, coalesce(max(id), 0) + 1 AS id FROM domain_event) n;
  END IF;
END $$;`;
