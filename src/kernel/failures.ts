import type { Logger } from './log.ts';
import { outageOf } from './outages.ts';

/**
 * Failures in a row of work that is repeated by the clock: one line when they begin and one when they are over. Beside
 * `outages.ts`, which logs the outages of dependencies; a failure because of one is counted here, and logged there.
 */
export interface FailuresInARow {
  /** `fields` are of this failure, and logged if it is the one that is logged. */
  failed(error: unknown, fields?: Readonly<Record<string, unknown>>): void;
  succeeded(): void;
  /** Null while all is well. */
  current(): Failing | null;
}
export interface Failing {
  readonly failures: number;
  readonly lastedMs: number;
}

export interface FailureLines {
  /** The messages of the two lines: constant texts. */
  readonly begins: string;
  readonly ends: string;
  /** Ids that go with both lines. */
  readonly fields?: Readonly<Record<string, unknown>>;
  readonly level?: 'warn' | 'error';
}

export function createFailuresInARow(log: Logger, lines: FailureLines): FailuresInARow {
  const { begins, ends, fields = {}, level = 'error' } = lines;
  let failures = 0;
  let sinceMs = 0;
  let isLogged = false;
  const lastedMs = (): number => Math.round(performance.now() - sinceMs);
  return {
    failed(error, own = {}) {
      if (failures === 0) sinceMs = performance.now();
      failures += 1;
      if (isLogged) return;
      isLogged = outageOf(error) === null;
      log[isLogged ? level : 'debug']({ ...fields, ...own, err: error }, begins);
    },
    succeeded() {
      if (isLogged) log.info({ ...fields, failures, lastedMs: lastedMs() }, ends);
      failures = 0;
      isLogged = false;
    },
    current: () => (failures === 0 ? null : { failures, lastedMs: lastedMs() }),
  };
}
