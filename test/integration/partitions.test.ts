import fs from 'node:fs';
import path from 'node:path';
import { sql } from 'kysely';
import pg from 'pg';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createDb, createPool, type Db } from '../../src/db/client.ts';
import { MIGRATION_FILE, MIGRATIONS } from '../../src/db/migrate.ts';
import { keyAt, PARTITIONED, partitionsOf } from '../../src/db/partitions.ts';
import type { Database } from '../../src/db/schema.ts';
import { readEvents } from '../../src/domain/events/feed.ts';
import { createLogger } from '../../src/kernel/log.ts';
import { maintain } from '../../src/maintenance.ts';
import { createEmptyDatabase, createSimulatedDatabase, type SimulatedDatabase } from '../setup/database.ts';

/** Tables that are cut by time, with and without the program that makes their partitions. */
let database: SimulatedDatabase;
let db: Db;
let other: Db;
beforeEach(async () => {
  database = await createSimulatedDatabase();
  db = createDb(createPool({ connectionString: database.url, max: 2, applicationName: 'roomy-maintain' }));
  other = createDb(createPool({ connectionString: database.url, max: 2, applicationName: 'other' }));
});
afterEach(async () => {
  await Promise.all([db.destroy(), other.destroy()]);
  await database.drop();
});

/** Maintained without being cut: their old rows are deleted, or moved to another table. */
const UNCUT = ['one_time', 'session', 'amenity_grant', 'task_photo', 'webhook_attempt', 'incident_notice', 'outbox'];
const parts = (between: () => Promise<void> = async () => undefined) => ({
  db,
  log: createLogger('maintain', 'silent'),
  archiveAfterDays: 90,
  eventRetentionDays: 400,
  between,
});
const namesOf = async (table: string) =>
  (await partitionsOf(db, table)).map(({ name }) => name.slice(table.length + 1));
/** The year 2030. */
const LATER = '2030-06-01T00:00:00Z';
const addEvents = (from: number, count: number) =>
  sql`INSERT INTO domain_event (id, type, resource, resource_id, data) OVERRIDING SYSTEM VALUE
      SELECT n, 'task.created', 'task', 'x', '{}' FROM generate_series(${from}::bigint, ${from + count - 1}::bigint) n`.execute(
    other,
  );
const advanceTo = (id: number) => sql`SELECT setval('domain_event_id_seq', ${id})`.execute(other);
/** A step and its attempt, of a saga that there is not; before migration 0069 a step had its effect key. */
async function addRows(client: pg.Client, sagaId: string, { keyed = false } = {}): Promise<void> {
  const [column, key] = keyed ? [', effect_key', ", $1 || '-1-F'"] : ['', ''];
  await client.query(
    `INSERT INTO saga_step (saga_id, step_no, direction, name, kind, class, max_attempts${column}) VALUES ($1, 1, 'F', 'a', 'LOCAL', 'READ', 1${key})`,
    [sagaId],
  );
  await client.query(
    `INSERT INTO step_attempt (saga_id, step_no, direction, attempt, worker_id) VALUES ($1, 1, 'F', 1, 'w')`,
    [sagaId],
  );
}
async function steps(sagaId: string): Promise<void> {
  const client = new pg.Client({ connectionString: database.url });
  await client.connect();
  try {
    await client.query('SET session_replication_role = replica');
    await addRows(client, sagaId);
  } finally {
    await client.end();
  }
}
const homeOf = async (table: keyof Database & string, of = db) =>
  (
    await sql<{ home: string }>`SELECT tableoid::regclass::text AS home FROM ${sql.table(table)} ORDER BY 1`.execute(of)
  ).rows.map(({ home }) => home.slice(table.length + 1));

