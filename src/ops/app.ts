import type { Queue } from 'bullmq';
import { type Context, Hono, type MiddlewareHandler } from 'hono';
import { HTTPException } from 'hono/http-exception';
import type { Db } from '../db/client.ts';
import { classifyDbError } from '../db/errors.ts';
import { parkedAmong } from '../engine/read/stuck.ts';
import type { SagaOrchestrator } from '../engine/types.ts';
import { readBounded } from '../kernel/bounded.ts';
import { NO_PROXY, type ProxyTrust } from '../kernel/client-address.ts';
import { type Clock, systemClock } from '../kernel/clock.ts';
import { CATALOGUE } from '../kernel/errors.ts';
import type { Logger } from '../kernel/log.ts';
import { pathWithout, prefixLocation, prefixOf } from '../kernel/path-prefix.ts';
import { opsAudit, type RecordOpsAudit } from './audit.ts';
import { BOARD_PATH, createBoard } from './board.ts';
import type { BoardPolicyDeps } from './board-policy.ts';
import { gate, LOGIN_PATH, type OpsEnv, refuse, requestOf, SAFE_METHODS, securityHeaders, wantsPage } from './guard.ts';
import { createMailbox } from './mailbox.ts';
import { handOverPage, loginPage, logoutPage, messagePage } from './pages.ts';
import {
  type CookiePlace,
  closeSession,
  keepSession,
  type OperatorSource,
  openSession,
  sessionKeyIn,
  verifyOperator,
} from './session.ts';

export interface OpsDeps extends OperatorSource {
  readonly db: Db;
  readonly queues: readonly Queue[];
  readonly orchestrator: Pick<SagaOrchestrator, 'retry'>;
  readonly audit: RecordOpsAudit;
  readonly log: Logger;
  readonly clock?: Clock;
  /** Where operators reach it through a proxy, path prefix included; null or absent: at the root of this port. */
  readonly publicUrl?: string | null;
  /** Whose word on a client's address is taken; absent: nobody's. */
  readonly proxyTrust?: ProxyTrust;
  /** Where people sign in; null or absent: by a pasted token alone. */
  readonly signInUrl?: string | null;
  /** Where the console is; absent: jobs have no link to their saga. */
  readonly consoleUrl?: string;
  /** Which of these sagas a retry can help; absent: as the database says. */
  readonly parkedOf?: BoardPolicyDeps['parkedOf'];
}

/** The operators' own port: queues and mailbox behind a login. It is never part of the public API's port. */
export function createOpsApp(deps: OpsDeps): Hono<OpsEnv> {
  const publicUrl = deps.publicUrl ?? null;
  const prefix = publicUrl === null ? '' : prefixOf(publicUrl);
  const app = new Hono<OpsEnv>({ getPath: pathWithout(prefix) });
  app.use('*', securityHeaders(prefix, deps.proxyTrust ?? NO_PROXY));
  app.use('*', prefixLocation(prefix));
  app.use('*', gate({ ...deps, publicUrl }));
  // Nothing that is allowed here carries more than a token.
  app.use('*', boundedBody);

  addLogin(app, deps, { prefix, isHttps: publicUrl?.startsWith('https:') ?? false });
  app.get('/', (c) => c.redirect(BOARD_PATH, 302));
  app.get(`${BOARD_PATH}/`, (c) => c.redirect(BOARD_PATH, 302));
  app.route(
    BOARD_PATH,
    createBoard({ parkedOf: (ids) => parkedAmong(deps.db, ids), consoleUrl: null, ...deps, prefix }),
  );
  // Who runs the system sees no guest: a message has a name, an address, and what opens a door (security.md O10).
  app.use('/mailbox/*', async (c, next) => {
    if (c.get('operator')?.seesMessages) return next();
    return refuse(c, deps, 403, 'Messages are shown to the role ADMIN only.');
  });
  app.route('/mailbox', createMailbox(deps.db));

  app.notFound((c) => refuse(c, deps, 404, 'There is nothing at this address.'));
  app.onError((error, c) => {
    if (error instanceof HTTPException) {
      const [status, code] =
        error.status === 413 ? ([413, 'PAYLOAD_TOO_LARGE'] as const) : ([400, 'MALFORMED_REQUEST'] as const);
      // The rest of the body will not be read, so the connection cannot be used again.
      if (status === 413) c.header('connection', 'close');
      return failed(c, status, CATALOGUE[code].text, code);
    }
    const isAway = ['unreachable', 'contention'].includes(classifyDbError(error).kind);
    if (isAway) c.header('retry-after', '5');
    if (isAway) return failed(c, 503, CATALOGUE.SERVICE_UNAVAILABLE.text, 'SERVICE_UNAVAILABLE');
    deps.log.error({ err: error, requestId: c.get('requestId'), path: c.req.path }, 'ops request failed');
    return failed(c, 500, 'Something went wrong on our side', 'INTERNAL_ERROR');
  });
  return app;
}

