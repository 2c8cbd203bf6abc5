import { type RawBuilder, type SqlBool, sql } from 'kysely';
import type { Db } from '../../db/client.ts';
import type { SagaStatus } from '../../db/schema.ts';
import type { ExecutionPart } from './executions.ts';

/** Executions as a search finds them: by ids, what they are about, who asked, the error or the day. */

export interface SagaQuestion {
  /** An id: of an execution, of what it is about, of its request, or of who asked for it. */
  readonly id: string | null;
  readonly codes: readonly string[];
  readonly day: { readonly from: string; readonly to: string } | null;
  readonly from?: string | undefined;
  readonly to?: string | undefined;
  readonly propertyId?: string | undefined;
  readonly limit: number;
  /** So many of the newest are looked through where no index has the part that the reader sees. */
  readonly lookedAt: number;
}
export interface SagaScope {
  /** Only executions that this principal started; null: all. */
  readonly startedBy: string | null;
  /** Only this part; null: all. */
  readonly part: ExecutionPart | null;
}
export interface FoundSaga {
  readonly id: string;
  readonly name: string;
  readonly status: SagaStatus;
  readonly subject_type: string;
  readonly subject_id: string;
  readonly property_id: string | null;
  readonly requested_by: string;
  readonly requested_at: Date;
  readonly error_code: string | null;
}

const COLUMNS = sql`saga.id, saga.name, saga.status, saga.subject_type, saga.subject_id, saga.property_id, saga.requested_by, saga.requested_at, saga.error_code`;

/** Whether the reader sees it at all, by the name that it has in the query. */
const isSeen = ({ startedBy, part }: SagaScope, saga = 'saga'): RawBuilder<SqlBool> =>
  sql`${startedBy === null ? sql`true` : sql`${sql.ref(`${saga}.requested_by`)} = ${startedBy}`}
    AND ${part === null ? sql`true` : part.holds(sql.ref(`${saga}.property_id`))}`;

/** Newest first, one more than `limit`. */
export async function findSagas(db: Db, question: SagaQuestion, scope: SagaScope): Promise<readonly FoundSaga[]> {
  const candidates = candidatesOf(question, scope);
  if (candidates.length === 0) return [];
  const ids = sql.join(
    candidates.map((statement) => sql`(${statement})`),
    sql` UNION `,
  );
  const { rows } = await sql<FoundSaga>`
    SELECT ${COLUMNS} FROM saga WHERE saga.id = ANY(ARRAY(${ids})) AND ${isSeen(scope)} AND ${fits(question)}
     ORDER BY saga.requested_at DESC, saga.id DESC LIMIT ${question.limit + 1}::int`.execute(db);
  return rows;
}

/** Those of these that the reader sees, newest first. */
export async function sagasByIds(db: Db, ids: readonly string[], scope: SagaScope): Promise<readonly FoundSaga[]> {
  if (ids.length === 0) return [];
  const { rows } = await sql<FoundSaga>`
    SELECT ${COLUMNS} FROM saga WHERE saga.id = ANY(${[...ids]}::text[]) AND ${isSeen(scope)}
     ORDER BY saga.requested_at DESC, saga.id DESC`.execute(db);
  return rows;
}

const inPeriod = ({ from, to }: SagaQuestion): RawBuilder<SqlBool> =>
  sql`${from === undefined ? sql`true` : sql`saga.requested_at >= ${from}::timestamptz`}
    AND ${to === undefined ? sql`true` : sql`saga.requested_at < ${to}::timestamptz`}`;

const fits = (question: SagaQuestion): RawBuilder<SqlBool> =>
  sql`${inPeriod(question)} AND ${question.propertyId === undefined ? sql`true` : sql`saga.property_id = ${question.propertyId}`}`;

/**
 * By rows of the index itself: with an equation the planner takes the index by age for as good, and reads everybody's history to find
 * the little that few have asked for. What the reader sees of the newest is kept.
 */
function askedBy(who: string, question: SagaQuestion, scope: SagaScope): RawBuilder<unknown> {
  const { from = '-infinity', to = 'infinity', propertyId, limit, lookedAt } = question;
  const isPart = scope.part !== null || scope.startedBy !== null || propertyId !== undefined;
  return sql`SELECT newest.id FROM (
      SELECT saga.id, saga.property_id, saga.requested_by FROM saga
       WHERE (saga.requested_by, saga.requested_at) >= (${who}, ${from}::timestamptz)
         AND (saga.requested_by, saga.requested_at) < (${who}, ${to}::timestamptz)
       ORDER BY saga.requested_by DESC, saga.requested_at DESC LIMIT ${isPart ? lookedAt : limit + 1}::int) newest
    WHERE ${isSeen(scope, 'newest')} AND ${propertyId === undefined ? sql`true` : sql`newest.property_id = ${propertyId}`}`;
}

function candidatesOf(question: SagaQuestion, scope: SagaScope): readonly RawBuilder<unknown>[] {
  const { id, codes, day, limit, lookedAt } = question;
  const { startedBy, part } = scope;
  const few = limit + 1;
  /** By an index that ends in the moment; of a part by one of the property. */
  const newest = (holds: RawBuilder<SqlBool>): RawBuilder<unknown> => {
    const listed = (own: RawBuilder<SqlBool>, many: number) =>
      sql<{
        id: string;
        at: Date;
      }>`(SELECT saga.id, saga.requested_at AS at, saga.requested_by FROM saga WHERE ${own} AND ${holds} AND ${fits(question)}
        ORDER BY saga.requested_at DESC, saga.id DESC LIMIT ${many}::int)`;
    if (part !== null)
      return sql`SELECT unnest(${part.newest({ at: (place) => sql`(SELECT mine.id, mine.at FROM ${listed(sql`saga.property_id = ${place}`, few)} mine)`, limit: few })})`;
    if (startedBy === null) return sql`SELECT newest.id FROM ${listed(sql`true`, few)} newest`;
    return sql`SELECT newest.id FROM ${listed(sql`true`, lookedAt)} newest WHERE newest.requested_by = ${startedBy}`;
  };
  const all: RawBuilder<unknown>[] = [];
  if (id !== null) {
    const ofColumn = (column: string, many: number) =>
      sql`SELECT saga.id FROM saga WHERE ${sql.ref(`saga.${column}`)} = ${id} AND ${inPeriod(question)} ORDER BY saga.requested_at DESC LIMIT ${many}::int`;
    all.push(
      sql`SELECT ${id}::text`,
      ofColumn('subject_id', lookedAt),
      ofColumn('request_id', lookedAt),
      askedBy(id, question, scope),
    );
  }
  for (const code of codes) all.push(newest(sql`saga.error_code = ${code}`));
  if (day !== null)
    all.push(newest(sql`saga.requested_at >= ${day.from}::timestamptz AND saga.requested_at < ${day.to}::timestamptz`));
  return all;
}
