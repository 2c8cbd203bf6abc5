import { describeError } from './errors.ts';
import type { Logger } from './log.ts';

/**
 * One line in the log when something that we depend on goes away, and one when it is back, whatever the number of
 * loops, jobs and requests that meet its absence between.
 */
export interface Outages {
  /**
   * Begins an outage, or counts one more failure of it. Errors given here are known to `outageOf` from then on; one that is
   * another dependency's already is not counted: `connect ECONNREFUSED` reads the same for each dependency.
   */
  failed(dependency: string, error: unknown): void;
  /** It answered. Ends an outage once nothing has failed for a second: while a server goes down, some still get through. */
  answered(dependency: string): void;
  /** It said itself that it is back. Ends an outage at once. */
  recovered(dependency: string): void;
}

interface Outage {
  readonly sinceMs: number;
  lastMs: number;
  failures: number;
}

const SETTLED_AFTER_MS = 1_000;
/** Each receiver of webhooks and each device is a dependency of its own. */
const MAX_DEPENDENCIES = 1_000;
const MAX_CAUSES = 5;
const MAX_TEXT = 300;

const dependencies = new WeakMap<Error, string>();

/** `now`: milliseconds of a clock that never steps back. */
export function createOutages(log: Logger, now: () => number = () => performance.now()): Outages {
  const outages = new Map<string, Outage>();
  function end(dependency: string, outage: Outage): void {
    outages.delete(dependency);
    const awayMs = Math.round(now() - outage.sinceMs);
    log.info({ dependency, awayMs, failures: outage.failures }, 'a dependency is back');
  }
  return {
    failed(dependency, error) {
      const cause = error instanceof Error ? error : new Error(String(error));
      if ((outageOf(cause) ?? dependency) !== dependency) return;
      dependencies.set(cause, dependency);
      const known = outages.get(dependency);
      if (known) {
        known.failures += 1;
        known.lastMs = now();
        return;
      }
      if (outages.size >= MAX_DEPENDENCIES) outages.delete(outages.keys().next().value ?? '');
      outages.set(dependency, { sinceMs: now(), lastMs: now(), failures: 1 });
      log.warn({ dependency, err: cause }, 'a dependency is away');
    },
    answered(dependency) {
      if (outages.size === 0) return;
      const outage = outages.get(dependency);
      if (outage && now() - outage.lastMs >= SETTLED_AFTER_MS) end(dependency, outage);
    },
    recovered(dependency) {
      const outage = outages.get(dependency);
      if (outage) end(dependency, outage);
    },
  };
}

/** For who is not given any, such as a test that reads no log. */
export const noOutages: Outages = { failed: () => undefined, answered: () => undefined, recovered: () => undefined };

/** The dependency that is away by this error, or by one of its causes; null for any other error. */
export function outageOf(error: unknown): string | null {
  let cause = error;
  for (let depth = 0; depth < MAX_CAUSES && cause instanceof Error; depth += 1) {
    const dependency = dependencies.get(cause);
    if (dependency !== undefined) return dependency;
    cause = cause.cause;
  }
  return null;
}

/**
 * For loops and listeners: a warning about what went wrong, unless it is an outage, which has its own line already.
 * A failure that people must know about each time (a failed request, a saga that ended) is logged without this.
 */
export function logFailure(
  log: Logger,
  error: unknown,
  message: string,
  fields: Readonly<Record<string, unknown>> = {},
  level: 'warn' | 'error' = 'warn',
): void {
  log[outageOf(error) === null ? level : 'debug']({ ...fields, err: error }, message);
}

/**
 * For logs: an outage with the message of the server or the driver, and without a stack, which is the same each time. Such
 * messages are about connections and quote no values, unlike other errors of databases; those are `describeError`'s.
 */
export function describeFailure(error: unknown): Readonly<Record<string, unknown>> {
  if (!(error instanceof Error) || outageOf(error) === null) return describeError(error);
  const { code } = error as { code?: unknown };
  // A host with several addresses fails with one error each, and no message of its own.
  const parts = error instanceof AggregateError ? error.errors.map(textOf) : [textOf(error)];
  return {
    type: error.name,
    ...(typeof code === 'string' ? { code } : {}),
    message: [...new Set(parts)].join('; ').slice(0, MAX_TEXT),
    ...(dependencies.has(error) ? {} : { cause: describeFailure(error.cause) }),
  };
}

const textOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));
