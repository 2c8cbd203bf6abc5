/**
 * The one error type and the one closed catalogue of codes. A code's kind decides the HTTP status at one edge and
 * whether to retry at the other. The public text goes to callers; the cause stays in logs.
 *
 * `refusal` business said no: never retried, compensates. `transient` may pass: retried with back-off.
 * `bug` neither: retried (a deploy may mend it), then compensated or parked.
 */
export type ErrorKind = 'refusal' | 'transient' | 'bug';

interface CatalogueEntry {
  readonly status: number;
  readonly kind: ErrorKind;
  readonly text: string;
}
const refusal = (status: number, text: string): CatalogueEntry => ({ status, kind: 'refusal', text });

export const CATALOGUE = {
  MALFORMED_REQUEST: refusal(400, 'The request is not well-formed'),
  INVALID_CURSOR: refusal(400, 'The cursor is not one of ours, or belongs to another filter'),
  INVALID_IDEMPOTENCY_KEY: refusal(400, 'Idempotency-Key must be 1 to 255 visible ASCII characters'),
  UNAUTHENTICATED: refusal(401, 'A valid bearer token is required'),
  FORBIDDEN: refusal(403, 'Your role does not permit this'),
  STEP_UP_REQUIRED: refusal(403, 'Give your second factor again: this needs one of the last 15 minutes'),
  SECOND_FACTOR_REQUIRED: refusal(
    403,
    'This role needs a second factor: set one up, or give it, on the page of your account',
  ),
  CROSS_SITE: refusal(403, 'This request did not come from a page of this service'),
  ROUTE_NOT_FOUND: refusal(404, 'There is nothing at this address'),
  METHOD_NOT_ALLOWED: refusal(405, 'This address does not support that method'),
  NOT_FOUND: refusal(404, 'Not found'),
  RESERVATION_NOT_FOUND: refusal(404, 'Reservation not found'),
  SAGA_NOT_FOUND: refusal(404, 'Saga not found'),
  TASK_NOT_FOUND: refusal(404, 'Task not found'),
  PAYLOAD_TOO_LARGE: refusal(413, 'The body is larger than 64 KiB'),
  UNSUPPORTED_MEDIA_TYPE: refusal(415, 'The body must be application/json in UTF-8'),
  VALIDATION_FAILED: refusal(422, 'The request is not valid'),
  REFERENCE_NOT_FOUND: refusal(422, 'A referenced record does not exist'),
  AMOUNT_PRECISION: refusal(422, 'The amount has more decimals than its currency'),
  AMOUNT_INVALID: refusal(422, 'The amount is not a plain decimal number'),
  AMOUNT_NOT_POSITIVE: refusal(422, 'The amount must be more than zero'),
  AMOUNT_TOO_LARGE: refusal(422, 'The amount is over the limit'),
  CURRENCY_INVALID: refusal(422, 'The currency must be an ISO 4217 code in capital letters'),
  CURRENCY_MISMATCH: refusal(422, 'The currency is not the one of the reservation'),
  CARD_DATA_FORBIDDEN: refusal(422, 'Card data must not be sent here: use a token of the payment gateway'),
  DISTRIBUTION_SUM_INVALID: refusal(422, 'The shares must sum to exactly 100'),
  PAYMENT_EXCEEDS_BALANCE: refusal(422, 'The payment is more than what is outstanding'),
  REFUND_EXCEEDS_CAPTURED: refusal(422, 'The refund is more than what has been captured and not refunded'),
  GATEWAY_UNKNOWN: refusal(422, 'There is no such payment gateway'),
  NOT_A_PAYOUT: refusal(422, 'The transaction is not an owner payout'),
  DIFFERENCE_NOT_BOOKABLE: refusal(422, 'Only a difference in the fee of a charge or refund can be booked'),
  SETTLEMENT_FILE_INVALID: refusal(422, 'The settlement file cannot be read'),
  PAYMENT_DECLINED: refusal(402, 'Payment gateway error'),
  SECOND_PERSON_REQUIRED: refusal(403, 'Another person has to do this'),
  APPROVAL_LIMIT_EXCEEDED: refusal(403, 'The amount is more than your role may approve'),
  PAYMENT_BLOCKED: refusal(403, 'The payment was refused by the fraud rules'),
  PAYMENT_NOT_VERIFIED: refusal(409, 'The gateway does not confirm this payment'),
  GATEWAY_REFERENCE_REUSED: refusal(409, 'This gateway reference belongs to another payment'),
  ALREADY_PAID: refusal(409, 'It has been paid already'),
  NOTHING_TO_REFUND: refusal(409, 'Nothing that was captured is left to refund'),
  ALREADY_REVERSED: refusal(409, 'It has been reversed already'),
  RESERVATION_NOT_PAYABLE: refusal(409, 'The reservation cannot be paid in its state'),
  RESERVATION_IN_HOUSE: refusal(409, 'The guest has checked in: check out instead of cancelling'),
  PAYOUT_NOT_PAYABLE: refusal(409, 'The payout cannot be paid in its state'),
  PAYOUT_EXCEEDS_BALANCE: refusal(409, 'The payout is more than what is owed to the owner'),
  PAYOUT_BEFORE_SCHEDULE: refusal(409, 'The payout is not due yet'),
  PAYOUT_REFUSED: refusal(409, 'The payout was refused by the bank'),
  APPROVAL_REQUIRED: refusal(409, 'A person must decide about this'),
  APPROVAL_DECLINED: refusal(409, 'A second person has not approved this'),
  INVALID_SIGNATURE: refusal(401, 'The signature is not valid'),
  PRECONDITION_REQUIRED: refusal(428, 'If-Match is required'),
  REQUEST_TIMEOUT: refusal(408, 'The request did not arrive in time'),
  HEADERS_TOO_LARGE: refusal(431, 'The headers are larger than 16 KiB'),
  RATE_LIMITED: refusal(429, 'Too many requests: try again when Retry-After has passed'),
  TOO_MANY_OPEN: refusal(429, 'Too many of your processes are open: some must end first'),
  TOO_MANY_STREAMS: refusal(429, 'You have too many streams open: close one first'),
  IDEMPOTENCY_KEY_REUSED: refusal(422, 'This Idempotency-Key was used with another request'),
  LAST_ADMIN: refusal(409, 'The last administrator can be neither deactivated nor given another role'),
  ALREADY_EXISTS: refusal(409, 'A record with this id exists already'),
  DEVICE_IN_USE: refusal(409, 'This device is bound to another property'),
  ASSIGNEE_BUSY: refusal(409, 'This person has another task at that time'),
  ASSIGNEE_INACTIVE: refusal(422, 'This person does not work here any more'),
  IDEMPOTENCY_IN_PROGRESS: refusal(409, 'A request with this Idempotency-Key is still being accepted'),
  IDEMPOTENT_ANSWER_LOST: refusal(
    409,
    'A request with this Idempotency-Key was carried out, but its answer held a secret and can no longer be opened',
  ),
  TIME_ZONE_UNKNOWN: refusal(409, 'The time zone of the guest, the property or a shift does not exist'),
  INVALID_STATE_TRANSITION: refusal(409, 'The current state does not allow this'),
  OFFER_EXPIRED: refusal(409, 'The time to answer is over'),
  RESERVATION_CONFLICT: refusal(409, 'Property is not available for the selected dates'),
  NO_STAFF_AVAILABLE: refusal(409, 'No available staff for task assignment'),
  SAGA_IN_PROGRESS: refusal(409, 'Another process is running on this record'),
  SAGA_NOT_PARKED: refusal(409, 'Only a parked saga can be retried or resolved'),
  SAGA_NOT_WAITING: refusal(409, 'The process does not wait for this'),
  WAIT_TIMED_OUT: refusal(409, 'An answer that the process waited for did not come in time'),
  SAGA_RESOLVED: refusal(409, 'The process was closed by a person'),
  SAGA_CANCELLED: refusal(409, 'The process was cancelled by a person, and undone'),
  SUPERSEDED: refusal(409, 'The record was changed after the step that is to be undone'),
  PRECONDITION_FAILED: refusal(412, 'The record has changed since it was read'),
  TASK_ALREADY_COMPLETED: refusal(409, 'The task has been completed already'),
  TASK_NOT_COMPLETABLE: refusal(409, 'The task cannot be completed in its state'),
  WEBHOOK_URL_REFUSED: refusal(422, 'This address cannot be called'),
  EVENTS_EXPIRED: refusal(410, 'What came next has been deleted by its age'),
  EVENT_TYPE_UNKNOWN: refusal(422, 'There are no events of this type'),
  EVENTS_NOT_REACHED: refusal(409, 'The feed does not reach this place: it ends before it'),
  TEMPLATE_INVALID: refusal(422, 'The template cannot be read'),
  TEMPLATE_UNKNOWN_VARIABLE: refusal(422, 'The template names a variable that this message does not have'),
  TEMPLATE_TOO_LONG: refusal(422, 'The template is longer than three SMS'),
  MESSAGE_REQUIRED: refusal(409, 'This message cannot be left out'),
  CHECKLIST_INCOMPLETE: refusal(422, 'Required items of the checklist are open'),
  CHECK_IN_TOO_EARLY: refusal(409, 'The stay begins on a later day'),
  BALANCE_DUE: refusal(409, 'The stay is not paid in full'),
  PROPERTY_NOT_READY: refusal(409, 'The property is not ready for a guest'),
  AMENITIES_REFUSED: refusal(409, 'The property’s devices refuse this'),
  AMENITIES_UNAVAILABLE: { status: 503, kind: 'transient', text: 'The property’s devices cannot be reached' },
  STEP_TIMEOUT: { status: 503, kind: 'transient', text: 'A step did not answer in time' },
  STEP_FAILED: { status: 500, kind: 'bug', text: 'A step failed' },
  SAGA_DEADLINE: { status: 503, kind: 'refusal', text: 'The process did not finish in time' },
  GATEWAY_UNAVAILABLE: { status: 503, kind: 'transient', text: 'Payment gateway error' },
  SERVICE_UNAVAILABLE: { status: 503, kind: 'transient', text: 'A service that we depend on is unavailable' },
  INTERNAL_ERROR: { status: 500, kind: 'bug', text: 'Something went wrong on our side' },
} as const satisfies Record<string, CatalogueEntry>;

