import { type SqlBool, sql } from 'kysely';
import type { Db, Tx } from '../../db/client.ts';
import { literal } from '../../db/literal.ts';
import { RoomyError } from '../../kernel/errors.ts';
import { recordAudit } from '../audit/record.ts';
import { type AccountRow, findAccountByEmail, insertAccount, isMadeUp, lockAccount } from './accounts.ts';
import { resetAuthenticator } from './lost-phone.ts';
import { issueOneTime, withdrawOneTimes } from './one-time.ts';

/** The way in for whoever runs the system: from its shell, where nobody can be asked to sign in yet. */

export interface AdminRequest {
  readonly email: string;
  /** Of a new account. */
  readonly name: string | undefined;
  /** The phone is lost: the authenticator app is set up anew, and every session ends. */
  readonly newAuthenticator: boolean;
}
export interface AdminLink {
  readonly kind: 'INVITATION' | 'LINK';
  readonly secret: string;
}

const ACTOR = 'npm run account';
const LIFETIME_SECONDS = 15 * 60;

/**
 * A link that opens once, for the first administrator, who is made, or for one that there is. Throws `FORBIDDEN` for anybody
 * else: once there is an administrator, it is the administrators who invite.
 */
export const linkForAdmin = (db: Db, request: AdminRequest): Promise<AdminLink> =>
  db.transaction().execute(async (tx) => {
    // Of two that run at once, the second finds what the first has made.
    await sql`SELECT pg_advisory_xact_lock(hashtext('first administrator'))`.execute(tx);
    const known = await findAccountByEmail(tx, request.email);
    if (known?.role === 'ADMIN' && known.status !== 'DEACTIVATED') {
      if (request.newAuthenticator) await resetAuthenticator(tx, known.id, { actor: ACTOR, requestId: null });
      return linkFor(tx, known, 'ADMIN_LINK_MADE');
    }
    if (known !== undefined || (await hasActiveAdmin(tx))) {
      throw new RoomyError('FORBIDDEN', {
        text: 'There is an administrator already, and this is not the address of one. Administrators invite others.',
      });
    }
    if (request.name === undefined) throw new RangeError('--name is required for the first administrator');
    const account = await insertAccount(tx, {
      email: request.email,
      name: request.name,
      role: 'ADMIN',
      invitedBy: null,
    });
    return linkFor(tx, account, 'FIRST_ADMIN_MADE');
  });

async function linkFor(tx: Tx, account: AccountRow, event: string): Promise<AdminLink> {
  const kind = account.status === 'INVITED' ? 'INVITATION' : 'LINK';
  await lockAccount(tx, account.id);
  await withdrawOneTimes(tx, account.id, [kind]);
  const secret = await issueOneTime(tx, { kind, accountId: account.id, lifetimeSeconds: LIFETIME_SECONDS });
  await recordAudit(tx, {
    streamId: `account:${account.id}`,
    event,
    actor: ACTOR,
    body: { outcome: 'success', details: { id: account.id, kind } },
  });
  return { kind, secret };
}

async function hasActiveAdmin(tx: Tx): Promise<boolean> {
  const row = await tx
    .selectFrom('account')
    .select(sql<SqlBool>`true`.as('found'))
    .where('role', '=', literal('ADMIN'))
    .where('status', '=', literal('ACTIVE'))
    .where(sql<SqlBool>`NOT ${isMadeUp}`)
    .limit(1)
    .executeTakeFirst();
  return row !== undefined;
}
