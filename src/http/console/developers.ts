import { createRoute, z } from '@hono/zod-openapi';
import { html } from 'hono/html';
import { numberEvents } from '../../domain/events/feed.ts';
import { RoomyError } from '../../kernel/errors.ts';
import {
  developersPage,
  type EndpointAct,
  endpointPage,
  keyPage,
  type Revealed,
  requestsPage,
} from '../../web/console/developers-page.ts';
import { type Frame, say } from '../../web/console/frame.ts';
import type { Html } from '../../web/layout.ts';
import { PAGE_ROUTE } from '../accounts/form.ts';
import type { AnyContext, Services } from '../context.ts';
import { noReference } from '../references.ts';
import type { Register } from '../route.ts';
import { ApiKey, ApiKeyWithSecret } from '../schemas/api-keys.ts';
import { IdParam } from '../schemas/common.ts';
import {
  DomainEvent,
  EventKind,
  PingOutcome,
  WebhookAttempt,
  WebhookEndpoint,
  WebhookEndpointWithSecret,
} from '../schemas/events.ts';
import { AuditRow } from '../schemas/records.ts';
import { type ConsoleApi, type Listed, queryOf } from './client.ts';
import { answerConsole, type Console, keyIn, mayReadPage, problemOf, type Visit } from './frame.ts';
import { mayReadStay } from './stay.ts';

/** The page of those who write programs against the API: each part is an answer of the API, each act one of its acts. */

const PATH = '/console/developers';
const cursor = z.string().max(1024).optional();
const field = z.string().max(160).optional();
const home = createRoute({
  ...PAGE_ROUTE,
  method: 'get',
  path: PATH,
  request: { query: z.strictObject({ type: z.string().max(64).optional() }) },
});
const requests = createRoute({
  ...PAGE_ROUTE,
  method: 'get',
  path: `${PATH}/requests`,
  request: {
    query: z.strictObject({
      requestId: noReference(field, 'it names a request, which is no record'),
      actor: field,
      event: field,
      from: field,
      cursor,
    }),
  },
});
const endpoint = createRoute({
  ...PAGE_ROUTE,
  method: 'get',
  path: `${PATH}/endpoints/{id}`,
  request: { params: IdParam, query: z.strictObject({ cursor }) },
});
const actOnEndpoint = (act: EndpointAct) =>
  createRoute({ ...PAGE_ROUTE, method: 'post', path: `${PATH}/endpoints/{id}/${act}`, request: { params: IdParam } });
const key = createRoute({ ...PAGE_ROUTE, method: 'get', path: `${PATH}/keys/{id}`, request: { params: IdParam } });
const rotateKey = createRoute({
  ...PAGE_ROUTE,
  method: 'post',
  path: `${PATH}/keys/{id}/rotate`,
  request: { params: IdParam },
});

const mayRead = (api: ConsoleApi): boolean => mayReadPage(api, 'developers');
const mayReadKeys = (api: ConsoleApi): boolean => api.may('GET', '/api-keys/:id');

const SHOWN_EVENTS = 30;
/** So far back is looked for those of one type. */
const LOOKED_AT = 1_000;

/** The newest first. */
async function newestEvents({ db }: Services, api: ConsoleApi, type: string | undefined) {
  const last = await numberEvents(db);
  const after = String(Math.max(0, last - (type === undefined ? SHOWN_EVENTS : LOOKED_AT)));
  try {
    const { items } = await api.list(`/events${queryOf({ after, type, limit: String(LOOKED_AT) })}`, DomainEvent);
    return items.slice(-SHOWN_EVENTS).toReversed();
  } catch (error) {
    if (!(error instanceof RoomyError) || error.code !== 'EVENTS_EXPIRED') throw error;
    // The feed keeps fewer: those that there are.
    const oldest = Number(error.details?.['oldest']);
    if (!Number.isSafeInteger(oldest)) return [];
    const kept = queryOf({ after: String(Math.max(0, oldest - 1)), type, limit: String(LOOKED_AT) });
    return (await api.list(`/events${kept}`, DomainEvent)).items.slice(-SHOWN_EVENTS).toReversed();
  }
}

interface Outcome {
  readonly problem?: Html | null;
  readonly told?: Html | null;
  readonly secret?: Revealed | null;
}
async function showEndpoint(c: AnyContext, { api, frame }: Visit, id: string, outcome: Outcome, at?: string) {
  const path = `/webhook-endpoints/${encodeURIComponent(id)}`;
  const found = await api.get(path, WebhookEndpoint);
  const { items, next } = await api.list(`${path}/deliveries${queryOf({ cursor: at, limit: '50' })}`, WebhookAttempt);
  const { problem = null, told = null, secret = null } = outcome;
  const mayAct = (act: EndpointAct): boolean => api.may('POST', `/webhook-endpoints/:id/${act}`);
  const view = { endpoint: found, attempts: items, next, isFirst: at === undefined, mayAct, problem, told, secret };
  return answerConsole(c, frame, endpointPage(frame, view));
}

/** What an act on an endpoint is asked with, and what is said of its answer. */
const ACTS: Readonly<
  Record<EndpointAct, { body(form: URLSearchParams): object; outcome(visit: Visit, data: unknown): Outcome }>
