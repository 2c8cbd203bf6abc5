import type { MiddlewareHandler } from 'hono';
import { type Failure, failurePage } from '../web/failure-page.ts';
import { cardPage } from '../web/layout.ts';
import type { AppEnv } from './context.ts';
import { PAGE_HEADERS, prefersPage } from './page.ts';

/**
 * Failures at addresses that people open are pages in words, with the same status as the envelope that they replace. The API,
 * the probes and the description are for programs and keep their answers, whatever a browser asks for.
 */

const FOR_PROGRAMS = /^\/(?:api|health)(?:\/|$)|^\/(?:healthz|readyz|openapi\.json)$/;
/** Printed by `npm start`, and nothing for a program: whoever opens it is looking for the rest. */
const ROOT_OF_API = /^\/api\/production\/?$/;
/** Addresses that somebody was sent: the visitor can do nothing about them but ask for another. */
const LINKS = /^\/(?:approvals|offers|reports|stay|calendar)(?:\/|$)/;
const SIGN_IN_LINKS = /^\/(?:sign-in|invitations)(?:\/|$)/;

export const failurePages: MiddlewareHandler<AppEnv> = async (c, next) => {
  await next();
  const { status, headers } = c.res;
  if (status < 400 || (FOR_PROGRAMS.test(c.req.path) && !ROOT_OF_API.test(c.req.path))) return;
  if (headers.get('content-type')?.startsWith('application/json') !== true) return;
  headers.append('Vary', 'Accept');
  if (!prefersPage(c)) return;
  const own = new Headers(headers);
  for (const [name, value] of Object.entries(PAGE_HEADERS)) own.set(name, value);
  own.append('Vary', 'Accept-Language');
  own.set('Content-Type', 'text/html; charset=UTF-8');
  own.delete('Content-Length');
  const prefix = c.get('prefix');
  const language = /^\s*ar\b/i.test(c.req.header('accept-language') ?? '') ? 'ar' : 'en';
  const about = { failure: kindOf(c.req.path, status), language, prefix, requestId: c.get('requestId') } as const;
  const body = String(await cardPage(prefix, failurePage(about)));
  // Undefined first: setting it over another one would merge the old headers back in.
  c.res = undefined;
  c.res = new Response(body, { status, headers: own });
};

function kindOf(path: string, status: number): Failure {
  if (status === 429) return 'often';
  if (status === 503) return 'busy';
  if (status >= 500) return 'ours';
  if (SIGN_IN_LINKS.test(path)) return 'signIn';
  if (LINKS.test(path)) return 'link';
  if (ROOT_OF_API.test(path)) return 'api';
  return status === 404 || status === 405 ? 'absent' : 'refused';
}
