import { type Selectable, sql } from 'kysely';
import type { Db, Tx } from '../../db/client.ts';
import type { Database } from '../../db/schema.ts';
import { RoomyError } from '../../kernel/errors.ts';
import type { Author, Origin } from '../audit/record.ts';
import type { VerifiedIdentity } from '../ports-sign-in.ts';
import { type AccountRow, activateAccount, findAccountByEmail, lockAccount } from './accounts.ts';
import { noteSessions } from './administer.ts';
import { withdrawOneTimes } from './one-time.ts';
import { readStanding } from './standing.ts';

/**
 * Who an account is at another identity provider: issuer and subject, never an e-mail address, which may change hands. The
 * only statements that write `identity`. The subject is somebody's name elsewhere, and stays out of the trail.
 */

export type IdentityRow = Selectable<Database['identity']>;

/** More than anybody has; a bound for the list on the account page. */
const MAX_SHOWN = 20;

/** The identities of an account, oldest first. */
export const listIdentities = (db: Db | Tx, accountId: string): Promise<IdentityRow[]> =>
  db
    .selectFrom('identity')
    .selectAll()
    .where('account_id', '=', accountId)
    .orderBy('created_at')
    .limit(MAX_SHOWN)
    .execute();

const accountIdOf = async (tx: Tx, { issuer, subject }: VerifiedIdentity): Promise<string | undefined> =>
  (
    await tx
      .selectFrom('identity')
      .select('account_id')
      .where('issuer', '=', issuer)
      .where('subject', '=', subject)
      .executeTakeFirst()
  )?.account_id;

/**
 * The account that somebody may use who has proved to be this identity, active and locked until the end of the transaction.
 * Throws `NOT_FOUND`: nobody of ours. The first time it is found by a verified e-mail address, linked, and an invitation thereby accepted;
 * an account that has another subject at the same issuer is not: the address may have been given to somebody else there.
 */
export async function accountOfIdentity(tx: Tx, identity: VerifiedIdentity, request: Origin): Promise<AccountRow> {
  const known = await accountIdOf(tx, identity);
  if (known !== undefined) return inForce(tx, await lockAccount(tx, known));
  const found = identity.email !== null && identity.emailVerified && (await findAccountByEmail(tx, identity.email));
  if (!found) throw new RoomyError('NOT_FOUND');
  const account = await lockAccount(tx, found.id);
  const theirs = (await listIdentities(tx, account.id)).find(({ issuer }) => issuer === identity.issuer);
  // Of two first sign-ins at once, the second finds what the first has linked.
  if (theirs !== undefined && theirs.subject !== identity.subject) throw new RoomyError('NOT_FOUND');
  if (theirs !== undefined) return inForce(tx, account);
  const active = account.status === 'INVITED' ? await acceptInvitation(tx, account) : await inForce(tx, account);
  await insertIdentity(tx, identity, active.id);
  await noteSessions(tx, { actor: active.principal, ...request }, active.id, 'IDENTITY_LINKED', { by: 'EMAIL' });
  return active;
}

/** Throws `NOT_FOUND` for an account that is not active, or whose member of staff has left. */
async function inForce(tx: Tx, account: AccountRow): Promise<AccountRow> {
  if ((await readStanding(tx, account.principal, null))?.isActive) return account;
  throw new RoomyError('NOT_FOUND');
}

/** The invitation's link has done its work, and opens nothing any more. Throws `NOT_FOUND`, so that nothing is kept of a refusal. */
async function acceptInvitation(tx: Tx, { id }: AccountRow): Promise<AccountRow> {
  const account = await activateAccount(tx, id);
  if (account === undefined) throw new RoomyError('NOT_FOUND');
  await inForce(tx, account);
  await withdrawOneTimes(tx, id, ['INVITATION']);
  return account;
}

/**
 * Links an identity to the account of somebody who is signed in, with its audit row; a second time it changes nothing. Throws
 * `UNAUTHENTICATED` when the account has been deactivated since, `ALREADY_EXISTS` when the identity is another account's.
 */
export async function linkIdentity(
  tx: Tx,
  accountId: string,
  identity: VerifiedIdentity,
  author: Author,
): Promise<void> {
  const account = await lockAccount(tx, accountId);
  if (account.status !== 'ACTIVE') throw new RoomyError('UNAUTHENTICATED', { cause: 'account_not_active' });
  const known = await accountIdOf(tx, identity);
  if (known === accountId) return;
  if (known !== undefined) throw belongsToAnother();
  await insertIdentity(tx, identity, accountId);
  await noteSessions(tx, author, accountId, 'IDENTITY_LINKED', { by: 'ACCOUNT_PAGE' });
}

/** Takes an account's identities at an issuer away, with their audit row. Throws `NOT_FOUND`. */
export async function unlinkIdentities(tx: Tx, accountId: string, issuer: string, author: Author): Promise<void> {
  await lockAccount(tx, accountId);
  const { numDeletedRows } = await tx
    .deleteFrom('identity')
    .where('account_id', '=', accountId)
    .where('issuer', '=', issuer)
    .executeTakeFirst();
  if (numDeletedRows === 0n) throw new RoomyError('NOT_FOUND', { text: 'There is no such link' });
  await noteSessions(tx, author, accountId, 'IDENTITY_UNLINKED');
}

const belongsToAnother = (): RoomyError =>
  new RoomyError('ALREADY_EXISTS', { text: 'This identity belongs to another account' });

/** Of two that link it at once, the second waits, and finds it taken. */
async function insertIdentity(tx: Tx, { issuer, subject }: VerifiedIdentity, accountId: string): Promise<void> {
  const { rows } = await sql<{ account_id: string }>`
    INSERT INTO identity (issuer, subject, account_id) VALUES (${issuer}, ${subject}, ${accountId})
    ON CONFLICT (issuer, subject) DO NOTHING RETURNING account_id`.execute(tx);
  if (rows.length === 0) throw belongsToAnother();
}
