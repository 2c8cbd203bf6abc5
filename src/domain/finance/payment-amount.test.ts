import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { cases } from '../../../test/setup/cases.ts';
import { formatMajor } from '../../kernel/money.ts';
import { MAX_PAYMENT_MINOR, parsePayment } from './payment-amount.ts';

const RUNS = { numRuns: cases(10_000) };
const refusal = (amount: unknown, currency: unknown): unknown => {
  try {
    return parsePayment(amount, currency);
  } catch (error) {
    return error instanceof Error && 'code' in error ? error.code : error;
  }
};

describe('the amount of a payment', () => {
  it.each([
    [4.35, 'AED', 435],
    [0.29, 'AED', 29],
    [1.1, 'AED', 110],
    ['1000.00', 'AED', 100_000],
    ['1000.000000', 'AED', 100_000],
    [10.005, 'KWD', 10_005],
    ['7', 'JPY', 7],
    ['7.0', 'JPY', 7],
    ['0.0001', 'CLF', 1],
    ['1.01', 'HUF', 101],
    ['1000000000', 'AED', MAX_PAYMENT_MINOR],
  ])('%s %s is %i minor units', (amount, currency, amountMinor) => {
    expect(parsePayment(amount, currency)).toEqual({ amountMinor, currency });
  });

  it.each([
    [Number.NaN, 'AMOUNT_INVALID'],
    [Number.POSITIVE_INFINITY, 'AMOUNT_INVALID'],
    [Number.NEGATIVE_INFINITY, 'AMOUNT_INVALID'],
    [1e21, 'AMOUNT_INVALID'],
    [1e-7, 'AMOUNT_INVALID'],
    ['1e3', 'AMOUNT_INVALID'],
    ['1e309', 'AMOUNT_INVALID'],
    ['0x10', 'AMOUNT_INVALID'],
    ['1_000', 'AMOUNT_INVALID'],
    ['1,000', 'AMOUNT_INVALID'],
    ['Infinity', 'AMOUNT_INVALID'],
    [' 1', 'AMOUNT_INVALID'],
    ['1\n', 'AMOUNT_INVALID'],
    ['+1', 'AMOUNT_INVALID'],
    ['01', 'AMOUNT_INVALID'],
    ['.5', 'AMOUNT_INVALID'],
    ['5.', 'AMOUNT_INVALID'],
    ['', 'AMOUNT_INVALID'],
    ['ten', 'AMOUNT_INVALID'],
    ['١٠', 'AMOUNT_INVALID'],
    ['1'.repeat(61), 'AMOUNT_INVALID'],
    [null, 'AMOUNT_INVALID'],
    [undefined, 'AMOUNT_INVALID'],
    [true, 'AMOUNT_INVALID'],
    [[1000], 'AMOUNT_INVALID'],
    [{ $gt: 0 }, 'AMOUNT_INVALID'],
    [-1, 'AMOUNT_NOT_POSITIVE'],
    [0, 'AMOUNT_NOT_POSITIVE'],
    [-0, 'AMOUNT_NOT_POSITIVE'],
    ['-0', 'AMOUNT_NOT_POSITIVE'],
    ['0.00', 'AMOUNT_NOT_POSITIVE'],
    ['-0.00', 'AMOUNT_NOT_POSITIVE'],
    ['-0.001', 'AMOUNT_NOT_POSITIVE'],
    [0.001, 'AMOUNT_PRECISION'],
    [10.005, 'AMOUNT_PRECISION'],
    ['1000.0000000000000001', 'AMOUNT_PRECISION'],
    ['1000000000.01', 'AMOUNT_TOO_LARGE'],
    [9007199254740992, 'AMOUNT_TOO_LARGE'],
    ['9007199254740993', 'AMOUNT_TOO_LARGE'],
    ['9'.repeat(60), 'AMOUNT_TOO_LARGE'],
  ])('%j is refused: %s', (amount, code) => {
    expect(refusal(amount, 'AED')).toBe(code);
  });

  it('has no decimals where its currency has none', () => {
    expect(refusal(10.5, 'JPY')).toBe('AMOUNT_PRECISION');
    expect(refusal('10.0005', 'KWD')).toBe('AMOUNT_PRECISION');
    expect(() => parsePayment('10.5', 'JPY')).toThrow(
      expect.objectContaining({ details: { currency: 'JPY', decimals: 0 } }),
    );
  });

  it.each([
    'aed',
    'AED ',
    ' AED',
    'AE',
    'AEDD',
    '',
    'ZZZ',
    'XXX',
    'DEM',
    'ÅED',
    'AED\n',
    null,
    undefined,
    784,
    ['AED'],
  ])('in %j is refused', (currency) => {
    expect(refusal(1000, currency)).toBe('CURRENCY_INVALID');
  });

  it('comes back as it was written, from text and from number', () => {
    const minor = fc.integer({ min: 1, max: MAX_PAYMENT_MINOR });
    fc.assert(
      fc.property(minor, fc.constantFrom('AED', 'JPY', 'KWD'), fc.nat({ max: 6 }), (amountMinor, currency, zeros) => {
        const money = { amountMinor, currency };
        const text = formatMajor(money);
        expect(parsePayment(text, currency)).toEqual(money);
        expect(parsePayment(Number(text), currency)).toEqual(money);
        const padded = text + (text.includes('.') ? '0'.repeat(zeros) : '');
        expect(parsePayment(padded, currency)).toEqual(money);
      }),
      RUNS,
    );
  });

  it('is refused beyond the limit, whatever the currency', () => {
    const over = fc.integer({ min: MAX_PAYMENT_MINOR + 1, max: Number.MAX_SAFE_INTEGER });
    fc.assert(
      fc.property(over, fc.constantFrom('AED', 'JPY', 'KWD'), (amountMinor, currency) => {
        expect(refusal(formatMajor({ amountMinor, currency }), currency)).toBe('AMOUNT_TOO_LARGE');
        expect(refusal(`-${formatMajor({ amountMinor, currency })}`, currency)).toBe('AMOUNT_NOT_POSITIVE');
      }),
      RUNS,
    );
  });

  it('is money or one of four refusals, whatever is sent', () => {
    const codes = ['AMOUNT_INVALID', 'AMOUNT_NOT_POSITIVE', 'AMOUNT_PRECISION', 'AMOUNT_TOO_LARGE'];
    const digits = fc.string({ unit: fc.constantFrom(...'0123456789.-e+ ') });
    fc.assert(
      fc.property(fc.oneof(fc.anything(), fc.double(), digits), (amount) => {
        const answer = refusal(amount, 'AED');
        if (typeof answer === 'string') expect(codes).toContain(answer);
        else expect(answer).toEqual({ amountMinor: expect.any(Number), currency: 'AED' });
      }),
      RUNS,
    );
  });
});
