import type { Queue } from 'bullmq';
import type pg from 'pg';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Db } from '../../src/db/client.ts';
import type { Direction } from '../../src/db/schema.ts';
import { keyPrefix } from '../../src/queues/connection.ts';
import { stepJobId } from '../../src/queues/jobs.ts';
import { COMPENSATION_QUEUE } from '../../src/queues/names.ts';
import type { SagaDefinition, StepDefinition } from '../../src/sagas/orchestrator/definition.ts';
import type { Failpoint, FailpointName } from '../../src/sagas/orchestrator/failpoint.ts';
import {
  type Asked,
  COMPENSATION_ATTEMPTS,
  createTestbed,
  drained,
  duePointer,
  endLeases,
  letTimePass,
  noteAnswer,
  type ProcessOptions,
  restOf,
  type Subject,
  type Testbed,
  type TestProcess,
  until,
} from '../setup/engine.ts';
import { expectInvariants } from './invariants.ts';
import { closeGate, type Fault, type FaultMode, FORWARD_ATTEMPTS, type Gate, PLANT, withFault } from './with-fault.ts';

/** How to try a saga: what it needs to be able to succeed, and what must be true of the world when it has ended. */
export interface SagaFixture {
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
}

export interface SagaFaults {
  readonly definition: SagaDefinition;
  readonly fixture: SagaFixture;
}

type Rest = 'completed' | 'compensated' | 'parked';
interface Scenario {
  readonly title: string;
  run(lab: Lab): Promise<void>;
}

const TIMEOUT_MS = 30_000;

/**
 * Generates, for every step of the saga, every fault that the orchestrator promises to survive, runs each on a saga of
 * its own, and looks at the world afterwards. A step that is added later is tried without a line of test.
 */
export function describeSagaFaults({ definition, fixture }: SagaFaults): void {
  describe(`${definition.name} under faults`, () => {
    let lab: Lab;
    const scenarios = scenariosOf(definition);
    const ran = new Set<string>();

    beforeAll(async () => {
      lab = await openLab(definition, fixture);
    }, 60_000);
    afterAll(() => lab?.close(), 60_000);

    for (const { title, run } of scenarios) {
      it.concurrent(title, { timeout: TIMEOUT_MS }, async () => {
        await run(lab);
        ran.add(title);
      });
    }

    it('has run every fault that the definition calls for', () => {
      expect(scenarios.map(({ title }) => title).filter((title) => !ran.has(title))).toEqual([]);
      expect(ran.size).toBe(countScenarios(definition));
    });
    it('leaves no invariant broken', () => expectInvariants(lab.bed.db));
  });
}

// ---- What there is to try

const pivotOf = (definition: SagaDefinition): number =>
  definition.steps.find((step) => step.class === 'PIVOT')?.no ?? Number.POSITIVE_INFINITY;

/** A step whose final failure undoes the saga, and the last such one: with it every compensation falls due. */
const lastUndoing = (definition: SagaDefinition): StepDefinition => {
  const step = definition.steps.filter(({ no }) => no <= pivotOf(definition)).at(-1);
  if (!step) throw new Error(`${definition.name} has no step that can be undone`);
  return step;
};

/** Whether its undoing falls due when the last undoing step fails; a call that failed may have acted, so its own does as well. */
const isCompensated = (definition: SagaDefinition, step: StepDefinition): boolean => {
  const last = lastUndoing(definition);
  return step.compensation !== undefined && (step.no < last.no || (step.no === last.no && step.kind === 'call'));
};

/** Places of both directions at which something can go wrong. */
interface Place {
  readonly step: StepDefinition;
  readonly direction: Direction;
}
function placesOf(definition: SagaDefinition): readonly Place[] {
  const forward = definition.steps.map((step) => ({ step, direction: 'F' as const }));
  const backward = definition.steps
    .filter((step) => isCompensated(definition, step))
    .map((step) => ({ step, direction: 'C' as const }));
  return [...forward, ...backward];
}

