import type { Queue } from 'bullmq';
import { sql } from 'kysely';
import type { Db } from '../db/client.ts';
import { isNotSetAside, recordFailures } from '../domain/sweeps/failures.ts';
import { attemptEach, byHalves, canBeOfRow, inScope, sweepBatch } from '../domain/sweeps/isolate.ts';
import type { Publish } from '../engine/flow-order.ts';
import type { Reconciliation } from '../engine/reconcile.ts';
import {
  bringChecksForward,
  type IdleSaga,
  sagasAwaitingCheck,
  sagasToCheck,
  takeSagasToCheck,
} from '../engine/store/sagas.ts';
import { pause } from '../kernel/clock.ts';
import { createFailuresInARow } from '../kernel/failures.ts';
import { newId } from '../kernel/ids.ts';
import type { Logger } from '../kernel/log.ts';
import { logFailure } from '../kernel/outages.ts';
import { isRedisAway, type QueueConnection } from './connection.ts';
import { alertAboutLoop } from './failing-loop.ts';
import { settleJobId, stepJobId } from './jobs.ts';
import { COMPENSATION_QUEUE, FORWARD_QUEUE } from './names.ts';

/**
 * Finds open sagas that nobody is moving and dispatches them anew (guarantees.md 2.7). It needs nothing of Redis but
 * the answer to "is there a job?", and acts on Postgres alone, so any number of reconcilers may run.
 */
export interface ReconcilerParts {
  readonly db: Db;
  readonly queues: Pick<QueueConnection, 'producer' | 'isReady' | 'prefix' | 'queue' | 'noteFailure' | 'noteAnswer'>;
  readonly reconciliation: Reconciliation;
  readonly publish: Publish;
  /** Puts the job schedulers back; they live in Redis only. Idempotent. */
  readonly upsertSchedules: () => Promise<void>;
  readonly log: Logger;
}
export interface Reconciler {
  start(): void;
  stop(): Promise<void>;
  /** One round, for tests. */
  tick(): Promise<void>;
}

const TICK_MS = 5_000;
/** The job schedulers are put back when Redis was lost, and this often besides: a program of another version may have set them. */
const UPSERT_MS = 60_000;
const LOOK_MS = 1_000;
/** A saga that a worker was moving when Redis was lost may stop a little later, at a job that is gone. */
const FOLLOW_UPS = 5;
/** There is nothing to dispatch to while Redis is away; it is looked for this often. */
const AWAIT_REDIS_MS = 200;
const BATCH = 200;
/** One tick goes on while batches are full: after a loss of Redis all open sagas are due. */
const MAX_ROUNDS = 50;
/** Sagas that are looked up in the queues at once. */
const AT_ONCE = 8;
/** Sagas that a loss of Redis has stopped are dispatched within this time; the log names so many ids at the most. */
const AFTERMATH_MS = 60_000;
const MAX_IDS = 20;
/** All open sagas become due for a check within this after Redis was lost, so that they do not come at once. */
const SPREAD_PER_SECOND = 500;

export function createReconciler(parts: ReconcilerParts): Reconciler {
  const { db, log, queues } = parts;
  const stopping = new AbortController();
  let loop: Promise<void> = Promise.resolve();
  const failures = createFailuresInARow(log, {
    begins: 'reconciliation was cut short',
    ends: 'reconciliation works again',
    level: 'warn',
  });
  let nextTickAt = 0;
  let nextUpsertAt = 0;
  let followUps = 0;
  let lostAt = Number.NEGATIVE_INFINITY;
  const isAftermath = (): boolean => performance.now() - lostAt < AFTERMATH_MS;

  async function tick(): Promise<void> {
    if (await noticeLostRedis(parts)) {
      followUps = FOLLOW_UPS;
      lostAt = performance.now();
      // Once more with the next tick: it may have been lost again while they were put back.
      nextUpsertAt = 0;
    } else if (performance.now() >= nextUpsertAt) {
      await parts.upsertSchedules();
      nextUpsertAt = performance.now() + UPSERT_MS;
    }
    await sweep(parts, stopping.signal, isAftermath);
  }

  /** Between ticks: an emptied Redis is noticed, and followed up. */
  async function look(): Promise<void> {
    if ((await queues.producer.exists(generationKey(queues.prefix))) === 0) return tick();
    if (followUps === 0) return;
    followUps -= 1;
    await checkAllOpen(db);
    await sweep(parts, stopping.signal, isAftermath);
  }

  return {
    tick,
    start: () => {
      loop = (async () => {
        while (!stopping.signal.aborted) {
          if (!queues.isReady()) {
            await pause(AWAIT_REDIS_MS, stopping.signal);
            continue;
          }
          const due = performance.now() >= nextTickAt;
          if (due) nextTickAt = performance.now() + TICK_MS;
          try {
            await (due ? tick() : look());
            queues.noteAnswer();
            failures.succeeded();
          } catch (error) {
            queues.noteFailure(error);
            failures.failed(error);
            await alertAboutLoop(db, 'reconciler', failures.current());
          }
          await pause(LOOK_MS, stopping.signal);
        }
      })();
    },
    stop: async () => {
      stopping.abort();
      await loop;
    },
  };
}

