import type { FlowProducer, Queue } from 'bullmq';
import { sql } from 'kysely';
import type { Db } from '../db/client.ts';
import { raiseAlert } from '../domain/notifications/alerts.ts';
import { forgetFailures, isNotSetAside, recordFailures, wasSetAside } from '../domain/sweeps/failures.ts';
import { byHalves, canBeOfRow, inScope, isOfRow, sweepBatch } from '../domain/sweeps/isolate.ts';
import type { SagaDefinition } from '../engine/definition.ts';
import type { Failpoint } from '../engine/failpoint.ts';
import type { AlertPayload, FlowOrder, Publish } from '../engine/flow-order.ts';
import {
  dueOrders,
  type LeasedOrder,
  leaseOrders,
  markPublished,
  nextOrderInMs,
  postponeOrder,
} from '../engine/store/outbox.ts';
import { createAlarm, type Wait } from '../kernel/alarm.ts';
import { pause } from '../kernel/clock.ts';
import { messageOf } from '../kernel/errors.ts';
import { createFailuresInARow } from '../kernel/failures.ts';
import type { Logger } from '../kernel/log.ts';
import { logFailure } from '../kernel/outages.ts';
import { isRedisAway, type QueueConnection, RedisAwayError } from './connection.ts';
import { alertAboutLoop } from './failing-loop.ts';
import { flowOf } from './flow.ts';
import { stepJobId } from './jobs.ts';
import { COMPENSATION_QUEUE } from './names.ts';

/**
 * Carries committed orders from the outbox to BullMQ. The process that wrote an order publishes it at once (`publish`);
 * what it did not get to, any process's loop finds after a grace. Repeating an order is harmless: its job ids carry the
 * generation, and Postgres decides what is due.
 */
export interface Relay {
  readonly publish: Publish;
  /** When an attempt to drain last succeeded, in `performance.now()` milliseconds; for readiness. */
  lastDrainedAt(): number;
  start(): void;
  stop(): Promise<void>;
}

export interface RelayParts {
  readonly db: Db;
  readonly queues: Pick<
    QueueConnection,
    'flows' | 'producer' | 'queue' | 'isReady' | 'onReady' | 'noteFailure' | 'noteAnswer'
  >;
  readonly log: Logger;
  readonly definitionOf: (name: string, version: number) => SagaDefinition | undefined;
  readonly failpoint: Failpoint;
  /** Between two looks of the loop. */
  readonly wait?: Wait;
}

/**
 * Between two looks while nothing is due. A row that is committed meanwhile is no order that is due yet, as its grace is longer;
 * when it ends is planned for. So only an alert is noticed this late.
 */
const LOOK_MS = 1_000;
/** After a row was due, or a look has failed. */
const SOON_MS = 250;
const BATCH = 100;
/** Orders that were published are marked together, this long after the first of them; far less than the relay's grace. */
const MARK_AFTER_MS = 200;
const MAX_UNPUBLISHED = 10_000;

export function createRelay(parts: RelayParts): Relay {
  const { db, log } = parts;
  const stopping = new AbortController();
  let published: number[] = [];
  let marking: Promise<void> | null = null;
  let inFlight = 0;
  let drainedAt = performance.now();
  const failures = createFailuresInARow(log, {
    begins: 'the outbox could not be drained',
    ends: 'the outbox is drained again',
    level: 'warn',
  });
  let loop: Promise<void> = Promise.resolve();

  const add = (order: FlowOrder): Promise<void> => addOrder(parts, order);

  async function mark(): Promise<void> {
    await pause(MARK_AFTER_MS, stopping.signal);
    const ids = published;
    published = [];
    marking = null;
    await markEach(db, ids.map(String)).catch((error: unknown) =>
      logFailure(log, error, 'published orders could not be marked'),
    );
  }

  const publish: Publish = (order) => {
    if (stopping.signal.aborted || inFlight >= MAX_UNPUBLISHED) return;
    inFlight += 1;
    add(order)
      .then(() => {
        published.push(order.outboxId);
        marking ??= mark();
      })
      .catch((error: unknown) => log.debug({ sagaId: order.sagaId, err: error }, 'order left to the relay'))
      .finally(() => {
        inFlight -= 1;
      });
  };

  const alarm = createAlarm(parts.wait);
  // Orders wait while Redis is away.
  parts.queues.onReady(alarm.ring);

  async function run(): Promise<void> {
    while (!stopping.signal.aborted) {
      let sleepMs = SOON_MS;
      try {
        const dueInMs = await nextInMs(parts);
        const carried = dueInMs <= 0 ? await drain(parts, add) : 0;
        drainedAt = performance.now();
        failures.succeeded();
        if (carried === BATCH) continue;
        sleepMs = dueInMs <= 0 ? SOON_MS : Math.min(dueInMs, LOOK_MS);
      } catch (error) {
        failures.failed(error);
        await alertAboutLoop(db, 'relay', failures.current());
      }
      await alarm.sleep(sleepMs, stopping.signal);
    }
  }

  return {
    publish,
    lastDrainedAt: () => drainedAt,
    start: () => {
      loop = run();
    },
    stop: async () => {
      stopping.abort();
      await loop;
      await marking;
    },
  };
}

/** Adds the flow to the queues. Adding it again is harmless. */
async function addOrder({ queues, definitionOf, failpoint }: RelayParts, order: FlowOrder): Promise<void> {
  const definition = definitionOf(order.name, order.version);
  if (!definition) throw new Error(`saga ${order.name} version ${order.version} is not known to this build`);
  if (!queues.isReady()) throw new RedisAwayError('redis is away');
  const place = { sagaId: order.sagaId, step: 'relay', direction: order.direction };
  await failpoint('before-publish', place);
  try {
    await addFlow(queues.flows, flowOf(order, definition), () => queues.producer.disconnect(true));
    if (order.again && order.direction === 'C') await drainEarlier(queues.queue(COMPENSATION_QUEUE), order, definition);
  } catch (error) {
    queues.noteFailure(error);
    throw error;
  }
  queues.noteAnswer();
  await failpoint('after-publish', place);
}

