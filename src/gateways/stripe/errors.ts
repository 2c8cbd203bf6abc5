import Stripe from 'stripe';
import type { Clock } from '../../kernel/clock.ts';
import { RoomyError } from '../../kernel/errors.ts';
import { declined, NotYetError } from '../failures.ts';

/** Stripe refused the request itself; the caller decides the meaning. */
export class RequestRefused extends RoomyError {
  /** Upper-snake. */
  readonly reason: string;
  constructor(reason: string, cause: unknown) {
    super('STEP_FAILED', { details: { gatewayError: reason }, cause });
    this.reason = reason;
  }
}
/** An answer that is not of the form that Stripe documents. */
export class MalformedReply extends RoomyError {
  constructor(cause: unknown) {
    super('STEP_FAILED', { details: { gatewayError: 'MALFORMED_REPLY' }, cause });
  }
}

/** The connection was never made, so nothing was sent. */
const UNSENT =
  /^(?:ECONNREFUSED|ENOTFOUND|EAI_AGAIN|EHOSTUNREACH|ENETUNREACH|UND_ERR_CONNECT_TIMEOUT|CERT_\w+|DEPTH_ZERO_\w+|SELF_SIGNED_\w+|UNABLE_TO_\w+|ERR_TLS_\w+)$/;
const RETRY_AFTER_MS = 30_000;

/** Stripe's codes become upper-snake, as everywhere. */
export const upperSnake = (code: string): string =>
  code
    .toUpperCase()
    .replace(/[^A-Z0-9]+/g, '_')
    .slice(0, 64);

export interface Circumstances {
  /** The request can change something. */
  readonly writes: boolean;
  /** An earlier one of the same attempt has, so that the outcome of this one does not decide that of the attempt. */
  readonly wrote: boolean;
  readonly clock: Clock;
}

/** An error of a call to Stripe as one of the catalogue. */
export function failureOf(error: unknown, { writes, wrote, clock }: Circumstances): Error {
  const retryAfter = new Date(clock.now().getTime() + RETRY_AFTER_MS);
  const unavailable = (gatewayError: string, unsent: boolean): RoomyError =>
    new RoomyError('GATEWAY_UNAVAILABLE', {
      details: { gatewayError, retryAfter: retryAfter.toISOString() },
      cause: error,
      unsent: !wrote && (unsent || !writes),
    });
  if (!(error instanceof Stripe.errors.StripeError)) return error instanceof Error ? error : new Error(String(error));
  if (error instanceof Stripe.errors.StripeCardError) {
    return declineOf(error.decline_code || error.code || '', error.advice_code ?? null, clock, error);
  }
  if (error instanceof Stripe.errors.StripeConnectionError) {
    const codes = codesOf(error.detail);
    if (codes.includes(Stripe.HttpClient.TIMEOUT_ERROR_CODE)) {
      return new RoomyError('STEP_TIMEOUT', { cause: error, unsent: !wrote && !writes });
    }
    return unavailable('GATEWAY_DOWN', codes.length > 0 && codes.every((code) => UNSENT.test(code)));
  }
  // Refused at the door: nothing was done.
  if (error instanceof Stripe.errors.StripeRateLimitError) return unavailable('RATE_LIMITED', true);
  if (error instanceof Stripe.errors.StripeAuthenticationError) return unavailable('GATEWAY_CREDENTIALS', true);
  // Another request under the same key is being served.
  if (error.statusCode === 409) return new NotYetError('IN_PROGRESS', retryAfter, error);
  if (error instanceof Stripe.errors.StripeIdempotencyError) {
    return new RequestRefused('IDEMPOTENCY_KEY_REUSED', error);
  }
  if (error.code === 'balance_insufficient') return new NotYetError('BALANCE_INSUFFICIENT', retryAfter, error);
  if (error instanceof Stripe.errors.StripePermissionError && error.code !== 'account_invalid') {
    return unavailable('GATEWAY_CREDENTIALS', true);
  }
  if (error.statusCode !== undefined && error.statusCode >= 400 && error.statusCode < 500) {
    return new RequestRefused(upperSnake(error.code ?? 'invalid_request'), error);
  }
  return unavailable('GATEWAY_ERROR', false);
}

/** Of an error and its causes: `fetch` hides the system's own error, of several tried addresses even one each. */
function codesOf(error: unknown, depth = 0): readonly string[] {
  if (!(error instanceof Error) || depth > 4) return [];
  const { code, exception } = error as { code?: unknown; exception?: unknown };
  const inner = error instanceof AggregateError ? error.errors : [error.cause, exception];
  const codes = inner.flatMap((one) => codesOf(one, depth + 1));
  return codes.length > 0 || typeof code !== 'string' ? codes : [code];
}

const HOUR_MS = 60 * 60 * 1000;
/** After how long another try with the same card can help; for all others it cannot. */
const RETRYABLE: ReadonlyMap<string, number> = new Map([
  ['INSUFFICIENT_FUNDS', 24 * HOUR_MS],
  ['WITHDRAWAL_COUNT_LIMIT_EXCEEDED', 24 * HOUR_MS],
  ['CARD_VELOCITY_EXCEEDED', 24 * HOUR_MS],
  ['PROCESSING_ERROR', HOUR_MS],
  ['ISSUER_NOT_AVAILABLE', HOUR_MS],
  ['TRY_AGAIN_LATER', HOUR_MS],
  ['REENTER_TRANSACTION', HOUR_MS],
]);
/** Codes for which Stripe asks to show the guest no more than that the card was declined. */
const CONCEALED = new Set(['FRAUDULENT', 'LOST_CARD', 'STOLEN_CARD', 'PICKUP_CARD', 'MERCHANT_BLACKLIST']);
const GENERIC = new Set(['', 'GENERIC_DECLINE', 'DO_NOT_HONOR', ...CONCEALED]);

export function declineOf(code: string, advice: string | null, clock: Clock, cause?: unknown): RoomyError {
  const upper = upperSnake(code);
  const gatewayError = GENERIC.has(upper) ? 'CARD_DECLINED' : upper;
  const waitMs = advice === 'do_not_try_again' || CONCEALED.has(upper) ? null : (RETRYABLE.get(upper) ?? null);
  return declined({
    gatewayError,
    retryAfter: waitMs === null ? null : new Date(clock.now().getTime() + waitMs),
    advice: adviceFor(gatewayError, waitMs !== null),
    cause,
  });
}

function adviceFor(gatewayError: string, retryable: boolean): string {
  if (gatewayError === 'AUTHENTICATION_REQUIRED') return 'Let the guest authenticate the payment, then pay again';
  return retryable ? 'Try again later, or use another card' : 'Use another card';
}
