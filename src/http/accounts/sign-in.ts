import { createRoute, z } from '@hono/zod-openapi';
import type { Db } from '../../db/client.ts';
import {
  type AccountRow,
  activateAccount,
  findAccount,
  findAccountByEmail,
  listDemoAccounts,
  lockAccount,
} from '../../domain/people/accounts.ts';
import { noteSessions } from '../../domain/people/administer.ts';
import { consumeOneTime, type OneTimeKind, peekOneTime, withdrawOneTimes } from '../../domain/people/one-time.ts';
import { type LiveSession, markSecondFactor } from '../../domain/people/sessions.ts';
import { isAtWork, readStanding } from '../../domain/people/standing.ts';
import { pause } from '../../kernel/clock.ts';
import { canonicalEmail } from '../../kernel/email.ts';
import { RoomyError } from '../../kernel/errors.ts';
import { SIGN_IN_POLICY } from '../../web/layout.ts';
import { linkPage, mailSentPage, signInPage } from '../../web/sign-in-page.ts';
import { otherWaysIn } from '../../web/sign-in-parts.ts';
import { type AnyContext, inTransaction, type Services } from '../context.ts';
import type { Register } from '../route.ts';
import { enter, type Proof, welcome } from './begin-session.ts';
import { answerForm, formOf, PAGE_ROUTE } from './form.ts';
import { mailSignInLink } from './mail.ts';
import { ownAuthor } from './own-session.ts';
import { assertFromOwnPage, lacksSecondFactor, sessionOf } from './page-session.ts';
import { nextPageOf } from './way-back.ts';

/** Signing in by a link in a mail, and accepting an invitation by one. */

const Token = z.strictObject({ token: z.string().max(100) });
const ask = createRoute({ ...PAGE_ROUTE, method: 'get', path: '/sign-in' });
const send = createRoute({ ...PAGE_ROUTE, method: 'post', path: '/sign-in' });
const demo = createRoute({ ...PAGE_ROUTE, method: 'post', path: '/sign-in/demo' });
const LINKS = [
  { place: 'sign-in', kind: 'LINK' },
  { place: 'invitations', kind: 'INVITATION' },
] as const;

export function registerSignIn(register: Register, services: Services): void {
  const { db } = services;
  register(ask, async (c) => {
    const session = await sessionOf(c, services);
    if (session)
      return c.redirect(
        lacksSecondFactor(session) ? '/account/second-factor' : nextPageOf(c, services, session.account),
        303,
      );
    const people = services.isProduction === true ? [] : await listDemoAccounts(db);
    const waysIn = otherWaysIn(c.get('prefix'), services.identityProvider?.name ?? null);
    return answerForm(c, signInPage(c.get('prefix'), people, waysIn), SIGN_IN_POLICY);
  });
  register.unkeyed(send, async (c) => {
    assertFromOwnPage(c, services);
    const email = canonicalEmail(((await formOf(c)).get('email') ?? '').trim());
    // For an address of ours and for any other: the same page, and after the same time.
    await Promise.all([pause(ANSWER_AFTER_MS), email === null ? null : mailTo(services, email)]);
    return answerForm(c, mailSentPage(c.get('prefix'), mailboxOf(services)));
  });
  register.unkeyed(demo, async (c) => {
    if (services.isProduction === true) throw new RoomyError('ROUTE_NOT_FOUND');
    assertFromOwnPage(c, services);
    const id = (await formOf(c)).get('account');
    const account = (await listDemoAccounts(db)).find((one) => one.id === id);
    if (!account) throw new RoomyError('NOT_FOUND');
    const session = await sessionOf(c, services);
    if (session?.method === 'DEMO' && session.account.id === account.id) return renewDemo(c, services, session);
    // Two factors are taken as given: there is no phone to show them on.
    const proof: Proof = { account, method: 'DEMO', mfaAt: services.clock.now() };
    return welcome(c, services, proof, await inTransaction(services, (tx) => enter(tx, c, services, proof)));
  });
  for (const { place, kind } of LINKS) {
    const at = { path: `/${place}/{token}`, request: { params: Token } } as const;
    register(createRoute({ ...PAGE_ROUTE, ...at, method: 'get' }), async (c) => {
      const { token } = c.req.valid('param');
      return answerForm(c, linkPage({ kind, token, name: await nameBehind(services, kind, token) }));
    });
    register.unkeyed(createRoute({ ...PAGE_ROUTE, ...at, method: 'post' }), (c) => {
      assertFromOwnPage(c, services);
      return signInBy(c, services, kind, c.req.valid('param').token);
    });
  }
}

