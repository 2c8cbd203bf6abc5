import { expect } from 'vitest';
import type { Db } from '../../src/db/client.ts';
import type { Direction } from '../../src/db/schema.ts';
import type { Ports } from '../../src/domain/ports.ts';
import type { SagaDefinition } from '../../src/engine/definition.ts';
import type { Failpoint, FailpointName } from '../../src/engine/failpoint.ts';
import type { StepDefinition } from '../../src/engine/step.ts';
import type { StepPointer } from '../../src/engine/types.ts';
import {
  createTestbed,
  duePointer,
  letTimePass,
  type ProcessOptions,
  restOf,
  type Subject,
  type Testbed,
  type TestProcess,
  until,
} from '../setup/engine.ts';
import { stage } from './stages.ts';
import { subjectRows } from './subject-rows.ts';
import { expectEnded, expectParkedAnswer } from './verify.ts';
import { arrival, keepAnswering, signal, waitingAt } from './waits.ts';
import { closeGate, type Fault, type Gate, PLANT, withFault } from './with-fault.ts';

/** How to try a saga: what it needs to be able to succeed, and what must be true of the world when it has ended. */
export interface SagaFixture {
  /** The other systems of its calls; opened once per lab. */
  readonly outside?: () => Promise<{ readonly ports: Ports; close(): Promise<void> }>;
  /** The bed is there; nothing has been seeded yet. */
  opened?(bed: Testbed): Promise<void>;
  /** Definitions of the sagas that it starts. */
  readonly companions?: readonly SagaDefinition[];
  /** The sagas that this run has started. */
  follows?(db: Db, ran: Ran): Promise<readonly string[]>;
  /** Tables of its own, people, properties; once per database. */
  prepare(db: Db): Promise<void>;
  /** Something on which the saga can succeed, different on each call. */
  seed(db: Db): Promise<Subject>;
  completed(db: Db, ran: Ran): Promise<void>;
  compensated(db: Db, ran: Ran): Promise<void>;
}
export interface Ran {
  readonly sagaId: string;
  readonly subjectId: string;
  /** The key of a step's effect, by the step's name. */
  readonly keyOf: (step: string) => string;
}

export type Rest = 'completed' | 'compensated' | 'parked';
/** Where something can go wrong: a step, or its undoing. */
export interface Place {
  readonly step: StepDefinition;
  readonly direction: Direction;
}
export interface BeginOptions {
  readonly dies?: { readonly name: FailpointName; readonly step: string; readonly direction: Direction };
  readonly diesBeforeJobEnds?: { readonly step: number; readonly direction: Direction };
  readonly diesWhenHung?: boolean;
  readonly gate?: { readonly step: number; readonly direction: Direction };
  /** A process that no other saga needs. */
  readonly own?: boolean;
  /** A wait that nobody answers before `isAnswered`. */
  readonly unanswered?: string;
  /** No worker takes its jobs; the scenario executes step by step. */
  readonly by?: 'hand';
}

interface SagaUnderTest {
  readonly id: string;
  /** The rows of its subject before it was accepted. */
  readonly found: readonly object[];
  /** The process that works on it now. */
  worker(): TestProcess;
  readonly definition: SagaDefinition;
  /** Comes to this wait, all before it having been answered. */
  waitsAt(name: string): Promise<void>;
  isAnswered(): void;
  /** The worker dies, and another takes over. */
  isInherited(meanwhile?: () => Promise<void>): Promise<void>;
  hung(calls?: number): Promise<void>;
  release(): void;
  /** The process that worked on it dies at the place that was planned, and another takes over. */
  diesAndIsInherited(): Promise<void>;
  diesAtGate(outcome: 'open' | 'slam'): Promise<void>;
  rests(status: Rest): Promise<void>;
  /** A person has cured what was wrong and retries the parked saga. */
  isRetriedTo(status: Rest): Promise<void>;
  walkTo(place: Place): Promise<StepPointer>;
  walkToEnd(): Promise<void>;
  attempts(place: Place): Promise<number>;
  /** Everything that must be true of a saga that has ended, whatever happened to it. */
  verify(): Promise<void>;
}

