import { sql } from 'kysely';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Db } from '../../src/db/client.ts';
import type { SagaDefinition } from '../../src/engine/definition.ts';
import { getExecution } from '../../src/engine/read/executions.ts';
import { resolutionOf } from '../../src/engine/resolution.ts';
import type { StepDefinition } from '../../src/engine/step.ts';
import type { Resolution } from '../../src/engine/types.ts';
import { DEFINITIONS } from '../../src/sagas/index.ts';
import { COMPENSATION_ATTEMPTS, drained, finishByHand, restOf, type TestProcess } from '../setup/engine.ts';
import { fixtureOf } from './every-saga.ts';
import { expectInvariants } from './invariants.ts';
import { type Lab, openLab, type Place, type SagaFixture } from './lab.ts';
import { placesOf, restAfterFailing, turningRound } from './scenarios.ts';
import { ranOf } from './verify.ts';
import { FORWARD_ATTEMPTS } from './with-fault.ts';

/**
 * A person resolves a saga at every place of every saga at which it can be parked. Either nothing is left to do there, or the resolve does
 * it, or it is refused and names a hand that works; where something is left to the person, the definition says so.
 */

const WITHIN_MS = 180_000;
const REASON = 'Somebody has settled it by hand';

/** What a resolve is at each place at which a saga parks by failing on its way forward. Absent: refused, as the step is needed. */
const AT: Readonly<Record<string, 'nothing is left' | 'it is finished' | 'the rest is a person’s'>> = {
  'cancelReservation.sendCancellationNotification': 'nothing is left',
  'changeAccess.changeAccessPeriod': 'the rest is a person’s',
  'changeAccess.releaseMessages': 'nothing is left',
  'checkOut.deactivatePropertyAmenities': 'it is finished',
  'checkOut.sendThankYouNotification': 'nothing is left',
  'executeRefund.validateRefund': 'the rest is a person’s',
  'executeRefund.refundAtGateway': 'the rest is a person’s',
  'executeRefund.sendRefundNotification': 'nothing is left',
  'processOwnerPayout.executePayout': 'the rest is a person’s',
  'processOwnerPayout.sendPayoutProcessedNotification': 'nothing is left',
  'processPayment.sendPaymentConfirmation': 'nothing is left',
  'processPayment.sendPayoutNotification': 'nothing is left',
  'refundReservation.sendRefundNotice': 'nothing is left',
};

/** What a resolved saga must not leave behind, by saga; `ref`: its id. */
const LEFT_BEHIND = sql<{ what: string }>`
  SELECT 'a departure without its report' AS what, s.id AS ref FROM saga s JOIN reservation r ON r.id = s.subject_id
   WHERE s.name = 'checkOut' AND (SELECT count(*) FROM check_out_report c WHERE c.saga_id = s.id) <> 1
  UNION ALL SELECT 'a code of a guest who has left', s.id FROM saga s JOIN amenity_grant a ON a.reservation_id = s.subject_id
   WHERE s.name = 'checkOut' AND a.status = 'ACTIVE'
  UNION ALL SELECT 'a stay that is not as its saga says', s.id FROM saga s JOIN reservation r ON r.id = s.subject_id
   WHERE s.name = 'checkOut' AND r.status <> 'CHECKED_OUT' OR s.name = 'cancelReservation' AND r.status <> 'CANCELLED'
  UNION ALL SELECT 'work for a stay that is cancelled', s.id FROM saga s JOIN task t ON t.reservation_id = s.subject_id
   WHERE s.name = 'cancelReservation' AND t.status IN ('UNASSIGNED', 'ASSIGNED')
  UNION ALL SELECT 'money that is half booked', s.id FROM saga s JOIN payment p ON p.saga_id = s.id
   WHERE s.name = 'processPayment' AND p.status <> 'COMPLETED'
  UNION ALL SELECT 'money that is owed still', s.id FROM saga s JOIN transaction t ON t.id = s.subject_id
   WHERE s.name IN ('executeRefund', 'processOwnerPayout') AND t.status NOT IN ('COMPLETED', 'FAILED', 'MANUAL_REQUIRED')`;

