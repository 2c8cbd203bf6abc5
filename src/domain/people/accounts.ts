import { type RawBuilder, type Selectable, type SqlBool, sql } from 'kysely';
import type { Db, Tx } from '../../db/client.ts';
import { literal } from '../../db/literal.ts';
import type { Database } from '../../db/schema.ts';
import { RoomyError } from '../../kernel/errors.ts';
import { newId } from '../../kernel/ids.ts';
import { cutPage, exactInstant, isAfter, type Page, type PageRequest } from '../paging.ts';

/** One account for each person who signs in. The only statements that write `account`. */

export type AccountRow = Selectable<Database['account']>;
export type AccountRole = AccountRow['role'];
export type AccountStatus = AccountRow['status'];

/** Roles that run the house or move money: nothing of theirs opens before a second factor. */
export const needsSecondFactor = (role: AccountRole): boolean =>
  role === 'ADMIN' || role === 'FINANCE' || role === 'OPS';

/** The public form of an account: nothing by which somebody could sign in. */
export const accountView = (row: AccountRow) => ({
  id: row.id,
  email: row.email,
  name: row.name,
  role: row.role,
  staffId: row.staff_id,
  ownerId: row.owner_id,
  guestId: row.guest_id,
  principal: row.principal,
  status: row.status,
  locale: row.locale,
  hasAuthenticator: row.totp_secret !== null,
  invitedBy: row.invited_by,
  version: row.version,
  createdAt: row.created_at.toISOString(),
});
export type AccountView = ReturnType<typeof accountView>;

const accountNotFound = (): RoomyError => new RoomyError('NOT_FOUND', { text: 'Account not found' });

/** By an address, whatever its case. Undefined: nobody of ours. */
export const findAccountByEmail = (db: Db | Tx, email: string): Promise<AccountRow | undefined> =>
  db.selectFrom('account').selectAll().where(sql<SqlBool>`lower(email) = lower(${email})`).executeTakeFirst();

/** By its id. Undefined: there is none. */
export const findAccount = (db: Db | Tx, id: string): Promise<AccountRow | undefined> =>
  db.selectFrom('account').selectAll().where('id', '=', id).executeTakeFirst();

/** By what the person is called in tokens and audit rows. Undefined: nobody who can sign in. */
export const findAccountByPrincipal = (db: Db | Tx, principal: string): Promise<AccountRow | undefined> =>
  db.selectFrom('account').selectAll().where('principal', '=', principal).executeTakeFirst();

/** The account. Throws `NOT_FOUND`. */
export async function getAccount(db: Db | Tx, id: string): Promise<AccountRow> {
  const row = await findAccount(db, id);
  if (!row) throw accountNotFound();
  return row;
}

/** Locked until the end of the transaction. Throws `NOT_FOUND`. */
export async function lockAccount(tx: Db | Tx, id: string): Promise<AccountRow> {
  const row = await tx.selectFrom('account').selectAll().where('id', '=', id).forUpdate().executeTakeFirst();
  if (!row) throw accountNotFound();
  return row;
}

/** A page of accounts, newest first. */
export async function listAccounts(
  db: Db,
  filter: { readonly role?: AccountRole | undefined; readonly status?: AccountStatus | undefined },
  page: PageRequest,
): Promise<Page<AccountView>> {
  let query = db.selectFrom('account').selectAll().select(exactInstant('created_at').as('position_at'));
  if (filter.role !== undefined) query = query.where('role', '=', literal(filter.role));
  if (filter.status !== undefined) query = query.where('status', '=', literal(filter.status));
  if (page.after) query = query.where(isAfter('created_at', 'id', page.after));
  const rows = await query
    .orderBy('created_at', 'desc')
    .orderBy('id', 'desc')
    .limit(page.limit + 1)
    .execute();
  return cutPage(rows, page.limit, accountView);
}

export interface NewAccount {
  readonly email: string;
  readonly name: string;
  readonly role: AccountRole;
  readonly staffId?: string | null | undefined;
  readonly ownerId?: string | null | undefined;
  readonly guestId?: string | null | undefined;
  readonly locale?: string | null | undefined;
  readonly invitedBy: string | null;
}

/** Adds an account that is invited, and cannot sign in yet. A second one of an address or a record is `ALREADY_EXISTS`. */
export const insertAccount = (tx: Tx, account: NewAccount): Promise<AccountRow> =>
  tx
    .insertInto('account')
    .values({
      id: newId('account'),
      email: account.email,
      name: account.name,
      role: account.role,
      staff_id: account.staffId ?? null,
      owner_id: account.ownerId ?? null,
      guest_id: account.guestId ?? null,
      locale: account.locale ?? null,
      invited_by: account.invitedBy,
    })
    .returningAll()
    .executeTakeFirstOrThrow();

