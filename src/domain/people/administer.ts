import type { Tx } from '../../db/client.ts';
import { literal } from '../../db/literal.ts';
import { RoomyError } from '../../kernel/errors.ts';
import { changesOf } from '../audit/changes.ts';
import { type Author, fieldsOf, recordAudit, recordChange } from '../audit/record.ts';
import { assertVersion, type ExpectedVersions } from '../versions.ts';
import {
  type AccountRole,
  type AccountRow,
  type Admins,
  findAccountByPrincipal,
  insertAccount,
  lockAccount,
  lockAdmins,
  type NewAccount,
  updateAccount,
} from './accounts.ts';
import { withdrawOneTimes } from './one-time.ts';
import { type EndReason, endSessionsOf } from './sessions.ts';

/** What administrators do with accounts: each change with the end of what it ends and its audit row, in one transaction. */

export type Links = Pick<NewAccount, 'staffId' | 'ownerId' | 'guestId'>;
export interface AccountChange extends Links {
  readonly email?: string | undefined;
  readonly name?: string | undefined;
  readonly role?: AccountRole | undefined;
}
/** A changed account, and what it was called before: both are looked up anew. */
export interface Changed {
  readonly account: AccountRow;
  readonly principals: readonly string[];
  /** The role or the record is another one. */
  readonly isOther?: boolean;
  /** The address that it had, where that is another one now: both are told. */
  readonly formerEmail?: string;
}

const LINK_OF: Readonly<Record<AccountRole, keyof Links | null>> = {
  ADMIN: null,
  FINANCE: null,
  OPS: null,
  AGENT: 'staffId',
  CLEANER: 'staffId',
  MAINTENANCE_STAFF: 'staffId',
  OWNER: 'ownerId',
  GUEST: 'guestId',
};

/** Adds an account that is invited. Throws `VALIDATION_FAILED` for a record that does not fit the role, `ALREADY_EXISTS`. */
export async function addAccount(tx: Tx, wanted: NewAccount, author: Author): Promise<AccountRow> {
  await assertLinks(tx, wanted.role, wanted);
  const account = await insertAccount(tx, wanted);
  await noteChange(tx, author, [null, account], 'ACCOUNT_INVITED', fieldsOf(wanted));
  return account;
}

/**
 * Changes address, name, role or record of an account of an expected version. With another address, role or record all its sessions
 * end, and with another address its links too: whoever reads the mailbox of before must not come in by one. Throws `NOT_FOUND`,
 * `PRECONDITION_FAILED`, `VALIDATION_FAILED`, `LAST_ADMIN`, and `ALREADY_EXISTS` for the address of another account.
 */
export async function changeAccount(
  tx: Tx,
  id: string,
  change: AccountChange,
  expected: ExpectedVersions,
  author: Author,
): Promise<Changed> {
  const admins = await lockAdmins(tx);
  const before = await lockAccount(tx, id);
  assertVersion(before.version, expected);
  const role = change.role ?? before.role;
  const links = change.role === undefined && !hasLinks(change) ? linksOf(before) : linksAfter(role, before, change);
  if (role !== 'ADMIN') assertNotLastAdmin(before, admins);
  await assertLinks(tx, role, links);
  const columns = { staff_id: links.staffId ?? null, owner_id: links.ownerId ?? null, guest_id: links.guestId ?? null };
  const account = await updateAccount(tx, id, { email: change.email, name: change.name, role, ...columns });
  const hasOtherEmail = account.email !== before.email;
  if (hasOtherEmail) await withdrawOneTimes(tx, id, ['INVITATION']);
  const isOther = account.role !== before.role || account.principal !== before.principal;
  const ended = isOther || hasOtherEmail ? await endSessionsOf(tx, id, isOther ? 'ROLE_CHANGED' : 'REVOKED') : 0;
  await noteChange(tx, author, [before, account], 'ACCOUNT_UPDATED', fieldsOf(change), ended);
  const principals = [before.principal, account.principal];
  return { account, principals, isOther, ...(hasOtherEmail ? { formerEmail: before.email } : {}) };
}

/** Nothing of this account opens any more: sessions, links, invitations. Throws `NOT_FOUND` and `LAST_ADMIN`. */
export async function deactivateAccount(
  tx: Tx,
  id: string,
  expected: ExpectedVersions,
  author: Author,
): Promise<Changed> {
  const admins = await lockAdmins(tx);
  const before = await lockAccount(tx, id);
  assertVersion(before.version, expected);
  assertNotLastAdmin(before, admins);
  if (before.status === 'DEACTIVATED') return { account: before, principals: [before.principal] };
  const account = await updateAccount(tx, id, { status: 'DEACTIVATED' });
  const ended = await endSessionsOf(tx, id, 'DEACTIVATED');
  await withdrawOneTimes(tx, id, ['INVITATION']);
  await noteChange(tx, author, [before, account], 'ACCOUNT_DEACTIVATED', ['status'], ended);
  return { account, principals: [account.principal] };
}

/** May sign in again, by a new link; what was ended stays so. Throws `NOT_FOUND`. */
export async function reactivateAccount(
  tx: Tx,
  id: string,
  expected: ExpectedVersions,
  author: Author,
): Promise<Changed> {
  const before = await lockAccount(tx, id);
  assertVersion(before.version, expected);
  if (before.status !== 'DEACTIVATED') return { account: before, principals: [] };
  const account = await updateAccount(tx, id, { status: 'ACTIVE' });
  await noteChange(tx, author, [before, account], 'ACCOUNT_REACTIVATED', ['status']);
  return { account, principals: [account.principal] };
}

