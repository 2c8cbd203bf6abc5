import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { cases } from '../../test/setup/cases.ts';
import { allocate, allocateByWeight, exponentOf, formatMajor, isCurrency, parseMajor, toMajor } from './money.ts';

const SPLIT = [7_000, 2_500, 500];
/** Ways of cutting 10 000 basis points into shares. */
const shares = fc
  .array(fc.integer({ min: 0, max: 10_000 }), { minLength: 1, maxLength: 6 })
  .map((cuts) => [0, ...cuts.toSorted((a, b) => a - b), 10_000])
  .map((cuts) => cuts.slice(1).map((cut, index) => cut - (cuts[index] ?? 0)));

describe('the split of an amount', () => {
  it.each([
    [100_000, [70_000, 25_000, 5_000]],
    [99_999, [69_999, 25_000, 5_000]],
    [10_001, [7_001, 2_500, 500]],
    [3_335, [2_334, 834, 167]],
    [33, [23, 8, 2]],
    [10, [7, 3, 0]],
    [3, [2, 1, 0]],
    [2, [1, 1, 0]],
    [1, [1, 0, 0]],
    [0, [0, 0, 0]],
  ])('of %i is %j', (amount, parts) => {
    expect(allocate(amount, SPLIT)).toEqual(parts);
  });

  it('loses nothing, owes nobody less than zero, and stays within one minor unit of the exact share', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 100_000_000_000 }), shares, (amount, basisPoints) => {
        const parts = allocate(amount, basisPoints);
        expect(parts.reduce((sum, part) => sum + part, 0)).toBe(amount);
        for (const [index, part] of parts.entries()) {
          expect(Number.isSafeInteger(part) && part >= 0).toBe(true);
          const exact = BigInt(amount) * BigInt(basisPoints[index] ?? 0);
          const off = BigInt(part) * 10_000n - exact;
          expect(off > -10_000n && off < 10_000n).toBe(true);
        }
        expect(allocate(amount, basisPoints)).toEqual(parts);
      }),
      { numRuns: cases(10_000) },
    );
  });

  it('is exact up to the largest amount', () => {
    const parts = allocate(Number.MAX_SAFE_INTEGER, SPLIT);
    expect(parts.reduce((sum, part) => sum + BigInt(part), 0n)).toBe(BigInt(Number.MAX_SAFE_INTEGER));
  });

  it.each([[[7_000, 2_500, 400]], [[7_000, 2_500, 501]], [[10_500, -500]], [[5_000.5, 4_999.5]], [[]]])(
    'refuses the shares %j',
    (basisPoints) => {
      expect(() => allocate(100, basisPoints)).toThrow(RangeError);
    },
  );
  it.each([-1, 0.5, Number.NaN, Number.POSITIVE_INFINITY, 2 ** 53])('refuses the amount %d', (amount) => {
    expect(() => allocate(amount, SPLIT)).toThrow(RangeError);
  });
});

describe('a split by weights', () => {
  it('needs no basis points', () => {
    expect(allocateByWeight(100, [70, 25])).toEqual([74, 26]);
    expect(allocateByWeight(100, [1, 1, 1])).toEqual([34, 33, 33]);
    expect(allocateByWeight(7, [0, 3])).toEqual([0, 7]);
  });

  it.each([[[]], [[0, 0]], [[-1, 2]], [[0.5, 0.5]], [[Number.NaN]], [[2 ** 53]]])(
    'refuses the weights %j',
    (weights) => {
      expect(() => allocateByWeight(100, weights)).toThrow(RangeError);
    },
  );

  it('loses nothing, and gives nothing where the weight is nothing', () => {
    const weights = fc.array(fc.integer({ min: 0, max: 1_000_000 }), { minLength: 1, maxLength: 6 });
    fc.assert(
      fc.property(fc.integer({ min: 0, max: Number.MAX_SAFE_INTEGER }), weights, (amount, given) => {
        fc.pre(given.some((weight) => weight > 0));
        const parts = allocateByWeight(amount, given);
        expect(parts.reduce((sum, part) => sum + BigInt(part), 0n)).toBe(BigInt(amount));
        for (const [index, part] of parts.entries()) if (given[index] === 0) expect(part).toBe(0);
      }),
      { numRuns: cases(10_000) },
    );
  });
});

