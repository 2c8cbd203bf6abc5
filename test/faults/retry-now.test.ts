import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { StepRetry } from '../../src/engine/errors.ts';
import { DEFINITIONS } from '../../src/sagas/index.ts';
import type { TestProcess } from '../setup/engine.ts';
import { fixtureOf } from './every-saga.ts';
import { type Lab, openLab, type Place } from './lab.ts';
import { named, placesOf, restAfter, turningRound } from './scenarios.ts';

/** A step that backs off is tried again at once when a person says so, at every step of every saga, forward and undoing. */

const WITHIN_MS = 180_000;

describe.each(DEFINITIONS.map((definition) => [`${definition.name}@${definition.version}`, definition] as const))(
  'a retry now of %s',
  (_name, definition) => {
    let lab: Lab;
    let worker: TestProcess;
    beforeAll(async () => {
      lab = await openLab(definition, await fixtureOf(definition));
      worker = await lab.bed.start({ prefix: lab.bed.newPrefix() });
    }, 60_000);
    afterAll(() => lab?.close(), 60_000);

    it('makes the next attempt of each step', { timeout: WITHIN_MS }, async () => {
      for (const place of placesOf(definition)) await isTriedNow(lab, worker, place);
    });
  },
);

async function isTriedNow(lab: Lab, worker: TestProcess, place: Place): Promise<void> {
  const { step, direction } = place;
  const fault = { step: step.no, direction, mode: 'breaks', times: 1 } as const;
  const saga = await lab.begin([...turningRound(lab.definition, place), fault], { by: 'hand' });
  const pointer = await saga.walkTo(place);
  const early = retryNow(worker, saga.id);
  await expect(early, named(place)).rejects.toMatchObject({ code: 'INVALID_STATE_TRANSITION' });
  // Its job would come back after the back-off; here it never does.
  await expect(lab.racers[0].step(pointer), named(place)).rejects.toThrow(StepRetry);
  await retryNow(worker, saga.id);
  await saga.rests(restAfter(place));
  expect(await saga.attempts(place), named(place)).toBe(2);
  await expect(retryNow(worker, saga.id)).rejects.toMatchObject({ code: 'INVALID_STATE_TRANSITION' });
  await saga.verify();
}

async function retryNow({ db, engine }: TestProcess, sagaId: string): Promise<void> {
  const person = { by: 'olivia', requestId: 'retry-1', via: 'api' } as const;
  const announce = await db
    .transaction()
    .execute((tx) => engine.orchestrator.retryNowWithin(tx, { sagaId, reason: 'It is back', ...person }));
  announce();
}
