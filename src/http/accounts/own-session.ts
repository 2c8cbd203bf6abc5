import type { Author } from '../../domain/audit/record.ts';
import type { AccountRow } from '../../domain/people/accounts.ts';
import { listIdentities } from '../../domain/people/identities.ts';
import { listPasskeys, passkeyView } from '../../domain/people/passkeys.ts';
import type { LiveSession } from '../../domain/people/sessions.ts';
import { RoomyError } from '../../kernel/errors.ts';
import type { Html } from '../../web/layout.ts';
import { ownWaysIn } from '../../web/sign-in-parts.ts';
import { type AnyContext, originOf, type Services } from '../context.ts';
import { assertFromOwnPage, lacksSecondFactor, sessionOf } from './page-session.ts';

/** Of what people change about their own sign-in. */

/** For scripts: the session of a browser that sends something from a page of ours. Throws `CROSS_SITE` and `UNAUTHENTICATED`. */
export async function ownSession(c: AnyContext, services: Services): Promise<LiveSession> {
  assertFromOwnPage(c, services);
  const session = await sessionOf(c, services);
  if (session === null) throw new RoomyError('UNAUTHENTICATED', { text: 'Sign in first', cause: 'no_session' });
  return session;
}

/** For forms, which lead to the sign-in or to the second factor where one of them is missing. Throws `CROSS_SITE`. */
export async function whenOwn(
  c: AnyContext,
  services: Services,
  act: (session: LiveSession) => Promise<Response>,
): Promise<Response> {
  assertFromOwnPage(c, services);
  const session = await sessionOf(c, services);
  if (session === null) return c.redirect('/sign-in', 303);
  if (lacksSecondFactor(session)) return c.redirect('/account/second-factor', 303);
  try {
    return await act(session);
  } catch (error) {
    if (!(error instanceof RoomyError && error.code === 'STEP_UP_REQUIRED')) throw error;
    return c.redirect('/account/second-factor', 303);
  }
}

/** Who changes something in a session, which pages know by its cookie. */
export const ownAuthor = (
  c: AnyContext,
  { id, account }: { readonly id: string; readonly account: Pick<AccountRow, 'principal'> },
): Author => ({ actor: account.principal, ...originOf(c, `session:${id}`) });

/** The part of the account page about passkeys and the other identity provider. */
export async function waysInOf(c: AnyContext, services: Services, accountId: string): Promise<Html> {
  const { db, identityProvider = null } = services;
  const linked = await listIdentities(db, accountId);
  return ownWaysIn(c.get('prefix'), {
    passkeys: (await listPasskeys(db, accountId)).map(passkeyView),
    identityProvider: identityProvider?.name ?? null,
    isLinked: linked.some(({ issuer }) => issuer === identityProvider?.issuer),
  });
}
