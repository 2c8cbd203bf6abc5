import {
  BrokenCircuitError,
  type CircuitBreakerPolicy,
  CircuitState,
  ConsecutiveBreaker,
  circuitBreaker,
  DelegateBackoff,
  handleAll,
} from 'cockatiel';
import { type Amenities, PAYOUT_BANK, type PaymentGateway } from '../domain/ports.ts';
import { CircuitOpenError, RoomyError } from '../kernel/errors.ts';
import type { Logger } from '../kernel/log.ts';
import { createOutages } from '../kernel/outages.ts';
import { withTimeout } from '../kernel/time-limit.ts';
import { NotYetError } from './failures.ts';
import { observedCall } from './observed-call.ts';

/**
 * Circuit breakers (guarantees.md 2.5.5): five failures in a row open one; while it is open nothing is sent; after
 * a while one request goes through as a probe, and closes it or keeps it open for longer.
 */
export interface BreakerSettings {
  readonly failures: number;
  readonly firstPauseMs: number;
  readonly longestPauseMs: number;
  /** The circuit used longest ago is forgotten first. */
  readonly maxCircuits: number;
}
const DEFAULTS: BreakerSettings = { failures: 5, firstPauseMs: 2_000, longestPauseMs: 30_000, maxCircuits: 1_000 };
/** A call that comes while a probe is under way is to be tried again this soon. */
const PROBE_WAIT_MS = 500;

export type CircuitStatus = 'closed' | 'open' | 'half-open';
export interface Breakers {
  /** Throws `CircuitOpenError`, and whatever `work` throws; `STEP_TIMEOUT` as soon as the signal is aborted. */
  run<T>(circuit: string, signal: AbortSignal | null, work: () => Promise<T>): Promise<T>;
  /** Of every circuit that is remembered. */
  states(): ReadonlyMap<string, CircuitStatus>;
}

interface Circuit {
  readonly policy: CircuitBreakerPolicy;
  until: number;
}
type Answer<T> = { readonly value: T } | { readonly refusal: unknown };

/** A refusal is an answer: the provider is well. */
const isAnswer = (error: unknown): boolean =>
  error instanceof NotYetError || (error instanceof RoomyError && error.kind === 'refusal');

/** `code`: what is refused with while a circuit is open. */
export function createBreakers(
  log: Logger,
  settings: Partial<BreakerSettings> = {},
  code: 'GATEWAY_UNAVAILABLE' | 'AMENITIES_UNAVAILABLE' = 'GATEWAY_UNAVAILABLE',
): Breakers {
  const { failures, firstPauseMs, longestPauseMs, maxCircuits } = { ...DEFAULTS, ...settings };
  const circuits = new Map<string, Circuit>();
  const outages = createOutages(log);

  function circuitOf(name: string): Circuit {
    const circuit = circuits.get(name) ?? create(name);
    circuits.delete(name);
    circuits.set(name, circuit);
    if (circuits.size > maxCircuits) circuits.delete(circuits.keys().next().value ?? '');
    return circuit;
  }

  function create(name: string): Circuit {
    const pauses = new DelegateBackoff(({ attempt }: { readonly attempt: number }) => {
      const pauseMs = Math.min(longestPauseMs, firstPauseMs * 2 ** Math.min(attempt - 1, 16));
      circuit.until = Date.now() + pauseMs;
      return pauseMs;
    });
    const breaker = new ConsecutiveBreaker(failures);
    const circuit = { policy: circuitBreaker(handleAll, { halfOpenAfter: pauses, breaker }), until: 0 };
    // Each probe that fails opens the circuit anew; that is still the same outage.
    circuit.policy.onBreak((why) => outages.failed(name, 'error' in why ? why.error : new Error('isolated')));
    circuit.policy.onReset(() => outages.recovered(name));
    return circuit;
  }

  return {
    async run<T>(name: string, signal: AbortSignal | null, work: () => Promise<T>): Promise<T> {
      // Not the provider's failure.
      if (signal?.aborted) throw new RoomyError('STEP_TIMEOUT', { cause: signal.reason, unsent: true });
      const circuit = circuitOf(name);
      // cockatiel would let others wait for the probe's end, which may take longer than they have.
      if (circuit.policy.state === CircuitState.HalfOpen) {
        throw new CircuitOpenError(new Date(Date.now() + PROBE_WAIT_MS), code);
      }
      try {
        const answer = await circuit.policy.execute(() => answerOf(signal, work));
        if ('refusal' in answer) throw answer.refusal;
        return answer.value;
      } catch (error) {
        if (error instanceof BrokenCircuitError) throw new CircuitOpenError(new Date(circuit.until), code);
        throw error;
      }
    },
    states: () => new Map([...circuits].map(([name, circuit]) => [name, statusOf(circuit)])),
  };
}

