import type { Logger } from './log.ts';
import { outageOf } from './outages.ts';

/**
 * Failures in a row of work that is repeated by the clock: one line when they begin and one when they are over. Beside
 * `outages.ts`, which says so of what we depend on; a failure because of that is counted here, and told there.
 */
export interface FailuresInARow {
  /** `fields` are of this failure, and told if it is the one that is. */
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
  /** What is said when it begins, and when it is over: constant texts. */
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
  let isTold = false;
  const lastedMs = (): number => Math.round(performance.now() - sinceMs);
  return {
    failed(error, own = {}) {
      if (failures === 0) sinceMs = performance.now();
      failures += 1;
      if (isTold) return;
      isTold = outageOf(error) === null;
      log[isTold ? level : 'debug']({ ...fields, ...own, err: error }, begins);
    },
    succeeded() {
      if (isTold) log.info({ ...fields, failures, lastedMs: lastedMs() }, ends);
      failures = 0;
      isTold = false;
    },
    current: () => (failures === 0 ? null : { failures, lastedMs: lastedMs() }),
  };
}