function scenariosOf(definition: SagaDefinition): readonly Scenario[] {
  const places = placesOf(definition);
  const forward = places.filter(({ direction }) => direction === 'F');
  const backward = places.filter(({ direction }) => direction === 'C');
  const calls = places.filter(({ step }) => step.kind === 'call');
  return [
    { title: 'nothing fails', run: (lab) => undisturbed(lab) },
    ...forward.flatMap(({ step }) => finalFailures(step)),
    ...forward.flatMap(({ step }) => [
      crashInFailing(step, 'before-fail', 'before its failure is committed'),
      crashInFailing(step, 'after-fail', 'after its failure was committed'),
    ]),
    ...places.flatMap((place) => crashes(place)),
    ...places.map((place) => deliveredTwice(place)),
    ...backward.flatMap(({ step }) => [undoneAtTheSecondAttempt(step), givesUpUndoing(step)]),
    ...calls.flatMap((place) => [
      ...callCrashes(place),
      zombie(place, 'answers'),
      zombie(place, 'fails'),
      zombieMeanwhile(place),
    ]),
  ];
}

/** Told by arithmetic what the list above must hold, so that a scenario cannot get lost silently. */
function countScenarios(definition: SagaDefinition): number {
  const forward = definition.steps.length;
  const forwardCalls = definition.steps.filter((step) => step.kind === 'call').length;
  const backwardSteps = definition.steps.filter((step) => isCompensated(definition, step));
  const backward = backwardSteps.length;
  const calls = forwardCalls + backwardSteps.filter((step) => step.kind === 'call').length;
  const failures = 2 * forward + forwardCalls;
  return 1 + failures + 2 * forward + (5 + 1) * (forward + backward) + 2 * backward + (4 + 3) * calls;
}

const named = ({ step, direction }: Place): string =>
  direction === 'F' ? `${step.no} ${step.name}` : `undoing ${step.no} ${step.name}`;

/** Makes every compensation fall due, when the place is one. */
function turningRound(definition: SagaDefinition, { direction }: Place): readonly Fault[] {
  return direction === 'F' ? [] : [{ step: lastUndoing(definition).no, direction: 'F', mode: 'refuses' }];
}
const restAfter = ({ direction }: Place): Rest => (direction === 'F' ? 'completed' : 'compensated');

// ---- The scenarios

async function undisturbed(lab: Lab): Promise<void> {
  const saga = await lab.begin([]);
  await saga.rests('completed');
  await saga.verify();
}

/** (a) A step that fails for good undoes everything before it; behind the pivot, a person is called instead. */
function finalFailures(step: StepDefinition): readonly Scenario[] {
  const modes: readonly FaultMode[] =
    step.kind === 'call' ? ['refuses', 'breaks', 'breaks-early'] : ['refuses', 'breaks'];
  return modes.map((mode) => ({
    title: `${step.no} ${step.name} ${SAID[mode]}`,
    run: async (lab) => {
      const saga = await lab.begin([{ step: step.no, direction: 'F', mode, times: FORWARD_ATTEMPTS }]);
      const rest = restAfterFailing(lab.definition, step, mode);
      await saga.rests(rest);
      if (rest === 'parked') await saga.isRetriedTo('completed');
      await saga.verify();
    },
  }));
}
const SAID: Readonly<Record<FaultMode, string>> = {
  refuses: 'refuses',
  breaks: 'fails at every attempt after it acted',
  'breaks-early': 'fails at every attempt before it acts',
  'hangs-early': 'hangs before it acts',
  'hangs-late': 'hangs after it acted',
};

function restAfterFailing(definition: SagaDefinition, step: StepDefinition, mode: FaultMode): Rest {
  if (step.no > pivotOf(definition)) return 'parked';
  return step.onExhausted === 'park' && mode !== 'refuses' ? 'parked' : 'compensated';
}