const failed = (c: Context<OpsEnv>, status: 400 | 413 | 500 | 503, error: string, code: string) =>
  wantsPage(c)
    ? c.html(messagePage(c.get('prefix'), 'This did not work', `${error}.`, c.get('operator') ?? null), status)
    : c.json({ success: false, error, code }, status);

const MAX_BODY_BYTES = 16 * 1024;

/** Reads a body before anything else does, and no further than its bound. */
const boundedBody: MiddlewareHandler<OpsEnv> = async (c, next) => {
  const tooLarge = (): HTTPException => new HTTPException(413);
  if (Number(c.req.header('content-length') ?? 0) > MAX_BODY_BYTES) throw tooLarge();
  if (!SAFE_METHODS.has(c.req.method) && c.req.raw.body) {
    const body = await readBounded(c.req.raw.body, MAX_BODY_BYTES, tooLarge).catch((cause: unknown) => {
      throw cause instanceof HTTPException ? cause : new HTTPException(400, { cause });
    });
    const { method, headers, signal } = c.req.raw;
    c.req.raw = new Request(c.req.url, { method, headers, body, signal });
  }
  await next();
};

function addLogin(app: Hono<OpsEnv>, deps: OpsDeps, { prefix, isHttps }: CookiePlace): void {
  const clock = deps.clock ?? systemClock;
  const ways = { signInUrl: deps.signInUrl ?? null, takesTokens: deps.takesTokens ?? true };

  app.get(LOGIN_PATH, (c) => {
    const next = ownPath(c.req.query('next'));
    const code = c.req.query('code') ?? null;
    if (c.get('operator')?.allowed) return c.redirect(next, 303);
    return c.html(code === null ? loginPage(prefix, next, null, ways) : handOverPage(prefix, code));
  });

  app.post(LOGIN_PATH, async (c) => {
    const form = await c.req.parseBody().catch((cause: unknown) => {
      if (cause instanceof HTTPException) throw cause;
      throw new HTTPException(400, { message: 'This is not a form that can be read.', cause });
    });
    const next = ownPath(form.next);
    if (typeof form.code === 'string' && deps.sessions) {
      const opened = await deps.sessions.take(form.code, requestOf(c));
      if (opened === null) return c.html(loginPage(prefix, next, 'This way in was used, or is over.', ways), 401);
      keepSession(c, opened, { prefix, isHttps });
      return c.redirect(next, 303);
    }
    if (!ways.takesTokens) return refuse(c, deps, 403, 'A pasted token signs in for development only.');
    const token = typeof form.token === 'string' ? form.token.trim().replace(/^Bearer\s+/i, '') : '';
    const operator = await verifyOperator(deps.verifyToken, token);
    if (!operator) return c.html(loginPage(prefix, next, 'This token is not valid, or has expired.', ways), 401);
    const allowed = operator.allowed;
    await deps.audit(opsAudit({ event: 'OPS_LOGIN', operator, ...requestOf(c), allowed }));
    if (!allowed) return c.html(loginPage(prefix, next, 'This token’s role is neither OPS nor ADMIN.', ways), 403);
    if (!openSession(c, token, { clock, prefix, isHttps }))
      return c.html(loginPage(prefix, next, 'This token has expired.', ways), 401);
    return c.redirect(next, 303);
  });

  app.get('/logout', (c) => {
    const operator = c.get('operator');
    return operator ? c.html(logoutPage(prefix, operator)) : c.redirect(LOGIN_PATH, 303);
  });

  app.post('/logout', async (c) => {
    const operator = c.get('operator');
    if (operator) await deps.audit(opsAudit({ event: 'OPS_LOGOUT', operator, ...requestOf(c), allowed: true }));
    const key = sessionKeyIn(deps, c.req.header('cookie'));
    if (key !== undefined) await deps.sessions?.end(key, requestOf(c));
    closeSession(c, { prefix, isHttps });
    return c.redirect(LOGIN_PATH, 303);
  });
}

/** Where to go after the login: a path of this port, never another site. */
function ownPath(next: unknown): string {
  if (typeof next !== 'string' || !/^\/(?![/\\])[^\\\p{Cc}]{0,500}$/u.test(next)) return BOARD_PATH;
  return next.startsWith(LOGIN_PATH) || next.startsWith('/logout') ? BOARD_PATH : next;
}
