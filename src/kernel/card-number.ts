import validator from 'validator';
import { isPhoneNumber } from './phone.ts';

/**
 * Numbers of payment cards in text (security.md M12): digits that stand alone, with a length and a first few digits that
 * an issuer has (ISO/IEC 7812), and the right check digit (Luhn).
 */

/** Between two digits of a card number: two blanks, ends of lines, dashes, dots, slashes and the like, or invisible marks. */
const SEPARATOR = '[\\p{Zs}\\s\\p{Pd}\\p{Cf}./_*]';
const DIGIT_RUNS = new RegExp(`\\p{Nd}(?:${SEPARATOR}{0,2}\\p{Nd})+`, 'gu');
const SEPARATORS = new RegExp(SEPARATOR, 'u');
const BETWEEN = new RegExp(`${SEPARATOR}+`, 'gu');
const BLANK = /^[\p{Zs}\s]+$/u;
const MIN_DIGITS = 14;

interface Issuer {
  /** First and last value of the first digits, both of one length. */
  readonly from: string;
  readonly to: string;
  readonly lengths: readonly number[];
}
const issuer = (lengths: readonly number[], ...ranges: readonly (readonly [string, string?])[]): readonly Issuer[] =>
  ranges.map(([from, to = from]) => ({ from, to, lengths }));

/**
 * The ranges that networks publish. Visa's thirteen digits are no longer issued, and neither are the fifteen of JCB and
 * of UATP: those begin as clocks and numbers of tickets do.
 */
const ISSUERS: readonly Issuer[] = [
  // Visa (and Electron, Elo, mada and Dankort within its range).
  ...issuer([16, 19], ['4']),
  // Mastercard
  ...issuer([16], ['51', '55'], ['2221', '2720']),
  // American Express
  ...issuer([15], ['34'], ['37']),
  // Diners Club
  ...issuer([14, 16, 19], ['300', '305'], ['3095'], ['36'], ['38', '39']),
  // Discover, and RuPay that shares 60 and 65
  ...issuer([16, 19], ['60'], ['644', '649'], ['65']),
  // JCB
  ...issuer([16, 19], ['3528', '3589']),
  // UnionPay, and RuPay that shares 81 and 82
  ...issuer([16, 19], ['62'], ['81', '82']),
  // Maestro
  ...issuer([16, 19], ['50'], ['56', '58'], ['63'], ['67']),
  // Mir, Troy
  ...issuer([16], ['2200', '2205'], ['9792']),
];

/**
 * Numbers that machines write, and no card issuer: UUIDs and hexadecimal hashes. One UUID in a thousand holds digits that pass
 * Luhn's check by chance, and every record here may have one for its id.
 */
const MACHINE_MADE = new RegExp(
  [
    '(?<![0-9a-z])(?=[0-9-]{0,35}[a-f])[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}(?![0-9a-z])',
    '(?<![0-9a-z])(?=[0-9]*[a-f])[0-9a-f]{32,128}(?![0-9a-z])',
  ].join('|'),
  'gi',
);
/**
 * Dates at the beginning or the end of a run: `2026-11-28`, as no card begins, and `28.11.2026` with a blank or a second
 * date behind it, as a card with separators of all kinds may begin with the digits of one.
 */
