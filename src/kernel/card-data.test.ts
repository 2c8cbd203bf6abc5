import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { containsCardData, holdsCardNumber } from './card-data.ts';

const RUNS = { numRuns: 10_000 };
/** Digits of any length, with the last one that Luhn asks for. */
function withCheckDigit(digits: readonly number[]): string {
  const sum = digits.toReversed().reduce((total, digit, place) => {
    const counted = place % 2 === 0 ? digit * 2 : digit;
    return total + (counted > 9 ? counted - 9 : counted);
  }, 0);
  return [...digits, (10 - (sum % 10)) % 10].join('');
}
const cardNumber = fc
  .array(fc.integer({ min: 0, max: 9 }), { minLength: 12, maxLength: 18 })
  .map((digits) => withCheckDigit(digits));

describe('a card number', () => {
  it.each([
    '4111111111111111',
    '4111 1111 1111 1111',
    '4111-1111-1111-1111',
    '4111.1111.1111.1111',
    '4111/1111/1111/1111',
    '4111_1111_1111_1111',
    '4111  1111  1111  1111',
    '4111 1111\n1111 1111',
    '4111*1111*1111*1111',
    '4111\u00a01111\u20111111\u202f1111',
    '4111\u200b1111\u200b1111\u200b1111',
    '4 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1',
    '378282246310005',
    '4222222222222',
    '6304000000000000000',
    '5555 5555 5555 4444 12/27 123',
    'ref 12 5555555555554444',
    'card:4111111111111111,exp',
    'x4111111111111111y',
    '2024-02-01 4111 1111 1111 1111',
    '60.2038-04-19 782759',
    '٤١١١١١١١١١١١١١١١',
    '４１１１１１１１１１１１１１１１',
    '𝟒𝟏𝟏𝟏𝟏𝟏𝟏𝟏𝟏𝟏𝟏𝟏𝟏𝟏𝟏𝟏',
    '𝟺𝟷𝟷𝟷 𝟷𝟷𝟷𝟷 𝟷𝟷𝟷𝟷 𝟷𝟷𝟷𝟷',
  ])('is seen in %j', (text) => {
    expect(holdsCardNumber(text)).toBe(true);
    expect(containsCardData({ a: [{ notes: text }] })).toBe(true);
  });

  it.each([
    '4111111111111112',
    '411111111111',
    '41111111111111111111',
    '4111   1111   1111   1111',
    '+971 50 123 4567',
    '2024-02-01 2024-02-03',
    '2024-02-01T09:00:00.000Z',
    'pi_3MtwBwLkdIwHu7ix28a3tqPa',
    'ref-456',
    'INV-2024-02-01-00010',
    '',
  ])('is not seen in %j', (text) => {
    expect(holdsCardNumber(text)).toBe(false);
  });

  it('is seen in numbers and in keys', () => {
    expect(containsCardData(4111111111111111)).toBe(true);
    expect(containsCardData({ '4111 1111 1111 1111': true })).toBe(true);
    expect(containsCardData([[[['4111111111111111']]]])).toBe(true);
    expect(containsCardData({ amount: 1000, b: null, c: true, d: 1.5 })).toBe(false);
  });

  it('is seen whatever stands around it and between its digits', () => {
    const separator = fc.constantFrom('', '', ' ', '-', '.', '/');
    const around = fc.constantFrom('', 'card ', 'x', ': ', '\n', ', ');
    const separated = cardNumber.chain((digits) =>
      fc
        .array(separator, { minLength: digits.length - 1, maxLength: digits.length - 1 })
        .map((between) => [...digits].map((digit, index) => digit + (between[index] ?? '')).join('')),
    );
    fc.assert(
      fc.property(around, separated, around, (before, text, after) => {
        fc.pre(!/^(?:19|20)\d\d-\d\d-\d\d/.test(text));
        expect(holdsCardNumber(before + text + after)).toBe(true);
      }),
      RUNS,
    );
  });

  it('is no number with one digit wrong', () => {
    fc.assert(
      fc.property(cardNumber, fc.nat(), fc.integer({ min: 1, max: 9 }), (digits, place, by) => {
        const at = place % digits.length;
        const wrong = [...digits].map((digit, index) => (index === at ? (Number(digit) + by) % 10 : digit)).join('');
        expect(holdsCardNumber(wrong)).toBe(false);
      }),
      RUNS,
    );
  });

  it('is not seen in what machines make: UUIDs and hashes', () => {
    fc.assert(
      fc.property(fc.uuid(), (uuid) => {
        // All decimal, it could be anything; one in a million is.
        fc.pre(/[a-f]/.test(uuid));
        expect(holdsCardNumber(`reservation-${uuid}`)).toBe(false);
        expect(holdsCardNumber(uuid.replaceAll('-', '').toUpperCase())).toBe(false);
      }),
      RUNS,
    );
    expect(holdsCardNumber('0199a1b2-4111-7111-8111-111111111111 4111111111111111')).toBe(true);
  });

  it('is looked for in linear time', () => {
    const texts = ['1 ', '1-', '12/', '１ ', '1a', 'a-', '2024-'].map((unit) => unit.repeat(65_536 / unit.length));
    for (const text of [...texts, '1'.repeat(65_536)]) {
      const startedMs = performance.now();
      expect(holdsCardNumber(text)).toBe(false);
      expect(performance.now() - startedMs).toBeLessThan(500);
    }
  });
});

describe('a key', () => {
  it.each(['cvv', 'CVC', 'cvv2', 'card_number', 'cardNumber', 'Card-Number', 'PAN', 'card holder', 'ｃｖｖ', 'track2'])(
    '%s is refused with whatever it holds',
    (key) => {
      expect(containsCardData({ payment: { [key]: null } })).toBe(true);
    },
  );
  it.each(['panel', 'company', 'cardinal', 'notes', 'gatewayReference', 'cvvx', 'expanse'])('%s is not', (key) => {
    expect(containsCardData({ [key]: 'x' })).toBe(false);
  });
});
