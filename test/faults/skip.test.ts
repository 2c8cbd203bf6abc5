import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Db } from '../../src/db/client.ts';
import type { SagaDefinition } from '../../src/engine/definition.ts';
import { mayPark } from '../../src/engine/definition.ts';
import type { StepDefinition } from '../../src/engine/step.ts';
import { DEFINITIONS } from '../../src/sagas/index.ts';
import { COMPENSATION_ATTEMPTS, drained, finishByHand, noteAnswer, restOf, type TestProcess } from '../setup/engine.ts';
import { fixtureOf } from './every-saga.ts';
import { expectInvariants } from './invariants.ts';
import { type Lab, openLab, type SagaFixture } from './lab.ts';
import { pivotOf, placesOf, restAfterFailing, turningRound } from './scenarios.ts';
import { subjectRows } from './subject-rows.ts';
import { ranOf } from './verify.ts';
import { FORWARD_ATTEMPTS } from './with-fault.ts';

/** A person skips the step at which a saga is parked: at every step of every saga, what may be skipped is, and all else is refused. */

const WITHIN_MS = 180_000;
const REASON = 'Somebody has seen to it by hand';

describe.each(DEFINITIONS.map((definition) => [`${definition.name}@${definition.version}`, definition] as const))(
  'skipping steps of %s',
  (_name, definition) => {
    let lab: Lab;
    let fixture: SagaFixture;
    /** They share their jobs, and have none that were made before: Redis has been emptied. */
    let heirs: readonly [TestProcess, TestProcess];
    beforeAll(async () => {
      fixture = await fixtureOf(definition);
      lab = await openLab(definition, fixture);
      const prefix = lab.bed.newPrefix();
      heirs = [await lab.bed.start({ prefix }), await lab.bed.start({ prefix })];
    }, 60_000);
    afterAll(() => lab?.close(), 60_000);

    it('lets it end behind each step that may be skipped', { timeout: WITHIN_MS }, async () => {
      for (const step of definition.steps.filter(({ skippable }) => skippable !== undefined))
        await isSkipped(lab, fixture, heirs, step);
    });

    it('is refused at each other step at which it parks, which a retry completes', { timeout: WITHIN_MS }, async () => {
      const others = definition.steps.filter(
        (step) => step.skippable === undefined && parksByBreaking(definition, step),
      );
      for (const step of others) {
        const saga = await lab.begin([fault(step)]);
        await saga.rests('parked');
        const refused = skip(heirs[0], saga.id, step.name);
        await expect(refused, step.name).rejects.toMatchObject({ code: 'INVALID_STATE_TRANSITION' });
        if (step.no > pivotOf(definition))
          await expect(cancel(heirs[0], saga.id)).rejects.toThrow(/can only go on: retry it(, or resolve it)?$/);
        await saga.isRetriedTo('completed');
        await saga.verify();
      }
    });

    it('lets its undoing go on behind each undo that may be skipped', { timeout: WITHIN_MS }, async () => {
      for (const step of definition.steps.filter(({ skippableUndo }) => skippableUndo !== undefined))
        await isUndoneWithout(lab, heirs, step);
    });

    it('is refused at each other undo at which it parks, which a retry completes', { timeout: WITHIN_MS }, async () => {
      const undone = placesOf(definition).filter(({ direction }) => direction === 'C');
      for (const { step } of undone.filter(({ step: one }) => one.skippableUndo === undefined)) {
        const saga = await lab.begin(undoFaults(definition, step));
        await saga.rests('parked');
        const refused = skip(heirs[0], saga.id, step.name);
        await expect(refused, step.name).rejects.toMatchObject({ code: 'INVALID_STATE_TRANSITION' });
        await saga.isRetriedTo('compensated');
        await saga.verify();
      }
    });

    it('is done while it backs off, forward and undoing, as where it is parked', { timeout: WITHIN_MS }, async () => {
      for (const place of placesOf(definition)) {
        const { step, direction } = place;
        const skippable = direction === 'F' ? step.skippable : step.skippableUndo;
        if (!skippable) continue;
        const saga = await lab.begin(
          [...turningRound(definition, place), { step: step.no, direction, mode: 'breaks', times: 1 }],
          { by: 'hand' },
        );
        const pointer = await saga.walkTo(place);
        await expect(lab.racers[0].step(pointer), step.name).rejects.toThrow();
        await namesOnlyWhatWorks(heirs[0], saga.id, step, direction === 'F' ? pivotOf(definition) : 0);
        await skip(lab.racers[0], saga.id, step.name);
        await lab.bed.db
          .updateTable('saga')
          .set({ next_check_at: new Date(0) })
          .where('id', '=', saga.id)
          .where('finished_at', 'is', null)
          .execute();
        await Promise.all(heirs.map(({ engine }) => engine.reconciler.tick()));
        expect(await restOf(lab.bed.db, saga.id), step.name).toBe(direction === 'F' ? 'completed' : 'compensated');
        if (direction === 'F') await expectSkipped(lab, fixture, heirs[0], saga.id, step);
        else await expectAudited(lab.bed.db, saga.id, step);
      }
    });

    it('is refused where it is not parked, at every step', { timeout: WITHIN_MS }, async () => {
      const saga = await lab.begin([], { by: 'hand' });
      for (const step of definition.steps) {
        await saga.walkTo({ step, direction: 'F' });
        await expect(skip(heirs[0], saga.id, step.name), step.name).rejects.toMatchObject({ code: 'SAGA_NOT_PARKED' });
      }
      await saga.walkToEnd();
      await saga.rests('completed');
      await saga.verify();
    });

    it('never touches what moves money, takes dates or is the point of no return', () => {
      const skipped = definition.steps.filter(({ skippable }) => skippable !== undefined);
      expect(skipped.filter((step) => step.class === 'PIVOT' || step.class === 'READ')).toEqual([]);
      const others = skipped.filter((step) => step.kind !== 'statement' || step.effects.length > 0);
      // Only what somebody can do at the door.
      expect(others.every((step) => step.speaksTo?.({ input: {}, done: {} }) === 'devices')).toBe(true);
      // An undo is skipped only where somebody can do it at the door.
      const undos = definition.steps.filter(({ skippableUndo }) => skippableUndo !== undefined);
      expect(undos.every((step) => step.speaksTo?.({ input: {}, done: {} }) === 'devices')).toBe(true);
      expect(undos.every((step) => /\.$/.test(step.skippableUndo?.follows ?? ''))).toBe(true);
      expect(skipped.every((step) => /\.$/.test(step.skippable?.follows ?? '') && mayPark(definition, step))).toBe(
        true,
      );
    });
  },
);