export type ErrorCode = keyof typeof CATALOGUE;
export type ErrorDetails = Readonly<Record<string, unknown>>;

export class RoomyError extends Error {
  override readonly name = 'RoomyError';
  readonly code: ErrorCode;
  readonly kind: ErrorKind;
  readonly status: number;
  /** Public; goes into the answer and into the saga's record: ids, dates and codes, never guest data. */
  readonly details: ErrorDetails | undefined;
  /** Nothing can have come of the request: it certainly never reached the other side, or was refused there. */
  readonly unsent: boolean;

  constructor(
    code: ErrorCode,
    options: { details?: ErrorDetails; text?: string; cause?: unknown; unsent?: boolean } = {},
  ) {
    const entry = CATALOGUE[code];
    super(options.text ?? entry.text, options.cause === undefined ? undefined : { cause: options.cause });
    this.code = code;
    this.kind = entry.kind;
    this.status = entry.status;
    this.details = options.details;
    this.unsent = options.unsent ?? false;
  }
}

/** A breaker refuses to ask a service that keeps failing: nothing was sent, and no attempt is used up by waiting. */
export class CircuitOpenError extends RoomyError {
  /** When the breaker lets a request through again. */
  readonly until: Date;
  constructor(until: Date, code: 'GATEWAY_UNAVAILABLE' | 'AMENITIES_UNAVAILABLE' = 'GATEWAY_UNAVAILABLE') {
    const what = code === 'GATEWAY_UNAVAILABLE' ? 'gatewayError' : 'amenityError';
    super(code, {
      details: { [what]: 'CIRCUIT_OPEN', retryAfter: until.toISOString() },
      unsent: true,
    });
    this.until = until;
  }
}

