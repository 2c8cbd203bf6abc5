import { readFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { plansText, withSagaTable } from '../../scripts/plans-text.ts';
import { type SagaDefinition, saga } from '../../src/engine/definition.ts';
import { comparePlans, type Plans, plansOf } from '../../src/engine/plan.ts';
import { required } from '../../src/kernel/errors.ts';
import { DEFINITIONS, definitionOf } from '../../src/sagas/index.ts';

const lock = readFileSync(path.join(import.meta.dirname, '../../src/sagas/plans.lock.json'), 'utf8');
const locked = JSON.parse(lock) as Plans;
const newest = required(definitionOf('confirmReservation'), 'the confirmation');

/** Changes the first of the steps that has it. */
const changeFirst = (steps: Steps, has: (step: Step) => boolean, change: Partial<Step>): Steps => {
  const first = steps.findIndex(has);
  expect(first).toBeGreaterThanOrEqual(0);
  return steps.map((step, index) => (index === first ? { ...step, ...change } : step));
};

describe('the plans of sagas', () => {
  it('are the locked ones, because executions in flight are pinned to them', () => {
    expect(comparePlans(locked, plansOf(DEFINITIONS)).map(({ message }) => message)).toEqual([]);
  });

  it('are locked as the formatter leaves them, which is checked of every file', () => {
    expect(lock).toBe(plansText(locked));
  });

  it('are the table of sagas in docs/domain.md', () => {
    const page = readFileSync(path.join(import.meta.dirname, '../../docs/domain.md'), 'utf8');
    expect(page, 'run `npm run plans:lock`').toBe(withSagaTable(page, locked));
  });

  it('may get a new version, which is then to be locked', () => {
    const next = { ...newest, version: newest.version + 1, steps: newest.steps.slice(1) };
    const differences = comparePlans(locked, plansOf([...DEFINITIONS, next]));
    expect(differences).toMatchObject([{ id: `confirmReservation@${next.version}`, what: 'added' }]);
    expect(differences[0]?.message).toContain('npm run plans:lock');
  });

  it.each([
    ['a step less', (steps: Steps) => steps.slice(0, -1)],
    ['another order', (steps: Steps) => steps.toReversed()],
    ['another name', (steps: Steps) => changeFirst(steps, () => true, { name: 'other' })],
    ['another kind', (steps: Steps) => changeFirst(steps, ({ kind }) => kind === 'statement', { kind: 'tx' })],
    [
      'no undo',
      (steps: Steps) =>
        changeFirst(steps, ({ compensation }) => compensation !== undefined, { compensation: undefined }),
    ],
  ])('may not change under a version that is locked: %s', (_what, change) => {
    const changed = DEFINITIONS.map((definition) =>
      definition === newest ? { ...definition, steps: change(definition.steps) } : definition,
    );
    const [difference, ...others] = comparePlans(locked, plansOf(changed));
    expect(others).toEqual([]);
    expect(difference).toMatchObject({ id: `confirmReservation@${newest.version}`, what: 'changed' });
    expect(difference?.message).toContain(
      `put it into a version ${newest.version + 1} of confirmReservation, register both`,
    );
  });

  it.each([
    ['another time', waitOf(2_000, 'fail')],
    ['another end of its time', waitOf(1_000, 'continue')],
  ])('may not change a wait under a version that is locked: %s', (_how, changed) => {
    const before = plansOf([waitOf(1_000, 'fail')]);
    expect(comparePlans(before, plansOf([waitOf(1_000, 'fail')]))).toEqual([]);
    const [difference] = comparePlans(before, plansOf([changed]));
    expect(difference).toMatchObject({ id: 'patient@1', what: 'changed' });
    expect(difference?.message).toContain('from answer (wait, READ, undo: none, waits 1000 ms, then: fail) to');
  });

  it('may not lose a version that an execution may be pinned to', () => {
    const left = DEFINITIONS.filter(({ name, version }) => name !== 'checkIn' || version !== 1);
    expect(comparePlans(locked, plansOf(left))).toMatchObject([{ id: 'checkIn@1', what: 'removed' }]);
  });
});

function waitOf(timeoutMs: number, onTimeout: 'fail' | 'continue'): SagaDefinition {
  const empty = z.strictObject({});
  return saga('patient', empty, { version: 1, subjectType: 'reservation', notFound: 'RESERVATION_NOT_FOUND' })
    .wait('answer', { timeoutMs, onTimeout, payload: empty, foresees: {} })
    .retriable()
    .tx('note', { run: async () => ({}) })
    .ends(async () => ({ event: 'ANSWERED', message: 'Answered', data: {}, details: {} }));
}

type Steps = SagaDefinition['steps'];
type Step = Steps[number];
