import type { Tx } from '../../db/client.ts';
import { RoomyError } from '../../kernel/errors.ts';
import type { Origin } from '../audit/record.ts';
import { type AccountRow, lockAccount } from './accounts.ts';
import { noteSessions } from './administer.ts';
import { type NewSession, type OpenedSession, openSession } from './sessions.ts';

export interface BegunSession extends Omit<NewSession, 'accountId'> {
  /** As it was when the proof was looked at. */
  readonly account: AccountRow;
}

/**
 * The one way in which a session begins, in the transaction that used up the proof. The account is locked: a deactivation, another role
 * or another address that is under way comes before or after, and not in between, and so does the end of all sessions
 * (`endSessionsOf`). Throws `NOT_FOUND` where one of them came before.
 */
export async function beginSession(
  tx: Tx,
  { account, ...session }: BegunSession,
  origin: Origin,
): Promise<OpenedSession> {
  const now = await lockAccount(tx, account.id);
  if (now.status !== 'ACTIVE' || now.role !== account.role || now.email !== account.email)
    throw new RoomyError('NOT_FOUND');
  const opened = await openSession(tx, { accountId: account.id, ...session });
  const details = { method: session.method, session: opened.id };
  await noteSessions(tx, { actor: account.principal, ...origin }, account.id, 'SIGNED_IN', details);
  return opened;
}