describe('a currency', () => {
  it('is one of ISO 4217 that can be paid with', () => {
    for (const code of ['AED', 'HUF', 'JPY', 'KWD', 'CLF', 'XOF', 'XCG']) expect(isCurrency(code)).toBe(true);
    for (const code of ['aed', 'DEM', 'XAU', 'XXX', 'ZZZ', '', '__proto__']) expect(isCurrency(code)).toBe(false);
  });

  it('has the exponent of ISO, not the one of Intl', () => {
    const exponents = ['HUF', 'AED', 'JPY', 'KWD', 'BHD', 'OMR', 'CLF', 'ISK', 'IQD', 'PKR'].map(exponentOf);
    expect(exponents).toEqual([2, 2, 0, 3, 3, 3, 4, 0, 3, 2]);
  });
});

describe('M1: an amount as a client writes it', () => {
  it.each([
    [1000, 'AED', 100_000],
    ['99.99', 'AED', 9_999],
    ['0.1', 'AED', 10],
    ['1.500', 'AED', 150],
    [0.1, 'AED', 10],
    [0, 'AED', 0],
    ['7', 'JPY', 7],
    ['1.234', 'KWD', 1_234],
    ['90071992547409.91', 'AED', Number.MAX_SAFE_INTEGER],
  ])('%s %s is %i minor units', (amount, currency, amountMinor) => {
    expect(parseMajor(amount, currency)).toEqual({ amountMinor, currency });
  });

  it.each([
    ['0.001', 'AED', 'AMOUNT_PRECISION'],
    [1.005, 'AED', 'AMOUNT_PRECISION'],
    ['1.5', 'JPY', 'AMOUNT_PRECISION'],
    ['1.2345', 'KWD', 'AMOUNT_PRECISION'],
    ['90071992547409.92', 'AED', 'VALIDATION_FAILED'],
    ['-1', 'AED', 'VALIDATION_FAILED'],
    [-0, 'AED', 'VALIDATION_FAILED'],
    [Number.NaN, 'AED', 'VALIDATION_FAILED'],
    [Number.POSITIVE_INFINITY, 'AED', 'VALIDATION_FAILED'],
    [1e21, 'AED', 'VALIDATION_FAILED'],
    ['1e3', 'AED', 'VALIDATION_FAILED'],
    ['01', 'AED', 'VALIDATION_FAILED'],
    ['1,000', 'AED', 'VALIDATION_FAILED'],
    [' 1', 'AED', 'VALIDATION_FAILED'],
    ['1.', 'AED', 'VALIDATION_FAILED'],
    ['', 'AED', 'VALIDATION_FAILED'],
    ['٣', 'AED', 'VALIDATION_FAILED'],
  ])('refuses %s %s', (amount, currency, code) => {
    expect(() => parseMajor(amount, currency)).toThrow(expect.objectContaining({ code }));
  });

  it('comes back as it was written, from text and from number', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 0, max: 999_999_999_999 }),
        fc.constantFrom('AED', 'JPY', 'KWD'),
        (amountMinor, currency) => {
          const money = { amountMinor, currency };
          expect(parseMajor(formatMajor(money), currency)).toEqual(money);
          expect(parseMajor(toMajor(money), currency)).toEqual(money);
        },
      ),
      { numRuns: cases(10_000) },
    );
  });

  it('is written with all decimals of its currency', () => {
    expect(formatMajor({ amountMinor: 5, currency: 'AED' })).toBe('0.05');
    expect(formatMajor({ amountMinor: -123_450, currency: 'AED' })).toBe('-1234.50');
    expect(formatMajor({ amountMinor: 5, currency: 'JPY' })).toBe('5');
    expect(formatMajor({ amountMinor: 5, currency: 'KWD' })).toBe('0.005');
    expect([exponentOf('AED'), exponentOf('JPY'), exponentOf('BHD')]).toEqual([2, 0, 3]);
  });
});