const fault = (step: StepDefinition) =>
  ({ step: step.no, direction: 'F', mode: 'breaks', times: FORWARD_ATTEMPTS }) as const;
const undoFaults = (definition: SagaDefinition, step: StepDefinition) => [
  ...turningRound(definition, { step, direction: 'C' }),
  { step: step.no, direction: 'C', mode: 'breaks', times: COMPENSATION_ATTEMPTS } as const,
];
const parksByBreaking = (definition: SagaDefinition, step: StepDefinition): boolean =>
  restAfterFailing(definition, step, 'breaks') === 'parked';

/** What the device would have been told is all that is missing; what is here is as it was before. */
async function isUndoneWithout(
  { bed, begin, racers, definition }: Lab,
  heirs: readonly [TestProcess, TestProcess],
  step: StepDefinition,
): Promise<void> {
  const { db } = bed;
  const saga = await begin(undoFaults(definition, step));
  await saga.rests('parked');
  const other = definition.steps.find(({ no }) => no !== step.no)?.name ?? '';
  await expect(skip(heirs[0], saga.id, other)).rejects.toMatchObject({ code: 'INVALID_STATE_TRANSITION' });
  await skip(racers[0], saga.id, step.name);
  await findAtOnce(db, saga.id, heirs);
  expect(await restOf(db, saga.id), step.name).toBe('compensated');
  await expect(skip(heirs[0], saga.id, step.name)).rejects.toMatchObject({ code: 'SAGA_NOT_PARKED' });
  await drained(db, saga.id);
  const steps = await db.selectFrom('saga_step').selectAll().where('saga_id', '=', saga.id).execute();
  const undone = steps.filter(({ direction }) => direction === 'C');
  expect(undone.map(({ step_no, status }) => [step_no, status]).toSorted(([a], [b]) => Number(b) - Number(a))).toEqual(
    steps
      .filter((one) => one.direction === 'F' && one.class !== 'READ')
      .filter((one) => one.status === 'done' || one.first_sent_at !== null)
      .map((one) => [one.step_no, one.step_no === step.no ? 'skipped' : 'done'])
      .toSorted(([a], [b]) => Number(b) - Number(a)),
  );
  expect(undone.find(({ step_no }) => step_no === step.no)).toMatchObject({
    ...{ skipped_by: 'olivia', skip_reason: REASON },
  });
  const row = await db.selectFrom('saga').selectAll().where('id', '=', saga.id).executeTakeFirstOrThrow();
  expect(await subjectRows(db, definition.subjectType, row.subject_id)).toEqual(saga.found);
  await expectAudited(db, saga.id, step);
  const answer = await heirs[0].engine.orchestrator.waitForAnswer(saga.id, 5_000);
  if (!answer) throw new Error('an ended saga has no answer');
  await noteAnswer(db, null, saga.id, answer);
  expect(answer.status).toBe(row.response_status);
  await expectInvariants(db, [saga.id, row.subject_id]);
}