> = {
  test: {
    body: () => ({}),
    outcome: ({ frame }, data) => {
      const { taken, statusCode, reason } = PingOutcome.parse(data);
      const why = [statusCode, reason].filter((part) => part !== null).join(' ');
      const said = html`${say(frame, taken ? 'wasTaken' : 'wasNotTaken')}: <bdi>${why}</bdi>.`;
      return taken ? { told: said } : { problem: said };
    },
  },
  enable: {
    body: () => ({}),
    outcome: ({ frame }) => ({ told: html`${say(frame, 'enable')}: ${say(frame, 'done')}` }),
  },
  replay: {
    // The API refuses what is no place.
    body: (form) => ({ afterSeq: Number(form.get('afterSeq') ?? Number.NaN) }),
    outcome: ({ frame }) => ({ told: html`${say(frame, 'replay')}: ${say(frame, 'done')}` }),
  },
  'rotate-secret': {
    body: () => ({}),
    outcome: (_visit, data) => ({
      secret: { word: 'rotateSecret', secret: WebhookEndpointWithSecret.parse(data).secret },
    }),
  },
};
const ENDPOINT_ACTS: readonly EndpointAct[] = ['test', 'enable', 'replay', 'rotate-secret'];

async function showKey(c: AnyContext, { api, frame }: Visit, id: string, outcome: Outcome): Promise<Response> {
  const found = await api.get(`/api-keys/${encodeURIComponent(id)}`, ApiKey);
  const { problem = null, secret = null } = outcome;
  const view = { key: found, mayRotate: api.may('POST', '/api-keys/:id/rotate'), problem, secret };
  return answerConsole(c, frame, keyPage(frame, view));
}

export function registerDevelopers(register: Register, services: Services, console: Console): void {
  register(home, (c) =>
    console.visit(c, mayRead, async ({ api, frame }) => {
      const { type: asked } = c.req.valid('query');
      const type = asked === '' ? undefined : asked;
      const [events, types, endpoints, keys] = await Promise.all([
        newestEvents(services, api, type),
        api.get('/event-types', EventKind.array()),
        api.list('/webhook-endpoints?limit=50', WebhookEndpoint),
        mayReadKeys(api) ? api.list('/api-keys?limit=50', ApiKey) : null,
      ]);
      const view = {
        events,
        type,
        types,
        endpoints: endpoints.items,
        keys: keys?.items ?? null,
        mayReadRequests: api.may('GET', '/audit'),
        mayOpenStay: mayReadStay(api),
      };
      return answerConsole(c, frame, developersPage(frame, view));
    }),
  );
  register(requests, (c) =>
    console.visit(
      c,
      (api) => api.may('GET', '/audit'),
      async ({ api, frame }) => {
        const { cursor: at, requestId, actor, event, from } = c.req.valid('query');
        const filter = { requestId, actor, event, from };
        const asked = await rowsOrProblem(frame, () =>
          api.list(`/audit${queryOf({ ...filter, cursor: at, limit: '50' })}`, AuditRow),
        );
        const address = `${frame.prefix}${PATH}/requests${queryOf(filter)}`;
        const view = { ...asked, filter, isFirst: at === undefined, address };
        return answerConsole(c, frame, requestsPage(frame, { ...view, mayOpenStay: mayReadStay(api) }));
      },
    ),
  );
  register(endpoint, (c) =>
    console.visit(c, mayRead, (visit) =>
      showEndpoint(c, visit, c.req.valid('param').id, {}, c.req.valid('query').cursor),
    ),
  );
  for (const act of ENDPOINT_ACTS) {
    register.unkeyed(actOnEndpoint(act), (c) => {
      const pattern = `/webhook-endpoints/:id/${act}`;
      return acting(c, console, pattern, async (visit, form) => {
        const { id } = c.req.valid('param');
        const outcome = await attempt(visit, async () => {
          const path = pattern.replace(':id', encodeURIComponent(id));
          const { data } = await visit.api.act(path, ACTS[act].body(form), keyIn(form));
          return ACTS[act].outcome(visit, data);
        });
        return showEndpoint(c, visit, id, outcome);
      });
    });
  }
  register(key, (c) => console.visit(c, mayReadKeys, (visit) => showKey(c, visit, c.req.valid('param').id, {})));
  register.unkeyed(rotateKey, (c) =>
    acting(c, console, '/api-keys/:id/rotate', async (visit, form) => {
      const { id } = c.req.valid('param');
      const outcome = await attempt(visit, async () => {
        const body = { expiresAt: `${form.get('expiresAt') ?? ''}T00:00:00Z` };
        const { data } = await visit.api.act(`/api-keys/${encodeURIComponent(id)}/rotate`, body, keyIn(form));
        return { secret: { word: 'rotateKey', secret: ApiKeyWithSecret.parse(data).key } };
      });
      return showKey(c, visit, id, outcome);
    }),
  );
}

const acting = (
  c: AnyContext,
  console: Console,
  pattern: string,
  answer: (visit: Visit, form: URLSearchParams) => Promise<Response>,
): Promise<Response> => console.submit(c, (api) => api.may('POST', pattern), answer);

/** A filter that the API does not take is told on the page. */
async function rowsOrProblem(frame: Frame, ask: () => Promise<Listed<z.output<typeof AuditRow>>>) {
  try {
    const { items, next } = await ask();
    return { rows: items, next, problem: null };
  } catch (error) {
    return { rows: [], next: null, problem: problemOf(frame, error) };
  }
}

/** What came of it, or why it was refused. */
async function attempt({ frame }: Visit, act: () => Promise<Outcome>): Promise<Outcome> {
  try {
    return await act();
  } catch (error) {
    return { problem: problemOf(frame, error) };
  }
}