/** F1 and F2 of guarantees.md 2.9. */
function crashInFailing(step: StepDefinition, name: FailpointName, when: string): Scenario {
  return {
    title: `the process dies when ${step.no} ${step.name} refuses, ${when}`,
    run: async (lab) => {
      const saga = await lab.begin([{ step: step.no, direction: 'F', mode: 'refuses' }], {
        dies: { name, step: step.name, direction: 'F' },
      });
      await saga.diesAndIsInherited();
      const rest = restAfterFailing(lab.definition, step, 'refuses');
      await saga.rests(rest);
      if (rest === 'parked') await saga.isRetriedTo('completed');
      await saga.verify();
    },
  };
}

/** (b), (c) and (d): before the commit, at it with either outcome, after it, and before the job ends. */
function crashes(place: Place): readonly Scenario[] {
  const { step, direction } = place;
  const spot = (name: FailpointName) => ({ dies: { name, step: step.name, direction } });
  const crash = (when: string, options: BeginOptions): Scenario => ({
    title: `the process dies ${when} ${named(place)}`,
    run: async (lab) => {
      const saga = await lab.begin(turningRound(lab.definition, place), options);
      await saga.diesAndIsInherited();
      await saga.rests(restAfter(place));
      await saga.verify();
    },
  });
  const atCommit = (when: string, outcome: 'open' | 'slam'): Scenario => ({
    title: `the process dies at the commit of ${named(place)}, ${when}`,
    run: async (lab) => {
      const saga = await lab.begin(turningRound(lab.definition, place), { gate: { step: step.no, direction } });
      await saga.diesAtGate(outcome);
      await saga.rests(restAfter(place));
      await saga.verify();
    },
  });
  return [
    crash('before', spot('before-step')),
    atCommit('which is rolled back', 'slam'),
    atCommit('which succeeds unanswered', 'open'),
    crash('after the commit of', spot('after-commit')),
    crash('before the job ends that did', { diesBeforeJobEnds: { step: step.no, direction } }),
  ];
}

/** E1 to E4 of guarantees.md 2.9; E5 is the crash before the job's end. */
function callCrashes(place: Place): readonly Scenario[] {
  const { step, direction } = place;
  const crash = (when: string, options: BeginOptions, faults: readonly Fault[] = []): Scenario => ({
    title: `the process dies ${when} ${named(place)}`,
    run: async (lab) => {
      const saga = await lab.begin([...turningRound(lab.definition, place), ...faults], options);
      await saga.diesAndIsInherited();
      await saga.rests(restAfter(place));
      await saga.verify();
      expect(await lab.outcomes(saga.id, place)).toEqual(['abandoned', 'done']);
    },
  });
  const hang = (mode: FaultMode): readonly Fault[] => [{ step: step.no, direction, mode, times: 1 }];
  return [
    crash('between claim and request of', { dies: { name: 'after-claim', step: step.name, direction } }),
    crash('before the provider acts for', { diesWhenHung: true }, hang('hangs-early')),
    crash('when the provider has acted for', { diesWhenHung: true }, hang('hangs-late')),
    crash('with the answer in hand of', { dies: { name: 'after-call', step: step.name, direction } }),
  ];
}

/** (e) Two executors of one step at the same instant: one effect. */
function deliveredTwice(place: Place): Scenario {
  return {
    title: `the job of ${named(place)} is delivered twice at once`,
    run: async (lab) => {
      const saga = await lab.begin(turningRound(lab.definition, place), { by: 'hand' });
      const pointer = await saga.walkTo(place);
      // Both wait for the saga's row before either can act.
      const client = await lab.bed.client();
      await client.query('BEGIN');
      await client.query('SELECT FROM saga WHERE id = $1 FOR UPDATE', [saga.id]);
      const both = Promise.allSettled(lab.racers.map((racer) => racer.step(pointer)));
      await blockedBy(client, 2);
      await client.query('COMMIT');
      const outcomes = await both;
      expect(outcomes.map(({ status }) => status)).toEqual(['fulfilled', 'fulfilled']);
      const steps = outcomes.map((one) =>
        one.status === 'fulfilled' && one.value.outcome === 'done' ? one.value.steps : 0,
      );
      expect(steps.toSorted()).toEqual([0, 1]);
      await saga.walkToEnd();
      await saga.rests(restAfter(place));
      await saga.verify();
    },
  };
}

