import type { UndoChargeRequest } from '../../domain/ports.ts';
import { NotYetError } from '../failures.ts';
import { createIntent, intentsOf, isIntent, isPaymentMethod, retrieve } from './charge.ts';
import { isClaimedBy, undoneMark } from './claim.ts';
import type { Exchange } from './client.ts';
import { RequestRefused } from './errors.ts';
import { EXPAND, Intent, Refund } from './replies.ts';
import { isTaken } from './units.ts';

type Outcome = 'nothing' | 'voided' | 'refunded';
export interface Undoing {
  readonly exchange: Exchange;
  readonly searching: Exchange;
  readonly now: Date;
}

/** Settles first, so that nothing can come of the charge's key any more; then the guest gets back what came of it. */
export async function undoCharge(undoing: Undoing, request: UndoChargeRequest): Promise<{ outcome: Outcome }> {
  const outcomes: Outcome[] = [];
  for (const intent of await intentsUnder(undoing, request)) {
    outcomes.push(await takeBack(undoing, request, intent));
  }
  const outcome = (['refunded', 'voided'] as const).find((one) => outcomes.includes(one)) ?? 'nothing';
  return { outcome };
}

async function intentsUnder(undoing: Undoing, request: UndoChargeRequest): Promise<readonly Intent[]> {
  const { chargeKey, reference } = request;
  if (isIntent(reference)) {
    const metadata = { ...undoneMark(chargeKey) };
    const intent = await unlessRefused(
      undoing.exchange.write(Intent, (stripe) => stripe.paymentIntents.update(reference, { metadata, expand: EXPAND })),
    );
    return intent && isClaimedBy(intent, chargeKey) ? [intent] : [];
  }
  if (!isPaymentMethod(reference)) return [];
  // Such an amount was refused before anything was made under the key.
  if (!isTaken(request.amountMinor, request.currency)) return [];
  // The repeat finds what was made under the key today, the search what is older than that.
  const older = await intentsOf(undoing.searching, { key: chargeKey, reference });
  const made = await unlessRefused(createIntent(undoing.exchange, { ...request, key: chargeKey }));
  const known = new Map([...older, ...(made ? [made] : [])].map((intent) => [intent.id, intent]));
  return [...known.values()];
}

/** Stripe knows no such thing, or would not make it: nothing has come of it then either. */
async function unlessRefused<T>(asked: Promise<T>): Promise<T | null> {
  try {
    return await asked;
  } catch (error) {
    if (error instanceof RequestRefused && error.reason !== 'IDEMPOTENCY_KEY_REUSED') return null;
    throw error;
  }
}

const MAX_LOOKS = 3;

async function takeBack({ exchange, now }: Undoing, request: UndoChargeRequest, { id }: Intent): Promise<Outcome> {
  for (let look = 0; look < MAX_LOOKS; look += 1) {
    const intent = await retrieve(exchange, id);
    if (intent.status === 'succeeded') return refundAll(exchange, request, intent);
    if (intent.status === 'canceled') return 'nothing';
    try {
      await exchange.write(Intent, (stripe) =>
        // By its state, not by a key: the cancel of a PaymentIntent that is captured meanwhile must be refused anew.
        stripe.paymentIntents.cancel(id, { cancellation_reason: 'abandoned', expand: EXPAND }),
      );
      return intent.status === 'requires_capture' ? 'voided' : 'nothing';
    } catch (error) {
      if (!(error instanceof RequestRefused && error.reason === 'PAYMENT_INTENT_UNEXPECTED_STATE')) throw error;
    }
  }
  throw new NotYetError('PROCESSING', new Date(now.getTime() + 30_000));
}

/** All that is left of it. */
async function refundAll(exchange: Exchange, request: UndoChargeRequest, intent: Intent): Promise<Outcome> {
  const { key, reference } = request;
  const paid = intent.latest_charge;
  if (paid && paid.amount_refunded >= paid.amount_captured) return 'refunded';
  try {
    const refund = await exchange.write(Refund, (stripe) =>
      stripe.refunds.create(
        { payment_intent: intent.id, metadata: { key, reference } },
        { idempotencyKey: `${key}-${intent.id}` },
      ),
    );
    if (refund.status === 'failed' || refund.status === 'canceled') {
      throw new RequestRefused('REFUND_FAILED', refund.failure_reason ?? 'unknown');
    }
  } catch (error) {
    if (!(error instanceof RequestRefused && error.reason === 'CHARGE_ALREADY_REFUNDED')) throw error;
  }
  return 'refunded';
}