/** All heirs look at once for what stands still. */
async function findAtOnce(db: Db, sagaId: string, heirs: readonly TestProcess[]): Promise<void> {
  await db
    .updateTable('saga')
    .set({ next_check_at: new Date(0) })
    .where('id', '=', sagaId)
    .where('finished_at', 'is', null)
    .execute();
  await Promise.all(heirs.map(({ engine }) => engine.reconciler.tick()));
}

async function expectAudited(db: Db, sagaId: string, step: StepDefinition): Promise<void> {
  const audited = await db
    .selectFrom('audit_log')
    .select(['actor', 'body'])
    .where('stream_id', '=', sagaId)
    .where('event', '=', 'SAGA_STEP_SKIPPED')
    .execute();
  expect(audited.map(({ actor }) => actor)).toEqual(['olivia']);
  expect(JSON.parse(audited[0]?.body ?? '')).toMatchObject({ details: { name: step.name, reason: REASON } });
}

async function isSkipped(
  lab: Lab,
  fixture: SagaFixture,
  heirs: readonly [TestProcess, TestProcess],
  step: StepDefinition,
): Promise<void> {
  const { db } = lab.bed;
  const saga = await lab.begin([fault(step)]);
  await saga.rests('parked');
  const other = lab.definition.steps.find(({ no }) => no !== step.no)?.name ?? '';
  await expect(skip(heirs[0], saga.id, other)).rejects.toMatchObject({ code: 'INVALID_STATE_TRANSITION' });

  // Whoever skips it dies before its jobs are there, and both heirs find it at once.
  await skip(lab.racers[0], saga.id, step.name);
  // Behind it nothing is undone, so that neither is what was skipped.
  await expect(cancel(heirs[0], saga.id), step.name).rejects.toMatchObject({ code: 'INVALID_STATE_TRANSITION' });
  await findAtOnce(db, saga.id, heirs);
  expect(await restOf(db, saga.id), step.name).toBe('completed');
  await expect(skip(heirs[0], saga.id, step.name)).rejects.toMatchObject({ code: 'SAGA_NOT_PARKED' });
  await expectSkipped(lab, fixture, heirs[0], saga.id, step);
}

