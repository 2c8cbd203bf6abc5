import { createRandom } from '../faults/chaos/random.ts';

/** Choices that a seed decides: the same seed makes the same ones on every machine. */
export interface Random {
  /** From 0 up to and without `below`. */
  int(below: number): number;
  chance(probability: number): boolean;
  pick<T>(from: readonly T[]): T;
}

/** By the generator of the fault tests. */
export function seeded(seed: number): Random {
  const { next } = createRandom(seed);
  const int = (below: number): number => Math.floor(next() * below);
  return {
    int,
    chance: (probability) => next() < probability,
    // One of the values may be undefined, which is chosen like any other.
    pick: (from) => {
      if (from.length === 0) throw new Error('nothing to choose from');
      return from[int(from.length)] as (typeof from)[number];
    },
  };
}
