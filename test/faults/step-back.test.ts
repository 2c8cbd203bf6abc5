import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { SagaDefinition } from '../../src/engine/definition.ts';
import type { StepDefinition } from '../../src/engine/step.ts';
import { DEFINITIONS } from '../../src/sagas/index.ts';
import type { TestProcess } from '../setup/engine.ts';
import { fixtureOf } from './every-saga.ts';
import { type Lab, openLab } from './lab.ts';
import { restAfterFailing } from './scenarios.ts';
import { FORWARD_ATTEMPTS } from './with-fault.ts';

/** A retry from a step: of every saga, at every step at which it parks, from every step. */

const WITHIN_MS = 180_000;
const REFUSED = { code: 'INVALID_STATE_TRANSITION' };

describe.each(DEFINITIONS.map((definition) => [`${definition.name}@${definition.version}`, definition] as const))(
  'a retry from a step of %s',
  (_name, definition) => {
    let lab: Lab;
    let worker: TestProcess;
    beforeAll(async () => {
      lab = await openLab(definition, await fixtureOf(definition));
      worker = await lab.bed.start({ prefix: lab.bed.newPrefix() });
    }, 60_000);
    afterAll(() => lab?.close(), 60_000);

    it('reads again what may be read again, and does nothing twice', { timeout: WITHIN_MS }, async () => {
      const parking = definition.steps.filter((step) => restAfterFailing(definition, step, 'breaks') === 'parked');
      for (const stopped of parking) {
        const starts = definition.steps.filter((step) => step.no <= stopped.no && mayStart(definition, step, stopped));
        expect(starts.at(-1)).toBe(stopped);
        for (const start of starts) await goesOnFrom(lab, worker, stopped, start);
      }
    });
  },
);

/** Only reads that say so lie between. */
const mayStart = (definition: SagaDefinition, start: StepDefinition, stopped: StepDefinition): boolean =>
  definition.steps.slice(start.no - 1, stopped.no - 1).every((step) => step.readsAgain === true);

async function goesOnFrom(
  lab: Lab,
  worker: TestProcess,
  stopped: StepDefinition,
  start: StepDefinition,
): Promise<void> {
  const { definition } = lab;
  const saga = await lab.begin([{ step: stopped.no, direction: 'F', mode: 'breaks', times: FORWARD_ATTEMPTS }]);
  await saga.rests('parked');
  for (const other of definition.steps) {
    if (other.no <= stopped.no && mayStart(definition, other, stopped)) continue;
    const refused = retryFrom(worker, saga.id, other.name);
    await expect(refused, `${other.name} at ${stopped.name}`).rejects.toMatchObject(REFUSED);
    if (other.no < stopped.no) await expect(refused).rejects.toMatchObject({ details: { step: expect.any(String) } });
  }
  await expect(retryFrom(worker, saga.id, 'noSuchStep')).rejects.toMatchObject(REFUSED);
  await retryFrom(worker, saga.id, start.name);
  await saga.rests('completed');
  for (const step of definition.steps.slice(start.no - 1, stopped.no - 1))
    expect(await saga.attempts({ step, direction: 'F' }), step.name).toBe(2);
  for (const step of definition.steps.slice(0, start.no - 1))
    expect(await saga.attempts({ step, direction: 'F' }), step.name).toBe(1);
  await saga.verify();
}

async function retryFrom({ db, engine }: TestProcess, sagaId: string, from: string): Promise<void> {
  const person = { by: 'olivia', requestId: 'retry-1', via: 'api', reason: 'The lock was replaced' } as const;
  const { outcome, announce } = await db
    .transaction()
    .execute((tx) => engine.orchestrator.retryWithin(tx, { sagaId, from, ...person }));
  expect(outcome).toBe('resumed');
  announce();
}