/** When the next row is due, as far as it is known. What a row makes fail is left to the drain, which isolates it. */
async function nextInMs({ db, queues }: RelayParts): Promise<number> {
  try {
    return (await nextOrderInMs(db, { withOrders: queues.isReady(), where: notSetAside })) ?? LOOK_MS;
  } catch (error) {
    if (canBeOfRow(error)) return 0;
    throw error;
  }
}

type DueRow = LeasedOrder & { readonly was_set_aside: boolean };

/** One batch: leased first, so that no transaction is open while Redis is spoken to. Answers how many rows it took. */
async function drain({ db, log, queues }: RelayParts, add: (order: FlowOrder) => Promise<void>): Promise<number> {
  const rows: DueRow[] = [];
  const withOrders = queues.isReady();
  await sweepBatch({
    db,
    sweep: 'orders',
    limit: BATCH,
    run: async (scope) => {
      const where = sql`${notSetAside} AND ${inScope(scope, sql`x.id::text`)}`;
      const setAside = sql<{ was_set_aside: boolean }>`${wasSetAside('orders', sql`due.id::text`)} AS was_set_aside`;
      rows.push(...(await leaseOrders(db, { withOrders, where, limit: scope.limit }, LEASE_SECONDS, setAside)));
      return [];
    },
    due: (limit) => dueOrders(db, { withOrders, where: notSetAside, limit }),
  });
  const done: string[] = [];
  const mended: string[] = [];
  for (const row of rows) {
    try {
      await carry(db, row, add);
      done.push(row.id);
      if (row.was_set_aside) mended.push(row.id);
    } catch (error) {
      const { saga_id: sagaId, id: outboxId, attempts } = row;
      logFailure(log, error, 'order could not be published', { sagaId, outboxId, attempts });
      await postponeOrder(db, row.id, messageOf(error));
      // Redis is away for all of them, and a newer build may know a saga that this one does not.
      const isOwnFault = !isRedisAway(error) && isOfRow(error) && attempts >= MAX_QUIET_ATTEMPTS;
      if (isOwnFault) await recordFailures(db, 'orders', [{ id: row.id, error }]);
    }
  }
  await forgetFailures(db, 'orders', mended);
  await markEach(db, done);
  return rows.length;
}

/** After so many attempts an order that Redis or Postgres refuses is set aside for longer and longer, and a person is called. */
const MAX_QUIET_ATTEMPTS = 5;

/** A relay that dies with a batch loses it to the others after this. */
const LEASE_SECONDS = 5;

const notSetAside = isNotSetAside('orders', sql`x.id::text`);

/** Unmarked orders are only published again, so one that cannot be marked keeps none of the others back. */
async function markEach(db: Db, ids: readonly string[]): Promise<void> {
  const failures = await byHalves(ids, (some) => markPublished(db, some));
  await recordFailures(
    db,
    'orders',
    failures.map(({ item, error }) => ({ id: item, error })),
  );
}

async function carry(db: Db, row: DueRow, add: (order: FlowOrder) => Promise<void>): Promise<void> {
  if (row.kind === 'ALERT') return alertAboutSaga(db, row);
  if (!row.current || !row.steps || row.saga_id === null || row.name === null || row.definition_ver === null) return;
  await add({
    outboxId: Number(row.id),
    sagaId: row.saga_id,
    name: row.name,
    version: row.definition_ver,
    direction: row.kind === 'FLOW_F' ? 'F' : 'C',
    generation: Number(row.dedupe_key.slice(row.dedupe_key.lastIndexOf('-') + 1)),
    steps: row.steps,
    again: true,
  });
}

/** One that waits for a person goes out for each saga; roll-backs of the same kind share a message. */
async function alertAboutSaga(db: Db, row: DueRow): Promise<void> {
  const { saga, step, code, what, isTold } = row.payload as AlertPayload;
  if (isTold) return;
  const group = what === 'rolled-back' ? `${saga}-${step}-${code}` : row.dedupe_key;
  const about = what === 'parked' && code === 'APPROVAL_REQUIRED' ? 'approval' : SUBJECTS[what];
  await raiseAlert(db, { about, id: row.saga_id ?? '', source: saga, step, code, group });
}

const SUBJECTS = { parked: 'saga', 'rolled-back': 'undone-saga', stuck: 'stuck-saga' } as const;

/**
 * `add` rejects when Redis refuses; after a SCRIPT FLUSH it would reject for good, because its client believes the
 * scripts to be loaded: a new connection forgets that (queue.md 5).
 */
async function addFlow(
  flows: FlowProducer,
  flow: Parameters<FlowProducer['add']>[0],
  onScriptsLost: () => void,
): Promise<void> {
  try {
    await flows.add(flow);
  } catch (error) {
    if (!/NOSCRIPT/.test(messageOf(error))) throw error;
    onScriptsLost();
    throw error;
  }
}

/**
 * A chain that stopped at a failed compensation is retried once more now that a new one has taken its place: its jobs
 * find nothing due, and it does not wait in Redis for ever.
 */
async function drainEarlier(
  queue: Queue,
  { sagaId, generation }: FlowOrder,
  definition: SagaDefinition,
): Promise<void> {
  for (const step of definition.steps) {
    const job = await queue.getJob(stepJobId(sagaId, generation - 1, 'C', step.no));
    if (await job?.isFailed()) await job?.retry('failed');
  }
}
