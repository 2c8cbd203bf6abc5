import type { Page, PageRequest } from '../domain/paging.ts';
import { causesOfSagaParts, transactionsBehind } from '../domain/stays/timeline-causes.ts';
import {
  type EntryName,
  namesInList,
  type Place,
  readPlaces,
  TIMELINE_KINDS,
  type TimelineKind,
  type TimelineSources,
} from '../domain/stays/timeline-places.ts';
import { type RecordEntry, readRecords } from '../domain/stays/timeline-rows.ts';
import type { TimelineReader } from '../domain/stays/timeline-sources.ts';
import { executionsWithSteps } from '../engine/read/executions.ts';
import type { ExecutionView, StepView } from '../engine/types.ts';
import { type AnyContext, callerOf, type Services } from './context.ts';
import { detailsShown, executionShown } from './masks.ts';
import { onlyTypeOf, titledFor } from './own-task.ts';
import { permits, policyOf } from './policy.ts';
import { agentOf } from './portfolio.ts';
import { readerOf } from './reader.ts';
import { sentenceOf } from './timeline-sentences.ts';

/** What a caller is shown of a timeline: of each kind what the list of these shows, and nothing where that is not the caller's to read. */

export interface RequestDetails {
  readonly requestId: string | null;
  readonly actor: string;
  readonly onBehalfOf: string | null;
  readonly saga: string;
}
export interface OutcomeDetails {
  readonly saga: string;
  readonly status: string;
  readonly error: ExecutionView['error'];
  readonly stepsCompleted: number;
  readonly totalSteps: number;
}
export type StepDetails = StepView & { readonly saga: string; readonly sagaExecutionId: string };
type Caused<Kind extends TimelineKind, Shown> = {
  readonly kind: Kind;
  readonly id: string;
  readonly details: Shown;
  readonly causes: readonly EntryName[];
};
export type TimelineEntry =
  | RecordEntry
  | Caused<'request', RequestDetails>
  | Caused<'saga', ExecutionView>
  | Caused<'step', StepDetails>
  | Caused<'outcome', OutcomeDetails>;

/** The GET that decides who may see entries of a kind. */
const LISTS: Readonly<Record<TimelineKind, string>> = {
  request: 'sagas',
  saga: 'sagas',
  step: 'sagas',
  outcome: 'sagas',
  reservation: 'reservations',
  state: 'reservations',
  task: 'tasks',
  transaction: 'transactions',
  payment: 'transactions',
  approval: 'approvals',
  access: 'reservations/:id/check-out-report',
  message: 'notifications',
  event: 'events',
  change: 'audit',
};

/** Whether the caller may ask this GET. */
export function mayRead(c: AnyContext, path: string): boolean {
  const policy = policyOf('GET', `/api/production/${path}`);
  return policy === 'anonymous' || permits(policy, callerOf(c));
}

export function timelineReaderOf(c: AnyContext): TimelineReader {
  return {
    kinds: new Set(TIMELINE_KINDS.filter((kind) => mayRead(c, LISTS[kind]))),
    agentId: agentOf(c),
    startedBy: readerOf(c).startedBy,
    taskType: onlyTypeOf(c),
  };
}

/** A page of entries, oldest first. `reservationId`: whose timeline it is; null: of no stay. */
export async function readTimeline(
  c: AnyContext,
  { db }: Services,
  sources: TimelineSources,
  reservationId: string | null,
  page: PageRequest,
): Promise<Page<object>> {
  const { items: places, next } = await readPlaces(db, sources, page);
  const records = await readRecords(db, places, {
    agentId: agentOf(c),
    seesAssignments: mayRead(c, 'tasks/:id/assignment'),
    seesWebhooks: mayRead(c, 'webhook-endpoints/:id/deliveries'),
  });
  const entries = [...records, ...(await executionEntries(c, db, places, reservationId))];
  const byName = new Map(entries.map((entry) => [nameOf(entry), entry]));
  const listed = new Set(
    (
      await namesInList(
        db,
        sources,
        entries.flatMap(({ causes }) => causes),
      )
    ).map(nameOf),
  );
  const items = places.flatMap(({ at, kind, id }) => {
    const entry = byName.get(nameOf({ kind, id }));
    if (!entry) return [];
    const shown = shownTo(c, entry);
    const cause = entry.causes.find((name) => listed.has(nameOf(name))) ?? null;
    return [{ at: shownAt(at), kind, id, sentence: sentenceOf(shown), cause, details: shown.details }];
  });
  return { items, next };
}

