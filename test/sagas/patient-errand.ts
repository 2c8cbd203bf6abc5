import { expect } from 'vitest';
import { z } from 'zod';
import { createAmountDue } from '../../src/domain/finance/store/amount-due.ts';
import { withdrawTask } from '../../src/domain/tasks/store/ensure.ts';
import { saga } from '../../src/engine/definition.ts';
import { newId } from '../../src/kernel/ids.ts';
import type { SagaFixture } from '../faults/lab.ts';
import { endings, prepareStays, seedStay } from './confirmation.ts';
import { noteVisit, planInspection } from './errand.ts';

/** An errand with a wait on either side of its point of no return: one that fails in the end, and one that goes on. */

const DAY_MS = 24 * 3_600_000;
const Answer = z.strictObject({ decision: z.enum(['yes', 'no']) });

export const patientErrand = saga('patientErrand', z.strictObject({ note: z.string() }), {
  version: 1,
  subjectType: 'reservation',
  notFound: 'RESERVATION_NOT_FOUND',
})
  .statement('planInspection', {
    locks: ['state'],
    values: () => ({ taskId: newId('task') }),
    run: planInspection,
    onNoRow: 'STEP_FAILED',
    compensate: { run: withdrawTask },
  })
  .wait('approval', { timeoutMs: 2 * DAY_MS, onTimeout: 'fail', payload: Answer, foresees: { decision: 'yes' } })
  .pivot()
  .tx('noteVisit', {
    locks: ['state'],
    run: ({ tx, done, ...at }) =>
      noteVisit(tx, at, done.approval.signal.decision === 'yes' ? 'MAINTENANCE' : 'EMERGENCY'),
  })
  .wait('receipt', { timeoutMs: DAY_MS, onTimeout: 'continue', payload: Answer, foresees: { decision: 'yes' } })
  .statement('owe', {
    locks: ['money'],
    values: () => ({
      transactionId: newId('transaction'),
      ownerId: 'owner-1',
      amountMinor: 100,
      currency: 'AED',
      distributionVersion: 1,
    }),
    run: createAmountDue,
    onNoRow: 'STEP_FAILED',
  })
  .ends(async ({ done }) => ({
    event: 'ERRAND_RUN',
    message: 'Errand run',
    data: { receipt: done.receipt.signal?.decision ?? null },
    details: {},
  }));

export const patient: SagaFixture = {
  prepare: prepareStays,
  seed: async (db) => ({ subjectId: await seedStay(db), input: { note: 'take your time' } }),
  completed: async (db, { sagaId, subjectId }) => {
    const tasks = await db
      .selectFrom('task')
      .select('effect_key')
      .where('reservation_id', '=', subjectId)
      .where('status', '<>', 'CANCELLED')
      .orderBy('effect_key')
      .execute();
    expect(tasks.map((task) => task.effect_key)).toEqual([1, 3].map((step) => `${sagaId}-${step}-F`));
    const money = await db.selectFrom('transaction').select('status').where('reservation_id', '=', subjectId).execute();
    expect(money).toEqual([{ status: 'PENDING' }]);
    expect(await endings(db, sagaId)).toEqual(['ERRAND_RUN']);
  },
  compensated: async (db, { sagaId, subjectId }) => {
    const open = await db
      .selectFrom('task')
      .select('id')
      .where('reservation_id', '=', subjectId)
      .where('status', '<>', 'CANCELLED')
      .execute();
    expect(open).toEqual([]);
    expect(await db.selectFrom('transaction').select('id').where('reservation_id', '=', subjectId).execute()).toEqual(
      [],
    );
    expect(await endings(db, sagaId)).toEqual(['SAGA_COMPENSATED']);
  },
};
