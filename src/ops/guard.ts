import type { Context, MiddlewareHandler } from 'hono';
import { createClientAddress, type ProxyTrust } from '../kernel/client-address.ts';
import { peerOf } from '../kernel/peer.ts';
import { requestIdOf } from '../kernel/request-id.ts';
import { isFromOwnPage } from '../kernel/same-origin.ts';
import { ADDRESS_HEADER, opsAudit, type RecordOpsAudit } from './audit.ts';
import { BOARD_PATH } from './board.ts';
import { messagePage, PAGE_CSP } from './pages.ts';
import { type Operator, type OperatorSource, operatorOf } from './session.ts';

export interface OpsEnv {
  Variables: { requestId: string; ip: string | null; operator: Operator | null; prefix: string };
}
type OpsContext = Context<OpsEnv>;
interface GuardDeps extends OperatorSource {
  readonly audit: RecordOpsAudit;
  /** Where operators reach this port, if that is not its own address. */
  readonly publicUrl: string | null;
}

export const LOGIN_PATH = '/login';
export const SAFE_METHODS: ReadonlySet<string> = new Set(['GET', 'HEAD']);

/** Of every answer. The board and a mail set their own policy instead of the pages' one. */
export const securityHeaders = (prefix: string, trust: ProxyTrust): MiddlewareHandler<OpsEnv> => {
  const addressOf = createClientAddress(trust);
  return async (c, next) => {
    c.set('prefix', prefix);
    const requestId = requestIdOf(c.req.header('x-request-id'));
    const ip = addressOf(peerOf(c), c.req.raw.headers);
    c.set('requestId', requestId);
    c.set('ip', ip);
    // Bull Board's hook sees the headers and nothing else of a request.
    c.req.raw.headers.set('x-request-id', requestId);
    c.req.raw.headers.set(ADDRESS_HEADER, ip ?? '');
    await next();
    const { headers } = c.res;
    if (!headers.has('content-security-policy')) headers.set('content-security-policy', PAGE_CSP);
    headers.set('x-request-id', requestId);
    headers.set('cache-control', 'no-store');
    headers.set('x-content-type-options', 'nosniff');
    headers.set('x-frame-options', 'DENY');
    headers.set('cross-origin-resource-policy', 'same-origin');
    headers.set('cross-origin-opener-policy', 'same-origin');
    // Not `no-referrer`: with it a browser sends `Origin: null` with our own forms.
    headers.set('referrer-policy', 'same-origin');
  };
};

/**
 * The first thing after the headers, for every path there is or is not: no operator, no answer. Only the login page
 * is open. An unsafe call must also come from our own pages.
 */
export const gate = (deps: GuardDeps): MiddlewareHandler<OpsEnv> => {
  return async (c, next) => {
    const operator = await operatorOf(deps, c.req.header('cookie'));
    c.set('operator', operator);
    const unsafe = !SAFE_METHODS.has(c.req.method);
    if (c.req.path !== LOGIN_PATH) {
      if (!operator) return unauthenticated(c);
      if (!operator.allowed) return refuse(c, deps, 403, 'This needs the role OPS or ADMIN.');
    }
    if (unsafe && !fromOurPages(c, deps.publicUrl))
      return refuse(c, deps, 403, 'This call did not come from a page of this port.');
    return next();
  };
};

const fromOurPages = (c: OpsContext, publicUrl: string | null): boolean =>
  isFromOwnPage((name) => c.req.header(name), c.req.url, publicUrl);

function unauthenticated(c: OpsContext): Response | Promise<Response> {
  if (!wantsPage(c)) return c.json({ success: false, error: 'Log in first', code: 'UNAUTHENTICATED' }, 401);
  // A form that is sent after the session has ended: there is nothing to come back to.
  if (!SAFE_METHODS.has(c.req.method)) return c.redirect(LOGIN_PATH, 303);
  // Without the prefix, which every redirect gets by itself.
  const next = c.req.path + new URL(c.req.url).search;
  return c.redirect(`${LOGIN_PATH}?next=${encodeURIComponent(next)}`, 303);
}

/** Which request it was, for the audit trail. */
export const requestOf = (c: OpsContext) => ({ requestId: c.get('requestId'), ip: c.get('ip') });

/** Answers a refusal and, where it was an unsafe call of someone known, writes it down. */
export async function refuse(
  c: OpsContext,
  deps: Pick<GuardDeps, 'audit'>,
  status: 403 | 404,
  message: string,
): Promise<Response> {
  const operator = c.get('operator');
  if (operator && !SAFE_METHODS.has(c.req.method)) {
    const details = { method: c.req.method, path: c.req.path.slice(0, 300), reason: message };
    await deps.audit(opsAudit({ event: 'OPS_CALL', operator, ...requestOf(c), allowed: false, details }));
  }
  if (wantsPage(c))
    return c.html(
      messagePage(c.get('prefix'), status === 404 ? 'Not found' : 'Not allowed', message, operator),
      status,
    );
  return c.json({ success: false, error: message, code: status === 404 ? 'NOT_FOUND' : 'FORBIDDEN' }, status);
}

/** A person in a browser, rather than the board's own script or an asset of a page. */
export const wantsPage = (c: OpsContext): boolean =>
  (c.req.header('accept') ?? '').includes('text/html') &&
  !c.req.path.startsWith(`${BOARD_PATH}/api/`) &&
  !c.req.path.startsWith(`${BOARD_PATH}/static/`);
