import { describe, expect, it } from 'vitest';
import { createBatcher } from './batcher.ts';

/** A batcher whose runs end when the test says so. */
function controlled(maxInFlight = 1, maxBatch = 4) {
  const runs: { readonly items: readonly number[]; end(): void; fail(): void }[] = [];
  const send = createBatcher<number, number>(
    (items) => {
      const { promise, resolve, reject } = Promise.withResolvers<readonly number[]>();
      runs.push({
        items,
        end: () => resolve(items.map((item) => item * 10)),
        fail: () => reject(new Error('run failed')),
      });
      return promise;
    },
    { maxBatch, maxInFlight },
  );
  return { runs, send };
}
const settled = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

describe('a batcher', () => {
  it('runs an item at once when it is idle, and joins those that come meanwhile', async () => {
    const { runs, send } = controlled();
    const answers = [1, 2, 3, 4, 5, 6].map(send);
    expect(runs.map(({ items }) => items)).toEqual([[1]]);
    runs[0]?.end();
    await settled();
    expect(runs.map(({ items }) => items)).toEqual([[1], [2, 3, 4, 5]]);
    runs[1]?.end();
    await settled();
    runs[2]?.end();
    expect(await Promise.all(answers)).toEqual([10, 20, 30, 40, 50, 60]);
  });

  it('has no more runs under way than it may', async () => {
    const { runs, send } = controlled(2, 1);
    const answers = [1, 2, 3].map(send);
    expect(runs.length).toBe(2);
    runs[1]?.end();
    await settled();
    expect(runs.length).toBe(3);
    runs[0]?.end();
    runs[2]?.end();
    expect(await Promise.all(answers)).toEqual([10, 20, 30]);
  });

  it('fails only the item that is bad: the others are run alone', async () => {
    const send = createBatcher<number, number>(
      async (items) => {
        await settled();
        if (items.includes(3)) throw new Error('three is bad');
        return items;
      },
      { maxBatch: 8, maxInFlight: 1 },
    );
    const answers = await Promise.allSettled([1, 2, 3, 4].map(send));
    expect(answers.map(({ status }) => status)).toEqual(['fulfilled', 'fulfilled', 'rejected', 'fulfilled']);
  });

  it('refuses what it cannot hold, and an answer for another number of items', async () => {
    const never = createBatcher<number, number>(() => new Promise(() => undefined), {
      maxBatch: 1,
      maxInFlight: 1,
      maxWaiting: 1,
    });
    void never(1);
    void never(2);
    await expect(never(3)).rejects.toThrow('full');
    const wrong = createBatcher<number, number>(async () => [], { maxBatch: 1, maxInFlight: 1 });
    await expect(wrong(1)).rejects.toThrow('another number');
  });
});
