import { InvariantError } from './errors.ts';

export interface BatcherOptions {
  /** Items in one run, at the most. */
  readonly maxBatch: number;
  /** Runs under way at once; items that arrive meanwhile travel together in the next run. */
  readonly maxInFlight: number;
  /** Items waiting, at the most; one more is refused. */
  readonly maxWaiting?: number;
  /** Errors that are no item's fault: they fail all of the run, instead of each item being tried alone. */
  readonly failTogether?: (error: unknown) => boolean;
}

/**
 * Joins work that arrives while earlier work is under way: an idle batcher runs an item at once, a busy one runs many
 * items together, so that batches cost no latency when there is no load. When a run fails, each of its items is run
 * alone, so that one bad item fails only itself.
 */
export function createBatcher<T, R>(
  run: (items: readonly T[]) => Promise<readonly R[]>,
  options: BatcherOptions,
): (item: T) => Promise<R> {
  interface Waiting {
    readonly item: T;
    readonly resolve: (result: R) => void;
    readonly reject: (error: unknown) => void;
  }
  const waiting: Waiting[] = [];
  const maxWaiting = options.maxWaiting ?? 100_000;
  let inFlight = 0;

  async function runBatch(batch: readonly Waiting[]): Promise<void> {
    try {
      const results = await run(batch.map((entry) => entry.item));
      if (results.length !== batch.length) throw new InvariantError('a batcher answered for another number of items');
      for (const [index, entry] of batch.entries()) entry.resolve(results[index] as R);
    } catch (error) {
      const [only] = batch;
      if (batch.length === 1 && only) return only.reject(error);
      if (options.failTogether?.(error)) {
        for (const entry of batch) entry.reject(error);
        return;
      }
      for (const entry of batch) await runBatch([entry]);
    }
  }

  function pump(): void {
    while (inFlight < options.maxInFlight && waiting.length > 0) {
      inFlight += 1;
      void runBatch(waiting.splice(0, options.maxBatch)).finally(() => {
        inFlight -= 1;
        pump();
      });
    }
  }

  return (item) =>
    new Promise<R>((resolve, reject) => {
      if (waiting.length >= maxWaiting) {
        reject(new InvariantError('a batcher is full'));
        return;
      }
      waiting.push({ item, resolve, reject });
      pump();
    });
}
