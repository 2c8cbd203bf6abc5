/** Drives one unit of work after the other: as many as it can (closed loop), or at a fixed rate whatever the answers take (open loop). */

export interface LoadResult {
  readonly done: number;
  readonly failed: number;
  /** Of the first few that failed. */
  readonly failures: readonly string[];
  readonly latenciesMs: readonly number[];
}

export type LoadPlan =
  | { readonly loop: 'closed'; readonly concurrency: number; readonly seconds: number; readonly maxUnits: number }
  | { readonly loop: 'open'; readonly perSecond: number; readonly seconds: number; readonly maxUnits: number };

const MAX_FAILURES_KEPT = 3;
/** An open loop that falls behind by more than this stops sending: the rate was not met, and the latencies say so. */
const MAX_OPEN = 2_000;

/** `work` is given 0, 1, 2 ... and rejects when its unit failed. */
export async function runLoad(plan: LoadPlan, work: (index: number) => Promise<void>): Promise<LoadResult> {
  const latenciesMs: number[] = [];
  const failures: string[] = [];
  let failed = 0;
  let next = 0;

  async function unit(index: number, since: number): Promise<void> {
    try {
      await work(index);
      latenciesMs.push(performance.now() - since);
    } catch (error) {
      failed += 1;
      if (failures.length < MAX_FAILURES_KEPT) failures.push(error instanceof Error ? error.message : String(error));
    }
  }

  const started = performance.now();
  const until = started + plan.seconds * 1000;
  if (plan.loop === 'closed') {
    const loop = async (): Promise<void> => {
      while (performance.now() < until && next < plan.maxUnits) {
        const index = next;
        next += 1;
        await unit(index, performance.now());
      }
    };
    await Promise.all(Array.from({ length: plan.concurrency }, loop));
  } else {
    const open = new Set<Promise<void>>();
    const everyMs = 1000 / plan.perSecond;
    while (next < plan.maxUnits && open.size < MAX_OPEN) {
      // Latency counts from when the unit was due, so that a stall is not hidden by sending later.
      const due = started + next * everyMs;
      if (due >= until) break;
      const ahead = due - performance.now();
      if (ahead > 0.5) await new Promise((resolve) => setTimeout(resolve, ahead));
      const running = unit(next, due).finally(() => open.delete(running));
      open.add(running);
      next += 1;
    }
    await Promise.all(open);
  }
  return { done: latenciesMs.length, failed, failures, latenciesMs };
}

/** Nearest rank; null when there is nothing. */
export function percentile(values: readonly number[], percent: number): number | null {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.max(0, Math.ceil((percent / 100) * sorted.length) - 1)] ?? null;
}

export const median = (values: readonly number[]): number | null => {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length / 2;
  const upper = sorted[Math.floor(middle)];
  const lower = sorted[Math.ceil(middle) - 1];
  return upper === undefined || lower === undefined ? null : (upper + lower) / 2;
};
