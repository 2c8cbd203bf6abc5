import { z } from 'zod';
import { goneOf } from '../../domain/finance/charge-record.ts';
import {
  type GatewayAnswer,
  markRefund,
  noteRefundAnswer,
  readRefund,
  recordRefund,
} from '../../domain/finance/refund.ts';
import { refundProcessedMessage } from '../../domain/messages/catalogue/refund-processed.ts';
import { enqueueMessagesAbout, orderMessages } from '../../domain/notifications/enqueue.ts';
import { saga } from '../../engine/definition.ts';
import { toldByHand } from '../told-by-hand.ts';

export const ExecuteRefund = z.strictObject({ refundId: z.string() });

/** A gateway may be away for hours; the guest's money waits for it, and after that for a person. */
const RETRY = { attempts: 50, baseMs: 500, maxMs: 10 * 60_000 };
const DEADLINE_MS = 3 * 24 * 60 * 60_000;

/** Only the gateway's own record says that the money has gone another way. */
const OWED = {
  follows:
    'Nothing is sent or booked, and nobody can retry it any more. The books say that the refund is owed until the record of the gateway shows that it was made there; one that was made in another way is never booked by itself.',
} as const;

/**
 * Sends back what a cancellation booked. The debt to the guest stands already: a gateway that refuses for good does not
 * undo it, but calls a person (domain.md 9.5).
 */
export const executeRefund = saga('executeRefund', ExecuteRefund, {
  version: 1,
  subjectType: 'transaction',
  notFound: 'NOT_FOUND',
  deadlineMs: DEADLINE_MS,
  notCancelled: 'The guest is owed this refund, and it would be sent again: pause it, or settle it by hand',
})
  .read('validateRefund', {
    // The refund is owed: what cannot be looked up now waits for a person, and is not dropped.
    onExhausted: 'park',
    ifResolved: OWED,
    run: ({ db, input }) => readRefund(db, input.refundId),
  })
  .pivot()
  .call('refundAtGateway', {
    foresees: 'ports',
    speaksTo: ({ done }) => done.validateRefund.gatewayId,
    retry: RETRY,
    onExhausted: 'park',
    ifResolved: OWED,
    prepare: ({ tx, input, inDoubt }) => markRefund(tx, input.refundId, inDoubt),
    run: async ({ ports, done: { validateRefund: refund }, key, signal }): Promise<GatewayAnswer> => {
      const { gatewayId, gatewayReference: reference, chargeId, amountMinor, currency } = refund;
      const gateway = ports.gateway(gatewayId);
      const answer = await gateway.refund({ key, gatewayId, reference, chargeId, amountMinor, currency }, signal);
      if (answer.done) return answer;
      // It may be refused because a person has refunded the charge at the gateway itself.
      return { ...answer, goneMinor: goneOf(await gateway.recordOf({ gatewayId, reference, chargeId }, signal)) };
    },
    book: ({ tx, sagaId, done, answer }) => noteRefundAnswer(tx, { sagaId, refund: done.validateRefund }, answer),
    compensate: {
      // The gateway's own refusal is an answer; only ours comes here, before anything was sent. The debt stands.
      run: async () => ({ done: false, reason: 'NOT_SENT' }) as const,
      book: ({ tx, sagaId, done, answer }) => noteRefundAnswer(tx, { sagaId, refund: done.validateRefund }, answer),
    },
  })
  .tx('recordRefund', {
    run: async ({ tx, done, ...step }) => {
      await recordRefund(tx, step, done.validateRefund, done.refundAtGateway);
      return { refunded: done.refundAtGateway.done };
    },
  })
  .statement('sendRefundNotification', {
    skippable: toldByHand('the guest'),
    values: ({ key, done: { validateRefund: refund, refundAtGateway } }) => {
      const { amountMinor, currency } = refund;
      const processed = refundAtGateway.done ? [refundProcessedMessage(refund, { amountMinor, currency })] : [];
      return orderMessages(key, processed, refund.reservationId);
    },
    run: enqueueMessagesAbout,
  })
  .ends(async ({ input, done: { validateRefund: refund, refundAtGateway } }) => ({
    event: refundAtGateway.done ? 'REFUND_PROCESSED' : 'REFUND_MANUAL_REQUIRED',
    message: refundAtGateway.done
      ? 'Refund processed successfully'
      : 'The gateway refused the refund: a person must see to it',
    data: {
      refundId: input.refundId,
      status: refundAtGateway.done ? 'COMPLETED' : 'MANUAL_REQUIRED',
      reason: refundAtGateway.reason,
    },
    details: { refundId: input.refundId, reservationId: refund.reservationId },
  }));
