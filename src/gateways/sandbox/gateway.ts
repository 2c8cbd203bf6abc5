import { z } from 'zod';
import type {
  Charge,
  ChargeRequest,
  GatewayMovement,
  MoneyOutcome,
  PaymentGateway,
  PayoutRequest,
  RefundRequest,
  UndoChargeRequest,
} from '../../domain/ports.ts';
import { PAYOUT_BANK } from '../../domain/ports.ts';
import { type Clock, pause } from '../../kernel/clock.ts';
import { RoomyError } from '../../kernel/errors.ts';
import { newId } from '../../kernel/ids.ts';
import { amountMismatch, declined, notVerified } from '../failures.ts';
import { cardOf, chargeFaultOf, declineOf, payoutFaultOf, refundFaultOf } from './behaviour.ts';
import { createDashboard, type SandboxDashboard } from './dashboard.ts';
import type { Effect, RecordedEffect, RecordedRequest, SandboxRecord } from './record.ts';
import { openSandboxStore } from './store.ts';

/**
 * A provider with idempotency keys and look-up by reference, whose references misbehave as domain.md 18 says. It
 * acts on its own record only; what it answers is checked like any other provider's.
 */
export interface SandboxOptions {
  /** Holds `sandbox-gateway.db`, and is made if need be. */
  readonly dir: string;
  /** What it keeps of a charge, in basis points, half up. */
  readonly feeBp: number;
  readonly clock: Clock;
}
export interface SandboxGateway extends PaymentGateway {
  /** What a person does at the provider itself, past this system. */
  readonly dashboard: SandboxDashboard;
  close(): void;
}

/** A lost answer is noticed after this long; a real provider's would take the whole timeout. */
const TIMEOUT_MS = 250;
const LATE_MS = 2_000;
const RETRY_AFTER_MS = 30_000;

/** What a call came to, decided in the record's transaction and told after its commit. */
type Told<T> = { readonly answer: T } | { readonly failure: RoomyError } | 'lost';

/** The provider's wire format: what an adapter must not believe unchecked. */
const ChargeReply = z.object({
  providerId: z.string().min(1),
  reference: z.string(),
  amountMinor: z.int().positive(),
  currency: z.string().length(3),
  feeMinor: z.int().nonnegative(),
});

