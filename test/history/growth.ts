import { type Explained, nodesOf, type PlanNode } from './measure.ts';

/** What one operation read, by statement, over one history. */
export type Readings = ReadonlyMap<string, ReadonlyMap<string, Reading>>;
export interface Reading {
  readonly blocks: number;
  readonly worst: PlanNode;
}

export function readingOf(explained: readonly Explained[]): ReadonlyMap<string, Reading> {
  const byText = new Map<string, Reading>();
  for (const { text, plan, blocks } of explained) {
    const before = byText.get(text);
    byText.set(text, {
      blocks: (before?.blocks ?? 0) + blocks,
      worst: before && before.blocks > blocks ? before.worst : plan,
    });
  }
  return byText;
}

/** A statement may read half as much again, as trees get higher; */
const FACTOR = 1.5;
/**
 * and what reads so few blocks, of 8 KB, is left alone: a page of fifty rows, each looked up in trees that are one step
 * higher, and what an insert reads to find room. A scan of 20 000 stays reads 500 and more.
 */
const FLOOR_BLOCKS = 200;

export interface Growth {
  readonly operation: string;
  readonly text: string;
  readonly before: number;
  readonly after: number;
  readonly plan: string;
}

/** What reads a history on purpose, and why; everything else must not grow. */
const READS_HISTORY: readonly { readonly operation: RegExp; readonly why: string }[] = [
  { operation: /\/financial\/integrity$/, why: 'compares every row of money with every other, in ranges of ids' },
  { operation: /\/owners\/\{id\}\/statement/, why: 'carries the balance of one owner through all of its entries' },
  {
    operation: /\/financial\/summary \?(?!.*reservationId).*(?:from|to|asOf|ownerId|propertyId)=/,
    why: 'adds up what was booked in a period, or for an owner or a property',
  },
];
const isOnPurpose = (name: string): boolean => READS_HISTORY.some(({ operation }) => operation.test(name));

export function grown(small: Readings, large: Readings): readonly Growth[] {
  const found: Growth[] = [];
  for (const [operation, statements] of large) {
    if (isOnPurpose(operation)) continue;
    for (const [text, { blocks, worst }] of statements) {
      const before = small.get(operation)?.get(text)?.blocks ?? 0;
      if (blocks <= Math.max(before * FACTOR, FLOOR_BLOCKS)) continue;
      found.push({ operation, text: text.replaceAll(/\s+/g, ' '), before, after: blocks, plan: outline(worst) });
    }
  }
  return found.toSorted((a, b) => b.after - a.after);
}

/** The nodes that read most themselves. */
function outline(plan: PlanNode): string {
  const blocksOf = (node: PlanNode): number => (node['Shared Hit Blocks'] ?? 0) + (node['Shared Read Blocks'] ?? 0);
  return nodesOf(plan)
    .map((node) => ({
      node,
      own: blocksOf(node) - (node.Plans ?? []).reduce((sum, child) => sum + blocksOf(child), 0),
    }))
    .toSorted((a, b) => b.own - a.own)
    .slice(0, 2)
    .map(
      ({ node, own }) =>
        `${own} blocks: ${node['Node Type']} ${node['Relation Name'] ?? ''} ${node['Index Name'] ?? ''} ${node['Index Cond'] ?? ''} ${node['Filter'] ?? ''}`,
    )
    .join(' / ');
}