describe('a row', () => {
  it.each([
    ['of the year 2400', keyAt('saga-', Date.UTC(2400, 1)), 'open'],
    ['of this year', keyAt('saga-', Date.UTC(2026, 1)), 'from_2026'],
    ['of the next year', keyAt('saga-', Date.UTC(2027, 1)), 'from_2027'],
    ['of the time before partitions', keyAt('saga-', Date.UTC(2025, 1)), 'other'],
    ['whose id is no instant', 'saga-of-a-test', 'other'],
  ])('%s has a partition, though no maintenance has ever run', async (_name, id, home) => {
    await steps(id);
    expect(await homeOf('saga_step')).toEqual([home]);
    expect(await homeOf('step_attempt')).toEqual([home]);
    const found = await db.selectFrom('saga_step').select('step_no').where('saga_id', '=', id).execute();
    expect(found).toEqual([{ step_no: 1 }]);
  });

  it('with a number of any size has a partition, though no maintenance has ever run', async () => {
    await addEvents(1, 1);
    await addEvents(2_000_000, 1);
    await addEvents(9_000_000_000_000, 1);
    expect(await homeOf('domain_event')).toEqual(['first', 'from_2000000', 'open']);
  });

  it('is written once for each step, whichever partition it is in', async () => {
    await steps('saga-b');
    await expect(steps('saga-b')).rejects.toThrow('_pkey');
  });

  it.each(['saga_step', 'saga_step_other', 'saga_step_open'])('of %s is not deleted', async (table) => {
    await expect(sql`DELETE FROM ${sql.table(table)}`.execute(db)).rejects.toThrow('is forbidden');
  });
});

describe('the migration of a database that has rows', () => {
  it('keeps every row and goes on counting', async () => {
    const older = await createEmptyDatabase();
    const client = new pg.Client({ connectionString: older.url });
    await client.connect();
    try {
      const files = fs.readdirSync(MIGRATIONS).filter((file) => MIGRATION_FILE.test(file));
      const [migration = '', ...later] = files.toSorted().filter((file) => file >= '0048');
      for (const file of files.toSorted().filter((name) => name < '0048'))
        await client.query(fs.readFileSync(path.join(MIGRATIONS, file), 'utf8'));
      const ids = [2025, 2027, 2031].map((year) => keyAt('saga-', Date.UTC(year, 1)));
      await client.query(`SET session_replication_role = replica;
        INSERT INTO domain_event (type, resource, resource_id, data) SELECT 'task.created', 'task', 'x', '{}' FROM generate_series(1, 10);
        DELETE FROM domain_event WHERE id > 7;
        INSERT INTO dev_mail (message_id, channel, recipient, body) VALUES ('m', 'SMS', 'a', 'b');
        INSERT INTO notification_content (notification_id, body) VALUES ('notification-f', 'b'), ('x', 'b');`);
      for (const id of ids) {
        await client.query(
          `INSERT INTO saga (id, name, definition_ver, subject_type, subject_id, input, input_hash, requested_by, total_steps, deadline_at)
           VALUES ($1, 'checkIn', 1, 'reservation', $1, '{}', '', 'a', 2, now())`,
          [id],
        );
        await addRows(client, id, { keyed: true });
      }
      await client.query('RESET session_replication_role');
      for (const file of [migration, ...later])
        await client.query(fs.readFileSync(path.join(MIGRATIONS, file), 'utf8'));

      const old = createDb(createPool({ connectionString: older.url, max: 1, applicationName: 'roomy-maintain' }));
      try {
        expect(await homeOf('saga_step', old)).toEqual(['from_2027', 'open', 'other']);
        expect(await homeOf('step_attempt', old)).toEqual(['from_2027', 'open', 'other']);
        expect(await homeOf('notification_content', old)).toEqual(['other', 'other']);
        expect(await homeOf('dev_mail', old)).toEqual(['first']);
        const { rows } = await sql<{ id: number }>`
          INSERT INTO domain_event (type, resource, resource_id, data) VALUES ('task.created', 'task', 'x', '{}') RETURNING id`.execute(
          old,
        );
        expect(rows).toEqual([{ id: 11 }]);
        expect(await homeOf('domain_event', old)).toHaveLength(8);
        expect(await maintain({ ...parts(), db: old })).toHaveLength(PARTITIONED.length + UNCUT.length);
        await expect(sql`DELETE FROM saga_step`.execute(old)).rejects.toThrow('is forbidden');
        await expect(sql`UPDATE saga_step SET step_no = 2 WHERE saga_id = ${ids[1]}`.execute(old)).rejects.toThrow(
          'frozen column changed',
        );
      } finally {
        await old.destroy();
      }
    } finally {
      await client.end();
      await older.drop();
    }
  }, 60_000);
});

