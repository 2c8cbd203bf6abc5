import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { StepDeferred } from '../../src/engine/errors.ts';
import { releaseHold, setHold } from '../../src/engine/store/holds.ts';
import { DEFINITIONS } from '../../src/sagas/index.ts';
import { fixtureOf } from './every-saga.ts';
import { type Lab, openLab, type Place } from './lab.ts';
import { named, placesOf, restAfter, turningRound } from './scenarios.ts';

/** What people pause stands still at every step of every saga, forward and undoing, without Redis and after a restart. */

const BY = { actor: 'olivia', requestId: 'hold-1' };
const WITHIN_MS = 180_000;

describe.each(DEFINITIONS.map((definition) => [`${definition.name}@${definition.version}`, definition] as const))(
  'a hold of %s',
  (_name, definition) => {
    let lab: Lab;
    beforeAll(async () => {
      lab = await openLab(definition, await fixtureOf(definition));
    }, 60_000);
    afterAll(() => lab?.close(), 60_000);

    it('keeps it at each step, until it is released', { timeout: WITHIN_MS }, async () => {
      const held: string[] = [];
      for (const place of placesOf(definition)) {
        await standsAt(lab, place);
        held.push(named(place));
      }
      expect(held.length).toBeGreaterThanOrEqual(definition.steps.length);
    });
  },
);

async function standsAt(lab: Lab, place: Place): Promise<void> {
  const { bed, definition, racers } = lab;
  const saga = await lab.begin(turningRound(definition, place), { by: 'hand' });
  const pointer = await saga.walkTo(place);
  const subject = `${definition.name}.${place.step.name}`;
  const hold = await bed.db
    .transaction()
    .execute((tx) => setHold(tx, { scope: 'STEP', subject, reason: 'The provider is being moved' }, BY));
  const before = await stateOf(lab, saga.id);
  await expect(racers[0].step(pointer), named(place)).rejects.toThrow(StepDeferred);

  // Its jobs are gone with what Redis had, every process is new, and its time is long up.
  await bed.db
    .updateTable('saga')
    .set({ deadline_at: new Date(Date.now() - 60_000), next_check_at: new Date(Date.now() - 1_000) })
    .where('id', '=', saga.id)
    .execute();
  const heir = await bed.start({ prefix: bed.newPrefix() });
  await heir.engine.reconciler.tick();
  expect(await stateOf(lab, saga.id), named(place)).toEqual(before);

  await bed.db.transaction().execute((tx) => releaseHold(tx, { id: hold.id, reason: 'It is back' }, BY));
  await heir.engine.reconciler.tick();
  await saga.rests(restAfter(place));
  await saga.verify();
  await heir.stop();
}

/** What a step that was begun, a dispatch, a deadline or a park would have changed. */
async function stateOf({ bed }: Lab, sagaId: string): Promise<unknown> {
  const saga = await bed.db
    .selectFrom('saga')
    .select(['status', 'current_step', 'generation', 'redispatches', 'error_code'])
    .where('id', '=', sagaId)
    .executeTakeFirstOrThrow();
  const steps = await bed.db
    .selectFrom('saga_step')
    .select(['step_no', 'direction', 'status', 'attempt'])
    .where('saga_id', '=', sagaId)
    .orderBy('step_no')
    .orderBy('direction')
    .execute();
  return { saga, steps };
}
