import { z } from 'zod';
import {
  assertCancellable,
  bookRefunds,
  decideRefund,
  INITIATORS,
  needsSecondPerson,
} from '../domain/finance/cancellation.ts';
import { assertApproved } from '../domain/finance/payable.ts';
import { awaitRefunds } from '../domain/finance/refund.ts';
import { enqueueMessages, orderMessages, skipWaitingMessages } from '../domain/notifications/enqueue.ts';
import {
  cancelledMessages,
  countNotifications,
  refundAffectsPayoutMessage,
  taskStayCancelledMessage,
  taskWithdrawnMessage,
} from '../domain/notifications/matrix.ts';
import { cancel } from '../domain/reservations/transition.ts';
import { cancelTasksOf, reopenTasks } from '../domain/tasks/cancel-tasks.ts';
import { toMajor } from '../kernel/money.ts';
import { executeRefund } from './execute-refund.ts';
import { acceptWithin } from './orchestrator/accept.ts';
import { saga } from './orchestrator/definition.ts';

export const CancelReservation = z.strictObject({
  reservationId: z.string(),
  initiator: z.enum(INITIATORS).default('GUEST'),
  reason: z.string().nullable().default(null),
  percentOverride: z.int().min(0).max(100).nullable().default(null),
});

/** How long the answer waits for the gateway; the refund goes on by itself after that (domain.md 9.5). */
const REFUND_BUDGET_MS = 1_500;

/** Orchestrator.md, workflow 4. */
export const cancelReservation = saga('cancelReservation', CancelReservation, {
  version: 1,
  subjectType: 'reservation',
  notFound: 'RESERVATION_NOT_FOUND',
})
  .read('validateCancellation', {
    // A second person is asked before anything has changed, so that a no leaves nothing behind.
    parksOn: ['APPROVAL_REQUIRED'],
    run: async ({ db, ports, subjectId, input, requestedAt, requestedBy, sagaId }) => {
      const stay = await assertCancellable(db, subjectId, requestedAt);
      const refund = await decideRefund(db, ports, stay, input, requestedAt);
      const review = { score: 100, signals: [{ rule: 'REFUND_OVERRIDE', points: 100 }] };
      await assertApproved(db, sagaId, requestedBy, needsSecondPerson(stay, input, refund) ? review : null);
      return stay;
    },
  })
  .tx('cancelRelatedTasks', {
    run: ({ tx, subjectId }) => cancelTasksOf(tx, subjectId),
    compensate: async ({ tx, done }) => {
      if (done.own) await reopenTasks(tx, done.own);
    },
  })
  .read('calculateRefundAmount', {
    run: ({ db, ports, done, input, requestedAt }) =>
      decideRefund(db, ports, done.validateCancellation, input, requestedAt),
  })
  .pivot()
  .tx('createRefundTransaction', {
    run: async ({ tx, done, requestedBy, ...step }) => {
      const refunds = await bookRefunds(
        tx,
        { ...step, requestedBy },
        done.validateCancellation,
        done.calculateRefundAmount,
      );
      for (const refundId of refunds.refundIds) {
        await acceptWithin(tx, executeRefund, {
          subjectId: refundId,
          input: { refundId },
          requester: { sub: requestedBy, requestId: null },
          key: `refund-${refundId}`,
        });
      }
      return refunds;
    },
  })
  .statement('updateReservationStatus', {
    values: ({ input }) => ({ reason: input.reason }),
    run: cancel,
    also: skipWaitingMessages,
    onNoRow: 'INVALID_STATE_TRANSITION',
  })
  .statement('sendCancellationNotification', {
    values: ({ key, done }) => {
      const stay = done.validateCancellation;
      const { ownerMinor } = done.createRefundTransaction;
      const refund = { ...done.calculateRefundAmount, currency: stay.currency };
      const assigned = done.cancelRelatedTasks.cancelled.flatMap(({ taskId, assigneeId }) =>
        assigneeId === null ? [] : [taskWithdrawnMessage(assigneeId, taskId)],
      );
      const owner =
        ownerMinor > 0
          ? [refundAffectsPayoutMessage(stay.ownerId, { amountMinor: ownerMinor, currency: stay.currency })]
          : [];
      const atWork = done.cancelRelatedTasks.working.map((task) =>
        taskStayCancelledMessage(task.assigneeId, task.taskId),
      );
      return orderMessages(key, [...cancelledMessages(stay, refund), ...owner, ...assigned, ...atWork]);
    },
    run: enqueueMessages,
  })
  .ends(async ({ db, subjectId, done }) => {
    const stay = done.validateCancellation;
    const { percent, amountMinor, excessMinor, rule, daysBeforeCheckIn } = done.calculateRefundAmount;
    const { refundIds } = done.createRefundTransaction;
    const { cancelled, inProgress } = done.cancelRelatedTasks;
    const status = refundIds.length === 0 ? 'NONE' : await awaitRefunds(db, subjectId, REFUND_BUDGET_MS);
    const amount = toMajor({ amountMinor: amountMinor + excessMinor, currency: stay.currency });
    const refund = {
      percent,
      amount,
      currency: stay.currency,
      rule,
      daysBeforeCheckIn,
      status,
      transactionIds: refundIds,
    };
    const messages = cancelledMessages(stay, { ...done.calculateRefundAmount, currency: stay.currency });
    return {
      event: 'RESERVATION_CANCELLED',
      message: 'Reservation cancelled successfully',
      data: {
        reservation: { id: subjectId, status: 'CANCELLED' },
        refund,
        tasks: cancelled.map(({ taskId }) => ({ id: taskId, status: 'CANCELLED' })),
        tasksInProgress: inProgress,
        warnings: inProgress.length > 0 ? ['TASKS_IN_PROGRESS'] : [],
      },
      details: {
        percent,
        refundMinor: amountMinor + excessMinor,
        rule,
        tasksCancelled: cancelled.length,
        transactionsCreated: refundIds.length,
        notificationsSent: countNotifications(messages),
      },
    };
  });
