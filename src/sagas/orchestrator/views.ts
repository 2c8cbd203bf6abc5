import {
  type Expression,
  type ExpressionBuilder,
  type RawBuilder,
  type Selectable,
  type SelectQueryBuilder,
  type SqlBool,
  sql,
} from 'kysely';
import type { Db } from '../../db/client.ts';
import { literal } from '../../db/literal.ts';
import type { Database, Json, SagaStatus, SagaStepTable, SagaTable } from '../../db/schema.ts';
import { inPortfolio, newestInPortfolio } from '../../domain/properties/portfolio.ts';
import { RoomyError } from '../../kernel/errors.ts';
import { effectKey } from '../../kernel/ids.ts';
import type { ExecutionView, StepSummary, StepView } from './types.ts';

/** The read side of sagas: what people see of executions. Nothing here changes or decides anything. */

/** The steps of a definition, as pinned by an execution; null when this build does not know it any more. */
export type StepsOf = (name: string, version: number) => readonly StepSummary[] | null;

export interface SagaFilter {
  readonly status?: SagaStatus | undefined;
  readonly name?: string | undefined;
  readonly reservationId?: string | undefined;
  readonly executionId?: string | undefined;
  /** Accepted at or after. */
  readonly from?: string | undefined;
  /** Accepted before. */
  readonly to?: string | undefined;
  /** Only what this principal started; null: all. */
  readonly startedBy: string | null;
  /** Only what is about the stays of this agent's portfolio, or was started by them; null: all. */
  readonly agentId?: string | null;
}

export interface SagaPage {
  readonly items: readonly ExecutionView[];
  readonly next: { readonly at: string; readonly id: string } | null;
}

/** What a reader may see. Technical causes are for operators. */
export interface Reader {
  readonly stepsOf: StepsOf;
  readonly operator: boolean;
  /** A refusal's details as far as they are about what this reader may do. */
  readonly detailsFor: (details: Json | undefined) => Json | undefined;
}

type SagaRow = Selectable<SagaTable>;
type StepRow = Selectable<SagaStepTable>;

/** Newest first; `after` is the position where the page before ended. */
export async function listSagas(
  db: Db,
  filter: SagaFilter,
  page: { readonly after: { readonly at: string; readonly id: string } | null; readonly limit: number },
  reader: Reader,
): Promise<SagaPage> {
  const { after } = page;
  const limit = page.limit + 1;
  const { agentId, ...others } = filter;
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
  const rows = await (agentId
    ? db.selectFrom('saga').where(
        'id',
        '=',
        sql<string>`ANY(${newestInPortfolio({
          agentId,
          at: (propertyId) => listed.where('property_id', '=', propertyId),
          own: listed
            .where(startedBy(agentId))
            .clearOrderBy()
            .orderBy('requested_by', 'desc')
            .orderBy('requested_at', 'desc')
            .orderBy('id', 'desc'),
          limit,
        })})`,
      )
    : matching
  )
    .selectAll()
    .select(sql<string>`requested_at::text`.as('position_at'))
    .orderBy('requested_at', 'desc')
    .orderBy('id', 'desc')
    .limit(limit)
    .execute();
  const kept = rows.slice(0, page.limit);
  const last = rows.length > page.limit ? kept.at(-1) : undefined;
  const steps = await stepsByExecution(db, kept);
  return {
    items: kept.map((row) => executionView(row, steps.get(row.id) ?? [], reader)),
    next: last ? { at: last.position_at, id: last.id } : null,
  };
}

/**
 * As a range, and listed by it first, so that the index by requester is the only one that fits: where one client asks for
 * most sagas, a plan for anybody would look for an agent's own among those of all years.
 */
const startedBy = (principal: string): RawBuilder<SqlBool> =>
  sql`saga.requested_by >= ${principal} AND saga.requested_by <= ${principal}`;

/** What has ended is counted up to here: the count of all that ever ran would be read from all that ever ran. */
export const COUNTED_AT_MOST = 1_000;

/** How many executions are in each status, whatever status the filter asks for. At most `COUNTED_AT_MOST` of each. */
export async function countSagas(db: Db, filter: SagaFilter): Promise<Record<SagaStatus, number>> {
  const { agentId, ...others } = filter;
  const all = db.selectFrom('saga').where(matches({ ...others, status: undefined }));
  const ofEnd = (status: (typeof ENDS)[number]) =>
    counted(
      db,
      agentId ?? null,
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
    agentId ?? null,
    (own) => all.select(['id', 'status']).where('finished_at', 'is', null).where(own),
    COUNTED_AT_MOST * OPEN_STATUSES,
  );
  const counts = { pending: 0, running: 0, compensating: 0, parked: 0, completed: 0, compensated: 0, resolved: 0 };
  const found = await Promise.all([open, ...ENDS.map(ofEnd)]);
  for (const { status, count } of found.flat()) counts[status] = Math.min(count, COUNTED_AT_MOST);
  return counts;
}

