import { createRoute, z } from '@hono/zod-openapi';
import { endAllSessions, noteSessions } from '../../domain/people/administer.ts';
import { issueOneTime } from '../../domain/people/one-time.ts';
import { endSession, type LiveSession, listSessions, touchSession } from '../../domain/people/sessions.ts';
import { openQuestions } from '../../domain/tasks/approvals.ts';
import { RoomyError } from '../../kernel/errors.ts';
import { accountPage, handOverPage } from '../../web/account-page.ts';
import { SIGN_IN_POLICY } from '../../web/layout.ts';
import { ownerPage } from '../../web/owner-page.ts';
import { found } from '../answers.ts';
import { unauthenticated } from '../auth.ts';
import { type AnyContext, inTransaction, type Services } from '../context.ts';
import { mintToken } from '../mint.ts';
import type { Register } from '../route.ts';
import { answerForm, formOf, PAGE_ROUTE } from './form.ts';
import { ownAuthor, waysInOf } from './own-session.ts';
import { assertFromOwnPage, dropSession, lacksSecondFactor, landingOf, sessionOf } from './page-session.ts';
import { secondFactorPage, takeCode } from './second-factor.ts';
import { forgetWayBack, nextPageOf } from './way-back.ts';

/** The pages of somebody who is signed in, and the tokens that scripts of our pages get for the session. */

const page = <const Method extends 'get' | 'post'>(method: Method, path: string) =>
  createRoute({ ...PAGE_ROUTE, method, path });
const endOne = createRoute({
  ...PAGE_ROUTE,
  method: 'post',
  path: '/account/sessions/{id}/end',
  request: { params: z.strictObject({ id: z.string().max(100) }) },
});

export function registerAccountPages(register: Register, services: Services): void {
  const { db } = services;
  register(page('get', '/account'), (c) =>
    whenSignedIn(c, services, async ({ id, account }) =>
      answerForm(
        c,
        accountPage({
          prefix: c.get('prefix'),
          name: account.name,
          email: account.email,
          principal: account.principal,
          sessions: await listSessions(db, account.id),
          current: id,
          hasAuthenticator: account.totp_secret !== null,
          waysIn: await waysInOf(c, services, account.id),
          places: placesOf(c, services, account.role),
        }),
        SIGN_IN_POLICY,
      ),
    ),
  );
  register(page('get', '/owner'), (c) =>
    whenSignedIn(c, services, async ({ account }) => {
      if (account.owner_id === null) return c.redirect(landingOf(account), 303);
      const questions = (await openQuestions(db, account.owner_id)).map(({ token, ...question }) => ({
        ...question,
        token: services.links.sealName('approval', token),
      }));
      return answerForm(c, ownerPage(c.get('prefix'), account.locale, questions));
    }),
  );
  register(page('get', '/account/second-factor'), async (c) => {
    const session = await sessionOf(c, services);
    return session ? secondFactorPage(c, services, session) : c.redirect('/sign-in', 303);
  });
  register.unkeyed(page('post', '/account/second-factor'), async (c) => {
    assertFromOwnPage(c, services);
    const session = await sessionOf(c, services);
    if (!session) return c.redirect('/sign-in', 303);
    return (
      (await takeCode(c, services, session, await formOf(c))) ??
      c.redirect(nextPageOf(c, services, session.account), 303)
    );
  });
  registerEndings(register, services);
  registerTokens(register, services);
  registerHandOver(register, services);
}

function registerEndings(register: Register, services: Services): void {
  /** `mayEnd`: what a session may end in which a second factor has still to be given; that is nothing but itself. */
  const ending = async (
    c: AnyContext,
    mayEnd: (session: LiveSession) => boolean,
    end: (session: LiveSession) => Promise<boolean>,
  ): Promise<Response> => {
    assertFromOwnPage(c, services);
    const session = await sessionOf(c, services);
    if (session !== null && lacksSecondFactor(session) && !mayEnd(session)) {
      return c.redirect('/account/second-factor', 303);
    }
    const isOver = session === null || (await end(session));
    if (session !== null) services.standing.changed(session.account.principal);
    if (isOver) {
      dropSession(c, services);
      // The next person who signs in on this browser must not be sent to the page that this one had asked for.
      forgetWayBack(c, services);
    }
    return c.redirect(isOver ? '/sign-in' : '/account', 303);
  };
  const endThat = (c: AnyContext, session: LiveSession, id: string): Promise<void> =>
    inTransaction(services, async (tx) => {
      if (!(await endSession(tx, id, 'SIGNED_OUT', session.account.id))) return;
      await noteSessions(tx, ownAuthor(c, session), session.account.id, 'SESSIONS_ENDED', { ended: 1, session: id });
    });
  register.unkeyed(page('post', '/sign-out'), (c) =>
    ending(
      c,
      () => true,
      async (session) => {
        await endThat(c, session, session.id);
        return true;
      },
    ),
  );
  register.unkeyed(endOne, (c) => {
    const { id } = c.req.valid('param');
    const isOwn = (session: LiveSession): boolean => id === session.id;
    return ending(c, isOwn, async (session) => {
      await endThat(c, session, id);
      return isOwn(session);
    });
  });
  register.unkeyed(page('post', '/sign-out/everywhere'), (c) =>
    ending(
      c,
      () => false,
      async (session) => {
        await inTransaction(services, (tx) =>
          endAllSessions(tx, session.account, 'SIGNED_OUT_EVERYWHERE', ownAuthor(c, session)),
        );
        return true;
      },
    ),
  );
}

