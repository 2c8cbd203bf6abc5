import { expect } from 'vitest';
import type { SagaDefinition } from '../../src/engine/definition.ts';
import type { FailpointName } from '../../src/engine/failpoint.ts';
import type { StepDefinition } from '../../src/engine/step.ts';
import { COMPENSATION_ATTEMPTS, endLeases } from '../setup/engine.ts';
import { blockedBy } from './blocked.ts';
import type { BeginOptions, Lab, Place, Rest } from './lab.ts';
import { WAIT_FAULTS, waitFaults } from './wait-scenarios.ts';
import { type Fault, type FaultMode, FORWARD_ATTEMPTS } from './with-fault.ts';

/** One fault at one place of one saga. */
export interface Scenario {
  readonly title: string;
  run(lab: Lab): Promise<void>;
}

// ---- What there is to try

/** The point of no return: the pivot, or, without one, the last step before the first that is only tried again. */
export function pivotOf(definition: SagaDefinition): number {
  const pivot = definition.steps.find((step) => step.class === 'PIVOT')?.no;
  const retriable = definition.steps.find((step) => step.class === 'RETRIABLE')?.no;
  return pivot ?? (retriable === undefined ? Number.POSITIVE_INFINITY : retriable - 1);
}

/** A step whose final failure undoes the saga, and the last such one: with it every compensation falls due. */
export const lastUndoing = (definition: SagaDefinition): StepDefinition => {
  const step = definition.steps.filter(({ no, kind }) => no <= pivotOf(definition) && kind !== 'wait').at(-1);
  if (!step) throw new Error(`${definition.name} has no step that can be undone`);
  return step;
};

/** Whether its undoing falls due when the last undoing step fails; a call that failed may have acted, so its own does as well. */
const isCompensated = (definition: SagaDefinition, step: StepDefinition): boolean => {
  const last = lastUndoing(definition);
  return step.compensation !== undefined && (step.no < last.no || (step.no === last.no && step.kind === 'call'));
};

export function placesOf(definition: SagaDefinition): readonly Place[] {
  const forward = definition.steps.map((step) => ({ step, direction: 'F' as const }));
  const backward = definition.steps
    .filter((step) => isCompensated(definition, step))
    .map((step) => ({ step, direction: 'C' as const }));
  return [...forward, ...backward];
}

export function scenariosOf(definition: SagaDefinition): readonly Scenario[] {
  const places = placesOf(definition);
  const forward = places.filter(({ direction }) => direction === 'F');
  const backward = places.filter(({ direction }) => direction === 'C');
  const calls = places.filter(({ step }) => step.kind === 'call');
  const waits = forward.filter(({ step }) => step.kind === 'wait');
  return [
    { title: 'nothing fails', run: (lab) => undisturbed(lab) },
    ...forward.flatMap(({ step }) => finalFailures(step)),
    ...forward
      .filter(({ step }) => step.kind !== 'wait')
      .flatMap(({ step }) => [
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
    ...waits.flatMap(({ step }) => waitFaults(step, restAfterTimeOut)),
  ];
}

/** Told by arithmetic what the list above must hold, so that a scenario cannot get lost silently. */
export function countScenarios(definition: SagaDefinition): number {
  const forward = definition.steps.length;
  const forwardCalls = definition.steps.filter((step) => step.kind === 'call').length;
  const backwardSteps = definition.steps.filter((step) => isCompensated(definition, step));
  const backward = backwardSteps.length;
  const calls = forwardCalls + backwardSteps.filter((step) => step.kind === 'call').length;
  const waits = definition.steps.filter((step) => step.kind === 'wait').length;
  const failures = 2 * forward + forwardCalls - waits;
  const crashesInFailing = 2 * (forward - waits);
  const ofAll = 1 + failures + crashesInFailing + (5 + 1) * (forward + backward) + 2 * backward;
  return ofAll + (4 + 3) * calls + WAIT_FAULTS * waits;
}

export const named = ({ step, direction }: Place): string =>
  direction === 'F' ? `${step.no} ${step.name}` : `undoing ${step.no} ${step.name}`;

/** Makes every compensation fall due, when the place is one. */
export function turningRound(definition: SagaDefinition, { direction }: Place): readonly Fault[] {
  return direction === 'F' ? [] : [{ step: lastUndoing(definition).no, direction: 'F', mode: 'refuses' }];
}
export const restAfter = ({ direction }: Place): Rest => (direction === 'F' ? 'completed' : 'compensated');

// ---- The scenarios

async function undisturbed(lab: Lab): Promise<void> {
  const saga = await lab.begin([]);
  await saga.rests('completed');
  await saga.verify();
}

/** (a) A step that fails for good undoes everything before it; behind the pivot, a person is called instead. */
function finalFailures(step: StepDefinition): readonly Scenario[] {
  return FAILURES[step.kind].map((mode) => ({
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
const LOCAL: readonly FaultMode[] = ['refuses', 'breaks'];
/** A wait refuses when its time is up, which is tried with its other faults. */
const FAILURES: Readonly<Record<StepDefinition['kind'], readonly FaultMode[]>> = {
  read: LOCAL,
  statement: LOCAL,
  tx: LOCAL,
  call: [...LOCAL, 'breaks-early'],
  wait: ['breaks'],
};
const SAID: Readonly<Record<FaultMode, string>> = {
  refuses: 'refuses',
  breaks: 'fails at every attempt after it acted',
  'breaks-early': 'fails at every attempt before it acts',
  'hangs-early': 'hangs before it acts',
  'hangs-late': 'hangs after it acted',
};

export function restAfterFailing(definition: SagaDefinition, step: StepDefinition, mode: FaultMode): Rest {
  if (step.no > pivotOf(definition)) return 'parked';
  return step.onExhausted === 'park' && mode !== 'refuses' ? 'parked' : 'compensated';
}

function restAfterTimeOut(definition: SagaDefinition, step: StepDefinition): Rest {
  if (step.forward.kind === 'wait' && step.forward.onTimeout === 'continue') return 'completed';
  if (step.parksOn.includes('WAIT_TIMED_OUT')) return 'parked';
  return restAfterFailing(definition, step, 'refuses');
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

/** E6 of guarantees.md 2.9: a worker that was stopped comes back when another has finished its step. */
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
