import type { RouteConfig, RouteHandler } from '@hono/zod-openapi';
import type { MiddlewareHandler } from 'hono';
import type { TokenVerifier } from './auth.ts';
import type { App, AppEnv, Services } from './context.ts';
import { csvOrJsonBody } from './middleware/csv-body.ts';
import { guard } from './middleware/guard.ts';
import { jsonBody, refuseCardDataAround } from './middleware/json-body.ts';
import { policyOf } from './policy.ts';

/** A route's context, with `valid()` typed by its schemas. */
export type RouteContext<R extends RouteConfig> = Parameters<RouteHandler<R, AppEnv>>[0];

/** Where a phone number is a legitimate field, and may look like a card's. */
const isAboutPeople = (pattern: string): boolean => /\/(?:guests|owners|staff)(?:\/|$)/.test(pattern);

/** Registers a route behind its policy. Throws when it has none. */
export type Register = <R extends RouteConfig>(
  route: R,
  serve: (c: RouteContext<R>) => Response | Promise<Response>,
) => void;

export function createRegister(app: App, services: Services, verify: TokenVerifier): Register {
  return (route, serve) => {
    const pattern = route.path.replaceAll(/\{(.+?)\}/g, ':$1');
    const policy = policyOf(route.method, pattern);
    const middleware: MiddlewareHandler<AppEnv>[] = [guard(services, verify, pattern, policy)];
    const body = route.request?.body;
    // A picture is left in the stream for its own route to read.
    if (body && !('image/jpeg' in body.content)) {
      const takesFiles = 'text/csv' in body.content;
      const json = { required: body.required === true, mayHoldPhones: isAboutPeople(pattern) };
      middleware.push(refuseCardDataAround(), takesFiles ? csvOrJsonBody() : jsonBody(json));
    }
    // Answers are checked against their schemas by the tests, so a handler may answer with stored bytes.
    app.openapi(
      { ...route, ...(policy === 'anonymous' ? {} : { security: [{ bearer: [] }] }), middleware },
      serve as never,
    );
  };
}
