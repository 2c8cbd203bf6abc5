import pg from 'pg';
import { isNode, nodesIn, parseTree, type TreeNode, type TreeValue } from './plan-tree.ts';

/**
 * Statements that a server before the fix of October 2026 (Postgres 18.0 to 18.4 at least) may crash on, or answer wrongly. When a
 * row that is to be locked was changed meanwhile, it is looked at once more (EvalPlanQual), and the server then prepares anew what is
 * below the node that locks, and every subquery and WITH of the statement. A choice of partitions by a value of the statement itself is
 * shared with the first preparation: it is written over, and it may be freed before it is used again. One by `$1` is made once, before.
 */

const UPDATE = '2';
const DELETE = '4';
const MERGE = '5';

const wordOf = (node: TreeNode, field: string): string | undefined => {
  const [word] = node.fields.get(field) ?? [];
  return typeof word === 'string' ? word : undefined;
};

const looksAgain = (node: TreeNode): boolean =>
  node.type === 'LOCKROWS' ||
  (node.type === 'MODIFYTABLE' && [UPDATE, DELETE, MERGE].includes(wordOf(node, 'operation') ?? ''));

/** The words of a set of numbers, `(b 1 2)`, without the first. */
const membersOf = (set: TreeValue | undefined): readonly TreeValue[] => (Array.isArray(set) ? set.slice(1) : []);

/** Whether partitions are chosen by a value that comes up while the statement runs. */
const choosesWhileRunning = (info: TreeValue | undefined): boolean =>
  [...nodesIn(info)].some((node) => membersOf(node.fields.get('execparamids')?.[0]).length > 0);

/** The conditions of a join, and what its one side hands to the other. */
const joinedBy = ({ type, fields }: TreeNode): readonly TreeValue[] =>
  type === 'NESTLOOPPARAM'
    ? [...fields.values()].flat()
    : ['join.joinqual', 'hashclauses', 'mergeclauses'].flatMap((field) => fields.get(field) ?? []);

/** Reads of partitioned tables that such a look prepares anew, and that choose partitions while they run, or would if joined otherwise. */
export function chosenAnew(plan: TreeValue): number {
  if (!isNode(plan)) return 0;
  const list = (field: string): readonly TreeValue[] =>
    (plan.fields.get(field) ?? []).flatMap((value) => (Array.isArray(value) ? value : []));
  const infos = list('partPruneInfos');
  const relations = list('rtable');
  const all = [...nodesIn(plan)];
  const again = all.filter(looksAgain);
  if (again.length === 0) return 0;
  const isPartitioned = (place: TreeValue): boolean => {
    const relation = relations[Number(place) - 1];
    return isNode(relation) && wordOf(relation, 'relkind') === 'p';
  };
  const joined = all.flatMap(joinedBy).flatMap((value) => [...nodesIn(value)]);
  // The key of each is its first column.
  const isJoinedByKey = (places: readonly TreeValue[]): boolean =>
    joined.some((node) => places.includes(wordOf(node, 'varnosyn') ?? '') && wordOf(node, 'varattnosyn') === '1');

  const prepared = [plan.fields.get('subplans'), ...again.flatMap(({ fields }) => [...fields.values()])];
  const reads = new Set(prepared.flatMap((part) => [...nodesIn(part)]).filter(({ fields }) => fields.has('apprelids')));
  return [...reads].filter((node) => {
    const places = membersOf(node.fields.get('apprelids')?.[0]).filter(isPartitioned);
    if (places.length === 0) return false;
    const chosen = Number(wordOf(node, 'part_prune_index'));
    return chosen >= 0 ? choosesWhileRunning(infos[chosen]) : isJoinedByKey(places) && !asksForList(node);
  }).length;
}

/** Whether the key is looked for in a list, by which nothing is chosen, in no plan. */
const asksForList = (read: TreeNode): boolean =>
  [...nodesIn(read)].some(
    ({ type, fields }) =>
      type === 'SCALARARRAYOPEXPR' &&
      [...nodesIn(fields.get('args'))].some((arg) => wordOf(arg, 'varattnosyn') === '1'),
  );

/** As the planner does it in production, and as it might with other statistics: each table by an index, for each row. */
const PLANNERS: readonly (readonly string[])[] = [
  [],
  ['enable_hashjoin', 'enable_mergejoin', 'enable_seqscan', 'enable_material', 'enable_memoize'],
];

/** Those of the statements that are of this kind, or that cannot be planned, with the reason. They are planned, not run. */
export async function prunedUnderLock(databaseUrl: string, texts: Iterable<string>): Promise<readonly string[]> {
  const client = new pg.Client({
    connectionString: databaseUrl,
    options: '-c random_page_cost=1.1 -c jit=off -c default_transaction_read_only=on',
  });
  let plans: string[] = [];
  client.on('notice', ({ message, detail }) => {
    if (message === 'plan:') plans.push(detail ?? '');
  });
  await client.connect();
  const found = new Set<string>();
  try {
    await client.query('SET debug_print_plan = on; SET debug_pretty_print = off; SET client_min_messages = log');
    for (const off of PLANNERS) {
      for (const setting of off) await client.query(`SET ${setting} = off`);
      for (const text of texts) {
        plans = [];
        const shown = text.replaceAll(/\s+/g, ' ').trim();
        try {
          await client.query(`EXPLAIN (GENERIC_PLAN) ${text}`);
        } catch (error) {
          found.add(`cannot be planned (${error}): ${shown}`);
          continue;
        }
        if (plans.length === 0) throw new Error(`the server has not shown the plan of: ${text}`);
        if (plans.some((plan) => chosenAnew(parseTree(plan)) > 0)) found.add(shown);
      }
    }
  } finally {
    await client.end();
  }
  return [...found].toSorted();
}
