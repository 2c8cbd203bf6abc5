import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { cases } from '../../test/setup/cases.ts';
import type { Direction, SagaStatus } from '../db/schema.ts';
import { decide } from './decide.ts';
import type { SagaDefinition } from './definition.ts';
import { directionOf, type SagaState } from './state.ts';
import type { StepDefinition } from './step.ts';
import type { StepPointer } from './types.ts';

const STEPS = 6;
const JOURNEYS = cases(2_000);
const step = (no: number): StepDefinition => ({
  name: `step${no}`,
  no,
  kind: 'tx',
  class: 'COMPENSABLE',
  locks: ['state'],
  maxAttempts: 2,
  retry: { attempts: 2, baseMs: 1, maxMs: 1 },
  timeoutMs: 1_000,
  conceals: [],
  onExhausted: 'compensate',
  parksOn: [],
  parksUnlocked: false,
  expectedRefusals: [],
  onOpenCircuit: 'wait',
  forward: { kind: 'tx', run: async () => ({}) },
  effects: [],
  imperative: undefined,
  compensation: { kind: 'tx', run: async () => ({}) },
});
const definition: SagaDefinition = {
  name: 'model',
  version: 1,
  subjectType: 'reservation',
  notFound: 'RESERVATION_NOT_FOUND',
  deadlineMs: 1_000,
  input: { parse: (value) => value },
  steps: Array.from({ length: STEPS }, (_, index) => step(index + 1)),
  end: async () => ({ event: 'ENDED', message: '', data: {}, details: {} }),
};

function stateOf(saga: Pick<SagaState, 'status' | 'currentStep' | 'generation'>): SagaState {
  return {
    id: 'saga-1',
    name: 'model',
    definitionVersion: 1,
    subjectType: 'reservation',
    subjectId: 'r-1',
    input: {},
    amendments: 0,
    requestedAt: new Date(0),
    requestedBy: 'tester',
    onBehalfOf: null,
    requestId: null,
    traceparent: null,
    totalSteps: STEPS,
    errorCode: null,
    errorDetail: null,
    done: {},
    holds: [],
    ...saga,
  };
}

const STATUSES: readonly SagaStatus[] = [
  'pending',
  'running',
  'compensating',
  'parked',
  'completed',
  'compensated',
  'resolved',
];
const states = fc
  .record({
    status: fc.constantFrom(...STATUSES),
    currentStep: fc.integer({ min: 1, max: STEPS }),
    generation: fc.integer({ min: 1, max: 4 }),
  })
  .map(stateOf);
/** Whatever an operator may write into a job, as long as it passes for one. */
const pointers: fc.Arbitrary<StepPointer> = fc.record({
  sagaId: fc.constant('saga-1'),
  step: fc.integer({ min: 0, max: 32 }),
  direction: fc.constantFrom<Direction>('F', 'C'),
  generation: fc.integer({ min: 1, max: 5 }),
});

describe('the effect of a job', () => {
  it('is the step that is due and nothing else, however the job was forged, delayed or repeated', () => {
    fc.assert(
      fc.property(states, pointers, (state, pointer) => {
        const decision = decide(state, definition, pointer);
        const due =
          directionOf(state.status) === pointer.direction &&
          state.generation === pointer.generation &&
          state.currentStep === pointer.step;
        expect(decision.kind === 'run').toBe(due);
        if (decision.kind === 'run') expect(decision.step.no).toBe(state.currentStep);
      }),
      { numRuns: cases(5_000) },
    );
  });

  it('is nothing in a saga that has ended, is parked, or was never accepted', () => {
    fc.assert(
      fc.property(states, pointers, (state, pointer) => {
        fc.pre(directionOf(state.status) === null);
        expect(decide(state, definition, pointer).kind).not.toBe('run');
        expect(decide(null, definition, pointer)).toEqual({ kind: 'skip', reason: 'unknown-saga' });
      }),
    );
  });

  it('says done only of steps that the saga has left behind', () => {
    fc.assert(
      fc.property(states, pointers, (state, pointer) => {
        if (decide(state, definition, pointer).kind !== 'done') return;
        const ended = state.status === 'completed' || state.status === 'compensated';
        const behind = pointer.direction === 'F' ? pointer.step < state.currentStep : pointer.step > state.currentStep;
        expect(ended || behind).toBe(true);
      }),
    );
  });
});

/**
 * A naive saga: a list of what was done and undone. Jobs arrive in any order and number, from any generation; steps
 * refuse at random; a reconciler dispatches anew at random.
 */
interface Model extends Pick<SagaState, 'status' | 'currentStep' | 'generation'> {
  readonly done: readonly number[];
  readonly undone: readonly number[];
}
const ACCEPTED: Model = { status: 'pending', currentStep: 1, generation: 1, done: [], undone: [] };

function delivered(model: Model, pointer: StepPointer, refuses: boolean): Model {
  const decision = decide(stateOf(model), definition, pointer);
  if (decision.kind !== 'run') return model;
  const { no } = decision.step;
  if (pointer.direction === 'C') {
    const undone = [...model.undone, no];
    const next = model.done.filter((one) => !undone.includes(one)).at(-1);
    return next === undefined ? { ...model, undone, status: 'compensated' } : { ...model, undone, currentStep: next };
  }
  if (refuses) {
    const last = model.done.at(-1);
    const generation = model.generation + 1;
    return last === undefined
      ? { ...model, generation, status: 'compensated' }
      : { ...model, generation, status: 'compensating', currentStep: last };
  }
  const done = [...model.done, no];
  return no === STEPS
    ? { ...model, done, status: 'completed' }
    : { ...model, done, status: 'running', currentStep: no + 1 };
}

describe('a saga driven by jobs in any order', () => {
  const deliveries = fc.array(
    fc.record({ pointer: pointers, refuses: fc.boolean(), redispatched: fc.boolean(), helpful: fc.boolean() }),
    { minLength: 60, maxLength: 120 },
  );

  it('does its steps in order, undoes them in reverse, and each once', () => {
    let ended = 0;
    fc.assert(
      fc.property(deliveries, (jobs) => {
        let model = ACCEPTED;
        for (const { pointer, refuses, redispatched, helpful } of jobs) {
          const open = directionOf(model.status);
          if (redispatched && open) model = { ...model, generation: model.generation + 1 };
          const due = { step: model.currentStep, direction: open ?? 'F', generation: model.generation };
          model = delivered(model, helpful ? { ...pointer, ...due } : pointer, refuses && model.done.length > 1);
        }
        expect(model.done).toEqual(Array.from({ length: model.done.length }, (_, index) => index + 1));
        expect(model.undone).toEqual(model.done.toReversed().slice(0, model.undone.length));
        if (model.status === 'completed') expect([model.done.length, model.undone.length]).toEqual([STEPS, 0]);
        if (model.status === 'compensated') expect(model.undone.length).toBe(model.done.length);
        if (directionOf(model.status) === null) ended += 1;
      }),
      { numRuns: JOURNEYS },
    );
    expect(ended).toBeGreaterThan(JOURNEYS / 10);
  });
});
