import { InvariantError } from './errors.ts';
import { createRunSlots, type RunSlots } from './run-slots.ts';
import { forAll, type Origin, origin } from './telemetry/tracing.ts';

export interface BatcherOptions<T = unknown, R = unknown> {
  /** Items in one run, at the most. */
  readonly maxBatch: number;
  /** Runs under way at once; items that arrive meanwhile travel together in the next run. */
  readonly maxInFlight: number;
  /** Shared with other batchers; a run of this one needs a slot. Default: slots of its own, `maxInFlight` of them. */
  readonly slots?: RunSlots;
  /** Items waiting, at the most; one more is refused. */
  readonly maxWaiting?: number;
  /** Errors that are no item's fault: they fail all of the run that is left, instead of each item being tried alone. */
  readonly failTogether?: (error: unknown) => boolean;
  /** Runs each item of a run that has failed by itself, in order, one failing without the others. Default: by `run`. */
  readonly runEach?: (items: readonly T[]) => Promise<readonly PromiseSettledResult<R>[]>;
}

interface Waiting<T, R> {
  readonly item: T;
  readonly from: Origin;
  readonly resolve: (result: R) => void;
  readonly reject: (error: unknown) => void;
}

function rejectAll(batch: readonly Pick<Waiting<unknown, unknown>, 'reject'>[], error: unknown): void {
  for (const entry of batch) entry.reject(error);
}

async function settleEach<T, R>(
  batch: readonly Waiting<T, R>[],
  runEach: NonNullable<BatcherOptions<T, R>['runEach']>,
): Promise<void> {
  try {
    const results = await runEach(batch.map((entry) => entry.item));
    for (const [index, entry] of batch.entries()) {
      const result = results[index];
      if (result?.status === 'fulfilled') entry.resolve(result.value);
      else entry.reject(result ? result.reason : new InvariantError('a batcher answered for another number of items'));
    }
  } catch (error) {
    rejectAll(batch, error);
  }
}

/**
 * Joins work that arrives together, or while earlier work is under way: an idle batcher runs an item on the next turn of
 * the event loop, a busy one runs many items together, so that batches cost no latency when there is no load. When a run
 * fails, each of its items is run alone, one after the other, so that one bad item fails only itself.
 */
export function createBatcher<T, R>(
  run: (items: readonly T[]) => Promise<readonly R[]>,
  options: BatcherOptions<T, R>,
): (item: T) => Promise<R> {
  const waiting: Waiting<T, R>[] = [];
  const maxWaiting = options.maxWaiting ?? 100_000;
  const slots = options.slots ?? createRunSlots({ max: options.maxInFlight });
  let inFlight = 0;

  /** Answers the error that was no item's fault, if there was one: what is left need not be tried. */
  async function runBatch(batch: readonly Waiting<T, R>[]): Promise<{ readonly outage: unknown } | undefined> {
    try {
      const items = batch.map((entry) => entry.item);
      const results = await forAll(
        batch.map(({ from }) => from),
        () => run(items),
      );
      if (results.length !== batch.length) throw new InvariantError('a batcher answered for another number of items');
      for (const [index, entry] of batch.entries()) entry.resolve(results[index] as R);
    } catch (error) {
      const isOutage = options.failTogether?.(error) ?? false;
      if (isOutage || batch.length === 1) {
        rejectAll(batch, error);
        return isOutage ? { outage: error } : undefined;
      }
      if (options.runEach) {
        await settleEach(batch, options.runEach);
        return undefined;
      }
      for (const [index, entry] of batch.entries()) {
        const failed = await runBatch([entry]);
        if (!failed) continue;
        rejectAll(batch.slice(index + 1), failed.outage);
        return failed;
      }
    }
    return undefined;
  }

  function request(): void {
    if (waiting.length > 0 && inFlight < options.maxInFlight) slots.request(start);
  }
  function start(): void {
    inFlight += 1;
    let counts = true;
    const uncount = (): void => {
      if (counts) inFlight -= 1;
      counts = false;
      request();
    };
    const release = slots.take(uncount);
    void runBatch(waiting.splice(0, options.maxBatch)).finally(() => {
      release();
      uncount();
    });
    request();
  }

  return (item) =>
    new Promise<R>((resolve, reject) => {
      if (waiting.length >= maxWaiting) {
        reject(new InvariantError('a batcher is full'));
        return;
      }
      waiting.push({ item, from: origin(), resolve, reject });
      request();
    });
}
