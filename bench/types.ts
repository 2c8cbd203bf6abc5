import type { LoadPlan, LoadResult } from './load.ts';

/** `confirm`: the saga completes. `rollback`: its last step is refused, and all before it are undone. */
export type Outcome = 'confirm' | 'rollback';

export interface Cpu {
  /** Of all processes that do the work, the load's own not counted. Null where it cannot be read. */
  readonly cpuMs: number | null;
  readonly cpuMsByProgram: Readonly<Record<string, number | null>>;
}
export interface Measured extends LoadResult, Cpu {
  /** From the first request until nothing was left to do. */
  readonly elapsedMs: number;
}

/** One of those that are compared. */
export interface Subject {
  readonly measure: (outcome: Outcome, plan: LoadPlan) => Promise<Measured>;
  /** What autovacuum does within minutes: without it, a young database runs on plans made for empty tables. */
  readonly settle: () => Promise<void>;
  /** Ends its programs and drops its database. */
  readonly close: () => Promise<void>;
}
