import { type QueryCreator, sql } from 'kysely';
import { expect } from 'vitest';
import { z } from 'zod';
import type { Tx } from '../../src/db/client.ts';
import type { FusedDatabase, ValueRefs } from '../../src/db/fused.ts';
import { cancelAmountDue, createAmountDue } from '../../src/domain/finance/store/amount-due.ts';
import { withdrawTask } from '../../src/domain/tasks/store/ensure.ts';
import { saga } from '../../src/engine/definition.ts';
import { newId } from '../../src/kernel/ids.ts';
import type { SagaFixture } from '../faults/lab.ts';
import { endings, prepareStays, seedStay } from './confirmation.ts';
import { createProvider } from './provider.ts';

/**
 * A saga of no business sense that has every kind of step, on both sides of a point of no return: the paths of the
 * orchestrator that the confirmation does not take.
 */

export const provider = createProvider();

interface TaskValues {
  readonly taskId: string;
}

/** A statement step: one task, written by one statement over `guard`. */
export const planInspection = (db: QueryCreator<FusedDatabase>, value: ValueRefs<TaskValues>) =>
  db
    .insertInto('task')
    .columns([
      'id',
      'reservation_id',
      'property_id',
      'type',
      'occurrence',
      'title',
      'status',
      'scheduled_at',
      'ends_at',
      'created_by_saga',
      'effect_key',
    ])
    .expression((eb) =>
      eb
        .selectFrom('guard')
        .innerJoin('reservation as r', 'r.id', 'guard.subject_id')
        .select([
          value.text('taskId').as('id'),
          'guard.subject_id',
          'r.property_id',
          sql<'INSPECTION'>`'INSPECTION'`.as('type'),
          sql<string>`'ERRAND'`.as('occurrence'),
          sql<string>`'Inspection'`.as('title'),
          sql<'UNASSIGNED'>`'UNASSIGNED'`.as('status'),
          'guard.requested_at',
          sql<Date>`guard.requested_at + interval '1 hour'`.as('ends_at'),
          'guard.saga_id',
          'guard.effect_key',
        ]),
    )
    .returning([sql<string>`reservation_id`.as('subject_id'), 'id as taskId']);

/** A step in free TypeScript: another task. */
export async function noteVisit(
  tx: Tx,
  at: { sagaId: string; subjectId: string; key: string; requestedAt: Date },
  type: 'MAINTENANCE' | 'EMERGENCY',
) {
  const { property_id } = await tx
    .selectFrom('reservation')
    .select('property_id')
    .where('id', '=', at.subjectId)
    .executeTakeFirstOrThrow();
  const taskId = newId('task');
  await tx
    .insertInto('task')
    .values({
      id: taskId,
      reservation_id: at.subjectId,
      property_id,
      type,
      occurrence: 'ERRAND',
      title: 'Visit',
      status: 'UNASSIGNED',
      scheduled_at: at.requestedAt,
      ends_at: new Date(at.requestedAt.getTime() + 3_600_000),
      created_by_saga: at.sagaId,
      effect_key: at.key,
    })
    .execute();
  return { taskId };
}