const ISO_DATE = '(?:19|20)[0-9]{2}-[01][0-9]-[0-3][0-9](?![0-9])';
const DAY_FIRST = '(?:[0-3]?[0-9]([-./])[0-3]?[0-9]\\1(?:19|20)[0-9]{2})';
const SECOND_DAY = '(?:[0-3]?[0-9]([-./])[0-3]?[0-9]\\2(?:19|20)[0-9]{2})(?![0-9])';
/** Without separators of its own, so only with a second one: `28112026-05122026`. */
const COMPACT_DAY = '(?:[0-3][0-9][01][0-9](?:19|20)[0-9]{2}|(?:19|20)[0-9]{2}[01][0-9][0-3][0-9])';
const LEADING_DATES = new RegExp(
  [
    `^(?:(?:${ISO_DATE}${SEPARATOR}{0,2})+`,
    `${DAY_FIRST}${SEPARATOR}{1,2}${SECOND_DAY}${SEPARATOR}{0,2}`,
    '[0-3][0-9]([-./])[0-3][0-9]\\3(?:19|20)[0-9]{2}[\\p{Zs}\\s]+',
    `${COMPACT_DAY}${SEPARATOR}{1,2}${COMPACT_DAY}(?![0-9])${SEPARATOR}{0,2})`,
  ].join('|'),
  'u',
);
const TRAILING_DATES = new RegExp(`(?:${SEPARATOR}{1,2}${ISO_DATE}){1,2}$`, 'u');
/** One decimal number or two, as coordinates are. */
const DECIMALS = new RegExp(`^[0-9]{1,3}\\.[0-9]{4,}(?:${SEPARATOR}{1,2}[0-9]{1,3}\\.[0-9]{4,})?$`, 'u');
/** ISO 13616: the country, two check digits and up to thirty letters and digits, often in groups of four. */
const IBAN_LIKE = /(?<![A-Za-z0-9])[A-Z]{2}[0-9]{2}(?:[ \u00a0-]?[A-Z0-9]){10,30}(?![A-Za-z0-9])/gu;

/** Latin letters right before a number that make it part of a longer code, unless they say what the number is. */
const LETTERS_BEFORE = /[A-Za-z]+$/;
const LETTERS_BEHIND = /^[A-Za-z]+/;
const CARD_WORD_BEFORE =
  /(?:card|karte|carte|carta|tarjeta|visa|master|maestro|mc|amex|express|diners|jcb|discover|unionpay|rupay|credit|debit|cc|pan|number|num|nummer|no|nr|is)$/i;
const CARD_WORD_BEHIND = /^(?:exp|val|cv|csc|pin|card|visa|mc|amex|and|on|until)/i;
const MAX_WORD = 20;

/** Whether digits in the text are the number of a card, in whatever script and with whatever separators. */
export function holdsCardNumber(text: string): boolean {
  // Most texts, and all that can come by thousands in one body.
  if (text.length < MIN_DIGITS) return false;
  const plain = withoutIbans(text.replaceAll(MACHINE_MADE, 'x'));
  for (const { 0: run, index } of plain.matchAll(DIGIT_RUNS)) {
    if (run.length < MIN_DIGITS || DECIMALS.test(run)) continue;
    if (isPhone(plain, index, run)) continue;
    const rest = run.replace(LEADING_DATES, '');
    const number = rest.replace(TRAILING_DATES, '');
    const tiedBefore = rest === run && isTiedBefore(plain, index);
    if (holdsNumber(number, tiedBefore, number === rest && isTiedBehind(plain, index + run.length))) return true;
  }
  return false;
}

/**
 * Whether the text as a whole is the number of a card: what an id or a reference, where digits of any kind are usual, must
 * not be. `order-4111111111111111` is one of the caller's own.
 */
export function isCardNumber(text: string): boolean {
  if (text.length < MIN_DIGITS) return false;
  const whole = text.trim();
  const [run] = whole.match(DIGIT_RUNS) ?? [];
  return run === whole && !DECIMALS.test(run) && isCard(digitsOf(run));
}

const withoutIbans = (text: string): string =>
  text.replaceAll(IBAN_LIKE, (like) => {
    // The text behind the account number may look like more of it.
    for (let end = like.length; end >= MIN_IBAN; end -= 1) {
      if (!validator.isIBAN(like.slice(0, end))) continue;
      return `x${like.slice(end)}`;
    }
    return like;
  });
const MIN_IBAN = 15;

/** `+` and a number of the country's numbering plan. */
const isPhone = (text: string, index: number, run: string): boolean =>
  text[index - 1] === '+' && isPhoneNumber(`+${run}`);

/** A run that follows letters is a part of their code: `pi3MtwBw4111...`. Scripts without blanks between words do not count. */
function isTiedBefore(text: string, index: number): boolean {
  const [word] = text.slice(Math.max(0, index - MAX_WORD), index).match(LETTERS_BEFORE) ?? [];
  return word !== undefined && !CARD_WORD_BEFORE.test(word);
}
function isTiedBehind(text: string, end: number): boolean {
  const [word] = text.slice(end, end + MAX_WORD).match(LETTERS_BEHIND) ?? [];
  return word !== undefined && !CARD_WORD_BEHIND.test(word);
}

