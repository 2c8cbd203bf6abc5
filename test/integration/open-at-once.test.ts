import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { heldAt, type SagaDefinition } from '../../src/engine/definition.ts';
import { RoomyError } from '../../src/kernel/errors.ts';
import {
  cancelReservation,
  checkIn,
  checkOut,
  confirmReservation,
  DEFINITIONS,
  processPayment,
  refundReservation,
} from '../../src/sagas/index.ts';
import { fixtureOf } from '../faults/every-saga.ts';
import { type Lab, openLab } from '../faults/lab.ts';
import { endings, prepareStays } from '../sagas/confirmation.ts';
import {
  netByAccount,
  openSandbox,
  paymentInput,
  ranTo,
  referenceOf,
  type Sandbox,
  type World,
} from '../sagas/money.ts';
import { confirmedStay, stayOf, visitInput } from '../sagas/visits.ts';
import { createTestbed, finishByHand, restOf, type Testbed, type TestProcess } from '../setup/engine.ts';

/** guarantees.md G7: at most one open saga for each subject and lock kind. */

const OF_STAYS = [confirmReservation, checkIn, checkOut, processPayment, cancelReservation, refundReservation];
const inputsOf = (reservationId: string): Readonly<Record<string, object>> => ({
  confirmReservation: { reservationId },
  checkIn: { reservationId },
  checkOut: { reservationId },
  processPayment: paymentInput(reservationId, `other-${referenceOf(reservationId)}`),
  cancelReservation: { reservationId },
  refundReservation: { reservationId, amountMinor: 100, currency: 'AED', reason: 'Goodwill', bearer: 'AGENCY' },
});

/** By the step that is due in the saga that is open: the sagas of the same stay that can be accepted then. All others are refused. */
const ALLOWED: Readonly<Record<string, Readonly<Record<string, readonly string[]>>>> = {
  checkOut: {
    deactivatePropertyAmenities: ['processPayment', 'refundReservation'],
    generateCheckOutReport: ['processPayment', 'refundReservation'],
    sendThankYouNotification: ['processPayment', 'refundReservation'],
  },
};

const outcomeOf = (accepting: Promise<unknown>): Promise<string> =>
  accepting.then(
    () => 'accepted',
    (error: unknown) => (error instanceof RoomyError ? error.code : String(error)),
  );

describe.each(OF_STAYS.map((definition) => [definition.name, definition] as const))(
  'while %s is open',
  (name, definition) => {
    let lab: Lab;
    beforeAll(async () => {
      lab = await openLab(definition, await fixtureOf(definition));
      for (const other of OF_STAYS) lab.bed.register(other);
    }, 60_000);
    afterAll(() => lab?.close(), 60_000);

    it.each(definition.steps.map((step) => [step.name, step] as const))(
      'with %s due, only sagas that need no kind of its own are accepted for the same stay',
      async (stepName, step) => {
        const saga = await lab.begin([], { by: 'hand' });
        await saga.walkTo({ step, direction: 'F' });
        const { subject_id, holds_state, holds_money } = await lab.bed.db
          .selectFrom('saga')
          .select(['subject_id', 'holds_state', 'holds_money'])
          .where('id', '=', saga.id)
          .executeTakeFirstOrThrow();
        const held = heldAt(definition, step.no);
        expect({ state: holds_state, money: holds_money }).toEqual({
          state: held.includes('state'),
          money: held.includes('money'),
        });
        const allowed = ALLOWED[name]?.[stepName] ?? [];
        for (const other of OF_STAYS) {
          const asked = { subjectId: subject_id, input: inputsOf(subject_id)[other.name] };
          const outcome = await outcomeOf(lab.bed.accept(lab.racers[1], other, asked));
          expect(`${other.name} ${outcome}`).toBe(
            `${other.name} ${allowed.includes(other.name) ? 'accepted' : 'SAGA_IN_PROGRESS'}`,
          );
          // So that the next is refused, or not, by the first alone.
          if (outcome === 'accepted') await finish(lab, subject_id, other);
        }
        await saga.walkToEnd();
        await saga.rests('completed');
      },
    );
  },
);

