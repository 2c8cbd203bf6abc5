import type { MiddlewareHandler } from 'hono';
import { accepts } from 'hono/accepts';
import { CATALOGUE, isErrorCode } from '../kernel/errors.ts';
import type { AnyContext, AppEnv } from './context.ts';

/**
 * Failures as RFC 9457 for those who ask for it. The envelope is what is made and what is kept (a saga's last answer, the
 * answer of an Idempotency-Key), so that both forms say the same; the other one is derived here, at the very edge, for every
 * failure there is.
 */

const JSON_TYPE = 'application/json';
const PROBLEM_TYPE = 'application/problem+json';

/**
 * A client that names the type gets it, unless it weighs JSON higher: one that reads both must name JSON for the successes. A wildcard
 * asks for nothing, and gets the brief's envelope.
 */
function wantsProblem(c: AnyContext): boolean {
  const match = accepts(c, {
    header: 'Accept',
    supports: [JSON_TYPE, PROBLEM_TYPE],
    default: JSON_TYPE,
    match: (types) => {
      const weightOf = (type: string): number => types.find((one) => one.type.toLowerCase() === type)?.q ?? 0;
      const problem = weightOf(PROBLEM_TYPE);
      return problem > 0 && problem >= weightOf(JSON_TYPE) ? PROBLEM_TYPE : JSON_TYPE;
    },
  });
  return match === PROBLEM_TYPE;
}

export function problemJson(publicUrl: string): MiddlewareHandler<AppEnv> {
  return async (c, next) => {
    await next();
    const { status, headers } = c.res;
    if (status < 400 || headers.get('content-type')?.startsWith(JSON_TYPE) !== true) return;
    headers.append('Vary', 'Accept');
    if (!wantsProblem(c)) return;
    const failure: unknown = JSON.parse(await c.res.text());
    const problem = problemOf(failure, status, publicUrl, c.req.path);
    const own = new Headers(headers);
    own.set('Content-Type', PROBLEM_TYPE);
    own.delete('Content-Length');
    // Undefined first: setting it over another one would merge the old headers back in.
    c.res = undefined;
    c.res = new Response(JSON.stringify(problem), { status, headers: own });
  };
}

/** The address that explains a code. */
export const problemAddress = (publicUrl: string, code: string): string => `${publicUrl}/problems/${code}`;

function problemOf(failure: unknown, status: number, publicUrl: string, path: string): object {
  const known = typeof failure === 'object' && failure !== null ? failure : {};
  const { success: _success, error, code: _code, ...more } = known as Readonly<Record<string, unknown>>;
  const given = Reflect.get(known, 'code');
  const code = typeof given === 'string' && isErrorCode(given) ? given : 'INTERNAL_ERROR';
  const { requestId } = more;
  const issues = errorsOf(more['details']);
  return {
    type: problemAddress(publicUrl, code),
    title: CATALOGUE[code].text,
    status,
    detail: typeof error === 'string' ? error : CATALOGUE[code].text,
    // This occurrence, by the id under which the logs have it.
    instance: typeof requestId === 'string' ? `${path}#${requestId}` : path,
    code,
    ...more,
    ...(issues === null ? {} : { errors: issues }),
  };
}

/** The fields that are wrong, as in the example of RFC 9457: a JSON Pointer each. */
function errorsOf(details: unknown): readonly object[] | null {
  const issues: unknown = typeof details === 'object' && details !== null ? Reflect.get(details, 'issues') : undefined;
  if (!Array.isArray(issues)) return null;
  return issues.map((issue: { readonly path?: unknown; readonly message?: unknown }) => ({
    detail: String(issue.message),
    pointer: pointerOf(String(issue.path ?? '')),
  }));
}

const pointerOf = (path: string): string =>
  path === ''
    ? '#'
    : `#/${path
        .split('.')
        .map((part) => encodeURIComponent(part.replaceAll('~', '~0').replaceAll('/', '~1')))
        .join('/')}`;