/** The same session, so that what was typed into a form that waits for it is still there. */
async function renewDemo(c: AnyContext, services: Services, session: LiveSession): Promise<Response> {
  const { id, account } = session;
  const author = ownAuthor(c, session);
  await inTransaction(services, async (tx) => {
    await lockAccount(tx, account.id);
    await noteSessions(tx, author, account.id, 'SECOND_FACTOR_GIVEN', { session: id });
    await markSecondFactor(tx, id);
  });
  services.standing.changed(account.principal);
  return c.redirect(nextPageOf(c, services, account), 303);
}

/** Longer than the work for an address of ours takes. */
const ANSWER_AFTER_MS = 250;

/** No mail to strangers, nor to somebody who is not let in any more. */
async function mailTo(services: Services, email: string): Promise<void> {
  const account = await findAccountByEmail(services.db, email);
  if (account && (await mayBeMailed(services.db, account)))
    await inTransaction(services, async (tx) => {
      // Another address or end that is under way comes first, and then this one is a stranger's.
      const now = await lockAccount(tx, account.id);
      if (now.email === account.email && now.status !== 'DEACTIVATED') await mailSignInLink(tx, services, now);
    });
}

/** Who was invited gets the invitation again, unless the member of staff works here no more. */
const mayBeMailed = async (db: Db, account: AccountRow): Promise<boolean> =>
  account.status === 'INVITED' ? isAtWork(db, account) : maySignIn(db, account);

/** The account is active, and the member of staff that it belongs to works here. */
const maySignIn = async (db: Db, { principal }: AccountRow): Promise<boolean> =>
  (await readStanding(db, principal, null))?.isActive ?? false;

/** In development no mail leaves the machine. */
const mailboxOf = ({ isProduction = false, opsUrl = null }: Services): string | null =>
  isProduction || opsUrl === null ? null : `${opsUrl}/mailbox`;

/** Looks, and uses nothing up: programs that check mails follow their links. Throws `NOT_FOUND`. */
async function nameBehind({ db }: Services, kind: OneTimeKind, token: string): Promise<string> {
  const accountId = (await peekOneTime(db, kind, token))?.accountId ?? null;
  const account = accountId === null ? undefined : await findAccount(db, accountId);
  if (!account || account.status === 'DEACTIVATED') throw new RoomyError('NOT_FOUND');
  return account.name;
}

/** Of any number who press the button at once, one is signed in. Throws `NOT_FOUND` for the others. */
async function signInBy(
  c: AnyContext,
  services: Services,
  kind: 'LINK' | 'INVITATION',
  token: string,
): Promise<Response> {
  const { proof, opened } = await inTransaction(services, async (tx) => {
    const accountId = (await consumeOneTime(tx, kind, token))?.accountId ?? null;
    if (accountId === null) throw new RoomyError('NOT_FOUND');
    const account = kind === 'INVITATION' ? await activateAccount(tx, accountId) : await findAccount(tx, accountId);
    if (!account || !(await maySignIn(tx, account))) throw new RoomyError('NOT_FOUND');
    await withdrawOneTimes(tx, account.id, ['LINK', 'INVITATION']);
    const signedIn: Proof = { account, method: 'LINK', mfaAt: null };
    return { proof: signedIn, opened: await enter(tx, c, services, signedIn) };
  });
  return welcome(c, services, proof, opened);
}
