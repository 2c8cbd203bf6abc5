import {
  type Expression,
  type ExpressionBuilder,
  type RawBuilder,
  type SelectQueryBuilder,
  type SqlBool,
  sql,
} from 'kysely';
import type { Db } from '../../db/client.ts';
import { literal } from '../../db/literal.ts';
import type { Database, SagaStatus } from '../../db/schema.ts';
import { RoomyError } from '../../kernel/errors.ts';
import { openHolds } from '../store/holds.ts';
import { fitsStuck, STUCK_SAGAS, type StuckFilter } from '../stuck-group.ts';
import type { ExecutionDetail, ExecutionView, StepView } from '../types.ts';
import { amendmentViews } from './amendments.ts';
import { executionView, type Reader, resolutionView, type StepRow, timeline } from './view.ts';

/** The read side of sagas. Nothing here changes or decides anything. */

/** Rows of a list with the instant that it is ordered by. */
type Listed = Expression<{ readonly id: string; readonly at: Date }>;

/** A part of all executions: those about some properties. The caller makes it from the rights of the reader. */
export interface ExecutionPart {
  /** Whether a row with this property is in the part. */
  holds(propertyId: RawBuilder<unknown>): RawBuilder<SqlBool>;
  /** The ids of the newest rows, as an array: of `at`, the rows of each property; `limit` at the most. */
  newest(page: {
    readonly at: (propertyId: RawBuilder<string>) => Listed;
    readonly limit: number;
  }): RawBuilder<string[]>;
  /** A statement for `rows` of each property of the part. */
  each(rows: (propertyId: RawBuilder<string>) => Expression<unknown>): RawBuilder<unknown>;
}

/** With a part of `StuckFilter`, only those that stand still or back off, and so. */
export interface SagaFilter extends StuckFilter {
  readonly status?: SagaStatus | undefined;
  readonly name?: string | undefined;
  readonly reservationId?: string | undefined;
  readonly executionId?: string | undefined;
  /** Accepted at or after. */
  readonly from?: string | undefined;
  /** Accepted before. */
  readonly to?: string | undefined;
  /** Only executions that this principal started; null: all. */
  readonly startedBy: string | null;
  /** Only this part; null: all. */
  readonly part?: ExecutionPart | null;
}

export interface SagaPage {
  readonly items: readonly ExecutionView[];
  readonly next: { readonly at: string; readonly id: string } | null;
}

/** Newest first; `after` is the position where the page before ended. */
export async function listSagas(
  db: Db,
  filter: SagaFilter,
  page: { readonly after: { readonly at: string; readonly id: string } | null; readonly limit: number },
  reader: Reader,
): Promise<SagaPage> {
  const { after } = page;
  const limit = page.limit + 1;
  const { part, ...others } = filter;
  const matching = db
    .selectFrom('saga')
    .where(matches(others))
    .$if(after !== null, (query) =>
      query.where(sql<boolean>`(requested_at, id) < (${after?.at}::timestamptz, ${after?.id}::text)`),
    );
  const listed = matching
    .select(['id', 'requested_at as at'])
    .orderBy('requested_at', 'desc')
    .orderBy('id', 'desc')
    .limit(limit);
  // Of a name, the ids are in an index of its own; whole rows would be looked for among those of all names.
  const ofName = filter.name === undefined ? null : sql`ARRAY(SELECT newest.id FROM ${listed} newest)`;
  const ids = part ? part.newest({ at: (propertyId) => listed.where('property_id', '=', propertyId), limit }) : ofName;
  const rows = await (ids === null ? matching : db.selectFrom('saga').where('id', '=', sql<string>`ANY(${ids})`))
    .selectAll()
    .select(sql<string>`requested_at::text`.as('position_at'))
    .orderBy('requested_at', 'desc')
    .orderBy('id', 'desc')
    .limit(limit)
    .execute();
  const kept = rows.slice(0, page.limit);
  const last = rows.length > page.limit ? kept.at(-1) : undefined;
  const [steps, holds] = await Promise.all([stepsByExecution(db, kept), openHolds(db)]);
  return {
    items: kept.map((row) => executionView(row, steps.get(row.id) ?? [], reader, holds)),
    next: last ? { at: last.position_at, id: last.id } : null,
  };
}

/** Executions that have ended are counted up to here: a full count would read all that ever ran. */
export const COUNTED_AT_MOST = 1_000;

/** How many executions are in each status, whatever status the filter asks for. At most `COUNTED_AT_MOST` of each. */
export async function countSagas(db: Db, filter: SagaFilter): Promise<Record<SagaStatus, number>> {
  const { part, ...others } = filter;
  const all = db.selectFrom('saga').where(matches({ ...others, status: undefined }));
  const ofEnd = (status: (typeof ENDS)[number]) =>
    counted(
      db,
      part ?? null,
      (own) =>
        all
          .select(['id', sql<SagaStatus>`ended_as`.as('status')])
          .where('ended_as', '=', literal(status))
          .where(own)
          .orderBy('requested_at', 'desc'),
      COUNTED_AT_MOST,
    );
  const open = counted(
    db,
    part ?? null,
    (own) => all.select(['id', 'status']).where('finished_at', 'is', null).where(own),
    COUNTED_AT_MOST * OPEN_STATUSES,
  );
  const counts = { pending: 0, running: 0, compensating: 0, parked: 0, completed: 0, compensated: 0, resolved: 0 };
  // What stands still has not ended.
  const found = await Promise.all([open, ...(fitsStuck(filter) === null ? ENDS.map(ofEnd) : [])]);
  for (const { status, count } of found.flat()) counts[status] = Math.min(count, COUNTED_AT_MOST);
  return counts;
}

type Counted = { readonly status: SagaStatus; readonly count: number };