describe.each(DEFINITIONS.map((definition) => [`${definition.name}@${definition.version}`, definition] as const))(
  'resolving %s',
  (_name, definition) => {
    let lab: Lab;
    let fixture: SagaFixture;
    let worker: TestProcess;
    beforeAll(async () => {
      fixture = await fixtureOf(definition);
      lab = await openLab(definition, fixture);
      worker = await lab.bed.start({ prefix: lab.bed.newPrefix() });
    }, 60_000);
    afterAll(() => lab?.close(), 60_000);

    it('is as it says at each step at which it parks', { timeout: WITHIN_MS }, async () => {
      for (const step of definition.steps.filter((one) => restAfterFailing(definition, one, 'breaks') === 'parked')) {
        const saga = await lab.begin([{ step: step.no, direction: 'F', mode: 'breaks', times: FORWARD_ATTEMPTS }]);
        await saga.rests('parked');
        const said = await saidOf(lab.bed.db, definition, saga.id);
        const kind = AT[`${definition.name}.${step.name}`];
        expect(said.refused === null, step.name).toBe(kind !== undefined);
        if (said.refused !== null) {
          await isRefused(worker, saga.id, said);
          expect(said.refused).toMatch(/: retry it$/);
          await saga.isRetriedTo('completed');
          await saga.verify();
          continue;
        }
        expect(said.byHand.every(({ follows }) => /\.$/.test(follows))).toBe(true);
        expect(said.runs.length > 0, step.name).toBe(kind === 'it is finished');
        await resolve(worker, saga.id);
        expect(await leftBehind(lab.bed.db, saga.id), step.name).toEqual(
          kind === 'the rest is a person’s' && definition.name !== 'changeAccess' ? ['money that is owed still'] : [],
        );
        await isClosed(lab, fixture, worker, saga.id, step, kind === 'the rest is a person’s' ? null : said);
      }
    });

    it('is refused at each undo at which it parks, and the hand that it names works', {
      timeout: WITHIN_MS,
    }, async () => {
      for (const place of placesOf(definition).filter(({ direction }) => direction === 'C')) {
        const saga = await lab.begin(undoFaults(definition, place));
        await saga.rests('parked');
        const said = await saidOf(lab.bed.db, definition, saga.id);
        await isRefused(worker, saga.id, said);
        if (place.step.skippableUndo) {
          expect(said.refused).toContain('skip this undo');
          await skip(worker, saga.id, place.step.name);
          expect(await restOf(lab.bed.db, saga.id)).toBe('compensated');
        } else {
          expect(said.refused).toContain('retry it');
          await saga.isRetriedTo('compensated');
          await saga.verify();
        }
      }
    });

    it('closes what somebody has overtaken, and only if nothing else is to be undone', {
      timeout: WITHIN_MS,
    }, async () => {
      const { db } = lab.bed;
      for (const place of placesOf(definition).filter(isOvertaken)) {
        const saga = await lab.begin(undoFaults(definition, place));
        await saga.rests('parked');
        await sql`UPDATE saga_step SET error = jsonb_set(error, '{code}', '"SUPERSEDED"')
          WHERE saga_id = ${saga.id} AND step_no = ${place.step.no} AND direction = 'C'`.execute(db);
        const said = await saidOf(db, definition, saga.id);
        if (said.refused === null) await resolve(worker, saga.id);
        else {
          expect(said.refused).toContain('skip this undo');
          await isRefused(worker, saga.id, said);
          await skip(worker, saga.id, place.step.name);
        }
        const { rows } = await sql<{
          left: number;
        }>`SELECT count(*)::int AS left FROM saga_step WHERE saga_id = ${saga.id}
          AND direction = 'C' AND status NOT IN ('done', 'skipped') AND step_no <> ${place.step.no}`.execute(db);
        if (said.refused === null) expect(rows[0]?.left).toBe(0);
        expect(await restOf(db, saga.id)).toBe(said.refused === null ? 'resolved' : 'compensated');
      }
    });

    it('leaves nothing of what only waits for an answer of a person', () => {
      for (const step of definition.steps.filter(({ parksOn, parksUnlocked }) => parksOn.length > 0 && parksUnlocked)) {
        const at = { step: step.no, direction: 'F', code: 'APPROVAL_REQUIRED', toUndo: 0 } as const;
        expect(resolutionOf(definition.steps, at)).toMatchObject({ refused: null, runs: [] });
        expect(definition.steps.slice(0, step.no).every(({ class: kind }) => kind === 'READ')).toBe(true);
      }
    });
  },
);