export interface Lab {
  readonly bed: Testbed;
  readonly definition: SagaDefinition;
  readonly racers: readonly [TestProcess, TestProcess];
  begin(faults: readonly Fault[], options?: BeginOptions): Promise<SagaUnderTest>;
  outcomes(sagaId: string, place: Place): Promise<readonly (string | null)[]>;
  close(): Promise<void>;
}

export async function openLab(definition: SagaDefinition, fixture: SagaFixture): Promise<Lab> {
  const outside = await fixture.outside?.();
  const bed = await createTestbed([definition, ...(fixture.companions ?? [])], outside?.ports);
  const planter = await bed.client();
  await planter.query(PLANT);
  await fixture.prepare(bed.db);
  await fixture.opened?.(bed);
  const handPrefix = bed.newPrefix();
  const worker = await bed.start({ prefix: bed.newPrefix() });
  const racers = [
    await bed.start({ prefix: handPrefix, works: false }),
    await bed.start({ prefix: handPrefix, works: false }),
  ] as const;
  const lab: Lab = {
    bed,
    definition,
    racers,
    begin: (faults, options = {}) => begin(lab, fixture, worker, faults, options),
    outcomes: async (sagaId, { step, direction }) => {
      const rows = await bed.db
        .selectFrom('step_attempt')
        .select('outcome')
        .where('saga_id', '=', sagaId)
        .where('step_no', '=', step.no)
        .where('direction', '=', direction)
        .orderBy('attempt')
        .execute();
      return rows.map(({ outcome }) => outcome);
    },
    close: async () => {
      await bed.drop();
      await outside?.close();
    },
  };
  return lab;
}

/** A process of its own is needed only where it is to die. */
async function begin(
  lab: Lab,
  fixture: SagaFixture,
  worker: TestProcess,
  faults: readonly Fault[],
  options: BeginOptions,
): Promise<SagaUnderTest> {
  const { bed } = lab;
  stage('is planned');
  const planned = await withFault(bed, lab.definition, faults);
  stage('is seeded');
  const subject = await fixture.seed(bed.db);
  stage('starts a process');
  const mortal = options.own ?? options.dies ?? options.diesBeforeJobEnds ?? options.diesWhenHung ?? options.gate;
  const death = Promise.withResolvers<void>();
  const process = mortal
    ? await bed.start(mortalOptions(bed.newPrefix(), options, death.resolve))
    : options.by === 'hand'
      ? lab.racers[0]
      : worker;
  let gate: Gate | undefined;
  const client = options.gate ? await bed.client() : undefined;
  if (client && options.gate) gate = await closeGate(client, planned.definition, options.gate);
  const { subjectType } = planned.definition;
  const found = await subjectRows(bed.db, subjectType, subject.subjectId);
  stage('is accepted');
  const asked = await bed.accept(process, planned.definition, subject);
  const saga = { bed, fixture, asked, subject, definition: planned.definition, id: asked.sagaId, found };

  let current = process;
  let unanswered = options.unanswered;
  const answering = keepAnswering(bed.db, saga.id, () => unanswered);
  const inherit = async (): Promise<void> => {
    stage('waits out the locks of the dead');
    await letTimePass(bed, process.prefix, saga.id);
    stage('starts an heir');
    current = await bed.start({ prefix: process.prefix, stalledIntervalMs: 50 });
  };
  const rests = async (status: Rest): Promise<void> => {
    stage(`comes to rest as ${status}`);
    expect(await answering(restOf(bed.db, saga.id), () => current), await storyOf(bed.db, saga.id)).toBe(status);
    if (status === 'parked') await expectParkedAnswer(saga, lab.racers[1]);
  };
  return {
    id: saga.id,
    found,
    definition: planned.definition,
    worker: () => current,
    waitsAt: async (name) => {
      stage(`comes to wait at ${name}`);
      await answering(arrival(bed.db, saga.id, name), () => current);
    },
    isAnswered: () => {
      unanswered = undefined;
    },
    isInherited: async (meanwhile) => {
      await current.vanish();
      await meanwhile?.();
      await inherit();
    },
    hung: planned.hung,
    release: planned.release,
    rests,
    diesAndIsInherited: async () => {
      const struck = options.diesWhenHung ? planned.hung() : death.promise;
      stage('comes to the place of its death');
      await answering(within(struck, 'the process reaches the place where it is to die'), () => process);
      stage('vanishes');
      await process.vanish();
      await inherit();
    },
    diesAtGate: async (outcome) => {
      if (!gate) throw new Error('no gate was closed');
      stage('comes to the gate');
      await answering(gate.reached(), () => process);
      stage('vanishes');
      await process.vanish();
      stage('leaves the gate');
      await gate[outcome]();
      await inherit();
    },
    isRetriedTo: async (status) => {
      unanswered = undefined;
      stage('is retried');
      await expectAlert(bed.db, saga.id);
      planned.cure();
      const person = { by: 'olivia', requestId: 'retry-1', via: 'api' } as const;
      expect(await current.engine.orchestrator.retry({ sagaId: saga.id, ...person })).toBe('resumed');
      await rests(status);
    },
    walkTo: (place) => walkTo(lab, saga.id, place),
    walkToEnd: async () => {
      await walk(lab, saga.id, () => false);
    },
    attempts: async ({ step, direction }) => {
      const row = await bed.db
        .selectFrom('saga_step')
        .select('attempt')
        .where('saga_id', '=', saga.id)
        .where('step_no', '=', step.no)
        .where('direction', '=', direction)
        .executeTakeFirstOrThrow();
      return row.attempt;
    },
    verify: async () => {
      await expectEnded(saga, current, options.by !== 'hand');
      stage('stops its heir');
      if (mortal) await current.stop();
      await client?.end();
    },
  };
}

