import type { RouteConfig, RouteHandler } from '@hono/zod-openapi';
import type { MiddlewareHandler } from 'hono';
import { InvariantError } from '../kernel/errors.ts';
import type { TokenVerifier } from './auth.ts';
import type { AnyContext, App, AppEnv, Services } from './context.ts';
import { MUTATION_REFUSALS, schemasOf, withKeyHeader, withRefusals } from './declare.ts';
import { type Kept, keyOf, type Once, serveOnce } from './idempotent.ts';
import { limitClassOf } from './limits.ts';
import { hasHead } from './methods.ts';
import { csvOrJsonBody, isCsv } from './middleware/csv-body.ts';
import { emptyBody } from './middleware/empty-body.ts';
import { assertSteppedUpFor, guard } from './middleware/guard.ts';
import { jsonBody, refuseCardDataAround } from './middleware/json-body.ts';
import { NO_QUERY, parametersOf, strictQuery } from './middleware/strict-query.ts';
import { endpointName, policyOf } from './policy.ts';
import { listsRecords, namesRecords, referencesOf } from './references.ts';
import { createRefusalTrail } from './refusal-trail.ts';
import { holdsSecret } from './secrets.ts';
import { mayNeedStepUp } from './step-up.ts';
import { isPageForPeople } from './tracking.ts';

/** A route's context, with `valid()` typed by its schemas. */
export type RouteContext<R extends RouteConfig> = Parameters<RouteHandler<R, AppEnv>>[0];

/**
 * Registers routes behind their policies. Throws for one without, for one whose query would let unknown parameters pass, and for
 * one with a field that looks like an id and does not say what it refers to.
 */
export interface Register {
  /** A route that only reads. */
  <R extends RouteConfig & { readonly method: 'get' }>(
    route: R,
    serve: (c: RouteContext<R>) => Response | Promise<Response>,
  ): void;
  /** A route that changes something, once for each Idempotency-Key: `Once` is the only way to an answer. */
  mutation<R extends RouteConfig & { readonly method: MutationMethod }>(
    route: R,
    serve: (c: RouteContext<R>, once: Once) => Promise<Kept>,
  ): void;
  /**
   * A route that changes something for an anonymous caller, so that there is nobody to whom a key could belong: signed
   * webhooks, which know their events by id, and the forms of pages, whose second answer changes nothing.
   */
  unkeyed<R extends RouteConfig & { readonly method: MutationMethod }>(
    route: R,
    serve: (c: RouteContext<R>) => Response | Promise<Response>,
  ): void;
}
type MutationMethod = 'post' | 'put' | 'patch' | 'delete';

export function createRegister(app: App, services: Services, verify: TokenVerifier): Register {
  const trail = createRefusalTrail(services);
  const register = (route: RouteConfig, kind: RouteKind, serve: Serve) => {
    const pattern = patternOf(route);
    const endpoint = endpointName(route.method, pattern);
    const policy = policyOf(route.method, pattern);
    assertKind(endpoint, kind, policy === 'anonymous');
    if (isStream(route) && hasHead(route.method, pattern)) throw new InvariantError(`${endpoint} streams for a HEAD`);
    const limit = limitClassOf(route.method, pattern, policy);
    const references = referencesOf(route, endpoint);
    const isBounded =
      policy !== 'anonymous' &&
      (listsRecords(references) || (policy.roles.includes('AGENT') && namesRecords(references)));
    const middleware = middlewareOf(route, kind, guard({ deps: services, verify, trail }, { pattern, policy, limit }));
    // Answers are checked against their schemas by the tests, so a handler may answer with stored bytes.
    app.openapi(
      {
        ...route,
        ...(policy === 'anonymous' ? {} : { security: [{ bearer: [] }] }),
        ...(kind === 'mutation' ? { request: withKeyHeader(route.request) } : {}),
        responses: withRefusals(route.responses, [
          ...(kind === 'mutation' ? MUTATION_REFUSALS : ['VALIDATION_FAILED' as const]),
          ...(kind === 'mutation' && answersSecret(route) ? ['IDEMPOTENT_ANSWER_LOST' as const] : []),
          ...(isReadAsBody(route) ? ['CARD_DATA_FORBIDDEN' as const] : []),
          ...(policy !== 'anonymous' && mayNeedStepUp(policy) ? ['STEP_UP_REQUIRED' as const] : []),
          ...(isBounded ? ['REFERENCE_NOT_FOUND' as const] : []),
          ...(route.responses[202] === undefined ? [] : SAGA_REFUSALS),
          ...(limit === null ? [] : ['RATE_LIMITED' as const]),
          ...(ON_LOCAL_CLOCKS.test(pattern) ? ['TIME_ZONE_UNKNOWN' as const] : []),
        ]),
        middleware,
      },
      serve as never,
    );
  };
  // The interface has checked each handler against its route; the framework's own types cannot say so once more.
  return Object.assign((route: RouteConfig, serve: unknown) => register(route, 'read', serve as Serve), {
    mutation: (route: RouteConfig, serve: unknown) => {
      const answer = serve as (c: AnyContext, once: Once) => Promise<Kept>;
      const secret = answersSecret(route);
      const references = referencesOf(route, endpointName(route.method, route.path));
      const policy = policyOf(route.method, patternOf(route));
      register(route, 'mutation', async (c) => {
        const body = bodyOf(c, route);
        await assertSteppedUpFor(c, services, policy, body);
        return serveOnce(c, services, { secret, references, body }, (once) => answer(c, once));
      });
    },
    unkeyed: (route: RouteConfig, serve: unknown) => register(route, 'unkeyed', serve as Serve),
  });
}

