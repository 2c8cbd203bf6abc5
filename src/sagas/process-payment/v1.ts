import { z } from 'zod';
import {
  askSecondPerson,
  assertApproved,
  assertNoQuestion,
  assertNotDeclined,
} from '../../domain/approvals/of-saga.ts';
import { tellApprovedUndone } from '../../domain/approvals/tell-asker.ts';
import { cardFingerprintOf } from '../../domain/finance/card.ts';
import {
  bookFees,
  bookOwnerShare,
  type DistributionContext,
  planDistribution,
  undoOwnerShare,
} from '../../domain/finance/distribution.ts';
import { assessCard } from '../../domain/finance/fraud.ts';
import { checkCapturedCharge } from '../../domain/finance/gateway-events.ts';
import { reverseStep } from '../../domain/finance/ledger.ts';
import { assertPayable, type PayableStay, paymentQuestion, referenceReused } from '../../domain/finance/payable.ts';
import { type BookedPayment, bookPayment, claimPayment, takeBackPayment } from '../../domain/finance/payment.ts';
import { assertTaken } from '../../domain/finance/payment-amount.ts';
import { paymentOutcome } from '../../domain/finance/payment-outcome.ts';
import { paymentConfirmedMessages } from '../../domain/messages/catalogue/payment-confirmed.ts';
import { paymentFailedMessage } from '../../domain/messages/catalogue/payment-failed.ts';
import { payoutScheduledMessage } from '../../domain/messages/catalogue/payout-scheduled.ts';
import { raiseAlert } from '../../domain/notifications/alerts.ts';
import { enqueueInTransaction, enqueueMessages, orderMessages } from '../../domain/notifications/enqueue.ts';
import { derivePaymentStatus, restorePaymentStatus } from '../../domain/reservations/store.ts';
import { saga } from '../../engine/definition.ts';
import type { StepContext } from '../../engine/step.ts';
import { RoomyError, required } from '../../kernel/errors.ts';
import { hasTold, sentUnlessSkipped, toldByHand } from '../told-by-hand.ts';

export const ProcessPayment = z.strictObject({
  reservationId: z.string(),
  amountMinor: z.int().positive(),
  currency: z.string(),
  paymentMethod: z.string().nullable(),
  gatewayId: z.string(),
  gatewayReference: z.string(),
  /** The gateway has captured the money already and told us so. */
  captured: z.boolean().default(false),
  /** What the fraud rules found when the request was accepted; null: nothing to decide. */
  review: z
    .strictObject({
      score: z.int(),
      signals: z.array(
        z.strictObject({ rule: z.string(), points: z.int(), observed: z.number(), threshold: z.number() }),
      ),
    })
    .nullable()
    .default(null),
});
type Input = z.output<typeof ProcessPayment>;

/** A saga that passed the step before there were fingerprints has none. */
type Payable = PayableStay & { readonly cardFingerprint?: string | null };
type Booked = { readonly validatePayment: PayableStay; readonly createGuestPaymentTransaction: BookedPayment };
const booked = (context: StepContext<Input, Booked>): DistributionContext => ({
  step: context,
  stay: context.done.validatePayment,
  payment: context.done.createGuestPaymentTransaction,
});
/** A charge goes out under the key of its step, whoever asks about it later. */
const chargeOf = (input: Input) => ({
  gatewayId: input.gatewayId,
  reference: input.gatewayReference,
  amountMinor: input.amountMinor,
  currency: input.currency,
  reservationId: input.reservationId,
});

/** The brief's workflow 5 (domain.md 1.1). A client waits for it, so its retries are quick and few. */
const RETRY = { attempts: 8, baseMs: 100, maxMs: 1_500 };

