import { RoomyError } from '../../kernel/errors.ts';
import { withTimeout } from '../../kernel/time-limit.ts';
import type { CardRequest, Ports } from '../ports.ts';

/** A guest waits for it before the payment itself; providers usually answer in a tenth of it. */
const LOOK_UP_MS = 2_000;

/**
 * The fingerprint of the card behind a reference, read from its provider with no transaction open. Null also when the provider
 * does not answer in time: a fraud rule without data must not stop payments, and the other rules still apply.
 */
export async function cardFingerprintOf(
  ports: Ports,
  request: CardRequest,
  timeoutMs = LOOK_UP_MS,
): Promise<string | null> {
  const limit = { timeoutMs, error: (cause: unknown) => new RoomyError('STEP_TIMEOUT', { cause }) };
  try {
    return await withTimeout(limit, (signal) => ports.gateway(request.gatewayId).cardOf(request, signal));
  } catch (error) {
    if (error instanceof RoomyError) return null;
    throw error;
  }
}
