import { describe, expect, it } from 'vitest';
import { readWanted } from './wanted.ts';

describe('what somebody typed', () => {
  it.each([
    ['  John   Doe ', { text: 'John Doe', id: null, codes: [], digits: null, day: null }],
    ['saga-1', { id: 'saga-1', codes: ['saga-1', 'SAGA-1'], digits: null }],
    ['card_declined', { id: 'card_declined', codes: ['card_declined', 'CARD_DECLINED'] }],
    ['PAYMENT_DECLINED', { codes: ['PAYMENT_DECLINED'] }],
    ['+971 50 123-4567', { id: null, codes: [], digits: '971501234567' }],
    ['00971501234567', { digits: '971501234567' }],
    ['050 1234567', { digits: '501234567' }],
    ['1234', { digits: null, id: '1234' }],
    ['محمد الرئيسي', { text: 'محمد الرئيسي', id: null, codes: [], digits: null }],
    ['', { text: '', id: null, codes: [], digits: null, day: null }],
  ])('%j may be', (typed, meant) => {
    expect(readWanted(typed, 'Asia/Dubai')).toMatchObject(meant);
  });

  it('is a day on a clock, and no number to call', () => {
    expect(readWanted('2026-11-30', 'Asia/Dubai')).toMatchObject({
      digits: null,
      day: { date: '2026-11-30', from: '2026-11-29T20:00:00Z', to: '2026-11-30T20:00:00Z' },
    });
    expect(readWanted('2026-02-30', 'Asia/Dubai').day).toBeNull();
  });
});