type Counted = { readonly status: SagaStatus; readonly count: number };

/** By status, of `limit` rows at the most; of an agent's, property by property and those that the agent started. */
async function counted(
  db: Db,
  agentId: string | null,
  rowsOf: (own: RawBuilder<SqlBool>) => SelectQueryBuilder<Database, 'saga', { id: string; status: SagaStatus }>,
  limit: number,
): Promise<readonly Counted[]> {
  const few = (own: RawBuilder<SqlBool>) => rowsOf(own).limit(limit);
  const some =
    agentId === null
      ? sql`${few(sql`true`)}`
      : sql`(SELECT * FROM (SELECT few.* FROM property place CROSS JOIN LATERAL ${few(sql`saga.property_id = place.id`)} few
            WHERE ${agentId}::text = ANY(place.agent_ids) LIMIT ${limit}::int) own_places
          UNION ${few(startedBy(agentId)).clearOrderBy().orderBy('requested_by', 'desc').orderBy('requested_at', 'desc')} LIMIT ${limit}::int)`;
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
  reader: Reader & Pick<SagaFilter, 'startedBy' | 'agentId'>,
): Promise<ExecutionView & { readonly steps: readonly StepView[] }> {
  const row = await db
    .selectFrom('saga')
    .selectAll()
    .where(matches({ executionId: id, startedBy: reader.startedBy, agentId: reader.agentId ?? null }))
    .executeTakeFirst();
  if (!row) throw new RoomyError('SAGA_NOT_FOUND');
  const steps = (await stepsByExecution(db, [row])).get(id) ?? [];
  return { ...executionView(row, steps, reader), steps: timeline(row, steps, reader) };
}

export async function executionsOfReservation(
  db: Db,
  reservationId: string,
  reader: Reader,
): Promise<readonly ExecutionView[]> {
  const page = await listSagas(db, { reservationId, startedBy: null }, { after: null, limit: 50 }, reader);
  return page.items;
}