describe('maintenance', () => {
  it('has nothing to make in a new database', async () => {
    const reports = await maintain(parts());
    expect(reports?.map(({ table, made, dropped, moved }) => [table, made, dropped, moved])).toEqual(
      [...PARTITIONED.map(({ table }) => table), ...UNCUT].map((table) => [table, 0, 0, 0]),
    );
  });

  it('takes the statistics that autovacuum does not take', async () => {
    await steps('saga-a');
    await maintain(parts());
    const { rows } = await sql<{ relname: string; n: number }>`
      SELECT tablename AS relname, count(*)::int AS n FROM pg_stats WHERE tablename LIKE 'saga\_step%' GROUP BY 1`.execute(
      db,
    );
    const columns = await sql<{ n: number }>`
      SELECT count(*)::int AS n FROM information_schema.columns WHERE table_name = 'saga_step'`.execute(db);
    expect(rows).toEqual([{ relname: 'saga_step', n: columns.rows[0]?.n }]);
  });

  it('makes partitions before they are needed', async () => {
    await database.clock.moveTo('2027-03-01T00:00:00Z');
    await advanceTo(2_000_001);
    await maintain(parts());
    expect(await namesOf('saga_step')).toEqual(['other', 'from_2026', 'from_2027', 'from_2028', 'open']);
    expect(await namesOf('notification_content')).toEqual(['other', 'from_2026', 'from_2027', 'from_2028', 'open']);
    expect(await namesOf('domain_event')).toEqual(['first', 'from_2000000', 'from_4000000', 'open']);
    await steps(keyAt('saga-', Date.UTC(2028, 1)));
    expect(await homeOf('saga_step')).toEqual(['from_2028']);
    expect(await namesOf('saga_step')).toEqual(['other', 'from_2026', 'from_2027', 'from_2028', 'open']);
  });

  it('closes a partition that rows have come into, and keeps them', async () => {
    const ids = [2028, 2029, 2030].map((year) => keyAt('saga-', Date.UTC(year, 4)));
    for (const id of ids) await steps(id);
    await addEvents(4_000_000, 1_000);
    await advanceTo(5_000_000);
    await database.clock.moveTo(LATER);
    const reports = await maintain(parts());
    expect(reports?.map(({ made }) => made)).toEqual([1, 0, 1, 1, 4, ...UNCUT.map(() => 0)]);
    expect(await namesOf('saga_step')).toEqual(['other', 'from_2026', 'from_2027', 'from_2028', 'open']);
    expect(await homeOf('saga_step')).toEqual(['from_2028', 'from_2028', 'from_2028']);
    expect((await homeOf('domain_event')).every((home) => home === 'from_4000000')).toBe(true);
    await steps(keyAt('saga-', Date.UTC(2032, 4)));
    expect((await homeOf('saga_step')).at(-1)).toBe('open');
    const rows = await db.selectFrom('saga_step').select('saga_id').orderBy('saga_id').execute();
    expect(rows.map(({ saga_id }) => saga_id).slice(0, 3)).toEqual(ids);
    // What one partition has, all have.
    await expect(sql`DELETE FROM saga_step_from_2028`.execute(db)).rejects.toThrow('is forbidden');
    await expect(sql`DELETE FROM saga_step_open`.execute(db)).rejects.toThrow('is forbidden');
  });

  it('goes on where it was killed, at any point', async () => {
    for (const year of [2028, 2030]) await steps(keyAt('saga-', Date.UTC(year, 4)));
    await addEvents(4_000_000, 10);
    await database.clock.moveTo(LATER);
    // What is left when it dies between two of its statements.
    await sql`SELECT make_like('saga_step_next', 'saga_step_open'), announce_close('saga_step', 'saga_id', ${keyAt('saga-', Date.UTC(2028))}, ${keyAt('saga-', Date.UTC(2032))}),
      make_like('domain_event_next', 'domain_event_open')`.execute(db);
    const killed = new Error('killed');
    for (let steps = 0; ; steps += 1) {
      let left = steps;
      const between = async (): Promise<void> => {
        if (left === 0) throw killed;
        left -= 1;
      };
      const ended = await maintain(parts(between)).catch((error: unknown) => error);
      expect(await sql`SELECT FROM saga_step`.execute(db)).toMatchObject({ rows: { length: 2 } });
      expect(await sql`SELECT FROM domain_event`.execute(db)).toMatchObject({ rows: { length: 10 } });
      if (ended !== killed) break;
      expect(steps).toBeLessThan(16 + UNCUT.length);
    }
    expect(await namesOf('saga_step')).toEqual(['other', 'from_2026', 'from_2027', 'from_2028', 'open']);
    expect((await maintain(parts()))?.map(({ made }) => made)).toEqual([...PARTITIONED, ...UNCUT].map(() => 0));
    const { rows } = await sql<{
      n: number;
    }>`SELECT count(*)::int AS n FROM pg_constraint WHERE conname = 'closing'`.execute(db);
    expect(rows).toEqual([{ n: 0 }]);
    await steps(keyAt('saga-', Date.UTC(2400, 1)));
  });

  it('runs once at a time', async () => {
    const both = await Promise.all([
      maintain(parts(async () => void (await sql`SELECT pg_sleep(0.05)`.execute(other)))),
      maintain(parts()),
    ]);
    expect(both.filter((reports) => reports === null)).toHaveLength(1);
    expect(await maintain(parts())).not.toBeNull();
  });

  it('keeps nobody waiting while it waits itself', async () => {
    await database.clock.moveTo(LATER);
    await advanceTo(3_000_000);
    let ended = false;
    const running = await other.transaction().execute(async (tx) => {
      await sql`INSERT INTO domain_event (type, resource, resource_id, data) VALUES ('task.created', 'task', 'x', '{}')`.execute(
        tx,
      );
      const round = maintain(parts()).finally(() => {
        ended = true;
      });
      // Others write while the maintenance tries for the lock, again and again.
      for (let n = 0; n < 30; n += 1) {
        await sql`SET LOCAL lock_timeout = '200ms'`.execute(tx);
        await db.transaction().execute(async (writer) => {
          await sql`SET LOCAL lock_timeout = '200ms'`.execute(writer);
          await sql`INSERT INTO domain_event (type, resource, resource_id, data) VALUES ('task.created', 'task', 'y', '{}')`.execute(
            writer,
          );
          await sql`SELECT pg_sleep(0.01)`.execute(writer);
        });
      }
      expect(ended).toBe(false);
      return { round };
    });
    await running.round;
    expect(await namesOf('domain_event')).toContain('from_4000000');
    expect(await homeOf('domain_event')).toHaveLength(31);
  });
});

