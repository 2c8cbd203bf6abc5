import { createHash } from 'node:crypto';
import { expect, it } from 'vitest';
import { cases } from '../../test/setup/cases.ts';
import { containsCardData } from './card-data.ts';

/** How many generated values are taken for cards: none of what is no card, and all that is (security.md M12). */
const COUNT = cases(100_000);
const SEED = 20_261_128;

/** A generator of numbers from a seed (mulberry32), so that a failure can be repeated. */
function randomFrom(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}
const random = randomFrom(SEED);
const below = (limit: number): number => Math.floor(random() * limit);
const pick = <T>(from: readonly [T, ...T[]]): T => from[below(from.length)] ?? from[0];
const digits = (length: number): string => Array.from({ length }, () => String(below(10))).join('');
const pad = (value: number, length = 2): string => String(value).padStart(length, '0');
const hex = (length: number): string => createHash('sha256').update(String(random())).digest('hex').slice(0, length);

/** From 2020 to 2034. */
const instant = (): Date => new Date(1_577_836_800_000 + below(473_385_600) * 1000 + below(1000));
const day = (): { y: string; m: string; d: string } => {
  const [y = '', m = '', d = ''] = instant().toISOString().slice(0, 10).split('-');
  return { y, m, d };
};
const written = (): ((date: ReturnType<typeof day>) => string) =>
  pick<(date: ReturnType<typeof day>) => string>([
    ({ y, m, d }) => `${y}-${m}-${d}`,
    ({ y, m, d }) => `${d}.${m}.${y}`,
    ({ y, m, d }) => `${d}/${m}/${y}`,
    ({ y, m, d }) => `${Number(m)}/${Number(d)}/${y}`,
    ({ y, m, d }) => `${y}${m}${d}`,
    ({ y, m, d }) => `${d}${m}${y}`,
    ({ y, m, d }) => `${y}/${m}/${d}`,
  ]);
function period(): string {
  const write = written();
  return write(day()) + pick([' - ', '-', '/', ' ', ' to ', '–']) + write(day());
}

/** ISO 7064 mod 97-10. */
function iban(): string {
  const [country, length, letters] = pick<readonly [string, number, string]>([
    ['DE', 18, ''],
    ['AE', 19, ''],
    ['FR', 23, ''],
    ['ES', 20, ''],
    ['SA', 20, ''],
    ['AT', 16, ''],
    ['GB', 14, 'NWBK'],
    ['NL', 10, 'ABNA'],
  ]);
  const account = letters + digits(length);
  const numeric = [...`${account}${country}00`].map((one) => Number.parseInt(one, 36)).join('');
  const whole = `${country}${pad(98 - Number(BigInt(numeric) % 97n))}${account}`;
  return pick([whole, whole.replaceAll(/(.{4})(?=.)/g, '$1 ')]);
}

const reference = (): string =>
  pick([
    () => String(instant().getTime()),
    () => `${instant().getTime()}${digits(3)}`,
    () => `${instant().getTime()}${digits(6)}`,
    () => `order-${instant().getTime()}`,
    () => `order-${day().y}${day().m}${day().d}-${digits(6)}`,
    () => `INV-${written()(day())}-${digits(5)}`,
    () => `BK-2026-${digits(6)}`,
    () => `${pick(['HM', 'RES', 'bk'])}${digits(pick([8, 10, 14, 15, 16, 19]))}`,
    () => `${pick(['pi', 'ch', 'pm'])}_3${hex(6)}Lw${digits(pick([8, 14, 16]))}x${hex(4)}`,
    () => digits(pick([6, 7, 8, 9, 10, 12, 13, 17, 18])),
    () => `1${digits(18)}`,
    () => `321.${digits(7)}.${digits(7)}`,
    () => `88${digits(14)}`,
    () => instant().toISOString().replaceAll(/\D/g, ''),
  ])();
const id = (): string =>
  pick([
    () => `${hex(8)}-${hex(4)}-7${hex(3)}-8${hex(3)}-${hex(12)}`,
    () => `reservation-0${hex(7)}-${hex(4)}-7${hex(3)}-8${hex(3)}-${hex(12)}-F`,
    () => hex(24),
    () => hex(32).toUpperCase(),
    () => hex(64),
  ])();
