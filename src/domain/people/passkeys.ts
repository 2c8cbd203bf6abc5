import { type Selectable, type SqlBool, sql } from 'kysely';
import type { Db, Tx } from '../../db/client.ts';
import type { Database } from '../../db/schema.ts';
import { RoomyError } from '../../kernel/errors.ts';
import type { Author } from '../audit/record.ts';
import { lockAccount } from './accounts.ts';
import { noteSessions } from './administer.ts';

/**
 * The passkeys of an account: public keys of authenticators that have seen their holder. The only statements that write
 * `passkey`. Names that people give stay out of the trail.
 */

export type PasskeyRow = Selectable<Database['passkey']>;

/** More than anybody carries; a bound for the lists that are made of them. */
export const MAX_PASSKEYS = 20;

/** What a person is shown of a passkey of their own. */
export const passkeyView = (row: Pick<PasskeyRow, 'id' | 'name' | 'created_at' | 'last_used_at'>) => ({
  id: row.id,
  name: row.name,
  createdAt: row.created_at.toISOString(),
  lastUsedAt: row.last_used_at?.toISOString() ?? null,
});
export type PasskeyView = ReturnType<typeof passkeyView>;

export interface NewPasskey {
  /** The credential's id, base64url. */
  readonly id: string;
  /** As COSE has it. */
  readonly publicKey: Uint8Array;
  readonly counter: number;
  readonly transports: readonly string[];
  readonly name: string;
}

/** The passkeys of an account, oldest first; at most `MAX_PASSKEYS`. */
export const listPasskeys = (db: Db | Tx, accountId: string): Promise<PasskeyRow[]> =>
  db
    .selectFrom('passkey')
    .selectAll()
    .where('account_id', '=', accountId)
    .orderBy('created_at')
    .orderBy('id')
    .limit(MAX_PASSKEYS)
    .execute();

/** Whether the account has any: then what adds or removes a factor needs one. */
export const hasPasskey = async (db: Db | Tx, accountId: string): Promise<boolean> =>
  (await db.selectFrom('passkey').select('id').where('account_id', '=', accountId).limit(1).executeTakeFirst()) !==
  undefined;

/** By the credential's id. Undefined: none of ours. */
export const findPasskey = (db: Db | Tx, id: string): Promise<PasskeyRow | undefined> =>
  db.selectFrom('passkey').selectAll().where('id', '=', id).executeTakeFirst();

/**
 * Adds a passkey to an account, with its audit row. Throws `UNAUTHENTICATED` when the account has been deactivated since,
 * `ALREADY_EXISTS` for a credential that somebody has, `INVALID_STATE_TRANSITION` for one too many.
 */
export async function addPasskey(tx: Tx, accountId: string, passkey: NewPasskey, author: Author): Promise<PasskeyView> {
  const account = await lockAccount(tx, accountId);
  if (account.status !== 'ACTIVE') throw new RoomyError('UNAUTHENTICATED', { cause: 'account_not_active' });
  const known = await listPasskeys(tx, accountId);
  if (known.length >= MAX_PASSKEYS) {
    const text = `An account has ${MAX_PASSKEYS} passkeys at the most: remove one first`;
    throw new RoomyError('INVALID_STATE_TRANSITION', { text });
  }
  const row = await tx
    .insertInto('passkey')
    .values({
      id: passkey.id,
      account_id: accountId,
      public_key: Buffer.from(passkey.publicKey),
      counter: passkey.counter,
      transports: [...passkey.transports],
      name: passkey.name,
    })
    .onConflict((conflict) => conflict.column('id').doNothing())
    .returningAll()
    .executeTakeFirst();
  if (!row) throw new RoomyError('ALREADY_EXISTS', { text: 'This passkey is known already' });
  await noteSessions(tx, author, accountId, 'PASSKEY_ADDED', { passkeyId: row.id });
  return passkeyView(row);
}

/**
 * Takes a use of a passkey with the counter that its authenticator sent. False: it has not gone up since the use before, as
 * happens with a copy of the authenticator; those that do not count always send 0. Of two uses with one counter, one is taken.
 */
export async function takePasskeyUse(tx: Tx, id: string, counter: number): Promise<boolean> {
  const { numUpdatedRows } = await tx
    .updateTable('passkey')
    .set({ counter, last_used_at: sql<Date>`now()` })
    .where('id', '=', id)
    .where(sql<SqlBool>`(counter < ${counter}::bigint OR (counter = 0 AND ${counter}::bigint = 0))`)
    .executeTakeFirst();
  return numUpdatedRows > 0n;
}

/** Gives a passkey of the account another name, with its audit row. Throws `NOT_FOUND`. */
export async function renamePasskey(
  tx: Tx,
  accountId: string,
  id: string,
  name: string,
  author: Author,
): Promise<PasskeyView> {
  const row = await tx
    .updateTable('passkey')
    .set({ name })
    .where('id', '=', id)
    .where('account_id', '=', accountId)
    .returningAll()
    .executeTakeFirst();
  if (!row) throw passkeyNotFound();
  await noteSessions(tx, author, accountId, 'PASSKEY_RENAMED', { passkeyId: id });
  return passkeyView(row);
}

/** Removes a passkey of the account, with its audit row; nobody signs in with it any more. Throws `NOT_FOUND`. */
export async function removePasskey(tx: Tx, accountId: string, id: string, author: Author): Promise<void> {
  await lockAccount(tx, accountId);
  const { numDeletedRows } = await tx
    .deleteFrom('passkey')
    .where('id', '=', id)
    .where('account_id', '=', accountId)
    .executeTakeFirst();
  if (numDeletedRows === 0n) throw passkeyNotFound();
  await noteSessions(tx, author, accountId, 'PASSKEY_REMOVED', { passkeyId: id });
}

/** Removes all passkeys of an account, which is locked; answers how many. The audit row is the caller's. */
export async function removePasskeysOf(tx: Tx, accountId: string): Promise<number> {
  const { numDeletedRows } = await tx.deleteFrom('passkey').where('account_id', '=', accountId).executeTakeFirst();
  return Number(numDeletedRows);
}

const passkeyNotFound = (): RoomyError => new RoomyError('NOT_FOUND', { text: 'Passkey not found' });