export interface AccountColumns {
  readonly email?: string | undefined;
  readonly name?: string | undefined;
  readonly role?: AccountRole | undefined;
  readonly staff_id?: string | null | undefined;
  readonly owner_id?: string | null | undefined;
  readonly guest_id?: string | null | undefined;
  readonly status?: AccountStatus | undefined;
  readonly totp_secret?: string | null | undefined;
  readonly totp_step?: number | null | undefined;
  readonly wrong_codes?: number | undefined;
  readonly wrong_code_at?: null | undefined;
}

/** Writes a row that the caller has locked, and counts its version up. */
export const updateAccount = (tx: Tx, id: string, change: AccountColumns): Promise<AccountRow> =>
  tx
    .updateTable('account')
    .set((eb) => ({ ...change, version: eb('version', '+', 1) }))
    .where('id', '=', id)
    .returningAll()
    .executeTakeFirstOrThrow();

/** An invited account becomes active; an active one stays so. Undefined: there is none, or it is deactivated. */
export const activateAccount = (tx: Tx, id: string): Promise<AccountRow | undefined> =>
  tx
    .updateTable('account')
    .set((eb) => ({ status: 'ACTIVE', version: eb('version', '+', 1) }))
    .where('id', '=', id)
    .where('status', 'in', ['INVITED', 'ACTIVE'])
    .returningAll()
    .executeTakeFirst();

/** The time step of a code is taken, unless it or a later one was: each counts once, also of two at a time. */
export async function takeTimeStep(tx: Tx, id: string, step: number): Promise<boolean> {
  const { numUpdatedRows } = await tx
    .updateTable('account')
    .set({ totp_step: step, wrong_codes: 0, wrong_code_at: null })
    .where('id', '=', id)
    .where(sql<SqlBool>`(totp_step IS NULL OR totp_step < ${step})`)
    .executeTakeFirst();
  return numUpdatedRows > 0n;
}

/** So many wrong codes of an account, in whichever sessions, and no code counts for a while. */
const MAX_WRONG_CODES = 10;
/** 15 minutes after the tenth, twice as long after each that follows, half a day at the most; a day without one begins anew. */
const CODES_COUNT_FROM = sql<Date>`wrong_code_at + least(interval '12 hours',
  interval '15 minutes' * 2 ^ least(wrong_codes - ${MAX_WRONG_CODES}, 10))`;
const PAUSE_SECONDS = sql<number>`CASE WHEN wrong_codes < ${MAX_WRONG_CODES} THEN 0
  ELSE greatest(0, ceil(extract(epoch FROM ${CODES_COUNT_FROM} - clock_timestamp()))) END::int`;

/** In how many seconds a code of the account's app counts again; 0: now. The row is locked. */
export async function codePauseOf(tx: Tx, id: string): Promise<number> {
  const row = await tx.selectFrom('account').select(PAUSE_SECONDS.as('pause')).where('id', '=', id).executeTakeFirst();
  return row?.pause ?? 0;
}

/** Counts a wrong code of the app; answers for how many seconds none counts now, and whether that is the first pause. */
export async function countWrongCodeOf(
  tx: Tx,
  id: string,
): Promise<{ readonly pause: number; readonly isFirst: boolean }> {
  const row = await tx
    .updateTable('account')
    .set({
      wrong_codes: sql<number>`CASE WHEN wrong_code_at > now() - interval '1 day' THEN wrong_codes ELSE 0 END + 1`,
      wrong_code_at: sql<Date>`clock_timestamp()`,
    })
    .where('id', '=', id)
    .returning(['wrong_codes', PAUSE_SECONDS.as('pause')])
    .executeTakeFirstOrThrow();
  return { pause: row.pause, isFirst: row.wrong_codes === MAX_WRONG_CODES };
}

/** The made-up people of the demo let nobody in where there is no one click. */
export const isMadeUp: RawBuilder<SqlBool> = sql<SqlBool>`invited_by IS NOT DISTINCT FROM 'demo'`;

/**
 * Locks the accounts of all active administrators, always in one order, so that of two who take each other's role away one
 * waits and is refused.
 */
export const lockAdmins = (tx: Tx) =>
  tx
    .selectFrom('account')
    .select(['id', isMadeUp.as('is_made_up')])
    .where('role', '=', literal('ADMIN'))
    .where('status', '=', literal('ACTIVE'))
    .orderBy('id')
    .forUpdate()
    .execute();
export type Admins = Awaited<ReturnType<typeof lockAdmins>>;

const DEMO_AUTHOR = 'demo';
/** The made-up people of the demo who can be signed in by one click, in the order of their roles. None in production. */
export const listDemoAccounts = (db: Db): Promise<AccountRow[]> =>
  db
    .selectFrom('account')
    .selectAll()
    .where('invited_by', '=', DEMO_AUTHOR)
    .where('status', '=', literal('ACTIVE'))
    .orderBy('id')
    .limit(20)
    .execute();
