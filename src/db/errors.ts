/** What a thrown database error means for the one who asked. */
export type DbFailure =
  | { readonly kind: 'unreachable' }
  | { readonly kind: 'contention' }
  | { readonly kind: 'constraint'; readonly constraint: string }
  | { readonly kind: 'refused'; readonly code: string }
  | { readonly kind: 'other' };

/** SQLSTATE of `saga_refuse` in migration 0001. */
const REFUSED = 'RM001';
const CONTENTION = new Set(['40001', '40P01', '55P03']);
const CONSTRAINT = /^23/;
/**
 * Connection lost, server going down or starting, too many connections, idle-in-transaction cut, disk full, read-only after a fail-over;
 * and what an operator does to a database meanwhile: it takes no connections (55000) or is not there (3D000), or who connects is not
 * let in (28). None of these is a fault of the request.
 */
const UNREACHABLE = /^(08|28|57P0|53)|^25P0[34]$|^25006$|^3D000$|^55000$/;
const UNREACHABLE_ERRNO = new Set([
  'ECONNREFUSED',
  'ECONNRESET',
  'EPIPE',
  'ETIMEDOUT',
  'ENOTFOUND',
  'EHOSTUNREACH',
  'EAI_AGAIN',
]);
/** pg reports these without a code. */
const UNREACHABLE_TEXT =
  /Connection terminated|timeout exceeded when trying to connect|Client has encountered a connection error|Query read timeout|client was closed|not queryable/i;

export function classifyDbError(error: unknown): DbFailure {
  if (!(error instanceof Error)) return { kind: 'other' };
  const { code, constraint } = error as { code?: unknown; constraint?: unknown };
  if (typeof code === 'string') {
    if (code === REFUSED) return { kind: 'refused', code: error.message };
    if (CONTENTION.has(code)) return { kind: 'contention' };
    if (UNREACHABLE.test(code) || UNREACHABLE_ERRNO.has(code)) return { kind: 'unreachable' };
    if (CONSTRAINT.test(code))
      return { kind: 'constraint', constraint: typeof constraint === 'string' ? constraint : '' };
  }
  if (UNREACHABLE_TEXT.test(error.message)) return { kind: 'unreachable' };
  if (error instanceof AggregateError)
    return error.errors.length > 0 ? classifyDbError(error.errors[0]) : { kind: 'other' };
  return { kind: 'other' };
}

const MAX_CONTENTION_RETRIES = 3;

/** Runs again, three times at the most, what lost a deadlock, a serialisation or a lock wait: such a statement left nothing behind. */
export async function retryContention<T>(work: () => Promise<T>): Promise<T> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await work();
    } catch (error) {
      if (attempt > MAX_CONTENTION_RETRIES || classifyDbError(error).kind !== 'contention') throw error;
    }
  }
}

/** `query_canceled`: a statement took longer than it may, and the server has ended it. */
const CANCELED = '57014';
export const isCanceled = (error: unknown): boolean =>
  error instanceof Error && Reflect.get(error, 'code') === CANCELED;

/** For lanes: a database that is away is away for every item. */
export const isUnreachable = (error: unknown): boolean => classifyDbError(error).kind === 'unreachable';
