import { z } from 'zod';
import { askSecondPerson, assertApproved, assertNotDeclined } from '../../domain/approvals/of-saga.ts';
import { tellApprovedUndone } from '../../domain/approvals/tell-asker.ts';
import {
  assertCancellable,
  assertMoneyIsFree,
  bookCancellation,
  decideRefund,
  INITIATORS,
  overrideQuestion,
  REFUND_REVIEW,
} from '../../domain/finance/cancellation.ts';
import { awaitRefunds } from '../../domain/finance/refund.ts';
import { countNotifications } from '../../domain/messages/catalogue/deliveries.ts';
import { refundAffectsPayoutMessage } from '../../domain/messages/catalogue/refund-affects-payout.ts';
import { cancelledMessages } from '../../domain/messages/catalogue/reservation-cancelled.ts';
import { taskStayCancelledMessage } from '../../domain/messages/catalogue/task-stay-cancelled.ts';
import { taskWithdrawnMessage } from '../../domain/messages/catalogue/task-withdrawn.ts';
import { enqueueMessages, orderMessages } from '../../domain/notifications/enqueue.ts';
import { skipWaitingMessages } from '../../domain/notifications/store/move.ts';
import { cancel } from '../../domain/reservations/store.ts';
import { cancelTasksOf, reopenTasks } from '../../domain/stay-tasks/cancel-tasks.ts';
import { saga } from '../../engine/definition.ts';
import { toMajor } from '../../kernel/money.ts';
import { REFUND_BUDGET_MS, startRefunds } from '../execute-refund/start.ts';
import { sentUnlessSkipped, toldByHand } from '../told-by-hand.ts';

export const CancelReservation = z.strictObject({
  reservationId: z.string(),
  initiator: z.enum(INITIATORS).default('GUEST'),
  reason: z.string().nullable().default(null),
  percentOverride: z.int().min(0).max(100).nullable().default(null),
});

/** The brief's workflow 4 (domain.md 1.1). */
export const cancelReservation = saga('cancelReservation', CancelReservation, {
  version: 1,
  subjectType: 'reservation',
  notFound: 'RESERVATION_NOT_FOUND',
  whenUndone: tellApprovedUndone,
  // Written down with the stay, and decided by nobody.
  amendable: { reason: z.string().max(500).nullable() },
})
  .read('validateCancellation', {
    // A second person is asked before anything has changed, so that a no leaves nothing behind.
    parksOn: ['APPROVAL_REQUIRED'],
    parksUnlocked: true,
    whenParked: askSecondPerson,
    expectedRefusals: ['APPROVAL_DECLINED'],
    run: async ({ db, ports, subjectId, input, requestedAt, sagaId }) => {
      const open = await assertNotDeclined(db, subjectId, sagaId);
      const stay = await assertCancellable(db, subjectId, requestedAt);
      await assertMoneyIsFree(db, subjectId, open);
      const refund = await decideRefund(db, ports, stay, input, requestedAt);
      const question = await overrideQuestion(db, stay, input, refund, requestedAt);
      if (question) await assertApproved(db, sagaId, question, REFUND_REVIEW);
      return stay;
    },
  })
  .tx('cancelRelatedTasks', {
    run: ({ tx, subjectId }) => cancelTasksOf(tx, subjectId),
    compensate: async ({ tx, subjectId, done }) => {
      if (done.own) await reopenTasks(tx, subjectId, done.own);
    },
  })
  .read('calculateRefundAmount', {
    run: ({ db, ports, done, input, requestedAt }) =>
      decideRefund(db, ports, done.validateCancellation, input, requestedAt),
  })
  .pivot()
  .tx('createRefundTransaction', {
    run: async ({ tx, done, requestedBy, ...step }) => {
      const refunds = await bookCancellation(
        tx,
        { ...step, requestedBy },
        done.validateCancellation,
        done.calculateRefundAmount,
      );
      await startRefunds(tx, refunds.refundIds, requestedBy);
      return refunds;
    },
  })
  .statement('updateReservationStatus', {
    values: ({ input }) => ({ reason: input.reason }),
    run: cancel,
    secondEffect: skipWaitingMessages,
    onNoRow: 'INVALID_STATE_TRANSITION',
  })
  .statement('sendCancellationNotification', {
    skippable: toldByHand('the guest, the owner, and who had a task there'),
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
  .ends(async ({ db, subjectId, done, isAtOnce, isLastSkipped }) => {
    const stay = done.validateCancellation;
    const { percent, amountMinor, excessMinor, rule, daysBeforeCheckIn } = done.calculateRefundAmount;
    const { refundIds } = done.createRefundTransaction;
    const { cancelled, inProgress } = done.cancelRelatedTasks;
    const status = await awaitRefunds(db, refundIds, isAtOnce ? 0 : REFUND_BUDGET_MS);
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
        notificationsSent: sentUnlessSkipped(countNotifications(messages), isLastSkipped),
      },
    };
  });