const TOKEN_SECONDS = 15 * 60;

/** `/api` knows no cookies: a script of ours exchanges its session for a token, and again before that ends. */
function registerTokens(register: Register, services: Services): void {
  register.unkeyed(page('post', '/session/token'), async (c) => {
    assertFromOwnPage(c, services);
    const session = await sessionOf(c, services);
    if (!session) throw unauthenticated('no_session');
    if (lacksSecondFactor(session)) throw new RoomyError('SECOND_FACTOR_REQUIRED');
    const { account } = session;
    const now = services.clock.now().getTime();
    const lifetimeSeconds = Math.min(TOKEN_SECONDS, Math.floor((session.expiresAt.getTime() - now) / 1_000));
    if (lifetimeSeconds < 1) throw unauthenticated('session_ended');
    const token = await mintToken(services.jwt, services.clock, {
      sub: account.principal,
      grant: { role: account.role },
      lifetimeSeconds,
      sid: session.id,
    });
    await touchSession(services.db, session.id);
    const expiresAt = new Date(now + lifetimeSeconds * 1_000).toISOString();
    return found(c, { token, expiresAt, principal: account.principal, role: account.role, name: account.name });
  });
}

/** Runs for a session that may do something; else leads to where it can become one. */
async function whenSignedIn(
  c: AnyContext,
  services: Services,
  answer: (session: LiveSession) => Promise<Response>,
): Promise<Response> {
  const session = await sessionOf(c, services);
  if (!session) return c.redirect('/sign-in', 303);
  return lacksSecondFactor(session) ? c.redirect('/account/second-factor', 303) : answer(session);
}

const HAND_OVER_SECONDS = 60;

/** A cookie ignores ports, but not hosts: an operators' port under another host gets a session of its own by a code. */
function registerHandOver(register: Register, services: Services): void {
  register.unkeyed(page('post', '/account/operations'), (c) => {
    assertFromOwnPage(c, services);
    return whenSignedIn(c, services, async ({ id, mfaAt, account }) => {
      const { opsUrl = null } = services;
      const isOperator = account.role === 'ADMIN' || account.role === 'OPS';
      if (!isOperator || mfaAt === null || opsUrl === null) throw new RoomyError('NOT_FOUND');
      const code = await issueOneTime(services.db, {
        kind: 'HAND_OVER',
        accountId: account.id,
        data: { session: id },
        lifetimeSeconds: HAND_OVER_SECONDS,
      });
      return answerForm(c, handOverPage(`${opsUrl}/login?code=${code}`));
    });
  });
}

function placesOf(c: AnyContext, { opsUrl = null, publicUrl }: Services, role: LiveSession['account']['role']) {
  const prefix = c.get('prefix');
  if (role === 'OWNER') return [{ href: `${prefix}/owner`, text: 'What waits for your answer' }];
  if (role === 'CLEANER' || role === 'MAINTENANCE_STAFF' || role === 'AGENT')
    return [
      { href: `${prefix}/work`, text: 'Your tasks' },
      ...(role === 'AGENT' ? [{ href: `${prefix}/console`, text: 'Console: your properties today' }] : []),
    ];
  if (role === 'GUEST') return [];
  const console = { href: `${prefix}/console`, text: 'Console: today, and what stands still' };
  if ((role !== 'ADMIN' && role !== 'OPS') || opsUrl === null) return [console];
  const isSameHost = new URL(opsUrl).hostname === new URL(publicUrl).hostname;
  const href = isSameHost ? opsUrl : `${prefix}/account/operations`;
  return [console, { href, text: 'Operations: queues and mailbox', isForm: !isSameHost }];
}
