/** How many SMS a text is (domain.md 12): GSM 03.38 where its alphabet will do, else UCS-2. */

export interface Segments {
  readonly encoding: 'GSM-7' | 'UCS-2';
  /** Septets, or UTF-16 code units. */
  readonly units: number;
  readonly segments: number;
}

/** What is longer is neither saved as a template nor sent. */
export const MAX_SEGMENTS = 3;

const BASIC = new Set(
  '@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !"#¤%&\'()*+,-./0123456789:;<=>?¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà',
);
/** Each takes an escape and itself. */
const EXTENSION = new Set('^{}\\[~]|€\f');

const LIMITS = { 'GSM-7': { single: 160, joined: 153 }, 'UCS-2': { single: 70, joined: 67 } } as const;

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