const patternOf = ({ path }: RouteConfig): string => path.replaceAll(/\{(.+?)\}/g, ':$1');

const isStream = ({ responses }: RouteConfig): boolean =>
  Object.values(responses).some((response) => 'content' in response && 'text/event-stream' in (response.content ?? {}));
const answersSecret = ({ responses }: RouteConfig): boolean =>
  Object.entries(responses).some(
    ([status, response]) => status.startsWith('2') && schemasOf(response).some(holdsSecret),
  );
/** A picture is left in the stream for its own route to read. */
const isReadAsBody = ({ request }: RouteConfig): boolean =>
  request?.body !== undefined && !('image/jpeg' in request.body.content);
/** How a saga of any kind may end besides the ways of its own steps; what starts one may answer 202. */
const SAGA_REFUSALS = ['STEP_FAILED', 'STEP_TIMEOUT', 'TOO_MANY_OPEN'] as const;

/** Routes that compute with the clock of a property, a guest or a shift, or take days of a property. */
const ON_LOCAL_CLOCKS =
  /^\/api\/production\/(?:reservations|day|tasks|me|recurrences|properties|guests|staff|owners|transactions|notifications|notification-rules|sagas|audit|financial|sweep-failures)(?:\/|$)/;

type Serve = (c: AnyContext) => Response | Promise<Response>;
type RouteKind = 'read' | 'mutation' | 'unkeyed';

/** A change cannot slip by as a read, nor around its key: only where nobody is known can there be none. */
function assertKind(endpoint: string, kind: RouteKind, anonymous: boolean): void {
  const reads = endpoint.startsWith('GET ');
  if (reads !== (kind === 'read')) throw new InvariantError(`${endpoint} is registered as what it is not: ${kind}`);
  if (!reads && anonymous !== (kind === 'unkeyed')) {
    throw new InvariantError(`${endpoint} must honour Idempotency-Key, unless its callers are anonymous`);
  }
}

function middlewareOf(
  route: RouteConfig,
  kind: RouteKind,
  guarded: MiddlewareHandler<AppEnv>,
): MiddlewareHandler<AppEnv>[] {
  const pattern = patternOf(route);
  // A route that says nothing about its query takes none.
  const parameters = parametersOf(route.request?.query ?? NO_QUERY, endpointName(route.method, pattern));
  const page = kind === 'read' && isPageForPeople(route);
  const middleware = [guarded];
  const body = route.request?.body;
  const read = isReadAsBody(route);
  // Before anything that might name in a refusal what was sent.
  if (read) middleware.push(refuseCardDataAround());
  if (kind === 'mutation') middleware.push(wellFormedKey);
  middleware.push(strictQuery(parameters, page));
  if (read && body !== undefined) {
    const takesFiles = 'text/csv' in body.content;
    const json = { required: body.required === true };
    const media = body.content['application/json'];
    const schema: unknown = media && 'schema' in media ? media.schema : undefined;
    middleware.push(takesFiles ? csvOrJsonBody() : jsonBody(json), async (c, next) => {
      c.set('bodySchema', schema);
      await next();
    });
  } else if (kind === 'mutation' && body === undefined) middleware.push(emptyBody());
  return middleware;
}

/** Before anything runs: a key that cannot be honoured must not be ignored. */
const wellFormedKey: MiddlewareHandler<AppEnv> = async (c, next) => {
  keyOf(c);
  await next();
};

/** The body as validated; undefined where the route reads it itself. */
function bodyOf(c: AnyContext, { request }: RouteConfig): unknown {
  const content = request?.body?.content;
  if (content === undefined) return {};
  if ('image/jpeg' in content || ('text/csv' in content && isCsv(c))) return undefined;
  return c.req.valid('json' as never);
}
