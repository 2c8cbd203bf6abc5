import type Stripe from 'stripe';
import type { Charge, ChargeRequest } from '../../domain/ports.ts';
import { pause } from '../../kernel/clock.ts';
import { amountMismatch, NotYetError, notVerified } from '../failures.ts';
import { claimOf, isAnothers, isClaimedBy, isUndone } from './claim.ts';
import type { Exchange } from './client.ts';
import { MalformedReply, RequestRefused } from './errors.ts';
import { EXPAND, Intent, Page } from './replies.ts';
import { feeFromStripe, fromStripe, toStripe } from './units.ts';

/** The dependencies of a charge. */
export interface Charging {
  readonly exchange: Exchange;
  /** Searches an index that lags behind: only for what is older than Stripe keeps idempotency keys. */
  readonly searching: Exchange;
  readonly signal: AbortSignal | null;
  readonly now: Date;
  /** Of a PaymentIntent that needs a person, or was declined before. */
  refuse(intent: Intent): Error;
  /** Money is captured, but Stripe has not said yet what it keeps. */
  onUnknownFee(intent: Intent): void;
}

/** By the reference's form: a PaymentIntent is looked up and completed, a PaymentMethod is charged. */
export async function charge(charging: Charging, request: ChargeRequest): Promise<Charge> {
  try {
    return chargeFrom(charging, request, await complete(charging, request, await intentFor(charging, request)));
  } catch (error) {
    // A key that was used with another body is a bug of ours, not the guest's.
    if (error instanceof RequestRefused && error.reason !== 'IDEMPOTENCY_KEY_REUSED') {
      throw notVerified(request, error.reason);
    }
    if (error instanceof MalformedReply) throw notVerified(request, 'MALFORMED_REPLY');
    throw error;
  }
}

async function intentFor(charging: Charging, request: ChargeRequest): Promise<Intent> {
  if (isIntent(request.reference)) return claimedIntent(charging, request);
  // A captured payment has a PaymentIntent already: nothing is charged for it anew.
  if (!isPaymentMethod(request.reference) || request.isCaptured) throw notVerified(request, 'UNKNOWN_REFERENCE');
  const known = isYoung(request.key, charging.now) ? [] : await intentsOf(charging.searching, request);
  const charged = known.find(({ status }) => status === 'succeeded') ?? known[0];
  return charged ?? createIntent(charging.exchange, request);
}

export const isIntent = (reference: string): boolean => /^pi_[A-Za-z0-9]{1,200}$/.test(reference);
/** With underscores: Stripe's test cards are `pm_card_visa` and the like (docs.stripe.com/testing). */
export const isPaymentMethod = (reference: string): boolean => /^pm_[A-Za-z0-9_]{1,200}$/.test(reference);

/** Stripe keeps idempotency keys for at least 24 h. */
const KEY_KEPT_MS = 20 * 60 * 60 * 1000;
/** The saga's id in a key is a UUID of version 7, which begins with the time. A key without one may be of any age. */
function isYoung(key: string, now: Date): boolean {
  const [, high = '', low = ''] = /([0-9a-f]{8})-([0-9a-f]{4})-7[0-9a-f]{3}-/.exec(key) ?? [];
  return high !== '' && now.getTime() - Number.parseInt(high + low, 16) < KEY_KEPT_MS;
}

/** Made for the PaymentMethod under the key, as of some seconds ago. */
export async function intentsOf(
  searching: Exchange,
  { key, reference }: Pick<ChargeRequest, 'key' | 'reference'>,
): Promise<readonly Intent[]> {
  const query = `metadata['key']:'${key.replaceAll(/[\\']/g, '\\$&')}'`;
  const page = await searching.read(Page(Intent), (stripe) =>
    stripe.paymentIntents.search({ query, limit: 10, expand: EXPAND.map((field) => `data.${field}`) }),
  );
  return page.data.filter((intent) => isClaimedBy(intent, key) && intent.metadata['reference'] === reference);
}

/**
 * Not confirmed yet: whatever repeats it gets the same PaymentIntent and has charged nothing, so that an undo can repeat
 * it too, and cancel what it finds.
 */
export function createIntent(exchange: Exchange, request: ChargeRequest): Promise<Intent> {
  const { key, reference, currency, reservationId } = request;
  const params: Stripe.PaymentIntentCreateParams = {
    amount: toStripe(request.amountMinor, currency),
    currency: currency.toLowerCase(),
    payment_method: reference,
    // At once, so that the fee is known with the answer.
    capture_method: 'automatic',
    automatic_payment_methods: { enabled: true, allow_redirects: 'never' },
    metadata: { ...claimOf(key, reservationId), reference },
    expand: EXPAND,
  };
  return exchange.write(Intent, (stripe) => stripe.paymentIntents.create(params, { idempotencyKey: key }));
}