export const runErrand = saga('runErrand', z.strictObject({ note: z.string() }), {
  version: 1,
  subjectType: 'reservation',
  notFound: 'RESERVATION_NOT_FOUND',
})
  .read('lookAround', {
    run: async ({ db, subjectId }) => {
      const stay = await db
        .selectFrom('reservation')
        .select(['total_minor', 'currency'])
        .where('id', '=', subjectId)
        .executeTakeFirstOrThrow();
      return { amountMinor: stay.total_minor, currency: stay.currency };
    },
  })
  .statement('planInspection', {
    values: () => ({ taskId: newId('task') }),
    run: planInspection,
    onNoRow: 'STEP_FAILED',
    compensate: { run: withdrawTask },
  })
  .tx('noteVisit', {
    run: ({ tx, ...at }) => noteVisit(tx, at, 'MAINTENANCE'),
    compensate: async ({ tx, forwardKey }) => {
      await tx.updateTable('task').set({ status: 'CANCELLED' }).where('effect_key', '=', forwardKey).execute();
    },
  })
  .call('bookCar', {
    run: ({ key }) => provider.act(key),
    foresees: ({ key }) => ({ reference: `ref-${key}` }),
    compensate: ({ key, forwardKey }) => provider.cancel(key, forwardKey),
  })
  .call('reserveParts', {
    onExhausted: 'park',
    run: ({ key }) => provider.act(key),
    foresees: ({ key }) => ({ reference: `ref-${key}` }),
    compensate: ({ key, forwardKey }) => provider.cancel(key, forwardKey),
  })
  .pivot()
  .call('captureDeposit', {
    run: ({ key }) => provider.act(key),
    foresees: ({ key }) => ({ reference: `ref-${key}` }),
    compensate: ({ key, forwardKey }) => provider.cancel(key, forwardKey),
  })
  .read('lookAtDeposit', { run: async ({ done }) => ({ reference: done.captureDeposit.reference }) })
  .tx('bookDeposit', {
    ifResolved: { follows: 'Nothing is booked, and no receipt is sent.' },
    run: ({ tx, ...at }) => noteVisit(tx, at, 'EMERGENCY'),
  })
  .call('sendReceipt', {
    run: ({ key }) => provider.act(key),
    foresees: ({ key }) => ({ reference: `ref-${key}` }),
  })
  .statement('owe', {
    values: ({ done: { lookAround } }) => ({
      transactionId: newId('transaction'),
      ownerId: 'owner-1',
      distributionVersion: 1,
      ...lookAround,
    }),
    run: createAmountDue,
    onNoRow: 'STEP_FAILED',
  })
  .ends(async ({ done }) => ({
    event: 'ERRAND_RUN',
    message: 'Errand run',
    data: { receipt: done.sendReceipt.reference },
    details: {},
  }));

/** The same without anything outside, for tests that want a short saga; its last step is a plain change. */
export const shortErrand = saga('shortErrand', z.strictObject({ note: z.string() }), {
  version: 1,
  subjectType: 'reservation',
  notFound: 'RESERVATION_NOT_FOUND',
})
  .statement('owe', {
    values: () => ({
      transactionId: newId('transaction'),
      ownerId: 'owner-1',
      amountMinor: 100,
      currency: 'AED',
      distributionVersion: 1,
    }),
    run: createAmountDue,
    onNoRow: 'STEP_FAILED',
    compensate: { run: cancelAmountDue },
  })
  .statement('planInspection', {
    values: () => ({ taskId: newId('task') }),
    run: planInspection,
    onNoRow: 'STEP_FAILED',
    compensate: { run: withdrawTask },
  })
  .ends(async () => ({ event: 'ERRAND_RUN', message: 'Errand run', data: {}, details: {} }));

const CALLS = [4, 5, 6, 9];

export const errand: SagaFixture = {
  prepare: prepareStays,
  seed: async (db) => ({ subjectId: await seedStay(db), input: { note: 'mind the step' } }),
  completed: async (db, { sagaId, subjectId }) => {
    const tasks = await db
      .selectFrom('task')
      .select('effect_key')
      .where('reservation_id', '=', subjectId)
      .where('status', '<>', 'CANCELLED')
      .orderBy('effect_key')
      .execute();
    expect(tasks.map((task) => task.effect_key)).toEqual([2, 3, 8].map((step) => `${sagaId}-${step}-F`));
    const money = await db.selectFrom('transaction').select('status').where('reservation_id', '=', subjectId).execute();
    expect(money).toEqual([{ status: 'PENDING' }]);
    expect(actsOf(sagaId)).toEqual(CALLS.map((step) => `${sagaId}-${step}-F`));
    expect(provider.netOf(sagaId)).toBe(CALLS.length);
    expect(await endings(db, sagaId)).toEqual(['ERRAND_RUN']);
  },
  compensated: async (db, { sagaId, subjectId }) => {
    const tasks = await db
      .selectFrom('task')
      .select('id')
      .where('reservation_id', '=', subjectId)
      .where('status', '<>', 'CANCELLED')
      .execute();
    expect(tasks).toEqual([]);
    expect(await db.selectFrom('transaction').selectAll().where('reservation_id', '=', subjectId).execute()).toEqual(
      [],
    );
    expect(provider.netOf(sagaId)).toBe(0);
    expect(new Set(actsOf(sagaId)).size).toBe(actsOf(sagaId).length);
    expect(await endings(db, sagaId)).toEqual(['SAGA_COMPENSATED']);
  },
};

const actsOf = (sagaId: string): readonly string[] =>
  provider.record.filter(({ what, key }) => what === 'acted' && key.startsWith(`${sagaId}-`)).map(({ key }) => key);