function mortalOptions(prefix: string, options: BeginOptions, die: () => void): ProcessOptions {
  const { dies, diesBeforeJobEnds } = options;
  let struck = false;
  const strike = (): Promise<never> => {
    struck = true;
    die();
    return new Promise<never>(() => undefined);
  };
  const failpoint: Failpoint = async (name, place) => {
    // Nothing that it does after its death counts.
    if (struck) return strike();
    if (name === dies?.name && place.step === dies.step && place.direction === dies.direction) return strike();
  };
  return {
    prefix,
    failpoint,
    runOn: diesBeforeJobEnds === undefined,
    beforeJobEnds: async (pointer) => {
      if (pointer.step === diesBeforeJobEnds?.step && pointer.direction === diesBeforeJobEnds.direction) await strike();
    },
  };
}

async function within(promise: Promise<void>, what: string): Promise<void> {
  let settled = false;
  void promise.then(() => {
    settled = true;
  });
  await until(what, async () => settled || undefined);
}

/** Steps on, one at a time, until `stop` says so or the saga rests. */
async function walk(lab: Lab, sagaId: string, stop: (at: { step: number; direction: Direction }) => boolean) {
  const most = 6 * lab.definition.steps.length;
  for (let steps = 0; steps < most; steps += 1) {
    const pointer = await duePointer(lab.bed.db, sagaId);
    if (!pointer || stop(pointer)) return pointer;
    const wait = await waitingAt(lab.bed.db, sagaId);
    if (wait) await signal(lab.racers[0], sagaId, wait.name);
    else await lab.racers[0].step(pointer);
  }
  throw new Error(`saga ${sagaId} does not get on`);
}

async function walkTo(lab: Lab, sagaId: string, { step, direction }: Place) {
  const pointer = await walk(lab, sagaId, (at) => at.step === step.no && at.direction === direction);
  if (!pointer) throw new Error(`step ${step.no}${direction} never fell due`);
  return pointer;
}

async function expectAlert(db: Db, sagaId: string): Promise<void> {
  const alert = await db
    .selectFrom('outbox')
    .select('payload')
    .where('saga_id', '=', sagaId)
    .where('kind', '=', 'ALERT')
    .orderBy('id', 'desc')
    .executeTakeFirst();
  expect(alert?.payload).toMatchObject({ what: 'parked' });
}

/** For the message of a failing test: what the database knows of the saga. */
async function storyOf(db: Db, sagaId: string): Promise<string> {
  const steps = await db
    .selectFrom('saga_step')
    .select(['step_no', 'direction', 'name', 'status', 'attempt', 'error'])
    .where('saga_id', '=', sagaId)
    .orderBy('direction', 'desc')
    .orderBy('step_no')
    .execute();
  return steps.map((step) => JSON.stringify(step)).join('\n');
}