/** By status, of `limit` rows at the most; of a part, property by property. */
async function counted(
  db: Db,
  part: ExecutionPart | null,
  rowsOf: (own: RawBuilder<SqlBool>) => SelectQueryBuilder<Database, 'saga', { id: string; status: SagaStatus }>,
  limit: number,
): Promise<readonly Counted[]> {
  const few = (own: RawBuilder<SqlBool>) => rowsOf(own).limit(limit);
  const some =
    part === null
      ? sql`${few(sql`true`)}`
      : sql`(${part.each((propertyId) => few(sql`saga.property_id = ${propertyId}`))} LIMIT ${limit}::int)`;
  const { rows } =
    await sql<Counted>`SELECT status, count(*)::int AS count FROM ${some} picked GROUP BY status`.execute(db);
  return rows;
}

const ENDS = ['completed', 'compensated', 'resolved'] as const;
const OPEN_STATUSES = 4;

const isEnd = (status: SagaStatus): status is (typeof ENDS)[number] => ENDS.some((end) => end === status);

/** The newest execution that fits (domain.md T6). */
export async function newestExecution(db: Db, filter: SagaFilter, reader: Reader): Promise<ExecutionView> {
  const { items } = await listSagas(db, filter, { after: null, limit: 1 }, reader);
  const [newest] = items;
  if (!newest) throw new RoomyError('SAGA_NOT_FOUND');
  return newest;
}

/** One execution with the timeline of its steps. `startedBy` hides what others started as if it did not exist. */
export async function getExecution(
  db: Db,
  id: string,
  reader: Reader & Pick<SagaFilter, 'startedBy' | 'part'>,
): Promise<ExecutionDetail> {
  const row = await db
    .selectFrom('saga')
    .selectAll()
    .where(matches({ executionId: id, startedBy: reader.startedBy, part: reader.part ?? null }))
    .executeTakeFirst();
  if (!row) throw new RoomyError('SAGA_NOT_FOUND');
  const steps = (await stepsByExecution(db, [row])).get(id) ?? [];
  return {
    ...executionView(row, steps, reader, await openHolds(db)),
    steps: timeline(row, steps, reader),
    amendments: await amendmentViews(db, id, reader.stepsOf(row.name, row.definition_ver)),
    amendable: reader.amendableOf?.(row.name, row.definition_ver) ?? [],
    ifResolved: resolutionView(row, steps, reader.stepsOf),
  };
}

/** These executions with their steps, in no order; absent ones are left out. The caller knows that they are the reader's to see. */
export async function executionsWithSteps(
  db: Db,
  ids: readonly string[],
  reader: Reader,
): Promise<readonly (ExecutionView & { readonly steps: readonly StepView[] })[]> {
  if (ids.length === 0) return [];
  const rows = await db
    .selectFrom('saga')
    .selectAll()
    .where('id', '=', sql<string>`ANY(${[...ids]}::text[])`)
    .execute();
  const [steps, holds] = await Promise.all([stepsByExecution(db, rows), openHolds(db)]);
  return rows.map((row) => {
    const own = steps.get(row.id) ?? [];
    return { ...executionView(row, own, reader, holds), steps: timeline(row, own, reader) };
  });
}

/** The newest executions about a stay, 50 at the most. */
export async function executionsOfReservation(
  db: Db,
  reservationId: string,
  reader: Reader,
): Promise<readonly ExecutionView[]> {
  const page = await listSagas(db, { reservationId, startedBy: null }, { after: null, limit: 50 }, reader);
  return page.items;
}

/** The condition on a row `saga`. */
export function matches(filter: SagaFilter) {
  return (eb: ExpressionBuilder<Database, 'saga'>): Expression<SqlBool> => {
    const all: Expression<SqlBool>[] = [];
    // Each by an index of its own: few executions are open, and few were undone.
    if (filter.status !== undefined) {
      if (isEnd(filter.status)) all.push(eb('ended_as', '=', literal(filter.status)));
      else all.push(eb('finished_at', 'is', null), eb('status', '=', literal(filter.status)));
    }
    if (filter.name !== undefined) all.push(eb('name', '=', filter.name));
    if (filter.reservationId !== undefined) {
      all.push(eb('subject_type', '<>', 'transaction'), eb('subject_id', '=', filter.reservationId));
    }
    if (filter.part) all.push(filter.part.holds(sql.ref('saga.property_id')));
    if (filter.executionId !== undefined) all.push(eb('id', '=', filter.executionId));
    if (filter.from !== undefined) all.push(eb('requested_at', '>=', sql<Date>`${filter.from}::timestamptz`));
    if (filter.to !== undefined) all.push(eb('requested_at', '<', sql<Date>`${filter.to}::timestamptz`));
    const stuck = fitsStuck(filter);
    if (stuck !== null) {
      all.push(eb('finished_at', 'is', null));
      all.push(sql<boolean>`saga.id IN (SELECT stuck.id FROM (${STUCK_SAGAS}) stuck WHERE ${stuck})`);
    }
    if (filter.startedBy !== null) all.push(eb('requested_by', '=', filter.startedBy));
    return eb.and(all);
  };
}

async function stepsByExecution(db: Db, sagas: readonly { readonly id: string }[]): Promise<Map<string, StepRow[]>> {
  const bySaga = new Map<string, StepRow[]>(sagas.map((saga) => [saga.id, []]));
  if (sagas.length === 0) return bySaga;
  const rows = await db
    .selectFrom('saga_step')
    .selectAll()
    .where(sql<boolean>`saga_id = ANY(${[...bySaga.keys()]}::text[])`)
    .orderBy('step_no')
    .execute();
  for (const row of rows) bySaga.get(row.saga_id)?.push(row);
  return bySaga;
}
