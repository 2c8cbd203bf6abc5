import { z } from 'zod';
import { askSecondPerson } from '../../domain/approvals/of-saga.ts';
import { tellApprovedUndone } from '../../domain/approvals/tell-asker.ts';
import { assertRefundable, REFUND_BEARERS } from '../../domain/finance/goodwill.ts';
import { awaitRefunds } from '../../domain/finance/refund.ts';
import { bookRefunds } from '../../domain/finance/refund-booking.ts';
import { refundAffectsPayoutMessage } from '../../domain/messages/catalogue/refund-affects-payout.ts';
import { enqueueMessages, orderMessages } from '../../domain/notifications/enqueue.ts';
import { saga } from '../../engine/definition.ts';
import { toMajor } from '../../kernel/money.ts';
import { REFUND_BUDGET_MS, startRefunds } from '../execute-refund/start.ts';
import { sentUnlessSkipped, toldByHand } from '../told-by-hand.ts';

export const RefundReservation = z.strictObject({
  reservationId: z.string(),
  amountMinor: z.int().positive(),
  currency: z.string(),
  reason: z.string(),
  bearer: z.enum(REFUND_BEARERS),
});

/**
 * Gives back what a person decided: a guest's credit, or goodwill. It holds the stay like every saga of it, so two of
 * them, or one and a payment or a cancellation, cannot count the same money.
 */
export const refundReservation = saga('refundReservation', RefundReservation, {
  version: 1,
  // A check-out that only waits for its devices keeps nobody from paying, or from being paid back.
  locks: ['money'],
  subjectType: 'reservation',
  notFound: 'RESERVATION_NOT_FOUND',
  whenUndone: tellApprovedUndone,
})
  .read('validateRefund', {
    parksOn: ['APPROVAL_REQUIRED'],
    parksUnlocked: true,
    whenParked: askSecondPerson,
    expectedRefusals: ['APPROVAL_DECLINED'],
    run: ({ db, ports, input, ...step }) => assertRefundable(db, ports, input, step),
  })
  .pivot()
  .tx('createRefundTransaction', {
    run: async ({ tx, input, done, requestedBy, ...step }) => {
      const { amountMinor, bearer, reason } = input;
      const booked = await bookRefunds(tx, { ...step, requestedBy }, done.validateRefund, {
        amountMinor,
        bearer,
        details: { reason, bearer },
      });
      await startRefunds(tx, booked.refundIds, requestedBy);
      return booked;
    },
  })
  .statement('sendRefundNotice', {
    skippable: toldByHand('the owner'),
    // The guest is told when the money has gone; an owner at once, because a payout is changed at once.
    values: ({ key, done: { validateRefund: stay, createRefundTransaction: booked } }) =>
      orderMessages(
        key,
        booked.ownerMinor > 0
          ? [refundAffectsPayoutMessage(stay.ownerId, { amountMinor: booked.ownerMinor, currency: stay.currency })]
          : [],
      ),
    run: enqueueMessages,
  })
  .ends(async ({ db, subjectId, input, done, isAtOnce, isLastSkipped }) => {
    const { refundIds, ownerMinor } = done.createRefundTransaction;
    const { distributedMinor } = done.validateRefund;
    const { amountMinor, currency, bearer, reason } = input;
    const major = (minor: number): number => toMajor({ amountMinor: minor, currency });
    return {
      event: 'RESERVATION_REFUNDED',
      message: 'Refund started successfully',
      data: {
        reservation: { id: subjectId },
        refund: {
          amount: major(amountMinor),
          currency,
          reason,
          bearer,
          fromCredit: major(amountMinor - distributedMinor),
          takenFromOwner: major(ownerMinor),
          status: await awaitRefunds(db, refundIds, isAtOnce ? 0 : REFUND_BUDGET_MS),
          transactionIds: refundIds,
        },
      },
      details: {
        refundMinor: amountMinor,
        bearer,
        reason,
        transactionsCreated: refundIds.length,
        notificationsSent: sentUnlessSkipped(ownerMinor > 0 ? 1 : 0, isLastSkipped),
      },
    };
  });
