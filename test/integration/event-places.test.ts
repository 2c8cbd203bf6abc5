import { sql, type Transaction } from 'kysely';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { createDb, createPool, type Db } from '../../src/db/client.ts';
import type { Database } from '../../src/db/schema.ts';
import { forgetEvents, numberEvents, readEvents } from '../../src/domain/events/feed.ts';
import { createTestDatabase } from '../setup/database.ts';
import { until } from '../setup/engine.ts';

/** Every committed event gets one place, whenever its transaction ends, and a look costs what is new. */

let database: Awaited<ReturnType<typeof createTestDatabase>>;
let db: Db;
beforeAll(async () => {
  database = await createTestDatabase();
  db = createDb(createPool({ connectionString: database.url, max: 6, applicationName: 'event-places-test' }));
  await sql`INSERT INTO owner (id, name, email) VALUES ('owner-1', 'Olga', 'olga@example.com')`.execute(db);
}, 60_000);
afterAll(async () => {
  await db?.destroy();
  await database?.drop();
});
beforeEach(async () => {
  await numberEvents(db);
});

let made = 0;
/** Makes an event, and answers the id of its record. */
async function happen(on: Db | Transaction<Database> = db): Promise<string> {
  const id = `guest-${++made}`;
  await sql`INSERT INTO guest (id, name, email) VALUES (${id}, 'Ann', 'ann@example.com')`.execute(on);
  return id;
}
const feed = () =>
  db
    .selectFrom('event_feed')
    .select(['last_seq', 'from_id', 'left_ids', sql<number>`(SELECT max(id) FROM domain_event)`.as('newest')])
    .executeTakeFirstOrThrow();
/** Waits until nothing is left to be looked at; transactions of other databases of the server count. Answers what was left behind. */
const nothingLeft = () =>
  until('all has a place', async () => {
    await numberEvents(db);
    const { from_id, newest, left_ids } = await feed();
    return from_id === newest + 1 ? left_ids : undefined;
  });
async function placed(after: number): Promise<readonly string[]> {
  const { events } = await readEvents(db, after, 1_000);
  expect(events.map(({ seq }) => seq)).toEqual(events.map((_, n) => after + 1 + n));
  return events.map(({ resource }) => resource.id);
}
/** A transaction that stays open: `end` commits it. */
async function begin(): Promise<{ readonly id: string; readonly end: () => Promise<void> }> {
  const opened = Promise.withResolvers<string>();
  const ending = Promise.withResolvers<void>();
  const ended = db.transaction().execute(async (tx) => {
    opened.resolve(await happen(tx));
    await ending.promise;
  });
  return {
    id: await opened.promise,
    end: async () => {
      ending.resolve();
      await ended;
    },
  };
}

