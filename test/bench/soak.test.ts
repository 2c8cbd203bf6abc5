import { describe, expect, it } from 'vitest';
import { judge, memoryOf, type Sample, slope } from '../../bench/soak/figures.ts';

const sample = (minutes: number, api: number): Sample => ({
  minutes,
  rssMiB: { api },
  redisMiB: 20,
  connections: { 'roomy-api': 3 },
  sagas: minutes * 1_000,
});
const starts = { warmMs: [2_000], workerMs: [600] };
const missed = (samples: readonly Sample[]) =>
  judge(samples, starts).flatMap(({ name, isMet }) => (isMet ? [] : [name]));
const minutes = Array.from({ length: 60 }, (_, minute) => minute);

describe('memory over a long time', () => {
  it('rises by the line through the last two thirds', () => {
    expect(
      slope([
        [0, 1],
        [1, 3],
        [2, 5],
      ]),
    ).toBeCloseTo(2);
    expect(slope([[1, 7]])).toBe(0);
    // Warm after twenty minutes, and a MiB a minute from then on.
    const warming = minutes.map((minute) => sample(minute, minute < 20 ? minute * 5 : 100 + (minute - 20)));
    const memory = memoryOf('api', warming, ({ rssMiB }) => rssMiB['api'] ?? 0);
    expect(memory.riseMiBPerHour).toBeCloseTo(60);
    expect(memory.maxMiB).toBe(139);
    expect(missed(warming)).toEqual(['api: rise over the last two thirds, of what it holds']);
  });

  it('is in order when it swings', () => {
    expect(missed(minutes.map((minute) => sample(minute, minute % 2 === 0 ? 180 : 220)))).toEqual([]);
  });

  it('is too much beyond its bound, however short', () => {
    expect(missed(minutes.map((minute) => sample(minute, minute === 30 ? 257 : 200)))).toEqual(['api: MiB']);
  });

  it('and connections are bounded', () => {
    const many = minutes.map((minute) => ({
      ...sample(minute, 100),
      connections: { 'roomy-api': minute === 5 ? 13 : 3 },
    }));
    expect(missed(many)).toEqual(['roomy-api: connections']);
  });
});