/** Waits until `count` backends queue up behind what `client` has locked. */
async function blockedBy(client: pg.Client, count: number): Promise<void> {
  await until(`${count} wait for the saga's row`, async () => {
    // Not pg_stat_activity, which stays as it was first seen until the transaction ends.
    const { rowCount } = await client.query(
      `WITH RECURSIVE blocked AS (SELECT DISTINCT pid, pg_blocking_pids(pid) AS by FROM pg_locks WHERE NOT granted),
         behind AS (SELECT pid FROM blocked WHERE pg_backend_pid() = ANY(by)
           UNION SELECT blocked.pid FROM behind JOIN blocked ON behind.pid = ANY(blocked.by))
       SELECT pid FROM behind`,
    );
    return (rowCount ?? 0) >= count ? true : undefined;
  });
}

/** (f) */
function undoneAtTheSecondAttempt(step: StepDefinition): Scenario {
  return {
    title: `undoing ${step.no} ${step.name} fails once`,
    run: async (lab) => {
      const place = { step, direction: 'C' } as const;
      const fails = { step: step.no, direction: 'C', mode: 'breaks', times: 1 } as const;
      const saga = await lab.begin([...turningRound(lab.definition, place), fails]);
      await saga.rests('compensated');
      await saga.verify();
      expect(await saga.attempts(place)).toBe(2);
    },
  };
}

/** (g) */
function givesUpUndoing(step: StepDefinition): Scenario {
  return {
    title: `undoing ${step.no} ${step.name} gives up, and a person has it tried again`,
    run: async (lab) => {
      const place = { step, direction: 'C' } as const;
      const fails = { step: step.no, direction: 'C', mode: 'breaks', times: COMPENSATION_ATTEMPTS } as const;
      const saga = await lab.begin([...turningRound(lab.definition, place), fails]);
      await saga.rests('parked');
      await saga.isRetriedTo('compensated');
      await saga.verify();
      expect(await saga.attempts(place)).toBe(COMPENSATION_ATTEMPTS + 1);
    },
  };
}

/** E6: a worker that was stopped comes back when another has finished its step. */
function zombie(place: Place, end: 'answers' | 'fails'): Scenario {
  const { step, direction } = place;
  return {
    title: `a lost worker ${end} after another one has finished ${named(place)}`,
    run: async (lab) => {
      const hangs = { step: step.no, direction, mode: 'hangs-late', times: 1 } as const;
      const saga = await lab.begin([...turningRound(lab.definition, place), hangs], { by: 'hand' });
      const pointer = await saga.walkTo(place);
      const [lost, other] = lab.racers;
      const abort = new AbortController();
      const late = lost.engine.execute(pointer, abort.signal);
      await saga.hung();
      await endLeases(lab.bed.db, saga.id);
      expect(await other.step(pointer)).toEqual({ outcome: 'done', steps: 1 });
      if (end === 'answers') saga.release();
      else abort.abort();
      expect(await late).toMatchObject({ outcome: 'skipped' });
      expect(await lab.outcomes(saga.id, place)).toEqual(['fenced', 'done']);
      await saga.walkToEnd();
      await saga.rests(restAfter(place));
      await saga.verify();
    },
  };
}

/** E6 again, and harder to see: the step is being run, only not by this worker any more. */
function zombieMeanwhile(place: Place): Scenario {
  const { step, direction } = place;
  return {
    title: `a lost worker answers while another one is at work on ${named(place)}`,
    run: async (lab) => {
      const hangs = { step: step.no, direction, mode: 'hangs-late', times: 2 } as const;
      const saga = await lab.begin([...turningRound(lab.definition, place), hangs], { by: 'hand' });
      const pointer = await saga.walkTo(place);
      const [lost, other] = lab.racers;
      const late = lost.step(pointer);
      await saga.hung();
      await endLeases(lab.bed.db, saga.id);
      const inTime = other.step(pointer);
      await saga.hung(2);
      saga.release();
      expect(await late).toMatchObject({ outcome: 'skipped' });
      expect(await lab.outcomes(saga.id, place)).toEqual(['fenced', null]);
      saga.release();
      expect(await inTime).toEqual({ outcome: 'done', steps: 1 });
      expect(await lab.outcomes(saga.id, place)).toEqual(['fenced', 'done']);
      await saga.walkToEnd();
      await saga.rests(restAfter(place));
      await saga.verify();
    },
  };
}

