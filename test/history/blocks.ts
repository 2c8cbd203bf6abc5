import { type Explained, nodesOf, ownBlocksOf, type PlanNode } from './measure.ts';

/** The blocks that one operation read, by statement, over one history. */
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

/** Of two times that the same was done, what each statement read when it read less. */
export const lesserOf = (one: ReadonlyMap<string, Reading>, other: ReadonlyMap<string, Reading>) =>
  new Map([
    ...other,
    ...[...one].map(([text, reading]) => {
      const again = other.get(text);
      return [text, again && again.blocks < reading.blocks ? again : reading] as const;
    }),
  ]);

/** Of what was sent often, the one time at which it read most. */
export function largestOf(explained: readonly Explained[]): ReadonlyMap<string, Reading> {
  const byText = new Map<string, Reading>();
  for (const { text, plan, blocks } of explained) {
    if (blocks >= (byText.get(text)?.blocks ?? 0)) byText.set(text, { blocks, worst: plan });
  }
  return byText;
}

/** A statement may read half as much again, as trees get higher; */
const FACTOR = 1.5;
/**
 * and what reads so few blocks, of 8 KB, is left alone: a page of fifty rows, each with its row and three levels of a tree
 * that had one or two (as many as 178 were seen). A scan of what 20 000 stays have reads 500 and more.
 */
const FLOOR_BLOCKS = 200;

export interface Growth {
  readonly operation: string;
  readonly text: string;
  readonly before: number;
  readonly after: number;
  readonly plan: string;
}

/** Statements that read more as there are more rows, each with its reason. No other may. */
const READS_MORE: readonly { readonly operation: RegExp; readonly why: string }[] = [
  {
    operation: /\/(?:reservations \?status|tasks \?(?:from|status|type))=\S+ as AGENT agent-h1$/,
    why: 'of an agent with half of all stays, of whose own rows few fit: the portfolio’s are read, and nobody else’s',
  },
  {
    operation: /\/financial\/integrity, full/,
    why: 'was asked for all of the money; each of its statements has a bound of its own (`growth.test.ts`)',
  },
];

export function grown(small: Readings, large: Readings): readonly Growth[] {
  const found: Growth[] = [];
  for (const [operation, statements] of large) {
    if (READS_MORE.some((exception) => exception.operation.test(operation))) continue;
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
  return nodesOf(plan)
    .map((node) => ({ node, own: ownBlocksOf(node) }))
    .toSorted((a, b) => b.own - a.own)
    .slice(0, 2)
    .map(
      ({ node, own }) =>
        `${own} blocks: ${node['Node Type']} ${node['Relation Name'] ?? ''} ${node['Index Name'] ?? ''} ${node['Index Cond'] ?? ''} ${node['Filter'] ?? ''}`,
    )
    .join(' / ');
}
