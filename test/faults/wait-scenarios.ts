import { sql } from 'kysely';
import { expect } from 'vitest';
import type { SagaDefinition } from '../../src/engine/definition.ts';
import type { StepDefinition } from '../../src/engine/step.ts';
import { forgetQueues } from '../setup/engine.ts';
import { blockedBy } from './blocked.ts';
import type { Lab, Rest } from './lab.ts';
import type { Scenario } from './scenarios.ts';
import { letWaitPass, signal, timeOut } from './waits.ts';

/** Faults of a wait in addition to those that every step has (guarantees.md 2.10). */

export const WAIT_FAULTS = 8;

type RestAfterTimeOut = (definition: SagaDefinition, step: StepDefinition) => Rest;

export function waitFaults(step: StepDefinition, restAfterTimeOut: RestAfterTimeOut): readonly Scenario[] {
  const name = `${step.no} ${step.name}`;
  const timesOut = { step, restAfterTimeOut };
  return [
    { title: `the time of ${name} is up`, run: (lab) => runsOut(lab, timesOut) },
    { title: `the process dies before it has ended ${name} by its time`, run: (lab) => diesTimingOut(lab, timesOut) },
    { title: `the process dies before the signal of ${name} is committed`, run: (lab) => diesSignalling(lab, step) },
    { title: `the process dies after the signal of ${name} was committed`, run: (lab) => diesSignalled(lab, step) },
    { title: `Redis is emptied while it waits at ${name}`, run: (lab) => losesRedis(lab, step) },
    { title: `the signal of ${name} comes when its time is up`, run: (lab) => bothAtOnce(lab, timesOut) },
    { title: `the signal of ${name} comes twice at once`, run: (lab) => signalledTwice(lab, step) },
    { title: `the signal of ${name} comes before the saga arrives`, run: (lab) => signalledEarly(lab, step) },
  ];
}

interface TimesOut {
  readonly step: StepDefinition;
  readonly restAfterTimeOut: RestAfterTimeOut;
}
type Saga = Awaited<ReturnType<Lab['begin']>>;

/** A saga that waits at the step, and for which nobody has an answer yet. */
async function waiting(lab: Lab, step: StepDefinition): Promise<Saga> {
  const saga = await lab.begin([], { own: true, unanswered: step.name });
  await saga.waitsAt(step.name);
  return saga;
}

/** Runs `work` while the saga's row is locked; it goes on when `count` others wait for it, and what `meanwhile` did is done. */
async function behindLock<T>(
  lab: Lab,
  saga: Saga,
  count: number,
  work: () => Promise<T>,
  meanwhile: () => Promise<void> = async () => undefined,
): Promise<T> {
  const client = await lab.bed.client();
  await client.query('BEGIN');
  await client.query('SELECT FROM saga WHERE id = $1 FOR UPDATE', [saga.id]);
  const done = work();
  await blockedBy(client, count);
  await meanwhile();
  await client.query('COMMIT');
  return done;
}

async function ends(lab: Lab, saga: Saga, { step, restAfterTimeOut }: TimesOut): Promise<void> {
  const rest = restAfterTimeOut(lab.definition, step);
  await saga.rests(rest);
  if (rest === 'parked') await saga.isRetriedTo('completed');
  await saga.verify();
}

async function runsOut(lab: Lab, timesOut: TimesOut): Promise<void> {
  const saga = await waiting(lab, timesOut.step);
  expect(await timeOut(saga.worker(), saga.definition, saga.id)).toBe(false);
  await letWaitPass(lab.bed.db, saga.id);
  await timeOut(saga.worker(), saga.definition, saga.id);
  await ends(lab, saga, timesOut);
}

