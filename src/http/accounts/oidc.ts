import { createRoute, z } from '@hono/zod-openapi';
import { deleteCookie, getCookie, setCookie } from 'hono/cookie';
import { lockAccount } from '../../domain/people/accounts.ts';
import { assertMayChangeFactors } from '../../domain/people/factors.ts';
import { accountOfIdentity, linkIdentity, unlinkIdentities } from '../../domain/people/identities.ts';
import { consumeOneTime, issueOneTime, type OneTime } from '../../domain/people/one-time.ts';
import type { LiveSession } from '../../domain/people/sessions.ts';
import type { IdentityProvider, IdentityRequest, VerifiedIdentity } from '../../domain/ports-sign-in.ts';
import { RoomyError } from '../../kernel/errors.ts';
import { sha256 } from '../../kernel/json.ts';
import { prefixOf } from '../../kernel/path-prefix.ts';
import { goingOnPage, notSignedInPage, providerAwayPage } from '../../web/sign-in-parts.ts';
import { type AnyContext, inTransaction, originOf, type Services } from '../context.ts';
import { answerPage } from '../page.ts';
import type { Register } from '../route.ts';
import { refusals } from '../schemas/envelope.ts';
import { enter, type Proof, welcome } from './begin-session.ts';
import { PAGE_ROUTE } from './form.ts';
import { ownAuthor, whenOwn } from './own-session.ts';
import { assertFromOwnPage } from './page-session.ts';

/**
 * Signing in by an identity provider that people have already. Everything that a sign-in is begun with comes of one secret,
 * which lies in a cookie of the browser that began it: nobody can end it in another browser, and of what the table knows
 * (a digest) nothing can be made (security.md S7).
 */

const text = z.string().max(4_000).optional();
/** What providers send back, with what the large ones add to it. */
const Returned = z.strictObject({
  code: text,
  state: text,
  iss: text,
  error: text,
  error_description: text,
  error_uri: text,
  session_state: text,
  scope: text,
  authuser: text,
  prompt: text,
  hd: text,
  client_info: text,
});
const form = (path: '/oidc' | '/account/identity' | '/account/identity/removal') =>
  createRoute({
    ...PAGE_ROUTE,
    method: 'post',
    path,
    responses: { ...PAGE_ROUTE.responses, ...refusals('CROSS_SITE', 'ROUTE_NOT_FOUND', 'NOT_FOUND') },
  });
const begin = form('/oidc');
const link = form('/account/identity');
const unlink = form('/account/identity/removal');
const comeBack = createRoute({ ...PAGE_ROUTE, method: 'get', path: '/oidc/callback', request: { query: Returned } });

/** How long somebody may take at the provider. */
const STATE_SECONDS = 600;
const COOKIE = 'roomy_oidc';

export function registerIdentityProvider(register: Register, services: Services): void {
  register.unkeyed(begin, (c) => {
    assertFromOwnPage(c, services);
    return sendThere(c, services, null);
  });
  register.unkeyed(link, (c) =>
    whenOwn(c, services, async (session) => {
      await assertMayChangeFactors(services.db, session.id);
      return sendThere(c, services, session);
    }),
  );
  register.unkeyed(unlink, (c) =>
    whenOwn(c, services, async ({ id, account }) => {
      const { issuer } = providerOf(services);
      await inTransaction(services, async (tx) => {
        await lockAccount(tx, account.id);
        await assertMayChangeFactors(tx, id);
        await unlinkIdentities(tx, account.id, issuer, ownAuthor(c, { id, account }));
      });
      return c.redirect('/account', 303);
    }),
  );
  // A GET that changes something: providers send a browser back by one, and it counts once.
  register(comeBack, (c) => {
    const { code, state, error } = c.req.valid('query');
    if (code === undefined && error === undefined)
      return answerPage(c, goingOnPage('Sign in', `${c.get('prefix')}/sign-in`));
    return finish(c, services, state);
  });
}

/** Throws `ROUTE_NOT_FOUND` where there is none. */
function providerOf({ identityProvider = null }: Services): IdentityProvider {
  if (identityProvider === null) throw new RoomyError('ROUTE_NOT_FOUND');
  return identityProvider;
}

