import type {
  ChargeRequest,
  MoneyOutcome,
  PayoutRequest,
  RefundRequest,
  UndoChargeRequest,
} from '../../domain/ports.ts';
import { PAYOUT_BANK } from '../../domain/ports.ts';
import type { Clock } from '../../kernel/clock.ts';
import { RoomyError } from '../../kernel/errors.ts';
import { newId } from '../../kernel/ids.ts';
import { declined, notVerified } from '../failures.ts';
import { chargeFaultOf, declineOf, payoutFaultOf, refundFaultOf } from './behaviour.ts';
import type { Effect, RecordedEffect, RecordedRequest, SandboxRecord } from './record.ts';

/** How the sandbox provider answers a request, by its record and by what the reference asks for (domain.md 18). */

/** The answer of a call, decided in the record's transaction and given after its commit; `lost`: it never arrives. */
export type Reply<T> = { readonly answer: T } | { readonly failure: RoomyError } | 'lost';

export interface Provider {
  /** Its fee for a charge, in basis points, half up. */
  readonly feeBp: number;
  readonly clock: Clock;
}

const LATE_MS = 2_000;
const RETRY_AFTER_MS = 30_000;

const inMs = ({ clock }: Provider, ms: number): Date => new Date(clock.now().getTime() + ms);

/** `GATEWAY_UNAVAILABLE`; `unsent`: the request had certainly no effect. */
export const outage = (provider: Provider, unsent: boolean): RoomyError =>
  new RoomyError('GATEWAY_UNAVAILABLE', {
    details: { gatewayError: 'GATEWAY_DOWN', retryAfter: inMs(provider, RETRY_AFTER_MS).toISOString() },
    unsent,
  });

/** Amounts in minor units. One effect for each key and one charge for each reference, however often it is asked. */
export function answerCharge(record: SandboxRecord, provider: Provider, request: ChargeRequest): Reply<RecordedEffect> {
  const { key, gatewayId, reference } = request;
  const asked = remember(record, 'charge', request);
  if (record.isSettled(key)) return { failure: notVerified(request, 'CANCELLED') };
  const done = record.effectOf(key);
  if (done) return { answer: done };
  const rule = declineOf(reference);
  // From the first of its calls, so that a repeat gets the same answer.
  if (rule) return { failure: declined({ ...rule, retryAfter: after(asked.at, rule.retryAfterMs) }) };
  const fault = chargeFaultOf(reference);
  const calls = fault === null ? 0 : record.countCall(gatewayId, reference);
  if (fault === 'down' || (fault === 'flaky' && calls <= 2)) return { failure: outage(provider, true) };
  if (fault === 'timeout-before' && calls === 1) return 'lost';
  if (fault === 'late' && calls === 1) {
    record.actLater(chargeEffect(request, provider.feeBp), inMs(provider, LATE_MS));
    return { failure: outage(provider, false) };
  }
  const holder = record.chargeOf(gatewayId, reference);
  if (holder) {
    const refunded = record.leftOf(holder).amountMinor === 0;
    return { failure: notVerified(request, refunded ? 'REFUNDED' : 'REFERENCE_USED') };
  }
  const effect = record.act(chargeEffect(request, provider.feeBp));
  return fault === 'timeout-after' && calls === 1 ? 'lost' : { answer: effect };
}

/**
 * Voids the charge of a key, and lets nothing come of the key later. Also where the reference is down: otherwise a saga whose
 * worker died half way could never find out its state. Only `ref-refund-down` cannot void.
 */
export function answerUndo(
  record: SandboxRecord,
  provider: Provider,
  request: UndoChargeRequest,
): Reply<{ outcome: 'nothing' | 'voided' | 'refunded' }> {
  remember(record, 'undo', request);
  const charge = record.effectOf(request.chargeKey);
  if (charge && refundFaultOf(request.reference) === 'refund-down') return { failure: outage(provider, true) };
  record.settle(request.chargeKey);
  if (!charge) return { answer: { outcome: 'nothing' } };
  const { amountMinor, feeMinor } = record.leftOf(charge);
  if (amountMinor > 0) {
    record.act({
      ...charge,
      key: request.key,
      kind: 'VOID',
      providerId: newId('void'),
      chargeId: charge.providerId,
      amountMinor: -amountMinor,
      feeMinor: 0 - feeMinor,
    });
  }
  const isHeld = record.chargeOf(charge.gatewayId, charge.reference)?.key === charge.key;
  return { answer: { outcome: isHeld ? 'refunded' : 'voided' } };
}

