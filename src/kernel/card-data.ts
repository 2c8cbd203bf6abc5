/** Keys that name what must never come here (PCI DSS 3.3: not even to be refused later). */
const FORBIDDEN_KEYS = new Set([
  'cvv',
  'cvv2',
  'cvc',
  'cvc2',
  'cvn',
  'csc',
  'cid',
  'cardcvv',
  'cardcvc',
  'securitycode',
  'cardsecuritycode',
  'cardverificationvalue',
  'cardverificationcode',
  'pan',
  'cardpan',
  'cardnumber',
  'cardno',
  'cardholder',
  'cardholdername',
  'nameoncard',
  'track1',
  'track2',
  'trackdata',
  'pinblock',
]);

/** Between two digits of a card number: two blanks, ends of lines, dashes, dots, slashes and the like, or invisible marks. */
const SEPARATOR = '[\\p{Zs}\\s\\p{Pd}\\p{Cf}./_*]';
const DIGIT_RUNS = new RegExp(`\\p{Nd}(?:${SEPARATOR}{0,2}\\p{Nd})+`, 'gu');
const SEPARATORS = new RegExp(SEPARATOR, 'u');
const MIN_DIGITS = 13;
const MAX_DIGITS = 19;

/**
 * What machines write, and no card issuer: UUIDs and hexadecimal hashes. One UUID in a thousand holds digits that pass
 * Luhn's check by chance, and every record here may have one for its id.
 */
const MACHINE_MADE = new RegExp(
  [
    '(?<![0-9a-z])(?=[0-9-]{0,35}[a-f])[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}(?![0-9a-z])',
    '(?<![0-9a-z])(?=[0-9]*[a-f])[0-9a-f]{32,128}(?![0-9a-z])',
  ].join('|'),
  'gi',
);
/** ISO dates at the beginning of a run of digits, where a card's number is never written like one. */
const LEADING_DATES = new RegExp(`^(?:(?:19|20)[0-9]{2}-[01][0-9]-[0-3][0-9](?![0-9])${SEPARATOR}?)+`, 'u');

/** Whether a JSON value holds a card number, or a key that stands for card data (features FSE-2). */
export function containsCardData(value: unknown): boolean {
  let level: unknown[] = [value];
  while (level.length > 0) {
    const next: unknown[] = [];
    for (const item of level) {
      if ((typeof item === 'string' || typeof item === 'number') && holdsCardNumber(String(item))) return true;
      if (typeof item !== 'object' || item === null) continue;
      for (const [key, member] of Object.entries(item)) {
        if (isForbidden(key)) return true;
        next.push(member);
      }
    }
    level = next;
  }
  return false;
}

const isForbidden = (key: string): boolean =>
  FORBIDDEN_KEYS.has(
    key
      .normalize('NFKC')
      .toLowerCase()
      .replaceAll(/[^a-z0-9]/g, ''),
  ) || holdsCardNumber(key);

/** 13 to 19 digits of any script that pass Luhn's check, whatever stands before and behind them. */
export function holdsCardNumber(text: string): boolean {
  for (const [run] of text.replaceAll(MACHINE_MADE, 'x').matchAll(DIGIT_RUNS)) {
    if (holdsNumber(run.replace(LEADING_DATES, ''))) return true;
  }
  return false;
}

/** Digits that stand together belong together: a number begins and ends where a group of them does. */
function holdsNumber(run: string): boolean {
  const digits: number[] = [];
  /** Before which digits a group begins; the end is one too. */
  const bounds = [0];
  for (const character of run) {
    if (SEPARATORS.test(character)) bounds.push(digits.length);
    else digits.push(digitOf(character));
  }
  bounds.push(digits.length);
  for (const [index, from] of bounds.entries()) {
    for (let end = index + 1; end < bounds.length; end += 1) {
      const length = (bounds[end] ?? 0) - from;
      if (length > MAX_DIGITS) break;
      if (length >= MIN_DIGITS && passesLuhn(digits, from, from + length)) return true;
    }
  }
  return false;
}

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

function passesLuhn(digits: readonly number[], from: number, end: number): boolean {
  let sum = 0;
  for (let at = end - 1; at >= from; at -= 1) {
    const digit = digits[at] ?? 0;
    const counted = (end - at) % 2 === 0 ? digit * 2 : digit;
    sum += counted > 9 ? counted - 9 : counted;
  }
  return sum % 10 === 0;
}