describe('the place of an event', () => {
  it('is given to each once, in the order in which they are committed, without gaps', async () => {
    const { last_seq: before } = await feed();
    const late = await begin();
    const first = await happen();
    await Promise.all([numberEvents(db), numberEvents(db), numberEvents(db)]);
    const second = await happen();
    await numberEvents(db);
    await late.end();
    expect(await placed(before)).toEqual([first, second, late.id]);
  });

  it('is given to one that was open while many looks went by', async () => {
    const { last_seq: before } = await feed();
    const late = [await begin(), await begin()];
    const others: string[] = [];
    for (let n = 0; n < 12; n += 1) {
      others.push(await happen());
      await numberEvents(db);
      if (n === 5) await late[0]?.end();
    }
    await late[1]?.end();
    const all = await placed(before);
    expect(all.toSorted()).toEqual([...others, ...late.map(({ id }) => id)].toSorted());
    expect(all.at(-1)).toBe(late[1]?.id);
  });

  it('is given to one of a transaction that began after the newest that has ended', async () => {
    const { last_seq: before } = await feed();
    const mayHappen = Promise.withResolvers<void>();
    const began = Promise.withResolvers<void>();
    // It has a smaller number than `late`, and its event has a larger one.
    const early = db.transaction().execute(async (tx) => {
      await sql`UPDATE owner SET name = 'Olga' WHERE id = 'owner-1' AND pg_current_xact_id() IS NOT NULL`.execute(tx);
      began.resolve();
      await mayHappen.promise;
      return await happen(tx);
    });
    await began.promise;
    const late = await begin();
    mayHappen.resolve();
    const first = await early;
    for (let n = 0; n < 5; n += 1) await numberEvents(db);
    expect((await feed()).from_id).toBeLessThanOrEqual((await feed()).newest);
    await late.end();
    expect(await placed(before)).toEqual([first, late.id]);
    await nothingLeft();
  });

  it('is looked for among what is new only, once what is older has ended', async () => {
    const late = await begin();
    const { from_id: open } = await feed();
    for (let n = 0; n < 4; n += 1) {
      await happen();
      await numberEvents(db);
    }
    expect((await feed()).from_id).toBeLessThanOrEqual(open + 1);
    await late.end();
    await nothingLeft();
  });

  it('comes after that of later ones where it could not be given, also when nobody has it noted any more', async () => {
    const { last_seq: before } = await feed();
    const stuck = await happen();
    await sql`CREATE FUNCTION is_stuck(first bigint, events integer) RETURNS boolean LANGUAGE sql AS
      ${sql.raw(`$$ SELECT bool_or(resource_id = '${stuck}') FROM domain_event WHERE id >= first AND id < first + events $$`)}`.execute(
      db,
    );
    await sql`CREATE FUNCTION refuse_place() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'no'; END $$`.execute(
      db,
    );
    await sql`CREATE TRIGGER refused BEFORE INSERT ON event_run FOR EACH ROW WHEN (is_stuck(NEW.event_id, NEW.events)) EXECUTE FUNCTION refuse_place()`.execute(
      db,
    );
    const others = [await happen(), await happen()];
    expect(await nothingLeft()).toHaveLength(1);
    expect(await placed(before)).toEqual(others);
    await sql`DELETE FROM sweep_failure`.execute(db);
    await sql`DROP TRIGGER refused ON event_run`.execute(db);
    for (let n = 0; n < 2; n += 1) await numberEvents(db);
    expect(await placed(before)).toEqual([...others, stuck]);
    await happen();
    expect(await nothingLeft()).toEqual([]);
  });

  it('is found in rows that were restored into another server, whose transactions have smaller numbers', async () => {
    await sql`UPDATE event_feed SET next_xid = '9000000000'`.execute(db);
    const { last_seq: before } = await feed();
    const some = [await happen(), await happen()];
    expect(await placed(before)).toEqual(some);
    await nothingLeft();
  });

  it('is kept in one row with those of the events before and after it, and is given to no other', async () => {
    const { last_seq: before } = await feed();
    for (let n = 0; n < 3; n += 1) await happen();
    await nothingLeft();
    const { rows } = await sql<{ seq: number; event_id: number; events: number }>`
      SELECT seq, event_id, events FROM event_run WHERE seq > ${before}`.execute(db);
    expect(rows.map(({ seq, events }) => ({ seq, events }))).toEqual([{ seq: before + 1, events: 3 }]);
    const id = rows[0]?.event_id ?? 0;
    for (const [seq, first, events] of [
      [before + 100, id + 1, 1],
      [before + 100, id - 1, 2],
      [before + 2, id + 100, 1],
      [before - 1, id + 100, 9],
    ])
      await expect(
        sql`INSERT INTO event_run (seq, event_id, events) VALUES (${seq}, ${first}, ${events})`.execute(db),
      ).rejects.toMatchObject({ code: '23505' });
  });

  it('goes with the event once that is old, and the row with the last of its events', async () => {
    const { last_seq: before } = await feed();
    for (let n = 0; n < 2; n += 1) await happen();
    await nothingLeft();
    const age = async (seq: number) => {
      const { rows } = await sql<{ id: number }>`
        SELECT event_id + ${seq} - seq AS id FROM event_run WHERE seq <= ${seq} ORDER BY seq DESC LIMIT 1`.execute(db);
      await sql`UPDATE domain_event SET at = '2020-01-01' WHERE id <= ${rows[0]?.id ?? 0}`.execute(db);
    };
    await age(before + 1);
    expect(await forgetEvents(db, 400)).toBeGreaterThan(0);
    await expect(readEvents(db, before, 10)).rejects.toMatchObject({
      code: 'EVENTS_EXPIRED',
      details: { oldest: before + 2 },
    });
    expect((await readEvents(db, before + 1, 10)).events.map(({ seq }) => seq)).toEqual([before + 2]);
    await age(before + 2);
    expect(await forgetEvents(db, 400)).toBe(1);
    expect(await db.selectFrom('event_run').select('seq').execute()).toEqual([]);
  });

  it('costs no update of the event', async () => {
    await happen();
    const updates = async () => {
      await sql`SELECT pg_stat_force_next_flush()`.execute(db);
      const { rows } = await sql<{ n: number }>`
        SELECT n_tup_upd::int AS n FROM pg_stat_user_tables WHERE relname = 'domain_event'`.execute(db);
      return rows[0]?.n;
    };
    await numberEvents(db);
    expect(await updates()).toBe(0);
  });
});