/** By the form on which somebody pressed the button: a redirect would be stopped by the rule that forms stay with us. */
async function sendThere(c: AnyContext, services: Services, session: LiveSession | null): Promise<Response> {
  const provider = providerOf(services);
  const secret = await issueOneTime(services.db, {
    kind: 'OIDC_STATE',
    accountId: session?.account.id ?? null,
    data: session === null ? {} : { session: session.id },
    lifetimeSeconds: STATE_SECONDS,
  });
  return unlessAway(c, provider, async () => {
    const address = await provider.addressFor(requestOf(services, secret));
    setCookie(c, COOKIE, secret, { ...attributes(services), maxAge: STATE_SECONDS });
    c.header('Refresh', `0; url=${address}`);
    return answerPage(c, goingOnPage(provider.name, address));
  });
}

async function finish(c: AnyContext, services: Services, state: string | undefined): Promise<Response> {
  const provider = providerOf(services);
  const secret = getCookie(c, COOKIE);
  deleteCookie(c, COOKIE, attributes(services));
  if (secret === undefined || secret === '') return refused(c);
  const request = requestOf(services, secret);
  if (state !== request.state) return refused(c);
  // Used up before the provider is asked: of any number at once, one goes on.
  const begun = await consumeOneTime(services.db, 'OIDC_STATE', secret);
  if (begun === null) return refused(c);
  return unlessAway(c, provider, async () => {
    const identity = await provider.identify(request, new URL(c.req.url).searchParams);
    if (identity === null) return refused(c);
    return begun.accountId === null ? signIn(c, services, identity) : linkTo(c, services, begun, identity);
  });
}

async function signIn(c: AnyContext, services: Services, identity: VerifiedIdentity): Promise<Response> {
  const entered = await inTransaction(services, async (tx) => {
    const account = await accountOfIdentity(tx, identity, originOf(c));
    const proof: Proof = { account, method: 'OIDC', mfaAt: identity.secondFactorAt };
    return { proof, opened: await enter(tx, c, services, proof) };
  }).catch(whereRefused);
  return entered === false ? refused(c) : welcome(c, services, entered.proof, entered.opened);
}

/** For the session that began it, if that is still open; its cookie need not come along from another site. */
async function linkTo(
  c: AnyContext,
  services: Services,
  { accountId, data }: OneTime,
  identity: VerifiedIdentity,
): Promise<Response> {
  const sessionId: unknown = typeof data === 'object' && data !== null ? Reflect.get(data, 'session') : undefined;
  if (accountId === null || typeof sessionId !== 'string') return refused(c);
  const linked = await inTransaction(services, async (tx) => {
    const account = await lockAccount(tx, accountId);
    await assertMayChangeFactors(tx, sessionId);
    await linkIdentity(tx, accountId, identity, ownAuthor(c, { id: sessionId, account }));
    return true;
  }).catch(whereRefused);
  return linked ? c.redirect('/account', 303) : refused(c);
}

/** Nobody of ours, the session has ended, or the identity is somebody else's: the page says no more than to a stranger. */
function whereRefused(error: unknown): false {
  if (error instanceof RoomyError && error.kind === 'refusal') return false;
  throw error;
}

function refused(c: AnyContext): Response | Promise<Response> {
  c.status(403);
  return answerPage(c, notSignedInPage(c.get('prefix')));
}

async function unlessAway(
  c: AnyContext,
  provider: IdentityProvider,
  work: () => Response | Promise<Response>,
): Promise<Response> {
  try {
    return await work();
  } catch (error) {
    if (!(error instanceof RoomyError && error.code === 'SERVICE_UNAVAILABLE')) throw error;
    c.status(503);
    return answerPage(c, providerAwayPage(c.get('prefix'), provider.name));
  }
}

/** The secret itself goes nowhere but into the cookie; each use has a digest of its own. */
function requestOf({ publicUrl }: Services, secret: string): IdentityRequest {
  const of = (use: string): string => sha256(use, secret).toString('base64url');
  return {
    redirectUri: `${publicUrl}/oidc/callback`,
    state: of('state'),
    nonce: of('nonce'),
    codeVerifier: of('verifier'),
  };
}

/** Lax, as the browser comes back from another site. */
const attributes = ({ isProduction = false, publicUrl }: Services) =>
  ({
    path: `${prefixOf(publicUrl)}/oidc`,
    httpOnly: true,
    sameSite: 'Lax',
    secure: isProduction || publicUrl.startsWith('https:'),
  }) as const;