/** Signs somebody out everywhere, and takes links back that are on their way, with the audit row; answers how many sessions ended. */
export async function endAllSessions(
  tx: Tx,
  account: Pick<AccountRow, 'id'>,
  reason: Extract<EndReason, 'REVOKED' | 'SIGNED_OUT_EVERYWHERE'>,
  author: Author,
): Promise<number> {
  const ended = await endSessionsOf(tx, account.id, reason);
  await noteSessions(tx, author, account.id, 'SESSIONS_ENDED', { ended });
  return ended;
}

/** The account of a member of staff whose record has changed: it follows the role, and nobody who has left stays signed in. */
export async function followStaff(
  tx: Tx,
  staffId: string,
  change: { readonly active?: boolean | undefined; readonly role?: AccountRole | undefined },
  author: Author,
): Promise<void> {
  const known = await findAccountByPrincipal(tx, staffId);
  if (!known) return;
  const before = await lockAccount(tx, known.id);
  if (change.role !== undefined && change.role !== before.role) {
    const account = await updateAccount(tx, before.id, { role: change.role });
    const ended = await endSessionsOf(tx, before.id, 'ROLE_CHANGED');
    await noteChange(tx, author, [before, account], 'ACCOUNT_UPDATED', ['role'], ended);
  }
  if (change.active === false) {
    const ended = await endSessionsOf(tx, before.id, 'DEACTIVATED');
    await withdrawOneTimes(tx, before.id, ['INVITATION']);
    await noteSessions(tx, author, before.id, 'SESSIONS_ENDED', { ended, cause: 'STAFF_INACTIVE' });
  }
}

/** An audit row about sign-ins and sessions of an account, which have no version. */
export const noteSessions = (
  tx: Tx,
  author: Author,
  accountId: string,
  event: string,
  details: Readonly<Record<string, string | number | null>> = {},
): Promise<void> =>
  recordAudit(tx, {
    streamId: `account:${accountId}`,
    event,
    ...author,
    body: { outcome: 'success', details: { id: accountId, ...details } },
  });

/** Without one, nobody could invite the next: of those who can sign in, unless all are made up. `admins`: the active ones, locked. */
function assertNotLastAdmin(before: AccountRow, admins: Admins): void {
  const own = admins.find(({ id }) => id === before.id);
  if (own && !admins.some((one) => one !== own && (own.is_made_up || !one.is_made_up)))
    throw new RoomyError('LAST_ADMIN');
}

const hasLinks = ({ staffId, ownerId, guestId }: Links): boolean =>
  [staffId, ownerId, guestId].some((link) => link !== undefined);
const linksOf = (row: AccountRow): Links => ({ staffId: row.staff_id, ownerId: row.owner_id, guestId: row.guest_id });

/** Of what there was, only the link that the role has; what is named counts. */
function linksAfter(role: AccountRole, before: AccountRow, change: Links): Links {
  const field = LINK_OF[role];
  const kept = field === null ? {} : { [field]: linksOf(before)[field] };
  const named = Object.fromEntries(
    Object.entries(change).filter(([name, value]) => name in ALL_LINKS && value !== undefined),
  );
  return { ...kept, ...named };
}
const ALL_LINKS = { staffId: true, ownerId: true, guestId: true };

/** The record that a role needs, and no other: by it rights on objects are decided, so a wrong one is refused by name. */
async function assertLinks(tx: Tx, role: AccountRole, links: Links): Promise<void> {
  const field = LINK_OF[role];
  for (const name of ['staffId', 'ownerId', 'guestId'] as const) {
    const value = links[name] ?? null;
    if (name === field && value === null) throw invalid(name, `an account of role ${role} needs it`);
    if (name !== field && value !== null) throw invalid(name, `an account of role ${role} has none`);
  }
  const id = field === null ? null : links[field];
  if (typeof id !== 'string' || field === null) return;
  if (!(await fits(tx, field, id, role))) throw invalid(field, 'no such record, or one of another role');
}

async function fits(tx: Tx, field: keyof Links, id: string, role: AccountRole): Promise<boolean> {
  if (field === 'ownerId')
    return isThere(await tx.selectFrom('owner').select('id').where('id', '=', id).executeTakeFirst());
  if (field === 'guestId')
    return isThere(await tx.selectFrom('guest').select('id').where('id', '=', id).executeTakeFirst());
  const staff = await tx
    .selectFrom('staff')
    .select('role')
    .where('id', '=', id)
    .where('active', '=', literal(true))
    .executeTakeFirst();
  return staff?.role === role;
}
const isThere = (row: object | undefined): boolean => row !== undefined;

const invalid = (path: string, message: string): RoomyError =>
  new RoomyError('VALIDATION_FAILED', { details: { issues: [{ path, message }] } });

/** An audit row about a changed account, and one about the sessions that ended with the change. */
export async function noteChange(
  tx: Tx,
  author: Author,
  [before, account]: readonly [before: AccountRow | null, after: AccountRow],
  event: string,
  fields: readonly string[],
  ended = 0,
): Promise<void> {
  await recordChange(tx, author, {
    noun: 'account',
    id: account.id,
    event,
    fields,
    changes: changesOf('account', before, account),
    version: account.version,
  });
  if (ended > 0) await noteSessions(tx, author, account.id, 'SESSIONS_ENDED', { ended, cause: event });
}
