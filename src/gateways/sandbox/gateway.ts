import { z } from 'zod';
import type { Charge, ChargeRequest, GatewayMovement, PaymentGateway } from '../../domain/ports.ts';
import { type Clock, pause } from '../../kernel/clock.ts';
import { RoomyError } from '../../kernel/errors.ts';
import { amountMismatch, notVerified } from '../failures.ts';
import {
  answerCharge,
  answerPayout,
  answerRefund,
  answerUndo,
  feeOf,
  outage,
  type Provider,
  type Reply,
} from './answers.ts';
import { cardOf, chargeFaultOf } from './behaviour.ts';
import { createDashboard, type SandboxDashboard } from './dashboard.ts';
import type { RecordedEffect, SandboxRecord } from './record.ts';
import { openSandboxStore } from './store.ts';

/**
 * A provider with idempotency keys and look-up by reference, whose references misbehave as domain.md 18 says. It
 * acts on its own record only; what it answers is checked like any other provider's.
 */
export interface SandboxOptions {
  /** Holds `sandbox-gateway.db`, and is made if need be. */
  readonly dir: string;
  /** The provider's fee for a charge, in basis points, half up. */
  readonly feeBp: number;
  readonly clock: Clock;
}
export interface SandboxGateway extends PaymentGateway {
  /** The acts of a person at the provider itself, past this system. */
  readonly dashboard: SandboxDashboard;
  close(): void;
}

/** A lost answer is noticed after this long; a real provider's would take the whole timeout. */
const TIMEOUT_MS = 250;

/** The provider's wire format: what an adapter must not believe unchecked. */
const ChargeReply = z.object({
  providerId: z.string().min(1),
  reference: z.string(),
  amountMinor: z.int().positive(),
  currency: z.string().length(3),
  feeMinor: z.int().nonnegative(),
});

/** The adapter. Opens its file at once; each call is one transaction of it. */
export function createSandboxGateway({ dir, feeBp, clock }: SandboxOptions): SandboxGateway {
  const store = openSandboxStore(dir, clock);
  const provider: Provider = { feeBp, clock };

  async function exchange<T>(signal: AbortSignal, work: (record: SandboxRecord) => Reply<T>): Promise<T> {
    const reply = store.alone(work);
    if (reply === 'lost') {
      await pause(TIMEOUT_MS, signal);
      throw new RoomyError('STEP_TIMEOUT', { cause: 'the sandbox lost the answer' });
    }
    if ('failure' in reply) throw reply.failure;
    return reply.answer;
  }

  return {
    feeOf: (amountMinor) => feeOf(amountMinor, feeBp),
    charge: async (request, signal) =>
      verified(request, await exchange(signal, (record) => answerCharge(record, provider, request))),
    undoCharge: (request, signal) => exchange(signal, (record) => answerUndo(record, provider, request)),
    refund: (request, signal) => exchange(signal, (record) => answerRefund(record, provider, request)),
    payOut: (request, signal) => exchange(signal, (record) => answerPayout(record, provider, request)),
    cardOf: async ({ reference }) => {
      if (chargeFaultOf(reference) === 'down') throw outage(provider, true);
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
