import { createRoute, z } from '@hono/zod-openapi';
import type { Db } from '../../db/client.ts';
import { triedSagas } from '../../engine/read/tried.ts';
import { RoomyError } from '../../kernel/errors.ts';
import type { Role } from '../../kernel/roles.ts';
import { DEFINITIONS, MONEY_SAGAS, SAGA_NAMES } from '../../sagas/index.ts';
import { parkedAt, type SagaHand, sagaPage } from '../../web/console/saga-page.ts';
import { SAGA_FILTER, type SagaList, sagasPage } from '../../web/console/sagas-page.ts';
import type { Html } from '../../web/layout.ts';
import { PAGE_ROUTE } from '../accounts/form.ts';
import type { AnyContext, Services } from '../context.ts';
import { filtersBy } from '../references.ts';
import type { Register } from '../route.ts';
import { Id, IdParam } from '../schemas/common.ts';
import { Execution, ExecutionWithSteps, SagaCounts, SagaFailures } from '../schemas/sagas.ts';
import { type ConsoleApi, queryOf } from './client.ts';
import { answerConsole, type Console, keyIn, mayReadPage, problemOf, type Visit } from './frame.ts';
import { openIncidents } from './open-incidents.ts';
import { decideBy, questionsOfSaga } from './questions.ts';
import { mayReadStay } from './stay.ts';

/** The list of sagas and the page of each, with the hands that its reader has. */

const PATH = '/console/sagas';
/** A form sends fields that were left empty; the API judges the values. */
const field = z.string().max(64).optional();
const Query = z.strictObject({
  status: field,
  name: field,
  reservationId: filtersBy(z.union([z.literal(''), Id]), 'reservation').optional(),
  from: field,
  to: field,
  step: field,
  errorCode: z.string().max(100).optional(),
  isUndoing: field,
  isParked: field,
  system: z.string().max(200).optional(),
  cursor: z.string().max(1024).optional(),
});
const list = createRoute({ ...PAGE_ROUTE, method: 'get', path: PATH, request: { query: Query } });
const read = createRoute({ ...PAGE_ROUTE, method: 'get', path: `${PATH}/{id}`, request: { params: IdParam } });
const act = (name: SagaHand) =>
  createRoute({ ...PAGE_ROUTE, method: 'post', path: `${PATH}/{id}/${name}`, request: { params: IdParam } });

const decide = createRoute({
  ...PAGE_ROUTE,
  method: 'post',
  path: `${PATH}/{id}/decide`,
  request: { params: IdParam },
});

const Counts = z.object({ counts: SagaCounts });

async function showSaga(c: AnyContext, db: Db, visit: Visit, id: string, problem: Html | null) {
  const { api, session, frame } = visit;
  const saga = await api.get(`/sagas/executions/${encodeURIComponent(id)}`, ExecutionWithSteps);
  const incidents = (await openIncidents(api)) ?? [];
  const view = {
    saga,
    tried: (await triedSagas(db, [id], DEFINITIONS)).get(id) ?? null,
    mayOpenStay: mayReadStay(api),
    incidents: incidents.filter(({ examples }) => examples.some(({ sagaId }) => sagaId === id)),
    hands: handsOf(api, session.account.role, saga),
    questions: waitsForPerson(saga) ? await questionsOfSaga(visit, id) : [],
    problem,
  };
  return answerConsole(c, frame, sagaPage(frame, view));
}

const waitsForPerson = ({ status, error }: Saga): boolean => status === 'parked' && error?.code === 'APPROVAL_REQUIRED';

export function registerSagaPages(register: Register, { db }: Services, console: Console): void {
  register(list, (c) =>
    console.visit(
      c,
      (api) => mayReadPage(api, 'sagas'),
      async ({ api, frame }) => {
        const { cursor, ...filter } = c.req.valid('query');
        const { items, next, rest } = await api.list(`/sagas${queryOf({ ...filter, cursor, limit: '50' })}`, Execution);
        const view = {
          rows: items,
          counts: Counts.parse(rest).counts,
          names: SAGA_NAMES,
          filter: Object.fromEntries(SAGA_FILTER.map((name) => [name, filter[name]])) as SagaList['filter'],
          failures: cursor === undefined ? await failuresOf(api, queryOf(filter)) : null,
          next,
          isFirst: cursor === undefined,
          address: `${frame.prefix}${PATH}${queryOf(filter)}`,
          mayOpenStay: mayReadStay(api),
          mayOpenIncident: mayReadPage(api, 'incidents'),
        };
        return answerConsole(c, frame, sagasPage(frame, view));
      },
    ),
  );
  register(read, (c) =>
    console.visit(
      c,
      (api) => mayReadPage(api, 'sagas'),
      (visit) => showSaga(c, db, visit, c.req.valid('param').id, null),
    ),
  );
  register.unkeyed(decide, (c) => {
    const { id } = c.req.valid('param');
    return console.submit(
      c,
      (api) => api.may('POST', '/approvals/:id'),
      async (visit, form) => {
        try {
          if (!(await decideBy(visit, form, ({ sagaExecutionId }) => sagaExecutionId === id)))
            throw new RoomyError('NOT_FOUND');
        } catch (error) {
          return showSaga(c, db, visit, id, problemOf(visit.frame, error));
        }
        return c.redirect(`${PATH}/${encodeURIComponent(id)}`, 303);
      },
    );
  });
  for (const hand of HANDS) register.unkeyed(act(hand), (c) => acting(c, db, console, c.req.valid('param').id, hand));
}

