import type { RouteConfig, RouteHandler } from '@hono/zod-openapi';
import type { MiddlewareHandler } from 'hono';
import type { TokenVerifier } from './auth.ts';
import type { App, AppEnv, Services } from './context.ts';
import { withRefusals } from './declare.ts';
import { csvOrJsonBody } from './middleware/csv-body.ts';
import { guard } from './middleware/guard.ts';
import { jsonBody, refuseCardDataAround } from './middleware/json-body.ts';
import { NO_QUERY, parametersOf, strictQuery } from './middleware/strict-query.ts';
import { endpointName, policyOf } from './policy.ts';
import { isPageForPeople } from './tracking.ts';

/** A route's context, with `valid()` typed by its schemas. */
export type RouteContext<R extends RouteConfig> = Parameters<RouteHandler<R, AppEnv>>[0];

/** Where a phone number is a legitimate field, and may look like a card's. */
const isAboutPeople = (pattern: string): boolean => /\/(?:guests|owners|staff)(?:\/|$)/.test(pattern);

/** Registers a route behind its policy. Throws when it has none, and when its query would let unknown parameters pass. */
export type Register = <R extends RouteConfig>(
  route: R,
  serve: (c: RouteContext<R>) => Response | Promise<Response>,
) => void;

export function createRegister(app: App, services: Services, verify: TokenVerifier): Register {
  return (route, serve) => {
    const pattern = route.path.replaceAll(/\{(.+?)\}/g, ':$1');
    const policy = policyOf(route.method, pattern);
    // A route that says nothing about its query takes none.
    const query = route.request?.query ?? NO_QUERY;
    const parameters = parametersOf(query, endpointName(route.method, pattern));
    const page = isPageForPeople(route.method, policy === 'anonymous', contentTypesOf(route));
    const middleware: MiddlewareHandler<AppEnv>[] = [guard(services, verify, pattern, policy)];
    const body = route.request?.body;
    // A picture is left in the stream for its own route to read.
    const read = body !== undefined && !('image/jpeg' in body.content);
    // Before anything that might name in a refusal what was sent.
    if (read) middleware.push(refuseCardDataAround());
    middleware.push(strictQuery(parameters, page));
    if (read) {
      const takesFiles = 'text/csv' in body.content;
      const json = { required: body.required === true, mayHoldPhones: isAboutPeople(pattern) };
      middleware.push(takesFiles ? csvOrJsonBody() : jsonBody(json));
    }
    // Answers are checked against their schemas by the tests, so a handler may answer with stored bytes.
    app.openapi(
      {
        ...route,
        ...(policy === 'anonymous' ? {} : { security: [{ bearer: [] }] }),
        responses: withRefusals(route.responses, ['VALIDATION_FAILED']),
        middleware,
      },
      serve as never,
    );
  };
}

const contentTypesOf = (route: RouteConfig): readonly string[] =>
  Object.values(route.responses).flatMap((response) =>
    'content' in response && response.content !== undefined ? Object.keys(response.content) : [],
  );
