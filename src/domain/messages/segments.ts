/** How many SMS a text is (domain.md 12): GSM 03.38 where its alphabet will do, else UCS-2. */

export interface Segments {
  readonly encoding: 'GSM-7' | 'UCS-2';
  /** Septets, or UTF-16 code units. */
  readonly units: number;
  readonly segments: number;
}

/** A longer text is neither saved as a template nor sent. */
export const MAX_SEGMENTS = 3;

const BASIC = new Set(
  '@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !"#¤%&\'()*+,-./0123456789:;<=>?¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà',
);
/** Each takes an escape and itself. */
const EXTENSION = new Set('^{}\\[~]|€\f');

const LIMITS = { 'GSM-7': { single: 160, joined: 153 }, 'UCS-2': { single: 70, joined: 67 } } as const;

/** Characters that look or mean the same as one of the alphabet: spaces, quotes, dashes, dots, and what nobody sees. */
const TWINS: readonly (readonly [pattern: RegExp, twin: string])[] = [
  [/[\u00a0\u1680\u2000-\u200a\u202f\u205f\u3000\t]/g, ' '],
  [/[\u00ad\u200b-\u200f\u202a-\u202e\u2060-\u2064\u2066-\u2069\ufeff]/g, ''],
  [/[\u2018-\u201b\u2032\u2039\u203a\u02b9-\u02bc`\u00b4]/g, "'"],
  [/[\u201c-\u201f\u2033\u00ab\u00bb]/g, '"'],
  [/[\u2010-\u2015\u2043\u2212\ufe58\uff0d]/g, '-'],
  [/\u2026/g, '...'],
  [/[\u2022\u00b7\u2219\u25cf]/g, '*'],
  [/\u00d7/g, 'x'],
  [/[\u2044\u2215]/g, '/'],
  [/[\u2028\u2029]/g, '\n'],
];

/**
 * The text of an SMS in GSM 03.38 where plain twins of its characters are enough for that, else as it is: a single no-break
 * space of a number would make the whole of it UCS-2, and cost double. No letter loses its accent, as names are spelt with them.
 */
export function asGsm(text: string): string {
  let plain = text.normalize('NFC');
  for (const [pattern, twin] of TWINS) plain = plain.replaceAll(pattern, twin);
  return segmentsOf(plain).encoding === 'GSM-7' ? plain : text;
}

/** The encoding of an SMS and the number of its parts: 160 septets in one and 153 in each of several; 70 and 67 units of UCS-2. */
export function segmentsOf(text: string): Segments {
  const septets: number[] = [];
  for (const character of text) {
    if (BASIC.has(character)) septets.push(1);
    else if (EXTENSION.has(character)) septets.push(2);
    else
      return counted(
        'UCS-2',
        Array.from(text, ({ length }) => length),
      );
  }
  return counted('GSM-7', septets);
}

/** `sizes`: of each character. An escape and its character, or the halves of a pair, stay together in one part. */
function counted(encoding: Segments['encoding'], sizes: readonly number[]): Segments {
  const { single, joined } = LIMITS[encoding];
  const units = sizes.reduce((sum, size) => sum + size, 0);
  if (units <= single) return { encoding, units, segments: 1 };
  let segments = 1;
  let used = 0;
  for (const size of sizes) {
    if (used + size > joined) {
      segments += 1;
      used = 0;
    }
    used += size;
  }
  return { encoding, units, segments };
}
