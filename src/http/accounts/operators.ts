import type { Db, Tx } from '../../db/client.ts';
import type { Origin } from '../../domain/audit/record.ts';
import { noteSessions } from '../../domain/people/administer.ts';
import { beginSession } from '../../domain/people/begin-session.ts';
import { consumeOneTime, type OneTime } from '../../domain/people/one-time.ts';
import { endSession, findSession, findSessionById, type LiveSession } from '../../domain/people/sessions.ts';
import type { Clock } from '../../kernel/clock.ts';
import { sessionCookie } from '../../kernel/session-cookie.ts';
import type { StandingGuard } from '../standing.ts';
import { isFresh } from '../step-up.ts';

/** The session that the page of the account handed over, if it still counts. */
function handedOver(tx: Tx, { data }: OneTime): Promise<LiveSession | null> {
  const id = typeof data === 'object' && data !== null && 'session' in data ? data.session : null;
  return typeof id === 'string' ? findSessionById(tx, id) : Promise.resolve(null);
}

/** The sessions of this sign-in as the operators' port takes them: a second factor was given in each. */
export const operatorSessions = (db: Db, clock: Clock, standing: StandingGuard, isProduction: boolean) => ({
  cookie: sessionCookie(isProduction),
  async find(key: string) {
    const session = await findSession(db, key);
    if (session === null || session.mfaAt === null) return null;
    const { principal: sub, role } = session.account;
    return { sub, role, isSteppedUp: isFresh(session.mfaAt, clock.now()), credential: `session:${session.id}` };
  },
  async take(code: string, origin: Origin) {
    return db.transaction().execute(async (tx) => {
      const once = await consumeOneTime(tx, 'HAND_OVER', code);
      const handed = once === null ? null : await handedOver(tx, once);
      if (handed === null) return null;
      const { account, method, mfaAt, expiresAt } = handed;
      const lifetime = (expiresAt.getTime() - clock.now().getTime()) / 1_000;
      const begun = { account, method, mfaAt, ip: origin.ip ?? null, userAgent: 'Operations', lifetime };
      return beginSession(tx, begun, origin);
    });
  },
  async end(key: string, origin: Origin) {
    const session = await findSession(db, key);
    if (session === null) return;
    const { account } = session;
    await db.transaction().execute(async (tx) => {
      if (!(await endSession(tx, session.id, 'SIGNED_OUT'))) return;
      const author = { actor: account.principal, credential: `session:${session.id}`, ...origin };
      await noteSessions(tx, author, account.id, 'SESSIONS_ENDED', { ended: 1 });
    });
    standing.changed(account.principal);
  },
});
