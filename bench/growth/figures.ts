import { median } from '../load.ts';

/** What an operation costs over one history, in one run. */
export interface Cost {
  readonly cpuMs: number | null;
  readonly ms: number;
  /** Of 8 KiB, from the cache or not. */
  readonly blocks: number;
}
/** An operation over all histories: for each size the middle of its runs, and how many times the smallest the others are. */
export interface Operation {
  readonly name: string;
  readonly bySize: readonly Cost[];
  /** Of the largest to the smallest. */
  readonly ratios: Readonly<Record<Measure, number | null>>;
  readonly exceeded: readonly Measure[];
}
export const MEASURES = ['cpuMs', 'ms', 'blocks'] as const;
export type Measure = (typeof MEASURES)[number];

/** What 300 000 finished sagas may cost, of what 3 000 do. */
export const BOUNDS: Readonly<Record<Measure, number>> = { cpuMs: 1.15, ms: 1.15, blocks: 1.1 };

/**
 * A tree over a hundred times as many rows has one or two levels more, whatever is asked: a page of fifty rows, each found
 * through a tree, reads so many blocks more for it, of a fraction of a microsecond each. What it costs shows in the CPU time.
 */
const TREES_BLOCKS = 200;

/** By operation, for each size the costs of its runs. */
export type Runs = ReadonlyMap<string, readonly (readonly Cost[])[]>;

export function operationsOf(runs: Runs): readonly Operation[] {
  return [...runs].map(([name, sizes]) => {
    const bySize = sizes.map(middleOf);
    const ratios = { cpuMs: growth(bySize, 'cpuMs'), ms: growth(bySize, 'ms'), blocks: growth(bySize, 'blocks') };
    return { name, bySize, ratios, exceeded: MEASURES.filter((measure) => isBeyond(measure, ratios[measure], bySize)) };
  });
}

function isBeyond(measure: Measure, ratio: number | null, bySize: readonly Cost[]): boolean {
  const more = (bySize.at(-1)?.blocks ?? 0) - (bySize[0]?.blocks ?? 0);
  return (ratio ?? 0) > BOUNDS[measure] && !(measure === 'blocks' && more <= TREES_BLOCKS);
}

function middleOf(costs: readonly Cost[]): Cost {
  const cpu = costs.map(({ cpuMs }) => cpuMs).filter((ms) => ms !== null);
  return {
    cpuMs: median(cpu),
    ms: median(costs.map(({ ms }) => ms)) ?? 0,
    blocks: median(costs.map(({ blocks }) => blocks)) ?? 0,
  };
}

/** What reads nothing over both has not grown. Null where it could not be measured. */
function growth(bySize: readonly Cost[], measure: Measure): number | null {
  const [small, large] = [bySize[0]?.[measure] ?? null, bySize.at(-1)?.[measure] ?? null];
  if (small === null || large === null) return null;
  return small === large ? 1 : large / Math.max(small, Number.EPSILON);
}
