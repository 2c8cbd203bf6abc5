import { describe, expect, it } from 'vitest';
import { IDS_AT_ONCE } from '../../src/domain/finance/integrity-ranges.ts';
import { BLOCKS_OF_AN_ID, compare, largestOfIntegrity } from './history.ts';

/** The same as `growth.test.ts` with ten times as many stays, and a table of what read most. */
const FEW = 20_000;
const MANY = 200_000;
const SHOWN = 40;

describe('after 200 000 finished stays', () => {
  it('no statement reads more than half as many blocks again as after 20 000', { timeout: 3_600_000 }, async () => {
    const compared = await compare(FEW, MANY);
    const { growths, parameters, large } = compared;
    const read = [...large.readings].map(([operation, statements]) => ({
      operation,
      statements: statements.size,
      blocks: [...statements.values()].reduce((sum, { blocks }) => sum + blocks, 0),
    }));
    console.table(read.toSorted((a, b) => b.blocks - a.blocks).slice(0, SHOWN));
    expect(growths).toEqual([]);
    expect(largestOfIntegrity(compared)).toBeLessThan(IDS_AT_ONCE * BLOCKS_OF_AN_ID);
    expect(parameters).toEqual([]);
  });
});
