import { createRoute, z } from '@hono/zod-openapi';
import { MONEY_SAGAS, SAGA_NAMES } from '../../sagas/index.ts';
import { sagaPage } from '../../web/console/saga-page.ts';
import { sagasPage } from '../../web/console/sagas-page.ts';
import type { Html } from '../../web/layout.ts';
import { PAGE_ROUTE } from '../accounts/form.ts';
import type { AnyContext } from '../context.ts';
import { filtersBy } from '../references.ts';
import type { Register } from '../route.ts';
import { Id, IdParam } from '../schemas/common.ts';
import { Execution, ExecutionWithSteps, SagaCounts } from '../schemas/sagas.ts';
import { queryOf } from './client.ts';
import { answerConsole, type Console, keyIn, mayReadPage, problemOf, type Visit } from './frame.ts';
import { openIncidents } from './open-incidents.ts';
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
  cursor: z.string().max(1024).optional(),
});
const list = createRoute({ ...PAGE_ROUTE, method: 'get', path: PATH, request: { query: Query } });
const read = createRoute({ ...PAGE_ROUTE, method: 'get', path: `${PATH}/{id}`, request: { params: IdParam } });
const act = <const Act extends 'retry' | 'resolve'>(name: Act) =>
  createRoute({ ...PAGE_ROUTE, method: 'post', path: `${PATH}/{id}/${name}`, request: { params: IdParam } });

const Counts = z.object({ counts: SagaCounts });

async function showSaga(c: AnyContext, { api, session, frame }: Visit, id: string, problem: Html | null) {
  const saga = await api.get(`/sagas/executions/${encodeURIComponent(id)}`, ExecutionWithSteps);
  const incidents = (await openIncidents(api)) ?? [];
  const isParked = saga.status === 'parked';
  // FINANCE lets go on what moves money, and nothing else.
  const isTheirs = session.account.role !== 'FINANCE' || MONEY_SAGAS.has(saga.name);
  const view = {
    saga,
    mayOpenStay: mayReadStay(api),
    incidents: incidents.filter(({ examples }) => examples.some(({ sagaId }) => sagaId === id)),
    mayRetry: isParked && isTheirs && api.may('POST', '/sagas/executions/:id/retry'),
    mayResolve: isParked && api.may('POST', '/sagas/executions/:id/resolve'),
    problem,
  };
  return answerConsole(c, frame, sagaPage(frame, view));
}

export function registerSagaPages(register: Register, console: Console): void {
  register(list, (c) =>
    console.visit(
      c,
      (api) => mayReadPage(api, 'sagas'),
      async ({ api, frame }) => {
        const { cursor, ...filter } = c.req.valid('query');
        const { items, next, rest } = await api.list(`/sagas${queryOf({ ...filter, cursor, limit: '50' })}`, Execution);
        const { status, name, reservationId, from, to } = filter;
        const view = {
          rows: items,
          counts: Counts.parse(rest).counts,
          names: SAGA_NAMES,
          filter: { status, name, reservationId, from, to },
          next,
          isFirst: cursor === undefined,
          address: `${frame.prefix}${PATH}${queryOf(filter)}`,
          mayOpenStay: mayReadStay(api),
        };
        return answerConsole(c, frame, sagasPage(frame, view));
      },
    ),
  );
  register(read, (c) =>
    console.visit(
      c,
      (api) => mayReadPage(api, 'sagas'),
      (visit) => showSaga(c, visit, c.req.valid('param').id, null),
    ),
  );
  const acting = (c: AnyContext, id: string, name: 'retry' | 'resolve'): Promise<Response> =>
    console.submit(
      c,
      (api) => api.may('POST', `/sagas/executions/:id/${name}`),
      async (visit, form) => {
        const at = encodeURIComponent(id);
        try {
          const reason = form.get('reason')?.trim() ?? '';
          await visit.api.act(`/sagas/executions/${at}/${name}`, { reason }, keyIn(form));
        } catch (error) {
          return showSaga(c, visit, id, problemOf(visit.frame, error));
        }
        return c.redirect(`${PATH}/${at}`, 303);
      },
    );
  register.unkeyed(act('retry'), (c) => acting(c, c.req.valid('param').id, 'retry'));
  register.unkeyed(act('resolve'), (c) => acting(c, c.req.valid('param').id, 'resolve'));
}