export const isErrorCode = (text: string): text is ErrorCode => Object.hasOwn(CATALOGUE, text);

/** An invariant of ours that does not hold: a bug, never the caller's fault. */
export class InvariantError extends Error {
  override readonly name = 'InvariantError';
}

export function required<T>(value: T | null | undefined, what: string): T {
  if (value === null || value === undefined) throw new InvariantError(`missing: ${what}`);
  return value;
}

/** The message of anything thrown, bounded, for logs and error rows. */
export function messageOf(error: unknown): string {
  const text = error instanceof Error ? `${error.name}: ${error.message}` : String(error);
  return text.slice(0, 500);
}

/** PostgreSQL's SQLSTATE: such errors quote values in their messages, which may be a guest's. */
const SQLSTATE = /^[0-9A-Z]{5}$/;

/** For logs: type, code and stack of anything thrown; the message only where it cannot quote what somebody entered. */
export function describeError(error: unknown): Readonly<Record<string, unknown>> {
  if (!(error instanceof Error)) return { type: typeof error };
  const { code, constraint } = error as { code?: unknown; constraint?: unknown };
  const quotes = typeof code === 'string' && SQLSTATE.test(code);
  const stack = (error.stack ?? '').split('\n').filter((line) => line.startsWith('    at '));
  return {
    type: error.name,
    ...(typeof code === 'string' ? { code } : {}),
    ...(typeof constraint === 'string' ? { constraint } : {}),
    ...(quotes ? {} : { message: error.message.slice(0, 300) }),
    stack: stack.slice(0, 12).join('\n'),
    ...(error.cause === undefined ? {} : { cause: describeError(error.cause) }),
  };
}

/** For what operators and callers may read: what an error was, not what it said. */
export function kindOfError(error: unknown): string {
  const { type, code, constraint } = describeError(error);
  return [type, code, constraint].filter((part) => part !== undefined).join(' ');
}