/** A list about a stay that is not there is empty, where a report of it is none. */
async function failuresOf(api: ConsoleApi, query: string): Promise<z.output<typeof SagaFailures>> {
  try {
    return await api.get(`/sagas/failures${query}`, SagaFailures);
  } catch (error) {
    if (error instanceof RoomyError && error.code === 'SAGA_NOT_FOUND') return { sagas: 0, groups: 0, shown: [] };
    throw error;
  }
}

const HANDS: readonly SagaHand[] = ['retry', 'retry-now', 'skip', 'amend', 'resume', 'pause', 'cancel', 'resolve'];

/** What somebody may do with a saga as it stands; the API decides once more, on the locked saga. */
export function handsOf(api: ConsoleApi, role: Role, saga: Saga): readonly SagaHand[] {
  // FINANCE lets go on what moves money, and nothing else.
  if (role === 'FINANCE' && !MONEY_SAGAS.has(saga.name)) return [];
  const isOpen = saga.finishedAt === null;
  // What waits for an approval goes on by the answer to its question, and by nothing else.
  const isParked = saga.status === 'parked' && saga.error?.code !== 'APPROVAL_REQUIRED';
  const isUndoing = saga.steps.some(({ direction }) => direction === 'compensation');
  const at = saga.steps.find(
    ({ direction, status }) => direction === 'forward' && status !== 'done' && status !== 'skipped',
  );
  const isPastPivot =
    at?.class === 'retriable' || saga.steps.some((step) => step.class === 'pivot' && step.status === 'done');
  const failing = saga.steps.some(({ status, error }) => status === 'pending' && error !== null && error !== undefined);
  const stands: Readonly<Record<SagaHand, boolean>> = {
    retry: isParked,
    'retry-now': isOpen && saga.status !== 'parked' && failing && saga.pausedBy === null,
    skip: (isParked || (isOpen && failing)) && (parkedAt(saga)?.ifSkipped ?? null) !== null,
    amend: isParked && parkedAt(saga)?.direction === 'forward' && saga.amendable.length > 0,
    resume: saga.pausedBy !== null,
    pause: isOpen && saga.status !== 'parked' && saga.pausedBy === null,
    cancel: isOpen && !isUndoing && saga.status !== 'compensating' && !isPastPivot && isCancellable(saga.name),
    resolve: isParked && saga.ifResolved?.refused === null,
  };
  return HANDS.filter((hand) => stands[hand] && api.may('POST', API_OF[hand]));
}
const isCancellable = (name: string): boolean =>
  DEFINITIONS.every((definition) => definition.name !== name || definition.notCancelled === undefined);
export type Saga = z.output<typeof ExecutionWithSteps>;

const API_OF: Readonly<Record<SagaHand, string>> = {
  retry: '/sagas/executions/:id/retry',
  'retry-now': '/sagas/executions/:id/retry-now',
  skip: '/sagas/executions/:id/skip',
  amend: '/sagas/executions/:id/amend',
  resume: '/holds/:id/release',
  pause: '/holds',
  cancel: '/sagas/executions/:id/cancel',
  resolve: '/sagas/executions/:id/resolve',
};

const acting = (c: AnyContext, db: Db, console: Console, id: string, hand: SagaHand): Promise<Response> =>
  console.submit(
    c,
    (api) => api.may('POST', API_OF[hand]),
    async (visit, form) => {
      const reason = form.get('reason')?.trim() ?? '';
      try {
        if (hand === 'pause') await visit.api.act('/holds', { scope: 'SAGA', subject: id, reason }, keyIn(form));
        else {
          const about = hand === 'resume' ? (form.get('hold') ?? '') : id;
          const from = hand === 'retry' ? (form.get('from') ?? '') : '';
          const body = {
            reason,
            ...(hand === 'skip' ? { step: form.get('step') ?? '' } : {}),
            ...(hand === 'amend' ? { input: amendedIn(form) } : {}),
            ...(from === '' ? {} : { fromStep: from }),
          };
          await visit.api.act(API_OF[hand].replace(':id', encodeURIComponent(about)), body, keyIn(form));
        }
      } catch (error) {
        return showSaga(c, db, visit, id, problemOf(visit.frame, error));
      }
      return c.redirect(`${PATH}/${encodeURIComponent(id)}`, 303);
    },
  );

/** The fields that were filled in; the others stay as they are. */
const amendedIn = (form: URLSearchParams): Readonly<Record<string, string>> =>
  Object.fromEntries(
    [...form].flatMap(([name, value]) =>
      name.startsWith('input.') && value !== '' ? [[name.slice('input.'.length), value]] : [],
    ),
  );
