import { RoomyError } from '../../kernel/errors.ts';
import { withTimeout } from '../../kernel/time-limit.ts';
import type { CardRequest, Ports } from '../ports.ts';

/** A guest waits for it before the payment itself is asked for; a provider that answers at all takes a tenth of it. */
const LOOK_UP_MS = 2_000;

/**
 * The fingerprint of the card behind a reference, asked of its provider with no transaction open. Null as well when the
 * provider cannot be asked, in time or at all: a rule that cannot look must not stop payments, and the other rules stand.
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