/** One effect for each key; a refusal is kept and answered again. */
export function answerRefund(record: SandboxRecord, provider: Provider, request: RefundRequest): Reply<MoneyOutcome> {
  const asked = remember(record, 'refund', request);
  const fault = refundFaultOf(request.reference);
  if (fault === 'refund-down') return { failure: outage(provider, true) };
  const refusal = fault === 'refund-refused' ? 'CARD_CLOSED' : refundRefusal(record, request);
  return { answer: actOnce(record, asked, refundEffect(request), refusal) };
}

/** One effect for each key; a refusal is kept and answered again. */
export function answerPayout(record: SandboxRecord, provider: Provider, request: PayoutRequest): Reply<MoneyOutcome> {
  const asked = remember(record, 'payout', request);
  const fault = payoutFaultOf(request.account);
  if (fault === 'down') return { failure: outage(provider, true) };
  const outcome = actOnce(record, asked, payoutEffect(request), fault === 'refused' ? 'ACCOUNT_REFUSED' : null);
  return fault === 'timeout-after' && asked.calls === 1 ? 'lost' : { answer: outcome };
}

const after = (at: Date, ms: number | null): Date | null => (ms === null ? null : new Date(at.getTime() + ms));

/** Throws when a key comes back with another body: a bug of ours. */
function remember(
  record: SandboxRecord,
  operation: string,
  { key, ...body }: { readonly key: string },
): RecordedRequest {
  const asked = record.request(key, JSON.stringify([operation, Object.entries(body).toSorted()]));
  if (asked) return asked;
  throw new RoomyError('STEP_FAILED', { details: { gatewayError: 'IDEMPOTENCY_KEY_REUSED' } });
}

function actOnce(record: SandboxRecord, asked: RecordedRequest, effect: Effect, refusal: string | null): MoneyOutcome {
  const known = record.effectOf(effect.key);
  if (known) return { done: true, providerId: known.providerId };
  const reason = asked.refusal ?? refusal;
  if (reason === null) return { done: true, providerId: record.act(effect).providerId };
  record.refuse(effect.key, reason);
  return { done: false, reason };
}

function refundRefusal(record: SandboxRecord, { gatewayId, reference, ...request }: RefundRequest): string | null {
  const charge = record.chargeOf(gatewayId, reference);
  if (charge?.providerId !== request.chargeId) return 'UNKNOWN_CHARGE';
  if (charge.currency !== request.currency) return 'CURRENCY_MISMATCH';
  return request.amountMinor > record.leftOf(charge).amountMinor ? 'EXCEEDS_CHARGE' : null;
}

/** Half up. */
export const feeOf = (amountMinor: number, feeBp: number): number =>
  Number((BigInt(amountMinor) * BigInt(feeBp) + 5_000n) / 10_000n);

/** A reference that lies about its amount was charged something else. */
function chargeEffect({ key, gatewayId, reference, currency, ...request }: ChargeRequest, feeBp: number): Effect {
  const amountMinor = request.amountMinor + (chargeFaultOf(reference) === 'wrong-amount' ? 1 : 0);
  const feeMinor = feeOf(amountMinor, feeBp);
  const providerId = newId('charge');
  return { key, kind: 'CHARGE', gatewayId, reference, providerId, chargeId: null, amountMinor, feeMinor, currency };
}

const refundEffect = ({ key, gatewayId, reference, chargeId, amountMinor, currency }: RefundRequest): Effect => ({
  key,
  kind: 'REFUND',
  gatewayId,
  reference,
  providerId: newId('refund'),
  chargeId,
  amountMinor: -amountMinor,
  // Not given back (domain.md 9.4).
  feeMinor: 0,
  currency,
});

const payoutEffect = ({ key, account, amountMinor, currency }: PayoutRequest): Effect => ({
  key,
  kind: 'PAYOUT',
  gatewayId: PAYOUT_BANK,
  reference: account,
  providerId: newId('payout'),
  chargeId: null,
  amountMinor: -amountMinor,
  feeMinor: 0,
  currency,
});
