import { setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';
import { PRINCIPAL } from './driver.ts';

/** The harness's own way to Postgres: every query is tried again until Postgres is back. */
export interface ChaosDatabase {
  query<Row extends pg.QueryResultRow>(text: string, values?: readonly unknown[]): Promise<Row[]>;
  close(): Promise<void>;
}

const PATIENCE_MS = 60_000;

export function connectChaosDatabase(url: string): ChaosDatabase {
  const pool = new pg.Pool({
    connectionString: url,
    max: 3,
    application_name: 'chaos',
    connectionTimeoutMillis: 3_000,
  });
  pool.on('error', () => undefined);
  return {
    query: async (text, values = []) => {
      const deadline = Date.now() + PATIENCE_MS;
      for (;;) {
        try {
          return (await pool.query(text, [...values])).rows;
        } catch (error) {
          if (Date.now() > deadline || !isOutage(error)) throw error;
          await sleep(100);
        }
      }
    },
    close: () => pool.end(),
  };
}

function isOutage(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  const { code } = error as { code?: unknown };
  if (typeof code === 'string') return /^(08|57P0|E[A-Z]+$)/.test(code);
  return /Connection terminated|timeout|not queryable/i.test(error.message);
}

/** Which stays there are, by how their confirmation is meant to end. */
export interface Stays {
  /** Free dates; a person for each task can mostly be found. */
  readonly plain: string[];
  /** Cleaners only: with `requireAssignment` the check-in task fails, and two steps are undone. */
  readonly cleanersOnly: string[];
  /** Nobody: with `requireAssignment` the first task fails. */
  readonly unstaffed: string[];
  /** Overlapping dates: one of the two can be confirmed. */
  readonly pairs: (readonly [string, string])[];
}

const PLAIN_PROPERTIES = 120;
const STAYS_EACH = 60;
const FAILING_PROPERTIES = 12;
const PAIRS = 40;

/** The price of a stay, in minor units; its id ends in its number. */
export const totalOf = (reservationId: string): number =>
  100_000 + Number(reservationId.slice(reservationId.lastIndexOf('-') + 1));

/** Half of the plain properties have turnovers on the same day, so that neighbouring stays meet in their cleanings. */
export async function seedStays(db: ChaosDatabase): Promise<Stays> {
  await db.query(`
    INSERT INTO owner (id, name, email) SELECT 'owner-' || n, 'Owner ' || n, 'owner' || n || '@example.com' FROM generate_series(1, 10) n`);
  // In production a token of somebody without an account is refused.
  await db.query(
    `INSERT INTO account (id, email, name, role, status) VALUES ($1, 'admin@example.com', 'Admin', 'ADMIN', 'ACTIVE')`,
    [PRINCIPAL],
  );
  await db.query(`
    INSERT INTO guest (id, name, email, phone)
    SELECT 'guest-' || n, 'Guest ' || n, 'guest' || n || '@example.com', '+97150' || (1000000 + n) FROM generate_series(1, 50) n`);
  await db.query(
    `INSERT INTO property (id, name, owner_id)
     SELECT kind || '-' || n, kind || ' ' || n, 'owner-' || (n % 10 + 1)
       FROM (VALUES ('plain', $1::int), ('cleaners', $2::int), ('nobody', $2::int), ('pair', $3::int)) k(kind, many), generate_series(1, many) n`,
    [PLAIN_PROPERTIES, FAILING_PROPERTIES, PAIRS],
  );
  await db.query(`
    INSERT INTO staff (id, name, email, role, property_ids)
    SELECT 'cleaner-' || id, 'Cleaner ' || id, 'cleaner-' || id || '@example.com', 'CLEANER', ARRAY[id] FROM property WHERE id !~ '^nobody'
    UNION ALL SELECT 'agent-' || id, 'Agent ' || id, 'agent-' || id || '@example.com', 'AGENT', ARRAY[id] FROM property WHERE id ~ '^(plain|pair)'`);
  const rows = await db.query<{ id: string; property_id: string }>(
    `INSERT INTO reservation (id, property_id, guest_id, check_in_date, check_out_date, total_minor, currency, created_by)
     SELECT 'stay-' || p.id || '-' || n, p.id, 'guest-' || (n % 50 + 1), d.arrival, d.arrival + 2, 100000 + n, 'AED', 'chaos'
       FROM property p CROSS JOIN LATERAL generate_series(1, CASE WHEN p.id ~ '^pair' THEN 2 ELSE $1::int END) n
       CROSS JOIN LATERAL (SELECT date '2027-01-01' + n * CASE WHEN p.id ~ '^pair' THEN 1 WHEN p.id ~ '[02468]$' THEN 2 ELSE 3 END AS arrival) d
     RETURNING id, property_id`,
    [STAYS_EACH],
  );
  const of = (kind: string) => rows.filter((row) => row.property_id.startsWith(`${kind}-`)).map((row) => row.id);
  const pairs = Array.from(
    { length: PAIRS },
    (_, index) => [`stay-pair-${index + 1}-1`, `stay-pair-${index + 1}-2`] as const,
  );
  return { plain: of('plain'), cleanersOnly: of('cleaners'), unstaffed: of('nobody'), pairs };
}