function matches(filter: SagaFilter) {
  return (eb: ExpressionBuilder<Database, 'saga'>): Expression<SqlBool> => {
    const all: Expression<SqlBool>[] = [];
    // Each by an index of its own: of what is open there is little, and so is of what was undone.
    if (filter.status !== undefined) {
      if (isEnd(filter.status)) all.push(eb('ended_as', '=', literal(filter.status)));
      else all.push(eb('finished_at', 'is', null), eb('status', '=', literal(filter.status)));
    }
    if (filter.name !== undefined) all.push(eb('name', '=', filter.name));
    if (filter.reservationId !== undefined) {
      all.push(eb('subject_type', '=', 'reservation'), eb('subject_id', '=', filter.reservationId));
    }
    if (filter.agentId) {
      all.push(
        sql<SqlBool>`(requested_by = ${filter.agentId} OR ${inPortfolio(sql.ref('saga.property_id'), filter.agentId)})`,
      );
    }
    if (filter.executionId !== undefined) all.push(eb('id', '=', filter.executionId));
    if (filter.from !== undefined) all.push(eb('requested_at', '>=', sql<Date>`${filter.from}::timestamptz`));
    if (filter.to !== undefined) all.push(eb('requested_at', '<', sql<Date>`${filter.to}::timestamptz`));
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

function executionView(row: SagaRow, steps: readonly StepRow[], reader: Reader): ExecutionView {
  const definition = reader.stepsOf(row.name, row.definition_ver);
  const done = steps.filter((step) => step.direction === 'F' && step.status === 'done');
  const currentStep = Math.min(Math.max(row.current_step, 1), row.total_steps);
  const stepName =
    definition?.[currentStep - 1]?.name ?? steps.find((step) => step.step_no === currentStep)?.name ?? '';
  return {
    id: row.id,
    name: row.name,
    definitionVersion: row.definition_ver,
    subjectType: row.subject_type,
    subjectId: row.subject_id,
    status: row.status,
    currentStep,
    currentStepName: stepName,
    stepsCompleted: done.length,
    totalSteps: row.total_steps,
    generation: row.generation,
    requestedBy: row.requested_by,
    onBehalfOf: row.on_behalf_of,
    notes: row.notes,
    requestId: row.request_id,
    createdAt: row.requested_at.toISOString(),
    updatedAt: row.updated_at.toISOString(),
    finishedAt: row.finished_at?.toISOString() ?? null,
    deadlineAt: row.deadline_at.toISOString(),
    error: row.error_code === null ? null : { code: row.error_code, details: publicError(row.error_detail, reader) },
    responseStatus: row.response_status,
    retryOf: row.retry_of,
    data: { ...(row.subject_type === 'reservation' ? { reservationId: row.subject_id } : {}), ...idsOf(done) },
  };
}

/** Ids only: outputs may hold more, such as amounts and counts, which belong to the step's own entry. */
function idsOf(done: readonly StepRow[]): Record<string, Json> {
  const ids: Record<string, Json> = {};
  for (const { result } of done) {
    if (!isObject(result)) continue;
    for (const [key, value] of Object.entries(result)) {
      if (/Ids?$/.test(key) && value !== undefined && value !== null) ids[key] = value;
    }
  }
  return ids;
}

/** Forward steps in their order, then compensations in theirs: backwards. */
function timeline(saga: SagaRow, rows: readonly StepRow[], reader: Reader): StepView[] {
  const definition = reader.stepsOf(saga.name, saga.definition_ver) ?? [];
  const forward = rows.filter((row) => row.direction === 'F');
  const undone = rows.filter((row) => row.direction === 'C').toReversed();
  // Once a saga is being undone or is over, a step that has not run never will.
  const open =
    undone.length === 0 && (saga.status === 'pending' || saga.status === 'running' || saga.status === 'parked');
  const steps = definition.map((step, index): StepView => {
    const row = forward.find((candidate) => candidate.step_no === index + 1);
    return row ? stepView(row, step, reader) : unstarted(saga.id, index + 1, step, open ? 'pending' : 'skipped');
  });
  const known = definition.length > 0 ? steps : forward.map((row) => stepView(row, undefined, reader));
  return [...known, ...undone.map((row) => stepView(row, definition[row.step_no - 1], reader))];
}

function unstarted(sagaId: string, no: number, step: StepSummary, status: 'pending' | 'skipped'): StepView {
  return {
    step: no,
    name: step.name,
    direction: 'forward',
    kind: step.kind,
    class: lowerClass(step.class),
    status,
    attempts: 0,
    maxAttempts: step.maxAttempts,
    effectKey: effectKey(sagaId, no, 'F'),
    output: null,
    error: null,
    startedAt: null,
    endedAt: null,
    durationMs: null,
  };
}

function stepView(row: StepRow, definition: StepSummary | undefined, reader: Reader): StepView {
  return {
    step: row.step_no,
    name: row.name,
    direction: row.direction === 'F' ? 'forward' : 'compensation',
    kind: definition?.kind ?? (row.kind === 'EXTERNAL' ? 'call' : 'tx'),
    class: lowerClass(row.class),
    status: row.status,
    attempts: row.attempt,
    maxAttempts: row.max_attempts,
    effectKey: row.effect_key,
    output: shown(row.result, definition),
    error: publicError(row.error, reader),
    startedAt: row.started_at?.toISOString() ?? null,
    endedAt: row.finished_at?.toISOString() ?? null,
    durationMs:
      row.started_at && row.finished_at ? Math.max(0, row.finished_at.getTime() - row.started_at.getTime()) : null,
  };
}

/** A step that this build does not know may have something to conceal. */
function shown(output: Json, definition: StepSummary | undefined): Json {
  if (!definition || !isObject(output)) return definition ? output : null;
  return Object.fromEntries(Object.entries(output).filter(([field]) => !definition.conceals.includes(field)));
}

function publicError(error: Json, reader: Reader): Json {
  if (!isObject(error)) return error;
  const { cause, details, ...rest } = error;
  return {
    ...rest,
    ...(details === undefined ? {} : { details: reader.detailsFor(details) }),
    ...(cause === undefined || !reader.operator ? {} : { cause }),
  };
}

const CLASSES = { READ: 'read', COMPENSABLE: 'compensable', PIVOT: 'pivot', RETRIABLE: 'retriable' } as const;
const lowerClass = (stepClass: StepRow['class']): StepView['class'] => CLASSES[stepClass];

const isObject = (value: Json | undefined): value is { readonly [key: string]: Json | undefined } =>
  typeof value === 'object' && value !== null && !Array.isArray(value);