const phone = (): string =>
  pick([
    () => `+97150${digits(7)}`,
    () => `+971 5${pick([0, 2, 5])} ${digits(3)} ${digits(4)}`,
    () => `+49 15${digits(1)} ${digits(8)}`,
    () => `0049 151 ${digits(8)}`,
    () => `+1 (415) 555-${digits(4)}`,
    () => `415-555-${digits(4)}`,
    () => `+44 7${digits(3)} ${digits(6)}`,
    () => `+62 812-${digits(4)}-${digits(4)}`,
    () => `+86 13${digits(1)} ${digits(4)} ${digits(4)}`,
    () => `+39 3${digits(2)} ${digits(7)}`,
  ])();
/** In the fields where they are typed, and in the middle of a text. */
const HARMLESS: readonly [() => object, ...(() => object)[]] = [
  () => ({ gatewayReference: pick([reference, id])() }),
  () => ({ id: pick([reference, id])(), 'idempotency-key': pick([reference, id])() }),
  () => ({ notes: `Their booking is ${pick([reference, id])()}, paid` }),
  () => ({
    notes: pick(['', 'Stays ', 'wants ', 'from ']) + period() + pick(['', ', late', '. Two adults', ' 2 adults']),
  }),
  () => ({ phone: phone() }),
  () => ({ notes: `Ring ${phone()} before 10:30` }),
  () => ({ payoutAccount: iban() }),
  () => ({ notes: `To IBAN ${iban()} please` }),
  () => ({ location: { lat: random() * 180 - 90, lng: random() * 360 - 180 } }),
  () => ({ notes: `At ${(random() * 90).toFixed(13)}, ${(random() * 180).toFixed(13)}` }),
  () => ({ amount: Number(digits(16)), totalAmount: digits(16) }),
];

function card(): string {
  const [prefix, length] = pick<readonly [string, number]>([
    ['4', 16],
    ['4', 19],
    [String(51 + below(5)), 16],
    [String(2221 + below(500)), 16],
    [pick(['34', '37']), 15],
    [pick(['300', '305', '36', '38', '39']), 14],
    [pick(['6011', '644', '649', '65']), 16],
    [String(3528 + below(62)), 16],
    ['62', pick([16, 19])],
    [pick(['5018', '6304', '6759']), pick([16, 19])],
  ]);
  const body = prefix + digits(length - prefix.length - 1);
  for (let check = 0; check < 10; check += 1) if (passesLuhn(body + check)) return body + String(check);
  throw new Error('One of ten digits is right');
}
const passesLuhn = (number: string): boolean =>
  [...number].toReversed().reduce((sum, digit, place) => {
    const counted = place % 2 === 1 ? Number(digit) * 2 : Number(digit);
    return sum + (counted > 9 ? counted - 9 : counted);
  }, 0) %
    10 ===
  0;
const SEPARATORS = [
  '',
  '',
  ' ',
  '-',
  '.',
  '/',
  '_',
  '*',
  '  ',
  '\n',
  '\u00a0',
  '\u2011',
  '\u200b',
  '\u202f',
  '–',
] as const;
const separated = (number: string): string => {
  const separator = pick(SEPARATORS);
  return pick([
    () => number.replaceAll(/(.{4})(?=.)/g, `$1${separator}`),
    () => [...number].join(separator),
    () => `${number.slice(0, 4)}${separator}${number.slice(4, 10)}${separator}${number.slice(10)}`,
    () => [...number].map((digit, at) => digit + (at < number.length - 1 ? pick(SEPARATORS) : '')).join(''),
  ])();
};
const typed = (): object => {
  const number = separated(card());
  const text =
    pick(['', 'card ', 'card:', 'Visa', 'ref 12 ', 'he gave me ', '2026-11-28 ', '卡号', '(']) +
    number +
    pick(['', ' 12/27 123', ' exp 12/27', ', thanks', '.', '\n', ' and', ')']);
  return { [pick(['notes', 'name', 'payoutAccount', 'description', 'paymentMethod'])]: text };
};

it(`refuses none of ${COUNT} references, ids, dates, coordinates, amounts, phone numbers and IBANs`, () => {
  const refused: object[] = [];
  for (let n = 0; n < COUNT; n += 1) {
    const value = pick(HARMLESS)();
    if (containsCardData(value)) refused.push(value);
  }
  console.info(`no cards: ${refused.length} of ${COUNT} refused, seed ${SEED}`);
  expect(refused).toEqual([]);
});

it(`refuses each of ${COUNT} cards of the big networks in free text`, () => {
  const passed: object[] = [];
  for (let n = 0; n < COUNT; n += 1) {
    const value = typed();
    if (!containsCardData(value)) passed.push(value);
  }
  console.info(`cards: ${COUNT - passed.length} of ${COUNT} refused, seed ${SEED}`);
  expect(passed).toEqual([]);
});
