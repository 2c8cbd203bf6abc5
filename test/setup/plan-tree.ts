import { InvariantError } from '../../src/kernel/errors.ts';

/** A plan as the server prints it (`debug_print_plan`): nodes `{NAME :field value ...}`, lists `(...)` and words. */
export interface TreeNode {
  readonly type: string;
  readonly fields: ReadonlyMap<string, readonly TreeValue[]>;
}
export type TreeValue = TreeNode | readonly TreeValue[] | string;

const TOKEN = /[{}()]|(?:\\[\s\S]|[^\s{}()\\])+/g;

export function parseTree(text: string): TreeValue {
  const tokens = text.match(TOKEN) ?? [];
  let at = 0;
  const value = (): TreeValue => {
    const token = tokens[at++];
    if (token === undefined) throw new InvariantError('a plan that ends too early');
    if (token === '(') {
      const list: TreeValue[] = [];
      while (tokens[at] !== ')') list.push(value());
      at += 1;
      return list;
    }
    if (token !== '{') return token;
    const type = tokens[at++] ?? '';
    const fields = new Map<string, TreeValue[]>();
    let field: TreeValue[] = [];
    while (tokens[at] !== '}') {
      const next = value();
      if (typeof next === 'string' && next.startsWith(':')) {
        field = [];
        fields.set(next.slice(1), field);
      } else field.push(next);
    }
    at += 1;
    return { type, fields };
  };
  return value();
}

export const isNode = (value: TreeValue | undefined): value is TreeNode =>
  typeof value === 'object' && !Array.isArray(value);

/** The node's own, and those of whatever is below it. */
export function* nodesIn(value: TreeValue | readonly TreeValue[] | undefined): Generator<TreeNode> {
  if (value === undefined || typeof value === 'string') return;
  if (!isNode(value as TreeValue)) {
    for (const one of value as readonly TreeValue[]) yield* nodesIn(one);
    return;
  }
  const node = value as TreeNode;
  yield node;
  for (const field of node.fields.values()) yield* nodesIn(field);
}