export const processPayment = saga('processPayment', ProcessPayment, {
  version: 1,
  // A check-out that only waits for its devices keeps nobody from paying, or from being paid back.
  locks: ['money'],
  subjectType: 'reservation',
  notFound: 'RESERVATION_NOT_FOUND',
  whenUndone: tellApprovedUndone,
})
  .read('validatePayment', {
    speaksTo: ({ input }) => input.gatewayId,
    parksOn: ['APPROVAL_REQUIRED'],
    parksUnlocked: true,
    whenParked: askSecondPerson,
    expectedRefusals: ['APPROVAL_DECLINED'],
    conceals: ['cardFingerprint'],
    run: async ({ db, ports, input, sagaId, subjectId, requestedAt }): Promise<Payable> => {
      // Money that the gateway holds already is booked, whatever the card, and whatever somebody is asked about the stay.
      if (input.captured) return assertPayable(db, input, requestedAt, sagaId);
      assertNoQuestion(await assertNotDeclined(db, subjectId, sagaId));
      const stay = await assertPayable(db, input, requestedAt, sagaId);
      assertTaken(ports, input);
      const { gatewayId, gatewayReference: reference } = input;
      const fingerprint = await cardFingerprintOf(ports, { gatewayId, reference });
      const card = { gatewayId, fingerprint, at: requestedAt };
      const { score, verdict, signals } = await assessCard(db, card, input.review?.signals ?? []);
      // Nobody is asked to approve what is blocked.
      if (verdict === 'BLOCK') throw new RoomyError('PAYMENT_BLOCKED', { details: { score, signals } });
      if (verdict === 'REVIEW')
        await assertApproved(db, sagaId, paymentQuestion(stay, input, signals), { score, signals });
      return { ...stay, cardFingerprint: fingerprint };
    },
  })
  .call('createGuestPaymentTransaction', {
    foresees: 'ports',
    speaksTo: ({ input }) => input.gatewayId,
    retry: RETRY,
    expectedRefusals: ['PAYMENT_DECLINED', 'GATEWAY_REFERENCE_REUSED'],
    onOpenCircuit: 'refuse',
    prepare: ({ tx, input, done: { validatePayment: stay }, ...step }) =>
      claimPayment(tx, step, stay, { ...input, cardFingerprint: stay.cardFingerprint ?? null }),
    run: ({ ports, input, key, signal }) =>
      ports
        .gateway(input.gatewayId)
        .charge({ ...chargeOf(input), key, ...(input.captured && { isCaptured: true }) }, signal),
    book: async ({ tx, input, done, answer, ...step }) => {
      const payment = await bookPayment(tx, step, done.validatePayment, answer);
      if (input.captured) await checkCapturedCharge(tx, payment.paymentId);
      return payment;
    },
    explain: async ({ input, failure }) =>
      'constraint' in failure && failure.constraint === 'one_claim' ? referenceReused(input) : undefined,
    compensate: {
      run: async ({ ports, input, key, forwardKey, inDoubt, signal }) =>
        inDoubt
          ? ports.gateway(input.gatewayId).undoCharge({ ...chargeOf(input), key, chargeKey: forwardKey }, signal)
          : { outcome: 'nothing' as const },
      book: async ({ tx, input, done, answer, ...step }) => {
        const { reversed, code, isOutage } = await takeBackPayment(tx, step, done.own);
        const messages = [paymentFailedMessage(done.validatePayment, { code, ...input })];
        const about = { sagaId: step.sagaId, reservationId: input.reservationId };
        await enqueueInTransaction(tx, step.key, messages, about);
        if (isOutage) {
          await raiseAlert(tx, {
            about: 'undone-saga',
            id: step.sagaId,
            source: 'processPayment',
            step: 'createGuestPaymentTransaction',
            code,
            group: `gateway-outage-${input.gatewayId}`,
          });
        }
        return { outcome: answer.outcome, reversed };
      },
    },
  })
  .statement('updateReservationPaymentStatus', {
    run: derivePaymentStatus,
    onNoRow: 'STEP_FAILED',
    compensate: {
      values: ({ done }) => required(done.own, 'the payment status before'),
      run: restorePaymentStatus,
      onNoRow: 'SUPERSEDED',
    },
  })
  .read('calculateIncomeDistribution', {
    run: ({ db, done, requestedAt }) =>
      planDistribution(db, done.validatePayment, done.createGuestPaymentTransaction, requestedAt),
  })
  .tx('createOwnerPayoutTransaction', {
    run: ({ tx, ...context }) => bookOwnerShare(tx, booked(context), context.done.calculateIncomeDistribution),
    compensate: ({ tx, ...context }) =>
      undoOwnerShare(tx, booked(context), context.done.calculateIncomeDistribution, context.done.own),
  })
  .tx('createAgencyFeeTransaction', {
    run: ({ tx, ...context }) => bookFees(tx, booked(context), context.done.calculateIncomeDistribution),
    compensate: ({ tx, ...step }) => reverseStep(tx, { ...step, postedBy: step.requestedBy }),
  })
  .retriable()
  .statement('sendPaymentConfirmation', {
    skippable: toldByHand('the guest and the owner'),
    values: ({ key, input, done }) =>
      orderMessages(
        key,
        paymentConfirmedMessages(done.validatePayment, {
          amountMinor: done.createGuestPaymentTransaction.amountMinor,
          currency: input.currency,
          outstandingMinor: done.createGuestPaymentTransaction.outstandingMinor,
          receiptId: done.createGuestPaymentTransaction.guestPaymentId,
        }),
      ),
    run: enqueueMessages,
  })
  .statement('sendPayoutNotification', {
    skippable: toldByHand('the owner'),
    values: ({ key, input, done }) => {
      const { amountMinor, transactionId } = done.createOwnerPayoutTransaction;
      const { scheduledFor } = done.calculateIncomeDistribution;
      const { ownerId } = done.validatePayment;
      const scheduled = { amountMinor, currency: input.currency, scheduledFor };
      return orderMessages(key, transactionId === null ? [] : [payoutScheduledMessage(ownerId, scheduled)]);
    },
    run: enqueueMessages,
  })
  .ends(async ({ db, done, isLastSkipped }) => {
    const hasPayout = done.createOwnerPayoutTransaction.transactionId !== null;
    const outcome = await paymentOutcome(db, {
      stay: done.validatePayment,
      payment: done.createGuestPaymentTransaction,
      share: done.createOwnerPayoutTransaction,
      fees: done.createAgencyFeeTransaction,
      distribution: done.calculateIncomeDistribution,
    });
    return {
      event: 'PAYMENT_PROCESSED',
      message: 'Payment processed successfully',
      data: outcome,
      details: {
        transactionsCreated: outcome.transactionsCreated,
        guestPaymentId: done.createGuestPaymentTransaction.guestPaymentId,
        ...(done.createOwnerPayoutTransaction.transactionId === null
          ? {}
          : { ownerPayoutId: done.createOwnerPayoutTransaction.transactionId }),
        notificationsSent:
          (hasTold(done.sendPaymentConfirmation) ? 1 : 0) + sentUnlessSkipped(hasPayout ? 1 : 0, isLastSkipped),
      },
    };
  });
