import { describe, expect, it } from 'vitest';
import { financialService } from './financial-service.ts';

describe('FinancialService', () => {
  it('splits 1000 into 700, 250 and 50', () => {
    expect(financialService.calculateIncomeDistribution({ totalAmount: 1000 })).toEqual({
      ownerPayout: 700,
      roomyAgencyFee: 250,
      referringAgentFee: 50,
    });
  });

  it('splits by other shares and in other currencies, to the last minor unit', () => {
    const shares = { ownerIncome: 33.33, roomyAgencyFee: 33.33, referringAgent: 33.34 };
    expect(financialService.calculateIncomeDistribution({ totalAmount: 100, currency: 'KWD' }, shares)).toEqual({
      ownerPayout: 33.33,
      roomyAgencyFee: 33.33,
      referringAgentFee: 33.34,
    });
    expect(financialService.calculateIncomeDistribution({ totalAmount: 10, currency: 'JPY' })).toEqual({
      ownerPayout: 7,
      roomyAgencyFee: 3,
      referringAgentFee: 0,
    });
  });

  const stay = { totalAmount: 1000, checkInDate: '2024-02-10' };
  it.each([
    ['2024-02-03T19:59:59.999Z', 100, 1000, 'DAYS_7_PLUS', 7],
    ['2024-02-03T20:00:00.000Z', 50, 500, 'DAYS_3_TO_6', 6],
    ['2024-02-08T00:00:00.000Z', 25, 250, 'DAYS_1_TO_2', 2],
    ['2024-02-10T00:00:00.000Z', 0, 0, 'DAY_OF_CHECK_IN', 0],
  ])('refunds who cancels at %s %i %', (at, refundPercent, refundAmount, rule, daysBeforeCheckIn) => {
    expect(financialService.calculateRefund(stay, new Date(at))).toEqual({
      refundPercent,
      refundAmount,
      rule,
      daysBeforeCheckIn,
    });
  });

  it('refunds by other terms, of what is paid and not yet refunded', () => {
    const partly = { ...stay, paidAmount: 300, refundedAmount: 100, timeZone: 'Europe/Paris', currency: 'EUR' };
    const at = new Date('2024-02-05T12:00:00Z');
    expect(financialService.calculateRefund(partly, at).refundAmount).toBe(100);
    const none = { base: 'PAID', tiers: [] } as const;
    expect(financialService.calculateRefund(partly, at, none)).toMatchObject({ refundAmount: 0, rule: 'NO_REFUND' });
  });
});
