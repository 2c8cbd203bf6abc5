import type { Tx } from '../../db/client.ts';
import { type AccountRow, lockAccount } from '../../domain/people/accounts.ts';
import { noteSessions } from '../../domain/people/administer.ts';
import { endSession, type OpenedSession, openSession, type SignInMethod } from '../../domain/people/sessions.ts';
import { RoomyError } from '../../kernel/errors.ts';
import type { AnyContext, Services } from '../context.ts';
import { keepSession, lacksSecondFactor, landingOf, lifetimeOf, sessionOf } from './page-session.ts';

/** A sign-in that was proved, by whichever method: every one of them ends here. */
export interface Proof {
  readonly account: AccountRow;
  readonly method: SignInMethod;
  /** When the proof was two factors in one, as a passkey with user verification is; null: it was one. */
  readonly mfaAt: Date | null;
}

/**
 * Opens the session, in the transaction that used up the proof. A session that this browser had ends. The account is locked: a
 * deactivation, another role or another address that is under way comes before or after, and not in between. Throws `NOT_FOUND` for the former.
 */
export async function beginSession(tx: Tx, c: AnyContext, services: Services, proof: Proof): Promise<OpenedSession> {
  const { account, method, mfaAt } = proof;
  const now = await lockAccount(tx, account.id);
  if (now.status !== 'ACTIVE' || now.role !== account.role || now.email !== account.email)
    throw new RoomyError('NOT_FOUND');
  const before = await sessionOf(c, { ...services, db: tx });
  if (before) await endSession(tx, before.id, 'SIGNED_OUT');
  const opened = await openSession(tx, {
    accountId: account.id,
    method,
    mfaAt,
    ip: c.get('ip'),
    userAgent: c.req.header('user-agent') ?? null,
    lifetime: lifetimeOf(account.role),
  });
  const author = { actor: account.principal, requestId: c.get('requestId'), ip: c.get('ip') };
  await noteSessions(tx, author, account.id, 'SIGNED_IN', { method, session: opened.id });
  return opened;
}

/** After the commit: the cookie, and the page that comes next. */
export function welcome(c: AnyContext, services: Services, proof: Proof, opened: OpenedSession): Response {
  services.standing.changed(proof.account.principal);
  keepSession(c, services, opened);
  return c.redirect(lacksSecondFactor(proof) ? '/account/second-factor' : landingOf(proof.account), 303);
}
