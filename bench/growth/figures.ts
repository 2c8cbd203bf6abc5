import { median } from '../load.ts';

/** What an operation costs over one history, in one run. */
export interface Cost {
  readonly cpuMs: number | null;
  readonly ms: number;
  /** Of 8 KiB, from the cache or not. */
  readonly blocks: number;
  /** The blocks by the statement that read them. */
  readonly byStatement: Blocks;
}
/** By text of a statement. */
export type Blocks = ReadonlyMap<string, number>;
export interface Growing {
  readonly statement: string;
  readonly bySize: readonly number[];
}
type Middle = Omit<Cost, 'byStatement'>;
/** An operation over all histories: for each size the middle of its runs, and how many times the smallest the others are. */
export interface Operation {
  readonly name: string;
  readonly bySize: readonly Middle[];
  /** Of the largest to the smallest. */
  readonly ratios: Readonly<Record<Measure, number | null>>;
  readonly exceeded: readonly Measure[];
  /** Where the blocks exceed their bound: the statements that read most of what is more, the first of them first. */
  readonly growing: readonly Growing[];
}
const GROWING_AT_MOST = 5;
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
    const exceeded = MEASURES.filter((measure) => isBeyond(measure, ratios[measure], bySize));
    return { name, bySize, ratios, exceeded, growing: exceeded.includes('blocks') ? growingOf(sizes) : [] };
  });
}

function growingOf(sizes: readonly (readonly Cost[])[]): readonly Growing[] {
  const statements = new Set(sizes.flatMap((costs) => costs.flatMap(({ byStatement }) => [...byStatement.keys()])));
  const more = ({ bySize }: Growing): number => (bySize.at(-1) ?? 0) - (bySize[0] ?? 0);
  return [...statements]
    .map((statement) => ({
      statement,
      bySize: sizes.map((costs) => median(costs.map(({ byStatement }) => byStatement.get(statement) ?? 0)) ?? 0),
    }))
    .filter((growing) => more(growing) > 0)
    .toSorted((a, b) => more(b) - more(a))
    .slice(0, GROWING_AT_MOST);
}

function isBeyond(measure: Measure, ratio: number | null, bySize: readonly Middle[]): boolean {
  const more = (bySize.at(-1)?.blocks ?? 0) - (bySize[0]?.blocks ?? 0);
  return (ratio ?? 0) > BOUNDS[measure] && !(measure === 'blocks' && more <= TREES_BLOCKS);
}

function middleOf(costs: readonly Cost[]): Middle {
  const cpu = costs.map(({ cpuMs }) => cpuMs).filter((ms) => ms !== null);
  return {
    cpuMs: median(cpu),
    ms: median(costs.map(({ ms }) => ms)) ?? 0,
    blocks: median(costs.map(({ blocks }) => blocks)) ?? 0,
  };
}

/** What reads nothing over both has not grown. Null where it could not be measured. */
function growth(bySize: readonly Middle[], measure: Measure): number | null {
  const [small, large] = [bySize[0]?.[measure] ?? null, bySize.at(-1)?.[measure] ?? null];
  if (small === null || large === null) return null;
  return small === large ? 1 : large / Math.max(small, Number.EPSILON);
}
