import { z } from 'zod';
import {
  assertPayable,
  claimPayouts,
  failPayouts,
  openAccount,
  type PayoutOrder,
  payoutOutcome,
  recordPayouts,
} from '../../domain/finance/payout.ts';
import { payoutFailedMessage } from '../../domain/messages/catalogue/payout-failed.ts';
import { payoutProcessedMessage } from '../../domain/messages/catalogue/payout-processed.ts';
import { enqueueInTransaction, enqueueMessagesAbout, orderMessages } from '../../domain/notifications/enqueue.ts';
import { PAYOUT_BANK } from '../../domain/ports.ts';
import { saga } from '../../engine/definition.ts';
import { RoomyError } from '../../kernel/errors.ts';
import { sentUnlessSkipped, toldByHand } from '../told-by-hand.ts';

export const ProcessOwnerPayout = z.strictObject({
  payoutId: z.string(),
  /** Others of the same owner and currency, for one bank instruction. */
  also: z.array(z.string()).max(100).default([]),
  netting: z.boolean().default(false),
  strict: z.boolean().default(false),
  /** Of the owner's balance, minor units: not paid out, whatever is asked. */
  keepMinor: z.int().min(0).optional(),
});

/** A bank may be away for hours; nothing is lost by waiting for it. */
const RETRY = { attempts: 40, baseMs: 500, maxMs: 5 * 60_000 };
const DEADLINE_MS = 24 * 60 * 60_000;

/** The brief's `POST /transactions/:id/payout` (domain.md 8). */
export const processOwnerPayout = saga('processOwnerPayout', ProcessOwnerPayout, {
  version: 1,
  subjectType: 'transaction',
  notFound: 'NOT_FOUND',
  deadlineMs: DEADLINE_MS,
  notCancelled: 'The owner is owed this payout, and it would be sent again: pause it, or settle it by hand',
})
  .read('validatePayout', {
    run: ({ db, ports, input, ...saga }): Promise<PayoutOrder> => assertPayable(db, ports, input, saga),
  })
  .pivot()
  .call('executePayout', {
    foresees: 'ports',
    speaksTo: () => PAYOUT_BANK,
    retry: RETRY,
    onExhausted: 'park',
    ifResolved: {
      follows:
        'Nothing is sent or booked, and nobody can retry it any more. The books say that the owner is owed this payout, and no other one takes its place: resolve only what was paid in another way.',
    },
    prepare: async ({ tx, sagaId, input, done }) => ({
      ...(await claimPayouts(tx, sagaId, done.validatePayout, input)),
      account: await openAccount(tx, done.validatePayout),
    }),
    run: async ({ ports, done, key, prepared, signal }) => {
      const { currency } = done.validatePayout;
      const { account } = prepared;
      const request = { key, account, amountMinor: prepared.amountMinor, currency };
      const paid = await ports.payouts(account).payOut(request, signal);
      if (!paid.done) throw new RoomyError('PAYOUT_REFUSED', { details: { reason: paid.reason } });
      return { providerId: paid.providerId, amountMinor: prepared.amountMinor };
    },
    book: async ({ answer }) => answer,
    compensate: {
      // Refused for good, or never sent: there is nothing at the bank to take back.
      run: async () => ({ outcome: 'nothing' as const }),
      book: async ({ tx, sagaId, key, done }) => {
        const amountMinor = await failPayouts(tx, sagaId, 'PAYOUT_REFUSED');
        const { ownerId, currency } = done.validatePayout;
        const messages = [payoutFailedMessage(ownerId, { amountMinor, currency })];
        await enqueueInTransaction(tx, key, messages, { sagaId, reservationId: null });
        return { outcome: 'nothing' };
      },
    },
  })
  .tx('recordPayout', {
    run: async ({ tx, done, ...step }) => {
      await recordPayouts(tx, step, done.validatePayout, done.executePayout.providerId);
      return {};
    },
  })
  .statement('sendPayoutProcessedNotification', {
    skippable: toldByHand('the owner'),
    values: ({ key, sagaId, done }) => {
      const { ownerId, currency } = done.validatePayout;
      const { amountMinor } = done.executePayout;
      return orderMessages(key, [payoutProcessedMessage(ownerId, { amountMinor, currency, sagaId })]);
    },
    run: enqueueMessagesAbout,
  })
  .ends(async ({ db, sagaId, done, isLastSkipped }) => {
    const data = await payoutOutcome(db, sagaId, done.validatePayout);
    return {
      event: 'PAYOUT_PROCESSED',
      message: 'Payout processed successfully',
      data,
      details: {
        payoutIds: data.payouts.map((payout) => payout.id),
        notificationsSent: sentUnlessSkipped(1, isLastSkipped),
      },
    };
  });