/** Looks at the sagas that are due for a check. `isAftermath`: the loss of Redis, of which it comes, has been warned of. */
async function sweep(parts: ReconcilerParts, signal: AbortSignal, isAftermath: () => boolean): Promise<void> {
  const { db, log } = parts;
  for (let round = 0; round < MAX_ROUNDS && !signal.aborted; round += 1) {
    const { idle, full } = await takeIdle(db);
    const dispatched: string[] = [];
    await attemptEach(db, 'sagas', idle, {
      id: ({ id }) => id,
      work: async (saga) => {
        if (await reconcile(parts, saga)) dispatched.push(saga.id);
      },
      lanes: AT_ONCE,
    });
    const fields = { sagas: dispatched.length, ids: dispatched.slice(0, MAX_IDS) };
    if (dispatched.length > 0) log[isAftermath() ? 'info' : 'warn'](fields, 'sagas dispatched anew');
    if (!full) break;
  }
}

/** Whether it was dispatched anew. */
async function reconcile({ reconciliation, publish, queues, log }: ReconcilerParts, saga: IdleSaga): Promise<boolean> {
  try {
    if (await reconciliation.isHeld(saga.id)) return false;
    if (saga.timedOut) {
      const order = await reconciliation.timeOut(saga.id);
      log.info({ sagaId: saga.id, step: saga.current_step }, 'the time of a wait is up');
      if (order) publish(order);
      return false;
    }
    if (saga.expired) {
      const undo = await reconciliation.expire(saga.id);
      log.warn({ sagaId: saga.id, step: saga.current_step }, 'saga is past its deadline');
      if (undo) publish(undo);
      return false;
    }
    // A long queue is not a lost job.
    if (await hasLiveJob(queues.queue, saga)) return false;
    const order = await reconciliation.redispatch(saga.id);
    if (!order) return false;
    log.info({ sagaId: saga.id, generation: order.generation, step: saga.current_step }, 'saga dispatched anew');
    publish(order);
    return true;
  } catch (error) {
    queues.noteFailure(error);
    logFailure(log, error, 'saga could not be reconciled', { sagaId: saga.id });
    // Redis is away for all of them.
    if (!isRedisAway(error)) throw error;
    return false;
  }
}

const notSetAside = isNotSetAside('sagas', sql`x.id`);

/** Sagas that are busy are left alone, but for those whose time is up. */
async function takeIdle(db: Db): Promise<{ readonly idle: readonly IdleSaga[]; readonly full: boolean }> {
  const taken: IdleSaga[] = [];
  const looked = await sweepBatch({
    db,
    sweep: 'sagas',
    limit: BATCH,
    run: async (scope) => {
      const where = sql`${notSetAside} AND ${inScope(scope, sql`x.id`)}`;
      taken.push(...(await takeSagasToCheck(db, { where, limit: scope.limit })));
      return [];
    },
    due: (limit) => sagasToCheck(db, { where: notSetAside, limit }),
  });
  return {
    idle: taken.filter((row) => row.timedOut || row.expired || !row.busy),
    full: taken.length === BATCH || looked === BATCH,
  };
}

const LIVE = new Set(['waiting', 'active', 'delayed', 'prioritized']);

const generationKey = (prefix: string): string => `${prefix}:generation`;

/** A chain of waiting parents with no job that can run below them is as lost as no job at all. */
async function hasLiveJob(queueOf: (name: string) => Queue, saga: IdleSaga): Promise<boolean> {
  const queue = queueOf(saga.direction === 'F' ? FORWARD_QUEUE : COMPENSATION_QUEUE);
  const steps = Array.from({ length: saga.total_steps }, (_, index) =>
    stepJobId(saga.id, saga.generation, saga.direction, index + 1),
  );
  const ids = saga.direction === 'F' ? [...steps, settleJobId(saga.id, saga.generation)] : steps;
  const states = await Promise.all(ids.map((id) => queue.getJobState(id)));
  return states.some((state) => LIVE.has(state));
}

/**
 * A key that only we set. When it is gone, or is another one than Postgres's open sagas were last checked under, Redis
 * came back empty: every open saga is due for a check now.
 */
async function noticeLostRedis({ db, queues, log, upsertSchedules }: ReconcilerParts): Promise<boolean> {
  const { producer: redis, prefix } = queues;
  const key = generationKey(prefix);
  if ((await redis.get(key)) !== null) return false;
  // First the sagas and the schedulers, then the key: a crash in between only does that once more.
  const openSagas = await checkAllOpen(db);
  await upsertSchedules();
  await redis.set(key, newId('redis'), 'NX');
  log.warn({ openSagas }, 'redis is empty: open sagas are checked');
  return true;
}

/** Brings every open saga's check forward, but for those that are being moved at this moment. Answers how many. */
async function checkAllOpen(db: Db): Promise<number> {
  try {
    return await bringChecksForward(db, sql`true`, SPREAD_PER_SECOND);
  } catch (error) {
    if (!canBeOfRow(error)) throw error;
  }
  let checked = 0;
  const failures = await byHalves(await sagasAwaitingCheck(db), async (ids) => {
    checked += await bringChecksForward(db, inScope({ limit: 0, ids }, sql`x.id`), SPREAD_PER_SECOND);
  });
  await recordFailures(
    db,
    'sagas',
    failures.map(({ item, error }) => ({ id: item, error })),
  );
  return checked;
}