// ---- The laboratory

interface BeginOptions {
  readonly dies?: { readonly name: FailpointName; readonly step: string; readonly direction: Direction };
  readonly diesBeforeJobEnds?: { readonly step: number; readonly direction: Direction };
  readonly diesWhenHung?: boolean;
  readonly gate?: { readonly step: number; readonly direction: Direction };
  /** No worker takes its jobs; the scenario executes step by step. */
  readonly by?: 'hand';
}

interface SagaUnderTest extends Ran {
  readonly id: string;
  hung(calls?: number): Promise<void>;
  release(): void;
  /** The process that worked on it dies at the place that was planned, and another takes over. */
  diesAndIsInherited(): Promise<void>;
  diesAtGate(outcome: 'open' | 'slam'): Promise<void>;
  rests(status: Rest): Promise<void>;
  /** A person has cured what was wrong and retries the parked saga. */
  isRetriedTo(status: Rest): Promise<void>;
  walkTo(place: Place): Promise<NonNullable<Awaited<ReturnType<typeof duePointer>>>>;
  walkToEnd(): Promise<void>;
  attempts(place: Place): Promise<number>;
  /** Everything that must be true of a saga that has ended, whatever happened to it. */
  verify(): Promise<void>;
}

interface Lab {
  readonly bed: Testbed;
  readonly definition: SagaDefinition;
  readonly racers: readonly [TestProcess, TestProcess];
  begin(faults: readonly Fault[], options?: BeginOptions): Promise<SagaUnderTest>;
  outcomes(sagaId: string, place: Place): Promise<readonly (string | null)[]>;
  close(): Promise<void>;
}