const isOvertaken = ({ step: { compensation }, direction }: Place): boolean =>
  direction === 'C' && compensation?.kind === 'statement' && compensation.onNoRow === 'SUPERSEDED';
const undoFaults = (definition: SagaDefinition, { step }: Place) => [
  ...turningRound(definition, { step, direction: 'C' }),
  { step: step.no, direction: 'C', mode: 'breaks', times: COMPENSATION_ATTEMPTS } as const,
];

/** As the execution shows it to an operator. */
async function saidOf(db: Db, definition: SagaDefinition, id: string): Promise<Resolution> {
  const reader = { stepsOf: () => definition.steps, seesCauses: true, detailsFor: () => undefined };
  const { ifResolved } = await getExecution(db, id, { ...reader, startedBy: null, part: null });
  if (!ifResolved) throw new Error('a parked saga does not say what resolving it does');
  return ifResolved;
}

async function isRefused(process: TestProcess, id: string, said: Resolution): Promise<void> {
  await expect(resolve(process, id)).rejects.toMatchObject({ code: 'INVALID_STATE_TRANSITION', message: said.refused });
}

async function leftBehind(db: Db, id: string): Promise<readonly string[]> {
  const { rows } = await sql<{ what: string }>`SELECT x.what FROM (${LEFT_BEHIND}) x WHERE x.ref = ${id}`.execute(db);
  return rows.map(({ what }) => what);
}

/** Its steps are as it was said, its locks are free, and every promise holds. `said`: null where no step is written. */
async function isClosed(
  { bed, definition }: Lab,
  fixture: SagaFixture,
  process: TestProcess,
  id: string,
  at: StepDefinition,
  said: Resolution | null,
): Promise<void> {
  const { db } = bed;
  const row = await db.selectFrom('saga').selectAll().where('id', '=', id).executeTakeFirstOrThrow();
  expect(row.status).toBe('resolved');
  const ran = ranOf(definition, id, row.subject_id);
  for (const follower of (await fixture.follows?.(db, ran)) ?? []) await finishByHand(bed, process, follower);
  const steps = await db.selectFrom('saga_step').selectAll().where('saga_id', '=', id).execute();
  const behind = steps.filter(({ direction, step_no }) => direction === 'F' && step_no >= at.no);
  const named = (status: string) => behind.filter((one) => one.status === status).map(({ name }) => name);
  if (said) {
    expect(named('skipped').toSorted()).toEqual(said.byHand.map(({ step }) => step).toSorted());
    expect(named('done').toSorted()).toEqual(said.runs.toSorted());
    expect(behind.filter(({ status }) => status === 'skipped').every((one) => one.skipped_by === 'olivia')).toBe(true);
  } else expect(behind.map(({ status }) => status)).toEqual(['failed']);
  const messages = await db
    .selectFrom('notification')
    .select('event')
    .where('effect_key', 'like', `${ran.keyOf(at.name)}-%`)
    .where('recipient_type', '<>', 'OPS')
    .execute();
  expect(messages).toEqual([]);
  await drained(db, id);
  await expectInvariants(db, [id, row.subject_id]);
}

const person = { by: 'olivia', requestId: 'resolve-1', via: 'api' } as const;
const resolve = ({ engine }: TestProcess, sagaId: string) =>
  engine.orchestrator.resolve({ sagaId, reason: REASON, ...person });
async function skip({ db, engine }: TestProcess, sagaId: string, step: string): Promise<void> {
  const announce = await db
    .transaction()
    .execute((tx) => engine.orchestrator.skipWithin(tx, { sagaId, step, reason: REASON, ...person }));
  announce();
}
