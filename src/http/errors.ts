import { HTTPException } from 'hono/http-exception';
import { classifyDbError, isCanceled } from '../db/errors.ts';
import { type ErrorCode, isErrorCode, RoomyError } from '../kernel/errors.ts';
import { executionPath } from '../kernel/links.ts';
import type { AnyContext } from './context.ts';

/** The one edge where something thrown becomes an answer. */

export interface FailureBody {
  readonly success: false;
  readonly error: string;
  readonly code: ErrorCode;
  readonly requestId: string;
  readonly details?: Readonly<Record<string, unknown>>;
}

export function answerFailure(c: AnyContext, thrown: unknown): Response {
  const error = refusalOf(thrown);
  c.set('failure', thrown);
  const body: FailureBody = {
    success: false,
    error: error.message,
    code: error.code,
    requestId: c.get('requestId'),
    ...(error.details === undefined ? {} : { details: error.details }),
  };
  return new Response(JSON.stringify(body), {
    status: error.status,
    headers: { 'Content-Type': 'application/json; charset=utf-8', ...headersOf(error) },
  });
}

function headersOf(error: RoomyError): Record<string, string> {
  switch (error.code) {
    case 'UNAUTHENTICATED':
      return { 'WWW-Authenticate': 'Bearer realm="roomy"' };
    case 'PAYLOAD_TOO_LARGE':
      // The rest of the body will not be read, so the connection cannot be used again.
      return { Connection: 'close' };
    case 'SAGA_IN_PROGRESS': {
      const id = error.details?.sagaExecutionId;
      return typeof id === 'string' ? { Location: executionPath(id) } : {};
    }
    case 'IDEMPOTENCY_IN_PROGRESS':
      return { 'Retry-After': '1' };
    case 'RATE_LIMITED':
      return { 'Retry-After': String(error.details?.retryAfterSeconds ?? 60) };
    case 'TOO_MANY_OPEN':
    case 'TOO_MANY_STREAMS':
      return { 'Retry-After': '5' };
    default:
      return error.status === 503 ? { 'Retry-After': '5' } : {};
  }
}

/** Postgres computes with the zone of a property in some lists: `invalid_parameter_value`, which it uses for other things too. */
const isUnknownZone = (thrown: unknown): boolean =>
  thrown instanceof Error &&
  Reflect.get(thrown, 'code') === '22023' &&
  /^time zone .* not recognized/.test(thrown.message);

/** The refusal that a caller gets. An error that is not known to be safe becomes `INTERNAL_ERROR`, whose cause stays in the log. */
export function refusalOf(thrown: unknown): RoomyError {
  if (thrown instanceof RoomyError) return thrown;
  if (thrown instanceof HTTPException) return new RoomyError(codeOfStatus(thrown.status), { cause: thrown });
  if (isUnknownZone(thrown)) return new RoomyError('TIME_ZONE_UNKNOWN', { cause: thrown });
  const failure = classifyDbError(thrown);
  switch (failure.kind) {
    case 'unreachable':
    case 'contention':
      return new RoomyError('SERVICE_UNAVAILABLE', { cause: thrown });
    case 'constraint':
      return brokenConstraint(failure.constraint, thrown);
    case 'refused':
      return new RoomyError(isErrorCode(failure.code) ? failure.code : 'INTERNAL_ERROR', { cause: thrown });
    case 'other':
      return new RoomyError(isCanceled(thrown) ? 'SERVICE_UNAVAILABLE' : 'INTERNAL_ERROR', { cause: thrown });
  }
}

function codeOfStatus(status: number): ErrorCode {
  if (status === 415) return 'UNSUPPORTED_MEDIA_TYPE';
  if (status === 413) return 'PAYLOAD_TOO_LARGE';
  return status >= 400 && status < 500 ? 'MALFORMED_REQUEST' : 'INTERNAL_ERROR';
}

const BY_CONSTRAINT: Readonly<Record<string, ErrorCode>> = {
  no_double_booking: 'RESERVATION_CONFLICT',
  no_double_shift: 'ASSIGNEE_BUSY',
  one_live_task: 'ALREADY_EXISTS',
  account_by_email: 'ALREADY_EXISTS',
  account_by_principal: 'ALREADY_EXISTS',
  one_property_of_device: 'DEVICE_IN_USE',
};

function brokenConstraint(constraint: string, cause: unknown): RoomyError {
  const named = BY_CONSTRAINT[constraint];
  if (named) return new RoomyError(named, { cause });
  if (constraint.endsWith('_pkey')) return new RoomyError('ALREADY_EXISTS', { cause });
  const reference = /^[a-z]+_(.+)_fkey$/.exec(constraint)?.[1];
  if (reference) return new RoomyError('REFERENCE_NOT_FOUND', { cause, details: { field: camelCase(reference) } });
  // A constraint that has no name, such as NOT NULL, can only be broken by our own mistake.
  return new RoomyError(constraint === '' ? 'INTERNAL_ERROR' : 'VALIDATION_FAILED', { cause });
}

const camelCase = (column: string): string =>
  column.replaceAll(/_([a-z])/g, (_match, letter: string) => letter.toUpperCase());
