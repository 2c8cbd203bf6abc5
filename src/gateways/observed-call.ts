import { CircuitOpenError, RoomyError } from '../kernel/errors.ts';
import { observe, secondsSince } from '../kernel/telemetry/measure.ts';
import { inSpan } from '../kernel/telemetry/tracing.ts';
import { NotYetError } from './failures.ts';

/** What is called: never which gateway or device, whose names may hold an account or an address. */
export interface ObservedCall {
  readonly kind: 'gateway' | 'device';
  readonly call: string;
}

/** Times and traces a call of another system. */
export function observedCall<T>(about: ObservedCall, work: () => Promise<T>): Promise<T> {
  const { kind, call } = about;
  return inSpan(`${kind} ${call}`, { kind: 'client', attributes: { 'roomy.call': call } }, () => timed(about, work));
}

async function timed<T>({ kind, call }: ObservedCall, work: () => Promise<T>): Promise<T> {
  const beganMs = performance.now();
  const end = (outcome: string): void =>
    observe('roomy_gateway_call_duration_seconds', secondsSince(beganMs), { kind, call, outcome });
  try {
    const answer = await work();
    end('ok');
    return answer;
  } catch (error) {
    end(outcomeOf(error));
    throw error;
  }
}

function outcomeOf(error: unknown): string {
  if (error instanceof CircuitOpenError) return 'open';
  const isAnswer = error instanceof NotYetError || (error instanceof RoomyError && error.kind === 'refusal');
  return isAnswer ? 'refused' : 'failed';
}