async function openLab(definition: SagaDefinition, fixture: SagaFixture): Promise<Lab> {
  const bed = await createTestbed([definition]);
  const planter = await bed.client();
  await planter.query(PLANT);
  await fixture.prepare(bed.db);
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
    close: () => bed.drop(),
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
  const planned = await withFault(bed, lab.definition, faults);
  const subject = await fixture.seed(bed.db);
  const mortal = options.dies ?? options.diesBeforeJobEnds ?? options.diesWhenHung ?? options.gate;
  const death = Promise.withResolvers<void>();
  const process = mortal
    ? await bed.start(mortalOptions(bed.newPrefix(), options, death.resolve))
    : options.by === 'hand'
      ? lab.racers[0]
      : worker;
  let gate: Gate | undefined;
  const client = options.gate ? await bed.client() : undefined;
  if (client && options.gate) gate = await closeGate(client, planned.definition, options.gate);
  const asked = await bed.accept(process, planned.definition, subject);
  const saga = { bed, fixture, asked, subject, definition: planned.definition, id: asked.sagaId };

  let current = process;
  const inherit = async (): Promise<void> => {
    await letTimePass(bed, process.prefix, saga.id);
    current = await bed.start({ prefix: process.prefix, stalledIntervalMs: 50 });
  };
  const rests = async (status: Rest): Promise<void> => {
    expect(await restOf(bed.db, saga.id), await storyOf(bed.db, saga.id)).toBe(status);
  };
  return {
    id: saga.id,
    sagaId: saga.id,
    subjectId: subject.subjectId,
    hung: planned.hung,
    release: planned.release,
    rests,
    diesAndIsInherited: async () => {
      const struck = options.diesWhenHung ? planned.hung() : death.promise;
      await within(struck, 'the process reaches the place where it is to die');
      await process.vanish();
      await inherit();
    },
    diesAtGate: async (outcome) => {
      if (!gate) throw new Error('no gate was closed');
      await gate.reached();
      await process.vanish();
      await gate[outcome]();
      await inherit();
    },
    isRetriedTo: async (status) => {
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
      await verify(saga, current, options.by !== 'hand');
      if (current !== process) await current.stop();
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
    await lab.racers[0].step(pointer);
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

interface Ended {
  readonly bed: Testbed;
  readonly fixture: SagaFixture;
  readonly asked: Asked;
  readonly subject: Subject;
  readonly definition: SagaDefinition;
  readonly id: string;
}

async function verify(saga: Ended, process: TestProcess, byJobs: boolean): Promise<void> {
  const { bed, fixture, subject, id } = saga;
  const ran = { sagaId: id, subjectId: subject.subjectId };
  const row = await bed.db.selectFrom('saga').selectAll().where('id', '=', id).executeTakeFirstOrThrow();
  await drained(bed.db, id);
  const undone = await undoneSteps(bed.db, id);
  if (row.status === 'completed') {
    expect(undone).toEqual([]);
    await fixture.completed(bed.db, ran);
  } else {
    expect(undone).toEqual(await actedSteps(bed.db, id));
    await fixture.compensated(bed.db, ran);
    if (byJobs && undone.length > 0) await expectJobsInOrder(process, id);
  }
  // The same request again: the same saga, the same bytes.
  const again = await bed.accept(process, saga.definition, subject, saga.asked.key);
  expect(again).toMatchObject({ sagaId: id, replayed: true });
  const answer = await process.engine.orchestrator.waitForEnd(id, 5_000);
  if (!answer) throw new Error('an ended saga has no answer');
  await noteAnswer(bed.db, saga.asked.key, id, answer);
  expect(answer.status).toBe(row.response_status);
  await expectInvariants(bed.db, [id, subject.subjectId]);
}

/** Numbers of the undone steps, in the order in which they were undone. */
async function undoneSteps(db: Db, sagaId: string): Promise<readonly number[]> {
  const rows = await db
    .selectFrom('saga_step')
    .select('step_no')
    .where('saga_id', '=', sagaId)
    .where('direction', '=', 'C')
    .where('status', '=', 'done')
    .orderBy('done_at_version')
    .execute();
  return rows.map((row) => row.step_no);
}

/** Numbers of the steps that took effect or may have, the last one first. */
async function actedSteps(db: Db, sagaId: string): Promise<readonly number[]> {
  const rows = await db
    .selectFrom('saga_step')
    .select('step_no')
    .where('saga_id', '=', sagaId)
    .where('direction', '=', 'F')
    .where('class', '<>', 'READ')
    .where((eb) => eb.or([eb('status', '=', 'done'), eb('first_sent_at', 'is not', null)]))
    .orderBy('step_no', 'desc')
    .execute();
  return rows.map((row) => row.step_no);
}

/** Each compensation's job began only when the one before it had ended, in every flow that undid the saga. */
async function expectJobsInOrder(process: TestProcess, sagaId: string): Promise<void> {
  const { generation, total_steps } = await process.db
    .selectFrom('saga')
    .select(['generation', 'total_steps'])
    .where('id', '=', sagaId)
    .executeTakeFirstOrThrow();
  const queue: Queue = process.engine.queues.queue(COMPENSATION_QUEUE);
  const ids = Array.from({ length: total_steps }, (_, n) => stepJobId(sagaId, generation, 'C', total_steps - n));
  const jobs = await until('the jobs of the undoing have ended', async () => {
    const found = (await Promise.all(ids.map((id) => queue.getJob(id)))).filter((job) => job !== undefined);
    return found.length > 0 && found.every((job) => job.finishedOn !== undefined) ? found : undefined;
  });
  const times = jobs.map((job) => ({ began: job.processedOn ?? 0, ended: job.finishedOn ?? 0 }));
  for (const [n, { began }] of times.entries()) expect(began).toBeGreaterThanOrEqual(times[n - 1]?.ended ?? 0);
  expect(queue.opts.prefix).toBe(keyPrefix(process.prefix));
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