/** It has done nothing, all others have; who skipped it is kept; every promise about a completed saga holds. */
async function expectSkipped(
  { bed, definition }: Lab,
  fixture: SagaFixture,
  process: TestProcess,
  sagaId: string,
  step: StepDefinition,
): Promise<void> {
  const { db } = bed;
  const row = await db.selectFrom('saga').selectAll().where('id', '=', sagaId).executeTakeFirstOrThrow();
  await drained(db, sagaId);
  const ran = ranOf(definition, sagaId, row.subject_id);
  for (const follower of (await fixture.follows?.(db, ran)) ?? []) await finishByHand(bed, process, follower);
  const steps = await db.selectFrom('saga_step').selectAll().where('saga_id', '=', sagaId).orderBy('step_no').execute();
  expect(steps.map(({ status }) => status)).toEqual(
    definition.steps.map(({ no }) => (no === step.no ? 'skipped' : 'done')),
  );
  expect(steps[step.no - 1]).toMatchObject({ skipped_by: 'olivia', skip_reason: REASON, direction: 'F' });
  const messages = await db
    .selectFrom('notification')
    .select('event')
    .where('effect_key', 'like', `${ran.keyOf(step.name)}-%`)
    .where('recipient_type', '<>', 'OPS')
    .execute();
  expect(messages).toEqual([]);
  await expectCounted(bed, sagaId);
  await expectAudited(db, sagaId, step);
  const answer = await process.engine.orchestrator.waitForAnswer(sagaId, 5_000);
  expect(answer?.status).toBe(200);
  if (answer) await noteAnswer(db, null, sagaId, answer);
  await expectInvariants(db, [sagaId, row.subject_id]);
}

/** A cancellation that comes too late says what a person can do now: no hand that would be refused. */
async function namesOnlyWhatWorks(process: TestProcess, sagaId: string, step: StepDefinition, pivot: number) {
  if (step.no <= pivot) return;
  await expect(cancel(process, sagaId), step.name).rejects.toMatchObject({
    message:
      pivot === 0
        ? 'It is being undone already'
        : 'It is past its point of no return, and can only go on: retry it now, or skip this step',
  });
}

/** The row that closes the saga counts no message that was not ordered: one for each event and recipient, whatever the channels. */
async function expectCounted({ db }: Lab['bed'], sagaId: string): Promise<void> {
  const ordered = await db
    .selectFrom('notification')
    .select(['event', 'recipient_type', 'recipient_id'])
    .distinct()
    .where('saga_id', '=', sagaId)
    .where('event', '<>', 'SYSTEM_ALERT')
    .execute();
  const closing = await db
    .selectFrom('audit_log')
    .select('body')
    .where('stream_id', '=', sagaId)
    .where('ends', '=', true)
    .executeTakeFirstOrThrow();
  const { notificationsSent = 0 } = JSON.parse(closing.body).details;
  expect(notificationsSent, `${ordered.map(({ event }) => event)}`).toBeLessThanOrEqual(ordered.length);
}

/** Without the announcement: the orders stay in Postgres. */
async function skip({ db, engine }: TestProcess, sagaId: string, step: string): Promise<void> {
  const person = { by: 'olivia', requestId: 'skip-1', via: 'api' } as const;
  await db
    .transaction()
    .execute((tx) => engine.orchestrator.skipWithin(tx, { sagaId, step, reason: REASON, ...person }));
}

async function cancel({ db, engine }: TestProcess, sagaId: string): Promise<void> {
  const person = { by: 'olivia', requestId: 'cancel-1', via: 'api' } as const;
  await db.transaction().execute((tx) => engine.orchestrator.cancelWithin(tx, { sagaId, reason: REASON, ...person }));
}
