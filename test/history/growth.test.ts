import { beforeAll, describe, expect, it } from 'vitest';
import { IDS_AT_ONCE } from '../../src/domain/finance/integrity-ranges.ts';
import { BLOCKS_OF_AN_ID, type Compared, compare, largestOfIntegrity } from './history.ts';

/**
 * Ten times the history must not make a statement read more: every GET with every filter, every job of the clock and every
 * saga, over 2 000 finished stays and over 20 000. `npm run test:long` does it with 200 000.
 */
let compared: Compared;
beforeAll(async () => {
  compared = await compare(2_000, 20_000);
}, 600_000);

describe('after ten times as many finished stays', () => {
  it('no statement reads more than half as many blocks again', () => {
    expect(
      compared.growths.map(({ operation, before, after, text, plan }) => ({ operation, before, after, text, plan })),
    ).toEqual([]);
  });

  it('no statement of the check of integrity reads more than its range of ids calls for', () => {
    expect(largestOfIntegrity(compared)).toBeLessThan(IDS_AT_ONCE * BLOCKS_OF_AN_ID);
  });

  it('nor does it while tables have no statistics yet, as after a restore', () => {
    const tooLarge = Object.entries(compared.unanalyzed).filter(
      ([, { blocks }]) => blocks >= IDS_AT_ONCE * BLOCKS_OF_AN_ID,
    );
    expect(Object.keys(compared.unanalyzed)).toHaveLength(8);
    expect(tooLarge).toEqual([]);
  });

  it('no statement compares a column of a partial index’s predicate with a parameter', () => {
    expect(compared.parameters).toEqual([]);
  });

  it('every request was answered: with what there is, or that there is nothing', () => {
    expect(compared.refused.filter((line) => !/: (?:404|409) /.test(line))).toEqual([]);
  });

  it('every table that grows has rows in the history', () => {
    expect(compared.empty.toSorted()).toEqual([...EMPTY].toSorted());
  });
});

/** Of what few stays have, if any. */
const EMPTY = [
  'account',
  'account_principal',
  'approval',
  'calendar_feed',
  'gateway_event',
  'identity',
  'notification_due',
  'one_time',
  'passkey',
  'recurrence',
  'recurrence_period',
  'repair_approval',
  'saga_signal',
  'session',
  'staff_hold',
  'staff_leave',
  'stream_ticket',
  'task_offer',
  'task_photo',
  'task_refusal',
];
