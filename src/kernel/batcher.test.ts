import { afterEach, describe, expect, it, vi } from 'vitest';
import { createBatcher } from './batcher.ts';
import { createRunSlots, type RunSlots } from './run-slots.ts';

afterEach(() => vi.useRealTimers());

/** A batcher whose runs end when the test says so. */
function controlled(maxInFlight = 1, maxBatch = 4, slots?: RunSlots) {
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
    { maxBatch, maxInFlight, ...(slots ? { slots } : {}) },
  );
  return { runs, send };
}
const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
/** What ended has given its slot back by the end of one turn of the event loop, and the next run starts in another. */
const settled = (): Promise<void> => turn().then(turn);

describe('a batcher', () => {
  it('runs an item on the next turn of the event loop when it is idle, and joins those that come meanwhile', async () => {
    const { runs, send } = controlled();
    const first = send(1);
    await settled();
    expect(runs.map(({ items }) => items)).toEqual([[1]]);
    const others = [2, 3, 4, 5, 6].map(send);
    runs[0]?.end();
    await settled();
    expect(runs.map(({ items }) => items)).toEqual([[1], [2, 3, 4, 5]]);
    runs[1]?.end();
    await settled();
    runs[2]?.end();
    expect(await Promise.all([first, ...others])).toEqual([10, 20, 30, 40, 50, 60]);
  });

  it('runs the items of a failed run as it is told, each failing by itself', async () => {
    const each: (readonly number[])[] = [];
    const send = createBatcher<number, number>(() => Promise.reject(new Error('run failed')), {
      maxBatch: 4,
      maxInFlight: 1,
      runEach: async (items) => {
        each.push(items);
        return Promise.allSettled(
          items.map(async (item) => {
            if (item === 2) throw new Error('bad item');
            return item * 10;
          }),
        );
      },
    });
    const answers = await Promise.allSettled([1, 2, 3].map(send));
    expect(each).toEqual([[1, 2, 3]]);
    expect(answers).toMatchObject([
      { value: 10 },
      { status: 'rejected', reason: { message: 'bad item' } },
      { value: 30 },
    ]);
  });

  it('joins what arrives in one turn of the event loop', async () => {
    const { runs, send } = controlled();
    const answers = [1, 2, 3].map(send);
    await settled();
    expect(runs.map(({ items }) => items)).toEqual([[1, 2, 3]]);
    runs[0]?.end();
    expect(await Promise.all(answers)).toEqual([10, 20, 30]);
  });

  it('shares slots with other batchers, each in its turn', async () => {
    const slots = createRunSlots({ max: 1 });
    const started: string[] = [];
    const batcher = (name: string) =>
      createBatcher<number, number>(
        async (items) => {
          started.push(`${name}${items.join('')}`);
          await settled();
          return items;
        },
        { maxBatch: 1, maxInFlight: 1, slots },
      );
    const [a, b] = [batcher('a'), batcher('b')];
    await Promise.all([a(1), a(2), b(1), b(2)]);
    expect(started).toEqual(['a1', 'b1', 'a2', 'b2']);
  });

  it('lets others go on while a slow run goes on, up to a bound', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
    const slots = createRunSlots({ max: 1, slowMs: 50, maxSlow: 1 });
    const { runs, send } = controlled(1, 1, slots);
    const answers = [1, 2, 3].map(send);
    await settled();
    expect(runs.length).toBe(1);
    vi.advanceTimersByTime(50);
    await settled();
    expect(runs.map(({ items }) => items)).toEqual([[1], [2]]);
    // The second is slow as well, and one may be.
    vi.advanceTimersByTime(50);
    await settled();
    expect(runs.length).toBe(2);
    runs[1]?.end();
    await settled();
    expect(runs.length).toBe(3);
    runs[0]?.end();
    runs[2]?.end();
    expect(await Promise.all(answers)).toEqual([10, 20, 30]);
  });

  it('lets a run that is overdue give its slot back as soon as another slow one has ended', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
    const slots = createRunSlots({ max: 1, slowMs: 50, maxSlow: 1 });
    const { runs, send } = controlled(1, 1, slots);
    const answers = [1, 2, 3].map(send);
    await settled();
    for (let n = 0; n < 2; n += 1) {
      vi.advanceTimersByTime(50);
      await settled();
    }
    expect(runs.length).toBe(2);
    runs[0]?.end();
    await settled();
    expect(runs.length).toBe(3);
    runs[1]?.end();
    runs[2]?.end();
    expect(await Promise.all(answers)).toEqual([10, 20, 30]);
  });

  it('has no more runs under way than it may', async () => {
    const { runs, send } = controlled(2, 1);
    const answers = [1, 2, 3].map(send);
    await settled();
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

  it('fails all that is left when an outage comes while items are run alone', async () => {
    const alone: number[] = [];
    const send = createBatcher<number, number>(
      async (items) => {
        const [first = 0] = items;
        if (items.length > 1) throw new Error('one of them is bad');
        alone.push(first);
        if (first >= 2) throw new RangeError('away');
        return items;
      },
      { maxBatch: 8, maxInFlight: 1, failTogether: (error) => error instanceof RangeError },
    );
    const answers = await Promise.allSettled([1, 2, 3, 4].map(send));
    expect(answers.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'rejected', 'rejected']);
    expect(alone).toEqual([1, 2]);
  });

  it('refuses what it cannot hold, and an answer for another number of items', async () => {
    const never = createBatcher<number, number>(() => new Promise(() => undefined), {
      maxBatch: 1,
      maxInFlight: 1,
      maxWaiting: 1,
    });
    void never(1);
    await settled();
    void never(2);
    await expect(never(3)).rejects.toThrow('full');
    const wrong = createBatcher<number, number>(async () => [], { maxBatch: 1, maxInFlight: 1 });
    await expect(wrong(1)).rejects.toThrow('another number');
  });
});
