import { InvariantError } from './errors.ts';

/** The end of a wait besides the work itself: a time, a signal, or both. */
export interface TimeLimit {
  /** Milliseconds from now. */
  readonly timeoutMs?: number;
  readonly signal?: AbortSignal;
  /** Makes the error that is thrown then, from the signal's reason or a `TimeoutError`. */
  readonly error: (reason: unknown) => Error;
}

/**
 * Runs `work` and waits no longer than the limit allows. The work gets a signal that is aborted with the limit; if it
 * goes on nevertheless, its result is dropped. Every promise in here is observed: work that throws at once, that
 * rejects after the limit, or a limit that passes after the work has ended, can never become an unhandled rejection.
 * This is the only place where a promise and a timer race.
 */
export async function withTimeout<T>(limit: TimeLimit, work: (signal: AbortSignal) => T | PromiseLike<T>): Promise<T> {
  const { timeoutMs, signal } = limit;
  if (timeoutMs === undefined && signal === undefined) throw new InvariantError('a wait without a limit');
  // An abort that came before this line raises no event any more, and would leave the work without a bound.
  if (signal?.aborted) throw limit.error(signal.reason);
  const bounded = new AbortController();
  return new Promise<T>((resolve, reject) => {
    const end = (): void => {
      clearTimeout(timer);
      signal?.removeEventListener('abort', onAbort);
    };
    const expire = (reason: unknown): void => {
      end();
      reject(limit.error(reason));
      bounded.abort(reason);
    };
    const onAbort = (): void => expire(signal?.reason);
    const timer =
      timeoutMs === undefined
        ? undefined
        : setTimeout(() => expire(new DOMException(`no answer within ${timeoutMs} ms`, 'TimeoutError')), timeoutMs);
    signal?.addEventListener('abort', onAbort, { once: true });
    // An async function turns what the work throws at once into a rejection.
    const result = (async () => work(bounded.signal))();
    result.then(
      (value) => {
        end();
        resolve(value);
      },
      (error: unknown) => {
        end();
        reject(error);
      },
    );
  });
}
