import { sql } from 'kysely';
import { createDb, createPool, type Db } from '../../src/db/client.ts';
import { createTestDatabase, type TestDatabase } from '../setup/database.ts';

/** Twenty rows of which one cannot be worked on: what the sweeps of this system are tried with. */
export const ROWS = 20;
/** The row that is poisoned. */
export const POISONED = 7;
export const NUMBERS = Array.from({ length: ROWS }, (_, n) => n);

export interface Bench {
  readonly database: TestDatabase;
  readonly db: Db;
}

export async function openBench(): Promise<Bench> {
  const database = await createTestDatabase();
  const db = createDb(createPool({ connectionString: database.url, max: 6, applicationName: 'sweeps' }));
  await db
    .insertInto('owner')
    .values(NUMBERS.map((n) => ({ id: `owner-${n}`, name: `Owner ${n}`, email: `o${n}@x.example` })))
    .execute();
  await db
    .insertInto('guest')
    .values(NUMBERS.map((n) => ({ id: `guest-${n}`, name: `Guest ${n}`, email: `g${n}@x.example` })))
    .execute();
  await db
    .insertInto('property')
    .values(NUMBERS.map((n) => ({ id: `property-${n}`, name: `Home ${n}`, owner_id: `owner-${n}` })))
    .execute();
  await db
    .insertInto('staff')
    .values(
      NUMBERS.map((n) => ({
        id: `staff-${n}`,
        name: `Staff ${n}`,
        email: `s${n}@x.example`,
        role: 'CLEANER' as const,
      })),
    )
    .execute();
  return { database, db };
}

export async function closeBench({ database, db }: Bench): Promise<void> {
  await db.destroy();
  await database.drop();
}

/** The cause of a row's failure; `byTrigger` when it is an error of Postgres, of any kind that is asked for. */
export interface Poison {
  (db: Db, sqlState?: string): Promise<void>;
  readonly byTrigger?: true;
}

/** Any write of that kind to the row raises, as a check, a trigger, an overflow or a damaged page of one row would. */
export const raises = (table: string, event: 'INSERT' | 'UPDATE' | 'DELETE', when: string): Poison =>
  Object.assign(
    async (db: Db, sqlState = 'P0001') => {
      await sql
        .raw(`
    CREATE OR REPLACE FUNCTION poison() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
      RAISE EXCEPTION 'this row is poisoned' USING ERRCODE = '${sqlState}'; END $$;
    CREATE TRIGGER poison BEFORE ${event} ON ${table} FOR EACH ROW WHEN (${when}) EXECUTE FUNCTION poison();`)
        .execute(db);
    },
    { byTrigger: true as const },
  );

/** Without triggers and foreign keys: rows that only a long history would have. */
export async function insertRaw(db: Db, statement: string): Promise<void> {
  await db.connection().execute(async (connection) => {
    await sql.raw("SET session_replication_role = 'replica'").execute(connection);
    await sql.raw(statement).execute(connection);
    await sql.raw("SET session_replication_role = 'origin'").execute(connection);
  });
}

/** As if time had gone by: leases have run out, and what was put off is due. */
export async function letLeasesRunOut(db: Db): Promise<void> {
  for (const statement of [
    "UPDATE notification SET lease_until = now() - interval '1 second' WHERE status = 'SENDING'",
    'UPDATE webhook_endpoint SET lease_until = NULL, next_attempt_at = now()',
    'UPDATE saga SET next_check_at = now() WHERE finished_at IS NULL',
    'UPDATE outbox SET available_at = now() WHERE published_at IS NULL',
  ]) {
    await insertRaw(db, statement);
  }
}

export const breakZoneOf =
  (table: 'guest' | 'property', n = POISONED) =>
  async (db: Db): Promise<void> => {
    await sql.raw(`UPDATE ${table} SET time_zone = 'IST' WHERE id = '${table}-${n}'`).execute(db);
  };

/** The number of a row by the last number of its id. */
export const numberOf = (id: string): number => Number(/(\d+)$/.exec(id)?.[1]);

/** As JSON, so that each case writes its rows as they are. */
export async function insertAll(db: Db, table: string, rows: readonly Record<string, unknown>[]): Promise<void> {
  const columns = Object.keys(rows[0] ?? {})
    .map((name) => `"${name}"`)
    .join(', ');
  await sql`
    INSERT INTO ${sql.raw(table)} (${sql.raw(columns)})
    SELECT ${sql.raw(columns)} FROM jsonb_populate_recordset(NULL::${sql.raw(table)}, ${JSON.stringify(rows)}::jsonb)`.execute(
    db,
  );
}

/** The numbers of rows by their ids. */
export async function numbersOf(db: Db, query: string): Promise<readonly number[]> {
  const { rows } = await sql.raw<{ id: string }>(query).execute(db);
  return rows.map(({ id }) => numberOf(id));
}

/** How a sweep's rows are made, poisoned, worked on and told to be done. */
export interface SweepCase {
  readonly seed: (db: Db) => Promise<void>;
  readonly poisons: Readonly<Record<string, Poison>>;
  readonly sweep: (db: Db, bench: Bench) => Promise<unknown>;
  /** The numbers of the rows that ended well. */
  readonly done: (db: Db) => Promise<readonly number[]>;
}
