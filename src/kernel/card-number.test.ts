import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { cases } from '../../test/setup/cases.ts';
import { containsCardData } from './card-data.ts';
import { holdsCardNumber, isCardNumber } from './card-number.ts';

const RUNS = { numRuns: cases(10_000), seed: 20_261_128 };
/** The last digit is the one that Luhn asks for. */
function withCheckDigit(digits: string): string {
  const sum = [...digits].toReversed().reduce((total, digit, place) => {
    const counted = place % 2 === 0 ? Number(digit) * 2 : Number(digit);
    return total + (counted > 9 ? counted - 9 : counted);
  }, 0);
  return digits + String((10 - (sum % 10)) % 10);
}
/** First digits and lengths of the big networks. */
const NETWORKS = [
  ['4', 16],
  ['4', 19],
  ['51', 16],
  ['55', 16],
  ['2221', 16],
  ['2720', 16],
  ['34', 15],
  ['37', 15],
  ['300', 14],
  ['305', 14],
  ['36', 14],
  ['38', 14],
  ['6011', 16],
  ['644', 16],
  ['65', 19],
  ['3528', 16],
  ['3589', 16],
  ['62', 16],
  ['62', 19],
  ['5018', 16],
  ['6304', 19],
] as const;
const decimals = (length: number) =>
  fc.array(fc.integer({ min: 0, max: 9 }), { minLength: length, maxLength: length }).map((digits) => digits.join(''));
const cardNumber = fc
  .constantFrom(...NETWORKS)
  .chain(([prefix, length]) => decimals(length - prefix.length - 1).map((rest) => withCheckDigit(prefix + rest)));

describe('M12: a card number', () => {
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
    '6304000000000000000',
    '5555 5555 5555 4444 12/27 123',
    'ref 12 5555555555554444',
    'card:4111111111111111,exp',
    'visa4111111111111111',
    '4111111111111111exp1227',
    '卡号4111111111111111',
    '30569309025904',
    '4111-1111-1111-1111-12-27',
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
    '4222222222222',
    '1767225600007',
    'order-20261128-123456',
    'x4111111111111111y',
    'pi4111111111111111',
    '9007199254740990',
    '321.3645678.3845678',
    '28.11.2026-05.12.2026',
    '30.11.2026 05.12.2026',
    '30112026-05122026',
    'from 5/12/2026 8/12/2026 45',
    '37.7749295123456',
    '25.276987 55.2962491234567',
    'GB29 NWBK 6016 1331 9268 19 at Nat West',
    '(415) 555-2671, 415-555-2671 415-555-2672',
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
    const around = fc.constantFrom('', 'card ', 'visa', ': ', '\n', ', ');
    const separated = cardNumber.chain((digits) =>
      fc
        .array(separator, { minLength: digits.length - 1, maxLength: digits.length - 1 })
        .map((between) => [...digits].map((digit, index) => digit + (between[index] ?? '')).join('')),
    );
    fc.assert(
      fc.property(around, separated, around, (before, text, after) => {
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

  it('is refused in an id or a reference that is nothing else', () => {
    for (const key of ['id', 'gatewayReference', 'propertyIds', 'idempotency-key']) {
      for (const value of ['4111111111111111', ' 4111 1111 1111 1111 ', '4111-1111-1111-1111', '378282246310005']) {
        expect(containsCardData({ [key]: value })).toBe(true);
        expect(containsCardData({ [key]: [value] })).toBe(true);
        expect(isCardNumber(`ref-${value.trim()}`)).toBe(false);
        expect(containsCardData({ [key]: `ref-${value.trim()}` })).toBe(false);
      }
    }
  });

  it('is no amount, no coordinate and no phone number', () => {
    expect(containsCardData({ amount: 9007199254740990, totalAmount: '4111111111111111.00' })).toBe(false);
    expect(containsCardData({ amount: '4111 1111 1111 1111' })).toBe(true);
    // Both pass Luhn's check, with a length and first digits of an issuer.
    expect(containsCardData({ location: { lat: 37.7749295123459, lng: -122.4 } })).toBe(false);
    expect(containsCardData({ phone: '+39 3911 2345 6789' })).toBe(false);
    expect(containsCardData({ phone: '4111 1111 1111 1111' })).toBe(true);
    expect(containsCardData({ phone: '+4111111111111111' })).toBe(true);
  });

  it('is looked for in linear time', () => {
    const texts = ['1 ', '1-', '12/', '１ ', '1a', 'a-', '2024-', '2026-11-28 ', '4 ', '4.', 'AB12 ', 'AE1'].map(
      (unit) => unit.repeat(65_536 / unit.length),
    );
    for (const text of [...texts, '1'.repeat(65_536)]) {
      // Of this thread alone, whatever else the machine does.
      const before = process.threadCpuUsage();
      expect(holdsCardNumber(text)).toBe(false);
      expect(process.threadCpuUsage(before).user / 1_000).toBeLessThan(500);
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
