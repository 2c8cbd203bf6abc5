import type { Tx } from '../../db/client.ts';
import type { AccountRow } from '../../domain/people/accounts.ts';
import { beginSession } from '../../domain/people/begin-session.ts';
import { endSession, type OpenedSession, type SignInMethod } from '../../domain/people/sessions.ts';
import { type AnyContext, originOf, type Services } from '../context.ts';
import { keepSession, lacksSecondFactor, lifetimeOf, sessionOf } from './page-session.ts';
import { nextPageOf } from './way-back.ts';

/** A sign-in that was proved, by whichever method: every one of them ends here. */
export interface Proof {
  readonly account: AccountRow;
  readonly method: SignInMethod;
  /** When the proof was two factors in one, as a passkey with user verification is; null: it was one. */
  readonly mfaAt: Date | null;
}

/** Opens the session, in the transaction that used up the proof. A session that this browser had ends. Throws `NOT_FOUND` as `beginSession` does. */
export async function enter(tx: Tx, c: AnyContext, services: Services, proof: Proof): Promise<OpenedSession> {
  const { account, method, mfaAt } = proof;
  const userAgent = c.req.header('user-agent') ?? null;
  const begun = { account, method, mfaAt, ip: c.get('ip'), userAgent, lifetime: lifetimeOf(account.role) };
  const opened = await beginSession(tx, begun, originOf(c));
  const before = await sessionOf(c, { ...services, db: tx });
  if (before) await endSession(tx, before.id, 'SIGNED_OUT');
  return opened;
}

/** After the commit: the cookie, and the page that comes next. */
export function welcome(c: AnyContext, services: Services, proof: Proof, opened: OpenedSession): Response {
  services.standing.changed(proof.account.principal);
  keepSession(c, services, opened);
  return c.redirect(lacksSecondFactor(proof) ? '/account/second-factor' : nextPageOf(c, services, proof.account), 303);
}