/** Whatever its outcome is. */
async function finish(lab: Lab, subjectId: string, { name }: SagaDefinition): Promise<void> {
  const { id } = await lab.bed.db
    .selectFrom('saga')
    .select('id')
    .where('subject_id', '=', subjectId)
    .where('name', '=', name)
    .where('finished_at', 'is', null)
    .executeTakeFirstOrThrow();
  await finishByHand(lab.bed, lab.racers[1], id);
}

describe('a check-out whose lock does not answer', () => {
  let bed: Testbed;
  let sandbox: Sandbox;
  let process: TestProcess;
  beforeAll(async () => {
    sandbox = await openSandbox();
    bed = await createTestbed(DEFINITIONS, sandbox.ports);
    await prepareStays(bed.db);
    process = await bed.start({ prefix: bed.newPrefix(), works: false, relay: false });
  });
  afterAll(async () => {
    await bed?.drop();
    await sandbox?.close();
  });
  const wire = async (reservationId: string, device: string) => {
    const { property_id } = await stayOf(bed.db, reservationId);
    await bed.db.updateTable('property').set({ amenity_device: device }).where('id', '=', property_id).execute();
  };

  it('keeps nobody from paying, ends when a person has it tried again, and no two sagas hold one kind', async () => {
    const world: World = { sandbox, helper: { bed, process } };
    const id = await confirmedStay(world, bed.db);
    await ranTo(world, checkIn, { subjectId: id, input: visitInput(id) });
    await wire(id, `device-down-${id}`);
    const departure = await bed.accept(process, checkOut, { subjectId: id, input: visitInput(id) });
    await finishByHand(bed, process, departure.sagaId);
    expect(await restOf(bed.db, departure.sagaId)).toBe('parked');

    const payments = await Promise.all(
      ['one', 'two', 'three'].map((reference) =>
        outcomeOf(
          bed.accept(process, processPayment, { subjectId: id, input: paymentInput(id, `${reference}-${id}`) }),
        ),
      ),
    );
    expect(payments.toSorted()).toEqual(['SAGA_IN_PROGRESS', 'SAGA_IN_PROGRESS', 'accepted']);
    const { id: payment } = await bed.db
      .selectFrom('saga')
      .select('id')
      .where('subject_id', '=', id)
      .where('name', '=', 'processPayment')
      .executeTakeFirstOrThrow();
    await finishByHand(bed, process, payment);
    expect(await restOf(bed.db, payment)).toBe('completed');
    expect(await netByAccount(bed.db, payment)).toMatchObject({ 'agency_fee:AED': -25_000 });

    await wire(id, `lock-of-${id}`);
    const person = { by: 'olivia', requestId: null, via: 'api' } as const;
    expect(await process.engine.orchestrator.retry({ sagaId: departure.sagaId, ...person })).toBe('resumed');
    await finishByHand(bed, process, departure.sagaId);
    expect(await restOf(bed.db, departure.sagaId)).toBe('completed');
    expect(await endings(bed.db, departure.sagaId)).toEqual(['RESERVATION_CHECKED_OUT']);
    expect(await stayOf(bed.db, id)).toMatchObject({ status: 'CHECKED_OUT', payment_status: 'PAID' });
  });

  it('is not accepted beside a payment, whichever of them comes first', async () => {
    const world: World = { sandbox, helper: { bed, process } };
    for (let round = 0; round < 5; round += 1) {
      const id = await confirmedStay(world, bed.db);
      await ranTo(world, checkIn, { subjectId: id, input: visitInput(id) });
      const outcomes = await Promise.all([
        outcomeOf(bed.accept(process, checkOut, { subjectId: id, input: visitInput(id) })),
        outcomeOf(bed.accept(process, processPayment, { subjectId: id, input: paymentInput(id, referenceOf(id)) })),
      ]);
      expect(outcomes.toSorted()).toEqual(['SAGA_IN_PROGRESS', 'accepted']);
    }
  });
});
