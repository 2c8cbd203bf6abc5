import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { feeFromStripe, fromStripe, isTaken, stepOf, toStripe } from './units.ts';

describe('Stripe’s minor units', () => {
  it.each([
    ['AED', 123_456, 123_456],
    ['JPY', 500, 500],
    ['KWD', 5_120, 5_120],
    ['ISK', 5, 500],
    ['UGX', 5, 500],
    ['MGA', 500, 5],
    ['HUF', 1_045, 1_045],
  ])('%s: %i of ours are %i', (currency, amountMinor, amount) => {
    expect(toStripe(amountMinor, currency)).toBe(amount);
    expect(fromStripe(amount, currency)).toBe(amountMinor);
  });

  it.each([
    ['KWD', 5_124],
    ['BHD', 1],
    ['MGA', 550],
    ['ISK', Number.MAX_SAFE_INTEGER],
  ])('%s %i cannot be said to Stripe', (currency, amountMinor) => {
    expect(() => toStripe(amountMinor, currency)).toThrow(expect.objectContaining({ code: 'AMOUNT_PRECISION' }));
  });

  it('takes every multiple of its step and nothing else', () => {
    const currencies = fc.constantFrom('AED', 'JPY', 'ISK', 'UGX', 'MGA', 'KWD', 'BHD', 'OMR', 'JOD', 'TND', 'USD');
    fc.assert(
      fc.property(currencies, fc.integer({ min: 1, max: 1_000_000_000 }), (currency, amountMinor) => {
        expect(isTaken(amountMinor, currency)).toBe(amountMinor % stepOf(currency) === 0);
        if (isTaken(amountMinor, currency))
          expect(fromStripe(toStripe(amountMinor, currency), currency)).toBe(amountMinor);
        else expect(() => toStripe(amountMinor, currency)).toThrow();
      }),
    );
  });

  it('is null for an amount that is no whole number of ours', () => {
    expect(fromStripe(550, 'ISK')).toBeNull();
  });

  it('comes back as it went', () => {
    const currencies = fc.constantFrom('AED', 'JPY', 'ISK', 'UGX', 'MGA', 'KWD', 'OMR', 'TND', 'XAF', 'USD');
    fc.assert(
      fc.property(currencies, fc.integer({ min: 1, max: 1_000_000_000 }), (currency, tens) => {
        const amountMinor = currency === 'MGA' ? tens * 100 : tens * 10;
        expect(fromStripe(toStripe(amountMinor, currency), currency)).toBe(amountMinor);
      }),
    );
  });
});

describe('Stripe’s fee', () => {
  const same = { chargeAmount: 1_000, amount: 1_000 };
  it('is what it is in the same currency, in our units, half up', () => {
    expect(feeFromStripe({ ...same, chargeCurrency: 'AED', currency: 'AED', fee: 29 })).toBe(29);
    expect(feeFromStripe({ ...same, chargeCurrency: 'ISK', currency: 'ISK', fee: 150 })).toBe(2);
    expect(feeFromStripe({ ...same, chargeCurrency: 'ISK', currency: 'ISK', fee: 149 })).toBe(1);
    expect(feeFromStripe({ ...same, chargeCurrency: 'MGA', currency: 'MGA', fee: 3 })).toBe(300);
  });

  it('is converted by the two amounts of the same money', () => {
    const fee = { chargeAmount: 100_000, chargeCurrency: 'AED', amount: 25_000, currency: 'EUR', fee: 725 };
    expect(feeFromStripe(fee)).toBe(2_900);
    expect(feeFromStripe({ ...fee, amount: 25_001 })).toBe(2_900);
    expect(feeFromStripe({ ...fee, amount: 0, fee: 3 })).toBe(3);
  });
});