describe('partitions of events', () => {
  const EVENTS = 50;
  beforeEach(async () => {
    await addEvents(1, EVENTS);
    await addEvents(2_000_000, EVENTS);
    await sql`INSERT INTO event_run (seq, event_id) SELECT row_number() OVER (ORDER BY id), id FROM domain_event`.execute(
      db,
    );
    await sql`UPDATE domain_event SET at = pg_catalog.now() - interval '500 days' WHERE id < 2000000`.execute(db);
    await sql`UPDATE event_feed SET last_seq = 100, from_id = 2000050, next_id = 2000050`.execute(db);
    await advanceTo(2_000_050);
  });
  const dropped = async () => (await maintain(parts()))?.[0]?.dropped;
  const addEndpoint = (nextSeq: number) =>
    sql`INSERT INTO webhook_endpoint (id, url, secret, next_seq, created_by) VALUES ('w', 'https://a.example', 's', ${nextSeq}, 'a')`.execute(
      db,
    );

  it('are dropped once all of their events may go', async () => {
    expect(await dropped()).toBe(1);
    expect(await namesOf('domain_event')).toEqual(['from_2000000', 'from_4000000', 'open']);
    expect(await homeOf('domain_event')).toHaveLength(EVENTS);
    await expect(readEvents(db, 0, 10)).rejects.toMatchObject({
      code: 'EVENTS_EXPIRED',
      details: { oldest: EVENTS + 1 },
    });
    expect((await readEvents(db, EVENTS, 10)).events.map(({ seq }) => seq)).toEqual(
      Array.from({ length: 10 }, (_, n) => EVENTS + 1 + n),
    );
  });

  it.each([
    ['an event is young', () => sql`UPDATE domain_event SET at = pg_catalog.now() WHERE id = 7`.execute(db)],
    ['an endpoint has not got one', () => addEndpoint(50)],
    ['an event could not get its place', () => sql`UPDATE event_feed SET left_ids = '{7}'`.execute(db)],
    [
      'transactions may bring earlier ones',
      () => sql`UPDATE event_feed SET from_id = 50, next_id = 2000050`.execute(db),
    ],
  ])('are kept while %s', async (_reason, change) => {
    await change();
    expect(await dropped()).toBe(0);
    expect(await homeOf('domain_event')).toHaveLength(2 * EVENTS);
  });
});
