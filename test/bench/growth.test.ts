import { describe, expect, it } from 'vitest';
import { type Cost, operationsOf } from '../../bench/growth/figures.ts';
import { renderGrowth } from '../../bench/growth/report.ts';

const cost = (cpuMs: number, blocks: number, ms = 1, byStatement: Readonly<Record<string, number>> = {}): Cost => ({
  cpuMs,
  ms,
  blocks,
  byStatement: new Map(Object.entries(byStatement)),
});
const over = (small: readonly Cost[], large: readonly Cost[]) =>
  operationsOf(new Map([['GET /x', [small, [cost(0, 0)], large]]]));

describe('the growth of an operation', () => {
  it('is of the middle of the runs, of the longest history to the shortest', () => {
    const [one] = over([cost(2, 10), cost(9, 10), cost(1, 10)], [cost(4, 10), cost(2, 10), cost(1, 10)]);
    expect(one?.ratios).toEqual({ cpuMs: 1, ms: 1, blocks: 1 });
    expect(one?.exceeded).toEqual([]);
  });

  it('is too much beyond its bound', () => {
    expect(over([cost(1, 1_000)], [cost(1.14, 1_090)])[0]?.exceeded).toEqual([]);
    expect(over([cost(1, 1_000)], [cost(1.16, 1_110)])[0]?.exceeded).toEqual(['cpuMs']);
    expect(over([cost(1, 5_000)], [cost(1, 5_600)])[0]?.exceeded).toEqual(['blocks']);
    expect(over([cost(1, 1, 1)], [cost(1, 1, 1.2)])[0]?.exceeded).toEqual(['ms']);
  });

  it('leaves alone what trees read that are a level higher, and nothing more', () => {
    expect(over([cost(1, 3)], [cost(1, 203)])[0]?.exceeded).toEqual([]);
    expect(over([cost(1, 3)], [cost(1, 204)])[0]?.exceeded).toEqual(['blocks']);
  });

  it('is shown where it is too much', () => {
    const shown = renderGrowth(over([cost(1, 3)], [cost(2, 3)]), [3_000, 30_000, 300_000]);
    expect(shown).toContain('GETs: 0 of 1 within the bounds');
    expect(shown).toMatch(/GET \/x .*! 2\.00/);
  });

  it('names the statements that read more, the first of them first', () => {
    const small = cost(1, 1_000, 1, { 'SELECT a': 400, 'SELECT b': 300, 'SELECT c': 300 });
    const large = cost(1, 2_000, 1, { 'SELECT a': 900, 'SELECT c': 200, 'SELECT  d': 900 });
    const found = over([small], [large]);
    expect(found[0]?.growing).toEqual([
      { statement: 'SELECT  d', bySize: [0, 0, 900] },
      { statement: 'SELECT a', bySize: [400, 0, 900] },
    ]);
    expect(renderGrowth(found, [3_000, 30_000, 300_000])).toContain('  0, 0, 900 blocks: SELECT d');
    expect(over([small], [cost(2, 1_000, 1, { 'SELECT a': 900 })])[0]?.growing).toEqual([]);
  });
});