async function diesTimingOut(lab: Lab, timesOut: TimesOut): Promise<void> {
  const saga = await waiting(lab, timesOut.step);
  await letWaitPass(lab.bed.db, saga.id);
  const dying = async (): Promise<void> => {
    // Of a dead process: it may never settle.
    timeOut(saga.worker(), saga.definition, saga.id).catch(() => undefined);
  };
  await behindLock(lab, saga, 1, dying, () => saga.isInherited());
  await timeOut(saga.worker(), saga.definition, saga.id);
  await ends(lab, saga, timesOut);
}

async function diesSignalling(lab: Lab, step: StepDefinition): Promise<void> {
  const saga = await waiting(lab, step);
  const dying = async (): Promise<void> => {
    signal(saga.worker(), saga.id, step.name).catch(() => undefined);
  };
  await behindLock(lab, saga, 1, dying, () => saga.isInherited());
  expect(await signal(saga.worker(), saga.id, step.name)).toBe('taken');
  await saga.rests('completed');
  await saga.verify();
}

/** Its order is in the outbox, and nothing of it in Redis. */
async function diesSignalled(lab: Lab, step: StepDefinition): Promise<void> {
  const saga = await waiting(lab, step);
  const { prefix } = saga.worker();
  expect(await signal(saga.worker(), saga.id, step.name)).toBe('taken');
  await saga.isInherited(async () => {
    await forgetQueues(lab.bed.redisUrl, [prefix]);
    await lab.bed.db.updateTable('outbox').set({ published_at: null }).where('saga_id', '=', saga.id).execute();
  });
  expect(await signal(saga.worker(), saga.id, step.name)).toBe('repeated');
  saga.isAnswered();
  await saga.rests('completed');
  await saga.verify();
}

async function losesRedis(lab: Lab, step: StepDefinition): Promise<void> {
  const saga = await waiting(lab, step);
  await forgetQueues(lab.bed.redisUrl, [saga.worker().prefix]);
  expect(await signal(saga.worker(), saga.id, step.name)).toBe('taken');
  saga.isAnswered();
  await saga.rests('completed');
  await saga.verify();
}

/** One of them wins, and the other one finds nothing to do. */
async function bothAtOnce(lab: Lab, timesOut: TimesOut): Promise<void> {
  const { step } = timesOut;
  const saga = await waiting(lab, step);
  await letWaitPass(lab.bed.db, saga.id);
  const worker = saga.worker();
  const [signalled] = await behindLock(lab, saga, 2, () =>
    Promise.allSettled([signal(worker, saga.id, step.name), timeOut(worker, saga.definition, saga.id)]),
  );
  if (signalled.status === 'rejected') {
    expect(signalled.reason).toMatchObject({ code: 'SAGA_NOT_WAITING' });
    return ends(lab, saga, timesOut);
  }
  saga.isAnswered();
  // Kept, where the saga was parked at that moment and may still be resumed.
  if (signalled.value === 'kept') return ends(lab, saga, timesOut);
  await saga.rests('completed');
  await saga.verify();
  const taken = await lab.bed.db
    .selectFrom('saga_step')
    .select(sql<boolean>`result -> 'signal' <> 'null'`.as('signalled'))
    .where('saga_id', '=', saga.id)
    .where('name', '=', step.name)
    .executeTakeFirstOrThrow();
  expect(taken.signalled).toBe(true);
}

async function signalledTwice(lab: Lab, step: StepDefinition): Promise<void> {
  const saga = await waiting(lab, step);
  const send = () => signal(saga.worker(), saga.id, step.name);
  const outcomes = await behindLock(lab, saga, 2, () => Promise.all([send(), send()]));
  expect(outcomes.toSorted()).toEqual(['repeated', 'taken']);
  saga.isAnswered();
  await saga.rests('completed');
  await saga.verify();
}

async function signalledEarly(lab: Lab, step: StepDefinition): Promise<void> {
  const saga = await lab.begin([], { by: 'hand' });
  expect(await signal(lab.racers[0], saga.id, step.name)).toBe('kept');
  expect(await signal(lab.racers[1], saga.id, step.name)).toBe('repeated');
  await saga.walkToEnd();
  await saga.rests('completed');
  await saga.verify();
}