/** As a value, so that a refusal counts as a success and ends a row of failures; and never longer than the caller waits. */
async function answerOf<T>(signal: AbortSignal | null, work: () => Promise<T>): Promise<Answer<T>> {
  try {
    return {
      value: await (signal === null
        ? work()
        : withTimeout({ signal, error: (cause) => new RoomyError('STEP_TIMEOUT', { cause }) }, work)),
    };
  } catch (error) {
    if (isAnswer(error)) return { refusal: error };
    throw error;
  }
}

/** Once its pause is over, the next call goes through, whether one comes or not. */
function statusOf({ policy: { state }, until }: Circuit): CircuitStatus {
  if (state === CircuitState.Closed) return 'closed';
  return state === CircuitState.HalfOpen || Date.now() >= until ? 'half-open' : 'open';
}

/** The gateway behind its breakers. `circuitOf` names the circuit of a request by gateway and reference or account. */
export function withBreakers(
  gateway: PaymentGateway,
  breakers: Breakers,
  circuitOf: (gatewayId: string, reference: string) => string,
): PaymentGateway {
  const guard = async <T>(
    call: keyof PaymentGateway,
    { gatewayId, reference }: { readonly gatewayId: string; readonly reference: string },
    signal: AbortSignal | null,
    work: () => Promise<T>,
    own = '',
  ): Promise<T> =>
    observedCall({ kind: 'gateway', call }, () => breakers.run(circuitOf(gatewayId, reference) + own, signal, work));
  return {
    ...(gateway.feeOf ? { feeOf: gateway.feeOf } : {}),
    charge: (request, signal) => guard('charge', request, signal, () => gateway.charge(request, signal)),
    undoCharge: (request, signal) => guard('undoCharge', request, signal, () => gateway.undoCharge(request, signal)),
    refund: (request, signal) => guard('refund', request, signal, () => gateway.refund(request, signal)),
    payOut: (request, signal) => {
      const to = { gatewayId: PAYOUT_BANK, reference: request.account };
      return guard('payOut', to, signal, () => gateway.payOut(request, signal));
    },
    // Look-ups have a circuit of their own: when they fail, payments still go through.
    cardOf: (request, signal) => guard('cardOf', request, signal, () => gateway.cardOf(request, signal), ' (cards)'),
    recordOf: (request, signal) =>
      guard('recordOf', request, signal, () => gateway.recordOf(request, signal), ' (records)'),
    disputes: (gatewayId, ...range) =>
      guard('disputes', { gatewayId, reference: '' }, null, () => gateway.disputes(gatewayId, ...range), ' (records)'),
    movements: (gatewayId, ...range) =>
      guard('movements', { gatewayId, reference: '' }, null, () => gateway.movements(gatewayId, ...range)),
  };
}

/** Devices behind their breakers, each with a circuit of its own. */
export function devicesWithBreakers(devices: Amenities, breakers: Breakers): Amenities {
  const guard = <T>(call: keyof Amenities, device: string, signal: AbortSignal, work: () => Promise<T>): Promise<T> =>
    observedCall({ kind: 'device', call }, () => breakers.run(device, signal, work));
  return {
    activate: (request, signal) => guard('activate', request.device, signal, () => devices.activate(request, signal)),
    changePeriod: (request, signal) =>
      guard('changePeriod', request.device, signal, () => devices.changePeriod(request, signal)),
    deactivate: (request, signal) =>
      guard('deactivate', request.device, signal, () => devices.deactivate(request, signal)),
    grantsOf: (device, signal) => guard('grantsOf', device, signal, () => devices.grantsOf(device, signal)),
  };
}
