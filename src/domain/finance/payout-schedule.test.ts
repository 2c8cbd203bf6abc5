import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { cases } from '../../../test/setup/cases.ts';
import { PAYOUT_POLICY, payoutDueAt } from './payout-schedule.ts';

const at = {
  paidAt: new Date('2024-01-15T10:00:00Z'),
  checkInAt: new Date('2024-02-01T11:00:00Z'),
  checkOutAt: new Date('2024-02-03T07:00:00Z'),
  timeZone: 'Asia/Dubai',
};
const due = (policy: string, moments: Partial<typeof at> = {}): string =>
  payoutDueAt(policy, { ...at, ...moments }).toISOString();

describe('a payout', () => {
  it.each([
    ['ON_PAYMENT', '2024-01-15T10:00:00.000Z'],
    ['AFTER_CHECK_IN', '2024-02-02T11:00:00.000Z'],
    ['AFTER_CHECK_OUT', '2024-02-04T07:00:00.000Z'],
    ['MONTHLY:5', '2024-02-05T05:00:00.000Z'],
    ['MONTHLY:1', '2024-03-01T05:00:00.000Z'],
    ['MONTHLY:28', '2024-02-28T05:00:00.000Z'],
  ])('by %s is due at %s', (policy, expected) => {
    expect(due(policy)).toBe(expected);
  });

  it('of a late payment is due with it, never before', () => {
    const paidAt = new Date('2024-02-20T00:00:00Z');
    expect(due('AFTER_CHECK_IN', { paidAt })).toBe(paidAt.toISOString());
    expect(due('AFTER_CHECK_OUT', { paidAt })).toBe(paidAt.toISOString());
    expect(due('MONTHLY:5', { paidAt })).toBe('2024-03-05T05:00:00.000Z');
  });

  it('by the month goes out at nine on the owner’s property’s clock', () => {
    const paris = { timeZone: 'Europe/Paris', checkInAt: new Date('2024-03-30T14:00:00Z') };
    expect(due('MONTHLY:28', paris)).toBe('2024-04-28T07:00:00.000Z');
    expect(due('MONTHLY:1', paris)).toBe('2024-04-01T07:00:00.000Z');
    expect(due('MONTHLY:15', { timeZone: 'Europe/Paris' })).toBe('2024-02-15T08:00:00.000Z');
    const onTheDot = new Date('2024-02-05T05:00:00Z');
    expect(due('MONTHLY:5', { checkInAt: onTheDot })).toBe('2024-03-05T05:00:00.000Z');
  });

  it.each(['MONTHLY:0', 'MONTHLY:29', 'MONTHLY:01', 'MONTHLY', 'WEEKLY', '', 'on_payment', 'ON_PAYMENT\n'])(
    'by %j is nothing that we know',
    (policy) => {
      expect(PAYOUT_POLICY.test(policy)).toBe(false);
      expect(() => due(policy)).toThrow(RangeError);
    },
  );

  it('by the month is due within a month after check-in and payment', () => {
    const instant = fc.date({ min: new Date('2023-01-01'), max: new Date('2026-12-31'), noInvalidDate: true });
    const zone = fc.constantFrom('Asia/Dubai', 'Europe/Paris', 'Pacific/Kiritimati', 'Pacific/Pago_Pago');
    fc.assert(
      fc.property(instant, instant, fc.integer({ min: 1, max: 28 }), zone, (paidAt, checkInAt, day, timeZone) => {
        const moments = { paidAt, checkInAt, checkOutAt: checkInAt, timeZone };
        const from = Math.max(paidAt.getTime(), checkInAt.getTime());
        const waitMs = payoutDueAt(`MONTHLY:${day}`, moments).getTime() - from;
        expect(waitMs).toBeGreaterThan(0);
        expect(waitMs).toBeLessThanOrEqual(32 * 86_400_000);
      }),
      { numRuns: cases(10_000) },
    );
  });
});