/** In milliseconds, as everywhere else; the order and the cursor go by the microseconds. */
const shownAt = (at: string): string => new Date(at).toISOString();

const nameOf = ({ kind, id }: EntryName): string => `${kind} ${id}`;

type Execution = ExecutionView & { readonly steps: readonly StepView[] };

async function executionEntries(
  c: AnyContext,
  db: Services['db'],
  places: readonly Place[],
  reservationId: string | null,
): Promise<readonly TimelineEntry[]> {
  const ids = new Set(places.flatMap(sagaOf));
  const executions = (await executionsWithSteps(db, [...ids], readerOf(c))).map((saga) => executionShown(c, saga));
  const byId = new Map(executions.map((saga) => [saga.id, saga]));
  const behind =
    reservationId === null ? new Map<string, string>() : await transactionsBehind(db, reservationId, [...ids]);
  return places.flatMap((place) => {
    const saga = byId.get(sagaOf(place)[0] ?? '');
    if (!saga) return [];
    const entry = entryOf(place, saga, behind.get(saga.id));
    return entry ? [entry] : [];
  });
}

const STEP_KEY = /^(.*)-\d+-[FC]$/;
/** The saga that an entry is about, if it is about one. */
function sagaOf({ kind, id }: EntryName): readonly string[] {
  if (kind === 'request' || kind === 'saga' || kind === 'outcome') return [id];
  const [, saga] = kind === 'step' ? (STEP_KEY.exec(id) ?? []) : [];
  return saga === undefined ? [] : [saga];
}

function entryOf({ kind, id }: EntryName, saga: Execution, transactionId: string | undefined): TimelineEntry | null {
  const { steps, ...execution } = saga;
  const failed = steps.find(({ direction, status }) => direction === 'forward' && status === 'failed');
  const ofFailed: readonly EntryName[] = failed ? [{ kind: 'step', id: failed.effectKey }] : [];
  switch (kind) {
    case 'request': {
      const { requestId, requestedBy: actor, onBehalfOf, name } = saga;
      return { kind, id, details: { requestId, actor, onBehalfOf, saga: name }, causes: [] };
    }
    case 'saga': {
      const transaction: readonly EntryName[] =
        transactionId === undefined ? [] : [{ kind: 'transaction', id: transactionId }];
      const earlier: readonly EntryName[] = saga.retryOf === null ? [] : [{ kind: 'saga', id: saga.retryOf }];
      return { kind, id, details: execution, causes: [{ kind: 'request', id }, ...transaction, ...earlier] };
    }
    case 'step': {
      const step = steps.find(({ effectKey }) => effectKey === id);
      if (!step) return null;
      const causes = [...(step.direction === 'compensation' ? ofFailed : []), ...causesOfSagaParts(saga.id)];
      return { kind, id, details: { ...step, saga: saga.name, sagaExecutionId: saga.id }, causes };
    }
    case 'outcome': {
      const { name, status, error, stepsCompleted, totalSteps } = saga;
      const causes = [...ofFailed, ...causesOfSagaParts(id)];
      return { kind, id, details: { saga: name, status, error, stepsCompleted, totalSteps }, causes };
    }
    default:
      return null;
  }
}

/** As the list of its kind shows it to the caller. */
function shownTo(c: AnyContext, entry: TimelineEntry): TimelineEntry {
  switch (entry.kind) {
    case 'task':
      return { ...entry, details: titledFor(c, entry.details) };
    case 'state':
      // In the words of whoever cancelled, who may be the guest.
      return isOwner(c) ? { ...entry, details: { ...entry.details, reason: null } } : entry;
    case 'event': {
      const { data, resource, ...details } = entry.details;
      return { ...entry, details: { ...details, resource, data: detailsShown(c, data, resource.type) } };
    }
    case 'change': {
      const { details, event } = entry.details;
      return { ...entry, details: { ...entry.details, details: detailsShown(c, details, event) } };
    }
    default:
      return entry;
  }
}

const isOwner = (c: AnyContext): boolean => {
  const caller = callerOf(c);
  return caller.kind === 'person' && caller.role === 'OWNER';
};
