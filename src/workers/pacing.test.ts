import { describe, expect, it } from 'vitest';
import { createPace, unhurried } from './pacing.ts';
import { type Rounds, untilFewer, untilNothing } from './rounds.ts';

/** Time passes only while somebody works or waits. */
function paced(stepsAtHand: () => Promise<number>) {
  let nowMs = 0;
  let rested = 0;
  const pace = createPace({
    stepsAtHand,
    nowMs: () => nowMs,
    wait: async (ms) => {
      nowMs += ms;
      rested += ms;
    },
  });
  const { signal } = new AbortController();
  return {
    pace,
    restedMs: () => rested,
    /** Rounds of so many ms, one after the other; answers the share of the time that was rest. */
    work: async (rounds: number, tookMs: number): Promise<number> => {
      const [from, before] = [nowMs, rested];
      for (let n = 0; n < rounds; n += 1) {
        nowMs += tookMs;
        await pace.giveWay(tookMs, signal);
      }
      return (rested - before) / (nowMs - from);
    },
    /** Rounds that end at the same moment. */
    endTogether: async (tookMs: number, lanes: number): Promise<readonly number[]> => {
      nowMs += tookMs;
      const from = nowMs;
      const waits: number[] = [];
      for (let n = 0; n < lanes; n += 1) {
        await pace.giveWay(tookMs, signal);
        waits.push(nowMs - from);
      }
      return waits;
    },
  };
}
const always = (steps: number) => async (): Promise<number> => steps;

describe('the pace of sweeps', () => {
  it('does not rest, and takes all that a round may take, while no saga is at hand', async () => {
    const { work, restedMs, pace } = paced(always(0));
    await work(100, 20);
    expect(restedMs()).toBe(0);
    expect(pace.sizeOf(100)).toBe(100);
  });

  it('rests the more the more steps are at hand, but never for good', async () => {
    const shares: number[] = [];
    for (const steps of [0.5, 1, 2, 4, 100, 100_000]) {
      const { work } = paced(always(steps));
      await work(100, 20);
      shares.push(await work(100, 20));
    }
    for (const [n, share] of [0.26, 0.41, 0.58, 0.74, 0.74, 0.74].entries()) expect(shares[n]).toBeCloseTo(share, 2);
  });

  it('takes a quarter, and at least one row, while sagas are at hand', async () => {
    const { work, pace } = paced(always(1));
    await work(20, 20);
    expect([100, 50, 20, 1].map(pace.sizeOf)).toEqual([25, 13, 5, 1]);
  });

  it('takes more the fewer steps are at hand, so that a few stays a second cost no small rounds', async () => {
    const sizes: number[] = [];
    for (const steps of [0.04, 0.3, 0.6, 1]) {
      const { work, pace } = paced(always(steps));
      await work(100, 20);
      sizes.push(pace.sizeOf(100));
    }
    // In quarters: each size is another statement, which is planned anew.
    expect(sizes).toEqual([100, 75, 50, 25]);
  });

  it('is back to its speed two seconds after the last saga', async () => {
    let steps = 5;
    const { work, restedMs, pace } = paced(async () => steps);
    await work(100, 20);
    steps = 0;
    await work(100, 20);
    const before = restedMs();
    await work(100, 20);
    expect(restedMs()).toBe(before);
    expect(pace.sizeOf(100)).toBe(100);
  });

  it('counts a step that is there only now and then', async () => {
    let looks = 0;
    const { work } = paced(async () => {
      looks += 1;
      return looks % 2;
    });
    await work(100, 20);
    expect(await work(100, 20)).toBeCloseTo(0.26, 1);
  });

  it('asks once for lanes that end together, and not again at once', async () => {
    let looks = 0;
    let nowMs = 0;
    const stepsAtHand = async (): Promise<number> => {
      looks += 1;
      return 0;
    };
    const pace = createPace({ stepsAtHand, nowMs: () => nowMs, wait: async () => undefined });
    const { signal } = new AbortController();
    await Promise.all([1, 2, 3].map(() => pace.giveWay(5, signal)));
    nowMs = 49;
    await pace.giveWay(5, signal);
    expect(looks).toBe(1);
    nowMs = 50;
    await pace.giveWay(5, signal);
    expect(looks).toBe(2);
  });

  it('adds up the debts of all lanes, and lets each go on within a quarter of a second', async () => {
    const { work, endTogether } = paced(always(1));
    await work(100, 20);
    const waits = await endTogether(20, 3);
    expect(waits.at(-1)).toBeCloseTo(42, -1);
    const { work: workMore, endTogether: endMore } = paced(always(1_000));
    await workMore(100, 50);
    for (const ms of await endMore(50, 1)) expect(ms).toBeLessThanOrEqual(250);
  });

  it('takes a round that has waited for another system for no more work than others', async () => {
    const { work, endTogether } = paced(always(1));
    await work(100, 20);
    const [ms] = await endTogether(30_000, 1);
    expect(ms).toBeLessThanOrEqual(50);
  });

  it('keeps to the last answer while steps cannot be counted', async () => {
    let away = false;
    const { work } = paced(async () => {
      if (away) throw new Error('redis is away');
      return 1;
    });
    await work(100, 20);
    away = true;
    expect(await work(100, 20)).toBeCloseTo(0.41, 2);
  });
});

describe('the rounds of a sweep', () => {
  const run = (more: Partial<Rounds> = {}): Rounds => ({
    signal: new AbortController().signal,
    isClosing: () => false,
    pace: unhurried,
    ...more,
  });
  /** A backlog of which each round takes what it may. */
  const backlog = (rows: number) => {
    const limits: number[] = [];
    return {
      limits,
      round: async (limit: number): Promise<number> => {
        limits.push(limit);
        const taken = Math.min(limit, rows);
        rows -= taken;
        return taken;
      },
    };
  };

  it('go on while they are full, as often as they may', async () => {
    const three = backlog(250);
    expect(await untilFewer(100, 10, run(), three.round)).toBe(250);
    expect(three.limits).toEqual([100, 100, 100]);
    expect(await untilFewer(100, 2, run(), backlog(1_000).round)).toBe(200);
    expect(await untilNothing(10, run(), () => Promise.resolve(0))).toBe(0);
  });

  it('take what the pace says, give way after each full one, and not after the last', async () => {
    const gave: number[] = [];
    const pace = { sizeOf: (most: number) => most / 4, giveWay: async (ms: number) => void gave.push(ms) };
    const paced = backlog(60);
    expect(await untilFewer(100, 10, run({ pace }), paced.round)).toBe(60);
    expect(paced.limits).toEqual([25, 25, 25]);
    expect(gave).toHaveLength(2);
  });

  it('end when their job is to end, also while they give way', async () => {
    const aborting = new AbortController();
    const giveWay = async (): Promise<void> => aborting.abort();
    const pace = { ...unhurried, giveWay };
    expect(await untilFewer(100, 10, run({ pace, signal: aborting.signal }), backlog(1_000).round)).toBe(100);
    expect(await untilFewer(100, 10, run({ isClosing: () => true }), backlog(1_000).round)).toBe(100);
  });
});
