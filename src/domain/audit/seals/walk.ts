import { type BrokenSeal, compareSeals, type SealParts } from './compare.ts';

/** Compares the trail with the seals of the copy, over and over, a stretch each time. */
export interface SealWalk {
  /** The next stretch, and what it has found; `last` is the number of the newest seal. */
  go(last: number): Promise<readonly BrokenSeal[]>;
  /** How many walks have come to their end. */
  walks(): number;
}

/** `beginOf`: the seal at which a walk begins when the newest is the `last`. */
export function createSealWalk(parts: SealParts, beginOf: (last: number) => number): SealWalk {
  let next: number | null = null;
  let walks = 0;
  return {
    go: async (last) => {
      const begin = beginOf(last);
      // Seals before the beginning, which moves with the newest seal, are compared by the walk that begins at the first.
      const from = Math.max(next ?? begin, begin);
      const compared = from <= last ? await compareSeals(parts, from, last, last) : { broken: [], next: from };
      const isOver = compared.next > last;
      next = isOver ? null : compared.next;
      if (isOver) walks += 1;
      return compared.broken;
    },
    walks: () => walks,
  };
}