/** The PaymentIntent with our claim on it, after it was found to be what the caller says. */
async function claimedIntent({ exchange, refuse }: Charging, request: ChargeRequest): Promise<Intent> {
  const { key, reference, reservationId } = request;
  const found = await retrieve(exchange, reference);
  assertAsked(found, request);
  if (isAnothers(found, key)) throw notVerified(request, 'REFERENCE_USED');
  if (!CAPTURABLE.has(found.status)) throw refuse(found);
  if (isClaimedBy(found, key)) return notUndone(found, request);
  const metadata = claimOf(key, reservationId);
  return notUndone(
    await exchange.write(Intent, (stripe) => stripe.paymentIntents.update(reference, { metadata, expand: EXPAND })),
    request,
  );
}

const CAPTURABLE = new Set(['succeeded', 'requires_confirmation', 'requires_capture', 'processing']);

function notUndone(intent: Intent, request: ChargeRequest): Intent {
  if (isUndone(intent, request.key) || !isClaimedBy(intent, request.key)) throw notVerified(request, 'CANCELLED');
  return intent;
}

export const retrieve = (exchange: Exchange, id: string): Promise<Intent> =>
  exchange.read(Intent, (stripe) => stripe.paymentIntents.retrieve(id, { expand: EXPAND }));

/** Throws `PAYMENT_NOT_VERIFIED` before anything is captured or claimed. */
function assertAsked(intent: Intent, request: ChargeRequest): void {
  const { currency, reservationId } = request;
  if (intent.currency !== currency) {
    throw notVerified(request, 'CURRENCY_MISMATCH', { asked: currency, reported: intent.currency });
  }
  const amount = intent.status === 'succeeded' ? intent.amount_received : intent.amount;
  if (amount !== toStripe(request.amountMinor, currency)) {
    throw amountMismatch(request, fromStripe(amount, currency));
  }
  const stay = intent.metadata['reservationId'];
  if (stay !== undefined && stay !== reservationId) throw notVerified(request, 'RESERVATION_MISMATCH');
  const holder = intent.metadata['key'];
  // A refund of our own undo went back for that reason.
  if (request.isCaptured && !(holder !== undefined && isUndone(intent, holder))) return;
  if (intent.latest_charge && intent.latest_charge.amount_refunded > 0) throw notVerified(request, 'REFUNDED');
  if (intent.latest_charge?.disputed) throw notVerified(request, 'DISPUTED');
}

/** Confirm, then capture, then a look at what somebody else did meanwhile. */
const MAX_MOVES = 4;

async function complete({ exchange, refuse, now }: Charging, request: ChargeRequest, first: Intent): Promise<Intent> {
  const { key } = request;
  let intent = first;
  for (let move = 0; move < MAX_MOVES; move += 1) {
    const { id, status } = intent;
    if (status === 'succeeded') return intent;
    try {
      if (status === 'requires_confirmation') {
        const options = { idempotencyKey: `${key}-confirm` };
        intent = await exchange.write(Intent, (stripe) =>
          stripe.paymentIntents.confirm(id, { expand: EXPAND }, options),
        );
      } else if (status === 'requires_capture') {
        const options = { idempotencyKey: `${key}-capture` };
        intent = await exchange.write(Intent, (stripe) =>
          stripe.paymentIntents.capture(id, { expand: EXPAND }, options),
        );
      } else if (status === 'processing') break;
      else throw refuse(intent);
    } catch (error) {
      if (!(error instanceof RequestRefused && error.reason === 'PAYMENT_INTENT_UNEXPECTED_STATE')) throw error;
      intent = await retrieve(exchange, id);
    }
  }
  throw new NotYetError('PROCESSING', new Date(now.getTime() + 30_000));
}

/** Right after a capture Stripe may still be working out its fee. */
const FEE_LOOKS = 3;
const FEE_PAUSE_MS = 300;

async function chargeFrom(charging: Charging, request: ChargeRequest, captured: Intent): Promise<Charge> {
  let intent = captured;
  for (let look = 0; look < FEE_LOOKS && !intent.latest_charge?.balance_transaction; look += 1) {
    await pause(FEE_PAUSE_MS, charging.signal ?? undefined);
    intent = await retrieve(charging.exchange, captured.id);
  }
  assertAsked(intent, request);
  const made = intent.latest_charge;
  if (!made || made.amount_captured !== intent.amount_received || made.currency !== intent.currency) {
    throw notVerified(request, 'AMOUNT_MISMATCH');
  }
  const settled = made.balance_transaction;
  // The guest has paid all the same; the fee shows in the settlement.
  if (!settled) charging.onUnknownFee(intent);
  const { amountMinor, currency } = request;
  const chargeAmount = made.amount_captured;
  const feeMinor = settled ? feeFromStripe({ ...settled, chargeAmount, chargeCurrency: currency }) : 0;
  if (feeMinor < 0 || feeMinor > amountMinor) throw notVerified(request, 'FEE_IMPLAUSIBLE');
  return { providerId: made.id, amountMinor, currency, feeMinor };
}
