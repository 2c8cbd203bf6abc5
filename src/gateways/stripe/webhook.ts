import Stripe from 'stripe';
import { z } from 'zod';
import type { GatewayEvent, ReceivedEvent, WebhookReceiver } from '../../domain/ports.ts';
import type { Clock } from '../../kernel/clock.ts';
import { RoomyError } from '../../kernel/errors.ts';
import { ID_PATTERN } from '../../kernel/ids.ts';
import { mayBeSignature } from '../signature.ts';
import { upperSnake } from './errors.ts';
import { Dispute, Intent, Refund, StripeCharge, Transfer } from './replies.ts';
import { fromStripe } from './units.ts';

/** Against replays, before and after now; an event within it counts once by its id (security.md X9). */
const TOLERANCE_SECONDS = 300;

const Envelope = z.object({
  id: z.string().startsWith('evt_').max(255),
  type: z.string().max(100),
  data: z.object({ object: z.unknown() }),
});
const FailedPayout = z.object({ id: z.string().min(1), failure_code: z.string().nullish() });

/** `webhooks/stripe`: signed events. An event of Stripe has some kilobytes; the bound is far above. */
export const stripeWebhook = (secrets: readonly string[], clock: Clock): WebhookReceiver => {
  const verify = createWebhookVerifier(secrets, clock);
  return {
    signatureHeader: 'stripe-signature',
    maxKib: 256,
    receive: (rawBody, signature) => ({ payment: verify(rawBody, signature) }),
  };
};

/** Throws `INVALID_SIGNATURE` and `MALFORMED_REQUEST`. During a change of the secret there are two. */
type VerifyWebhook = (rawBody: Buffer, signature: string) => ReceivedEvent;
export function createWebhookVerifier(secrets: readonly string[], clock: Clock): VerifyWebhook {
  return (rawBody, signature) => {
    if (!secrets.some((secret) => isSigned(rawBody, signature, secret, clock))) {
      throw new RoomyError('INVALID_SIGNATURE');
    }
    try {
      const { id, type, data } = Envelope.parse(JSON.parse(rawBody.toString('utf8')));
      return { gatewayId: 'stripe', eventId: id, type, event: newsOf(type, data.object) };
    } catch (cause) {
      throw new RoomyError('MALFORMED_REQUEST', { cause });
    }
  };
}

function isSigned(rawBody: Buffer, signature: string, secret: string, clock: Clock): boolean {
  const now = clock.now().getTime();
  if (!mayBeSignature(signature) || isFromFuture(signature, now)) return false;
  try {
    Stripe.webhooks.constructEvent(rawBody, signature, secret, TOLERANCE_SECONDS, undefined, now);
    return true;
  } catch (error) {
    if (error instanceof Stripe.errors.StripeSignatureVerificationError) return false;
    // Signed, and yet no JSON: for the caller to say.
    if (error instanceof SyntaxError) return true;
    throw error;
  }
}

/** The library refuses what is old, and takes what is dated ahead: a call that was caught could be sent again for as long. */
const isFromFuture = (signature: string, nowMs: number): boolean =>
  [...signature.matchAll(/(?:^|,)\s*t=(\d+)/g)].some(([, t]) => Number(t) > nowMs / 1000 + TOLERANCE_SECONDS);

function newsOf(type: string, object: unknown): GatewayEvent {
  switch (type) {
    case 'payment_intent.succeeded': {
      const { id, amount_received: amount, currency, metadata } = Intent.parse(object);
      const stay = metadata['reservationId'] ?? '';
      const reservationId = ID_PATTERN.test(stay) ? stay : null;
      const reference = metadata['reference'] ?? id;
      return { kind: 'charge-succeeded', reference, reservationId, amountMinor: minor(amount, currency), currency };
    }
    case 'charge.refunded': {
      const { id, metadata, payment_intent: intent } = StripeCharge.parse(object);
      return { kind: 'charge-changed', reference: metadata['reference'] ?? intent ?? id, chargeId: id };
    }
    case 'refund.created':
    case 'refund.updated':
    case 'refund.failed':
    // The name of the same event in older versions of Stripe's API.
    case 'charge.refund.updated': {
      const { metadata, charge, payment_intent: intent } = Refund.parse(object);
      return changed(metadata?.['reference'] ?? intent ?? charge, charge);
    }
    case 'charge.dispute.created':
    case 'charge.dispute.updated':
    case 'charge.dispute.funds_withdrawn':
    case 'charge.dispute.funds_reinstated':
    case 'charge.dispute.closed': {
      const { charge, payment_intent: intent } = Dispute.parse(object);
      return changed(intent ?? charge, charge);
    }
    case 'transfer.reversed': {
      const { id, reversed } = Transfer.parse(object);
      // A part of it that came back is for the reconciliation: the payout as such stands.
      return reversed ? { kind: 'payout-failed', providerId: id, reason: 'TRANSFER_REVERSED' } : { kind: 'ignored' };
    }
    case 'payout.failed': {
      const { id, failure_code: reason } = FailedPayout.parse(object);
      return { kind: 'payout-failed', providerId: id, reason: upperSnake(reason ?? 'payout_failed') };
    }
    default:
      return { kind: 'ignored' };
  }
}

/** A refund names its charge, unless it is one of a kind that we never make: of a customer's balance. */
const changed = (reference: string | null | undefined, chargeId: string | null | undefined): GatewayEvent =>
  reference ? { kind: 'charge-changed', reference, chargeId: chargeId ?? null } : { kind: 'ignored' };

function minor(amount: number, currency: string): number {
  const amountMinor = fromStripe(amount, currency);
  if (amountMinor === null) throw new RangeError(`${currency} ${amount} is no whole amount`);
  return amountMinor;
}
