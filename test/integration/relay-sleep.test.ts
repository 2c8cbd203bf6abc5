import { randomUUID } from 'node:crypto';
import { sql } from 'kysely';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, inject, it } from 'vitest';
import { createDb, createPool, type Db } from '../../src/db/client.ts';
import { noFailpoint } from '../../src/engine/failpoint.ts';
import type { Wait } from '../../src/kernel/alarm.ts';
import { createLogger } from '../../src/kernel/log.ts';
import { noOutages } from '../../src/kernel/outages.ts';
import { connectQueues, type QueueConnection } from '../../src/queues/connection.ts';
import { createRelay, type Relay } from '../../src/queues/relay.ts';
import { definitionOf } from '../../src/sagas/index.ts';
import { cuttable } from '../faults/cuttable.ts';
import { createTestDatabase, type TestDatabase } from '../setup/database.ts';
import { until } from '../setup/engine.ts';

/** How long the relay sleeps: until the next row is due, a second at the most, and not a moment longer when Redis is back. */

const log = createLogger('test', 'silent');
let database: TestDatabase;
let db: Db;
beforeAll(async () => {
  database = await createTestDatabase();
  db = createDb(createPool({ connectionString: database.url, max: 4, applicationName: 'relay-sleep' }));
});
afterAll(async () => {
  await db.destroy();
  await database.drop();
});
const relays: Relay[] = [];
const connections: QueueConnection[] = [];
beforeEach(async () => {
  await db.deleteFrom('outbox').execute();
});
afterEach(async () => {
  await Promise.all(relays.splice(0).map((relay) => relay.stop()));
  await Promise.all(connections.splice(0).map((queues) => queues.close()));
});

/** An alert needs no saga to be carried, only Postgres. */
const alert = (dueInMs: number): Promise<unknown> =>
  db
    .insertInto('outbox')
    .values({
      kind: 'ALERT',
      dedupe_key: `alert-${randomUUID()}`,
      saga_id: null,
      payload: JSON.stringify({ saga: 'test', step: null, code: 'SWEEP_FAILS', what: 'parked' }),
      available_at: sql<Date>`now() + ${dueInMs}::float8 * interval '1 ms'`,
    })
    .execute();
const carried = () =>
  db
    .selectFrom('outbox')
    .select('id')
    .where('published_at', 'is', null)
    .execute()
    .then((rows) => rows.length === 0);

function startRelay(redisUrl: string, wait: Wait): { readonly relay: Relay; readonly queues: QueueConnection } {
  const queues = connectQueues(redisUrl, `relay-${randomUUID()}`, noOutages);
  const relay = createRelay({ db, queues, log, definitionOf, failpoint: noFailpoint, wait });
  connections.push(queues);
  relays.push(relay);
  relay.start();
  return { relay, queues };
}

/** Sleeps until it is woken or stopped, however long it was to be. */
function deepSleep() {
  const asked: number[] = [];
  const wait: Wait = (ms, signal) =>
    new Promise((resolve) => {
      asked.push(ms);
      if (signal.aborted) resolve();
      signal.addEventListener('abort', () => resolve(), { once: true });
    });
  const asleep = (times: number): Promise<true> =>
    until(`it sleeps for the ${times}. time`, async () => (asked.length >= times ? true : undefined));
  return { asked, wait, asleep };
}

describe('the relay', () => {
  it('sleeps a second while there is nothing, and is well all the same', async () => {
    const { asked, wait, asleep } = deepSleep();
    const { relay, queues } = startRelay(inject('redisUrl'), wait);
    await until('redis is there', async () => queues.isReady() || undefined);
    // The first sleep, and the one after Redis has woken it.
    await asleep(2);
    expect(asked).toEqual([1_000, 1_000]);
    expect(performance.now() - relay.lastDrainedAt()).toBeLessThan(5_000);
  });

  it('sleeps until the next row is due, and soon looks again when one was', async () => {
    await alert(400);
    const { asked, wait, asleep } = deepSleep();
    startRelay(inject('redisUrl'), wait);
    await asleep(2);
    for (const ms of asked.slice(0, 2)) {
      expect(ms).toBeGreaterThan(0);
      expect(ms).toBeLessThanOrEqual(400);
    }
    const short = deepSleep();
    startRelay(inject('redisUrl'), (ms, signal) =>
      ms < 1_000 ? new Promise((resolve) => setTimeout(resolve, ms)) : short.wait(ms, signal),
    );
    await until('it is carried', async () => (await carried()) || undefined);
    await short.asleep(1);
    expect(short.asked[0]).toBe(1_000);
  });

  it('is woken when Redis is back', async () => {
    const way = await cuttable(inject('redisUrl'));
    await way.cut();
    const { asked, wait, asleep } = deepSleep();
    const { queues } = startRelay(way.url, wait);
    await asleep(1);
    await alert(0);
    expect(queues.isReady()).toBe(false);
    await way.mend();
    // Nothing but Redis wakes it: it sleeps for as long as it likes.
    await until('it is carried', async () => (await carried()) || undefined);
    expect(asked.length).toBeGreaterThan(0);
    await Promise.all(relays.splice(0).map((relay) => relay.stop()));
    await Promise.all(connections.splice(0).map((open) => open.close()));
    await way.close();
  });
});
