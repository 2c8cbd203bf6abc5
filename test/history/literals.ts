import type pg from 'pg';
import { type Explained, nodesOf } from './measure.ts';

/**
 * Which statements compare a column of a partial index's predicate with a parameter. The planner has no value when it
 * plans, so it cannot see whether the index applies: such a column is compared with a literal (`db/literal.ts`). The plans
 * are Postgres's own, so names are resolved, whatever the statement calls its tables.
 */
export type PredicateColumns = ReadonlyMap<string, ReadonlySet<string>>;

/** Of predicates that compare with a constant; that a column is not null follows from any comparison with it. */
export async function predicateColumns(client: pg.Client): Promise<PredicateColumns> {
  const { rows } = await client.query<{ table: string; predicate: string; columns: string[] }>(`
    SELECT c.relname AS table, pg_get_expr(i.indpred, i.indrelid) AS predicate, array_agg(a.attname::text) AS columns
      FROM pg_index i JOIN pg_class c ON c.oid = i.indrelid JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0
     WHERE i.indpred IS NOT NULL AND c.relnamespace = 'public'::regnamespace GROUP BY i.indexrelid, c.relname, i.indpred, i.indrelid`);
  const found = new Map<string, Set<string>>();
  for (const { table, predicate, columns } of rows) {
    for (const column of columns) {
      const compared = new RegExp(`\\b${column}\\b\\)?(?:::text)? (?:=|<>) (?:'|ANY|ALL)|^\\(?${column}\\)?$`);
      if (compared.test(predicate)) found.set(table, (found.get(table) ?? new Set()).add(column));
    }
  }
  return found;
}

const EXPRESSIONS = [
  'Filter',
  'Index Cond',
  'Recheck Cond',
  'Join Filter',
  'Hash Cond',
  'Merge Cond',
  'One-Time Filter',
];

export function comparedWithParameters(
  explained: readonly Explained[],
  predicates: PredicateColumns,
): readonly string[] {
  const wrong = new Set<string>();
  for (const { text, plan } of explained) {
    const nodes = nodesOf(plan);
    const conditions = nodes.flatMap((node) => EXPRESSIONS.flatMap((name) => node[name] ?? [])).map(String);
    for (const node of nodes) {
      const { Alias: alias, 'Relation Name': table } = node;
      for (const column of predicates.get(table ?? '') ?? []) {
        const compared = new RegExp(
          `(?<![\\w.])${alias}\\.${column}\\)?(?:::text)? (?:=|<>) (?:ANY |ALL )?\\(?(?:ARRAY\\[)?\\(?\\$\\d|\\$\\d\\)?(?:::\\w+)? (?:=|<>) \\(?${alias}\\.${column}\\b`,
        );
        if (conditions.some((condition) => compared.test(condition)))
          wrong.add(`${table}.${column}: ${text.replaceAll(/\s+/g, ' ').trim()}`);
      }
    }
  }
  return [...wrong].sort();
}