/**
 * Digits that stand together belong together: a number begins and ends where a group of them does. A number within a longer
 * run stands alone when it is written in the groups of a card, or when what divides it from the rest is a blank or does
 * not divide its own groups: `321.3645678.3845678` is one number.
 */
function holdsNumber(run: string, tiedBefore: boolean, tiedBehind: boolean): boolean {
  const digits = digitsOf(run);
  const between = run.match(BETWEEN) ?? [];
  /** Which group begins, or all end, before a digit of the run. */
  const bounds = new Map<number, number>([[0, 0]]);
  let at = 0;
  for (const [index, group] of run.split(BETWEEN).entries()) {
    at += [...group].length;
    bounds.set(at, index + 1);
  }
  for (const [from, first] of bounds) {
    if (first === 0 && tiedBefore) continue;
    for (const length of lengthsOf(digits, from)) {
      const end = bounds.get(from + length);
      if (end === undefined || (from + length === at && tiedBehind) || !passesLuhn(digits, from, length)) continue;
      const inner = between.slice(first, end - 1);
      const outer = [between[first - 1], between[end - 1]].filter((one) => one !== undefined);
      const layout = [...bounds.keys()]
        .slice(first, end + 1)
        .map((bound, index, all) => bound - (all[index - 1] ?? bound));
      if (
        isCardLayout(layout.slice(1)) ||
        outer.every((one) => BLANK.test(one) || !sharesCharacter(one, inner.join('')))
      ) {
        return true;
      }
    }
  }
  return false;
}
const sharesCharacter = (one: string, other: string): boolean =>
  [...one].some((character) => other.includes(character));

/** As cards and terminals print them, and digit by digit or two by two. */
const CARD_LAYOUTS = new Set(['4,4,4,4', '4,6,5', '4,6,4', '4,4,4,4,3', '8,8', '6,13', '4,4,4,3', '4,4,4,2']);
const isCardLayout = (layout: readonly number[]): boolean =>
  layout.length === 1 ||
  CARD_LAYOUTS.has(layout.join()) ||
  layout.every((length) => length <= 2 && length === layout[0]);

const isCard = (digits: readonly number[]): boolean =>
  lengthsOf(digits, 0).includes(digits.length) && passesLuhn(digits, 0, digits.length);

/** How many digits a card that begins like this may have; none when no issuer has it. */
function lengthsOf(digits: readonly number[], from: number): readonly number[] {
  let beginning = '';
  for (let at = from; at < from + LONGEST_RANGE; at += 1) beginning += digits[at] ?? '';
  const known = LENGTHS.get(beginning);
  if (known !== undefined) return known;
  const lengths = ISSUERS.flatMap((issued) => {
    const first = beginning.slice(0, issued.from.length);
    return first >= issued.from && first <= issued.to ? issued.lengths : [];
  });
  LENGTHS.set(beginning, lengths);
  return lengths;
}
const LONGEST_RANGE = 4;
/** By the first four digits, of which there are ten thousand. */
const LENGTHS = new Map<string, readonly number[]>();

const digitsOf = (text: string): number[] =>
  [...text].filter((character) => !SEPARATORS.test(character)).map((character) => digitOf(character));

/** There are some hundred of them; a body may hold ten thousands of times the same ones. */
const KNOWN_DIGITS = new Map<string, number>();

function digitOf(character: string): number {
  const known = KNOWN_DIGITS.get(character);
  if (known !== undefined) return known;
  const code = character.codePointAt(0) ?? 0;
  // The digits of a script are ten in a row, and rows may follow one another, five of them at the most.
  let first = code;
  while (code - first < 50 && /\p{Nd}/u.test(String.fromCodePoint(first - 1))) first -= 1;
  const digit = (code - first) % 10;
  KNOWN_DIGITS.set(character, digit);
  return digit;
}

function passesLuhn(digits: readonly number[], from: number, length: number): boolean {
  let sum = 0;
  for (let place = 0; place < length; place += 1) {
    const digit = digits[from + length - 1 - place] ?? 0;
    const counted = place % 2 === 1 ? digit * 2 : digit;
    sum += counted > 9 ? counted - 9 : counted;
  }
  return sum % 10 === 0;
}