export function createSandboxGateway({ dir, feeBp, clock }: SandboxOptions): SandboxGateway {
  const store = openSandboxStore(dir, clock);
  const inMs = (ms: number): Date => new Date(clock.now().getTime() + ms);
  const outage = (unsent: boolean): RoomyError =>
    new RoomyError('GATEWAY_UNAVAILABLE', {
      details: { gatewayError: 'GATEWAY_DOWN', retryAfter: inMs(RETRY_AFTER_MS).toISOString() },
      unsent,
    });

  async function exchange<T>(signal: AbortSignal, work: (record: SandboxRecord) => Told<T>): Promise<T> {
    const told = store.alone(work);
    if (told === 'lost') {
      await pause(TIMEOUT_MS, signal);
      throw new RoomyError('STEP_TIMEOUT', { cause: 'the sandbox lost the answer' });
    }
    if ('failure' in told) throw told.failure;
    return told.answer;
  }

  function answerCharge(record: SandboxRecord, request: ChargeRequest): Told<RecordedEffect> {
    const { key, gatewayId, reference } = request;
    const asked = remember(record, 'charge', request);
    if (record.isSettled(key)) return { failure: notVerified(request, 'CANCELLED') };
    const done = record.effectOf(key);
    if (done) return { answer: done };
    const rule = declineOf(reference);
    // From the first of its calls, so that a repeat hears the same.
    if (rule) return { failure: declined({ ...rule, retryAfter: after(asked.at, rule.retryAfterMs) }) };
    const fault = chargeFaultOf(reference);
    const calls = fault === null ? 0 : record.countCall(gatewayId, reference);
    if (fault === 'down' || (fault === 'flaky' && calls <= 2)) return { failure: outage(true) };
    if (fault === 'timeout-before' && calls === 1) return 'lost';
    if (fault === 'late' && calls === 1) {
      record.actLater(chargeEffect(request, feeBp), inMs(LATE_MS));
      return { failure: outage(false) };
    }
    const holder = record.chargeOf(gatewayId, reference);
    if (holder) {
      const refunded = record.leftOf(holder).amountMinor === 0;
      return { failure: notVerified(request, refunded ? 'REFUNDED' : 'REFERENCE_USED') };
    }
    const effect = record.act(chargeEffect(request, feeBp));
    return fault === 'timeout-after' && calls === 1 ? 'lost' : { answer: effect };
  }

  /**
   * Also where the reference is down: otherwise a saga whose worker died half way could never know how it stands. Only
   * `ref-refund-down` cannot void.
   */
  function answerUndo(
    record: SandboxRecord,
    request: UndoChargeRequest,
  ): Told<{ outcome: 'nothing' | 'voided' | 'refunded' }> {
    remember(record, 'undo', request);
    const charge = record.effectOf(request.chargeKey);
    if (charge && refundFaultOf(request.reference) === 'refund-down') return { failure: outage(true) };
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
    return {
      answer: {
        outcome: record.chargeOf(charge.gatewayId, charge.reference)?.key === charge.key ? 'refunded' : 'voided',
      },
    };
  }

  return {
    charge: async (request, signal) =>
      verified(request, await exchange(signal, (record) => answerCharge(record, request))),
    undoCharge: (request, signal) => exchange(signal, (record) => answerUndo(record, request)),
    refund: (request, signal) =>
      exchange(signal, (record) => {
        const asked = remember(record, 'refund', request);
        const fault = refundFaultOf(request.reference);
        if (fault === 'refund-down') return { failure: outage(true) };
        const refusal = fault === 'refund-refused' ? 'CARD_CLOSED' : refundRefusal(record, request);
        return { answer: actOnce(record, asked, refundEffect(request), refusal) };
      }),
    payOut: (request, signal) =>
      exchange(signal, (record) => {
        const asked = remember(record, 'payout', request);
        const fault = payoutFaultOf(request.account);
        if (fault === 'down') return { failure: outage(true) };
        const outcome = actOnce(record, asked, payoutEffect(request), fault === 'refused' ? 'ACCOUNT_REFUSED' : null);
        return fault === 'timeout-after' && asked.calls === 1 ? 'lost' : { answer: outcome };
      }),
    cardOf: async ({ reference }) => {
      if (chargeFaultOf(reference) === 'down') throw outage(true);
      return cardOf(reference);
    },
    recordOf: async ({ chargeId }) =>
      store.alone((record) => ({
        refunds: record.refundsOf(chargeId).map(({ providerId, amountMinor, currency, cameBack }) => ({
          providerId,
          amountMinor: -amountMinor,
          currency,
          cameBack,
        })),
        disputes: record.disputesOf(chargeId),
      })),
    disputes: async (gatewayId, from, to, limit) =>
      store.alone((record) => record.disputedIn(gatewayId, from, to, limit)),
    dashboard: createDashboard(store, clock),
    movements: async (gatewayId, from, to, limit) =>
      store.alone((record) => record.effectsOf(gatewayId, from, to, limit).map(movementOf)),
    close: () => store.close(),
  };
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

/** A reference that lies about its amount was charged something else. */
function chargeEffect({ key, gatewayId, reference, currency, ...request }: ChargeRequest, feeBp: number): Effect {
  const amountMinor = request.amountMinor + (chargeFaultOf(reference) === 'wrong-amount' ? 1 : 0);
  const feeMinor = Number((BigInt(amountMinor) * BigInt(feeBp) + 5_000n) / 10_000n);
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

function verified(request: ChargeRequest, effect: RecordedEffect): Charge {
  const reply = ChargeReply.safeParse(effect);
  if (!reply.success || reply.data.reference !== request.reference) throw notVerified(request, 'MALFORMED_REPLY');
  const { providerId, amountMinor, currency, feeMinor } = reply.data;
  if (currency !== request.currency) {
    throw notVerified(request, 'CURRENCY_MISMATCH', { asked: request.currency, reported: currency });
  }
  if (amountMinor !== request.amountMinor) throw amountMismatch(request, amountMinor);
  return { providerId, amountMinor, currency, feeMinor };
}

/** A void is a refund that gives back the fee as well, as far as a record of movements goes. */
const movementOf = ({
  kind,
  reference,
  providerId,
  chargeId,
  amountMinor,
  feeMinor,
  currency,
  at,
  failed,
}: RecordedEffect & { readonly failed: boolean }): GatewayMovement => ({
  kind: kind === 'VOID' ? 'REFUND' : kind,
  reference: kind === 'PAYOUT' ? providerId : reference,
  providerId,
  amountMinor: Math.abs(amountMinor),
  feeMinor,
  currency,
  at,
  ...(chargeId === null ? {} : { chargeId }),
  // It hands over at once what it has captured.
  settled: kind !== 'PAYOUT',
  failed,
});
