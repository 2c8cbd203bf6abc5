import pg from 'pg';
import { PARTITIONED } from '../../src/db/partitions.ts';

/** Texts of statements that were sent from this process since `hearStatements`, of those that `prunedUnderLock` may have to say something of. */
const heard = new Set<string>();
let isHearing = false;

/** Not a partition by its own name: nothing is chosen there. */
const PARTITIONS = new RegExp(`\\b(?:${PARTITIONED.map(({ table }) => table).join('|')})\\b`);
const LOCKS = /\b(?:update|delete|merge|for (?:no key )?update|for (?:key )?share)\b/i;
/** A row that is there already is not looked at once more: the insert begins again. */
const NO_LOCKS = /\bdo update\b/gi;
/** Of tests alone: the product sends one at a time. */
const SEVERAL = /;\s*\S/;
const PLANNED = /^\s*(?:with|select|insert|update|delete|merge)\b/i;

export const isOfInterest = (text: string): boolean =>
  PLANNED.test(text) &&
  PARTITIONS.test(text) &&
  LOCKS.test(text.replaceAll(NO_LOCKS, '')) &&
  !SEVERAL.test(text.replaceAll(/'[^']*'/g, ''));

const textOf = (query: unknown): string | undefined => {
  if (typeof query === 'string') return query;
  const text: unknown = query instanceof Object ? Reflect.get(query, 'text') : undefined;
  return typeof text === 'string' ? text : undefined;
};

export function hearStatements(): ReadonlySet<string> {
  if (isHearing) return heard;
  isHearing = true;
  const { query } = pg.Client.prototype;
  pg.Client.prototype.query = function heardQuery(this: pg.Client, ...args: readonly unknown[]): unknown {
    const text = textOf(args[0]);
    if (text !== undefined && isOfInterest(text)) heard.add(text);
    return Reflect.apply(query, this, args);
  } as typeof query;
  return heard;
}
