import { distance } from 'fastest-levenshtein';

const MAX_SUGGESTIONS = 3;
/** Texts longer than any name of ours are not compared: the work grows with the product of both lengths. */
const MAX_WORD_CHARS = 64;

/**
 * The known names that a misspelt one was probably meant to be, nearest first, three at the most. Case does not count;
 * a name may be off by two letters, a long one by a third of its own.
 */
export function nearest(word: string, known: readonly string[]): readonly string[] {
  if (word.length > MAX_WORD_CHARS) return [];
  return known
    .map((candidate) => ({ candidate, far: distance(word.toLowerCase(), candidate.toLowerCase()) }))
    .filter(({ candidate, far }) => far <= Math.max(2, candidate.length / 3) && far < candidate.length)
    .toSorted((a, b) => a.far - b.far)
    .slice(0, MAX_SUGGESTIONS)
    .map(({ candidate }) => candidate);
}

/** The same as half a sentence, `; did you mean "limit"?`, or nothing. */
export function didYouMean(word: string, known: readonly string[]): string {
  const [best] = nearest(word, known);
  return best === undefined ? '' : `; did you mean "${best}"?`;
}
