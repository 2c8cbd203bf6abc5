import { type RawBuilder, type Selectable, type SqlBool, sql } from 'kysely';
import type { Db, Tx } from '../../db/client.ts';
import { literal } from '../../db/literal.ts';
import type { Database } from '../../db/schema.ts';
import { newId, newSecret } from '../../kernel/ids.ts';
import { sha256OfBytes } from '../../kernel/json.ts';
import { type AccountRow, lockAccount } from './accounts.ts';
import { type OneTimeKind, withdrawOneTimes } from './one-time.ts';

/**
 * Where people are signed in. The only statements that write `session`. The key in the cookie is 256 random bits; the table
 * has its SHA-256, so that who reads the table can sign in nowhere.
 */

export type SessionRow = Selectable<Database['session']>;
export type SignInMethod = SessionRow['method'];
export type EndReason = NonNullable<SessionRow['ended_reason']>;

export interface NewSession {
  readonly accountId: string;
  readonly method: SignInMethod;
  /** When two factors were given with this sign-in (a passkey with user verification); null: not yet. */
  readonly mfaAt: Date | null;
  readonly ip: string | null;
  readonly userAgent: string | null;
  /** In seconds. */
  readonly lifetime: number;
}
export interface OpenedSession {
  readonly id: string;
  /** For the cookie; kept nowhere. */
  readonly key: string;
  readonly expiresAt: Date;
}
/** A session that counts, with the account that it belongs to. */
export interface LiveSession {
  readonly id: string;
  readonly method: SignInMethod;
  readonly mfaAt: Date | null;
  readonly expiresAt: Date;
  readonly account: AccountRow;
}

const MAX_USER_AGENT_CHARS = 300;
const digestOf = (key: string): Buffer => sha256OfBytes(Buffer.from(key, 'utf8'));
const isLive = sql<SqlBool>`s.ended_at IS NULL AND s.expires_at > now()`;

/** The row of a session of an account that is locked: people come in by `beginSession` alone. */
export async function openSession(tx: Tx, session: NewSession): Promise<OpenedSession> {
  const key = newSecret();
  const row = await tx
    .insertInto('session')
    .values({
      id: newId('session'),
      account_id: session.accountId,
      key_hash: digestOf(key),
      method: session.method,
      mfa_at: session.mfaAt,
      ip: session.ip,
      user_agent: session.userAgent?.slice(0, MAX_USER_AGENT_CHARS) ?? null,
      expires_at: sql<Date>`now() + make_interval(secs => ${session.lifetime})`,
    })
    .returning(['id', 'expires_at'])
    .executeTakeFirstOrThrow();
  return { id: row.id, key, expiresAt: row.expires_at };
}

/** The session of a cookie. Null: none of ours, ended, past its end, or of an account that is not active. */
export const findSession = (db: Db, key: string): Promise<LiveSession | null> =>
  findLive(db, sql<SqlBool>`s.key_hash = ${digestOf(key)}`);

/** The same by the session's id, which proves nothing: for a caller who has proved something else. */
export const findSessionById = (db: Db, id: string): Promise<LiveSession | null> =>
  findLive(db, sql<SqlBool>`s.id = ${id}`);

async function findLive(db: Db, which: RawBuilder<SqlBool>): Promise<LiveSession | null> {
  const row = await db
    .selectFrom('session as s')
    .innerJoin('account as a', 'a.id', 's.account_id')
    .leftJoin('staff as m', 'm.id', 'a.staff_id')
    .selectAll('a')
    .select(['s.id as session_id', 's.method', 's.mfa_at', 's.expires_at'])
    .where(which)
    .where(isLive)
    .where('a.status', '=', literal('ACTIVE'))
    .where(sql<SqlBool>`coalesce(m.active, true)`)
    .executeTakeFirst();
  if (!row) return null;
  const { session_id: id, method, mfa_at: mfaAt, expires_at: expiresAt, ...account } = row;
  return { id, method, mfaAt, expiresAt, account };
}

/** What a person is shown of their own sessions, and nothing by which one could be used. */
export const sessionView = (row: Omit<SessionRow, 'key_hash'>) => ({
  id: row.id,
  method: row.method,
  ip: row.ip,
  userAgent: row.user_agent,
  secondFactorAt: row.mfa_at?.toISOString() ?? null,
  createdAt: row.created_at.toISOString(),
  lastSeenAt: row.last_seen_at.toISOString(),
  expiresAt: row.expires_at.toISOString(),
});
export type SessionView = ReturnType<typeof sessionView>;

/** More than these are not shown: the oldest are the first to end by themselves. */
const MAX_SHOWN = 100;

/** The sessions of an account that count, newest first. */
export async function listSessions(db: Db, accountId: string): Promise<readonly SessionView[]> {
  const rows = await db
    .selectFrom('session as s')
    .selectAll()
    .where('s.account_id', '=', accountId)
    .where(isLive)
    .orderBy('s.created_at', 'desc')
    .limit(MAX_SHOWN)
    .execute();
  return rows.map(sessionView);
}

/** A second factor was given in this session, now. */
export async function markSecondFactor(tx: Tx, sessionId: string): Promise<void> {
  await tx
    .updateTable('session as s')
    .set({ mfa_at: sql<Date>`now()` })
    .where('s.id', '=', sessionId)
    .where(isLive)
    .execute();
}

/** Ends one session; of `accountId` alone, where that is given. Answers whether it was open. */
export async function endSession(tx: Tx, id: string, reason: EndReason, accountId?: string): Promise<boolean> {
  let update = tx
    .updateTable('session')
    .set({ ended_at: sql<Date>`now()`, ended_reason: reason })
    .where('id', '=', id)
    .where('ended_at', 'is', null);
  if (accountId !== undefined) update = update.where('account_id', '=', accountId);
  const { numUpdatedRows } = await update.executeTakeFirst();
  return numUpdatedRows > 0n;
}

/** What somebody has begun, or has been sent, to get into an account that is in use. */
const ON_ITS_WAY: readonly OneTimeKind[] = ['LINK', 'HAND_OVER', 'OIDC_STATE', 'PASSKEY_CHALLENGE'];

/**
 * Ends every session of an account, and what would open another one; answers how many sessions. The account is locked, as it is where
 * one begins (`beginSession`): one that begins at the same time is ended here, or finds that what it began with has ended.
 */
export async function endSessionsOf(tx: Tx, accountId: string, reason: EndReason): Promise<number> {
  await lockAccount(tx, accountId);
  await withdrawOneTimes(tx, accountId, ON_ITS_WAY);
  const { numUpdatedRows } = await tx
    .updateTable('session')
    .set({ ended_at: sql<Date>`now()`, ended_reason: reason })
    .where('account_id', '=', accountId)
    .where('ended_at', 'is', null)
    .executeTakeFirst();
  return Number(numUpdatedRows);
}

/** Ends the sessions of everybody, as a restore does; answers how many. */
export async function endAllSessions(tx: Tx): Promise<number> {
  const { numUpdatedRows } = await tx
    .updateTable('session')
    .set({ ended_at: sql<Date>`now()`, ended_reason: 'REVOKED' })
    .where('ended_at', 'is', null)
    .executeTakeFirst();
  return Number(numUpdatedRows);
}

/** Wrong codes in one session, after which it ends: of a million codes three are right at a time. */
const MAX_WRONG_CODES = 5;

/** Counts a wrong code of a second factor; the session ends with too many. */
export async function countWrongCode(tx: Tx, sessionId: string): Promise<void> {
  const row = await tx
    .updateTable('session')
    .set((eb) => ({ wrong_codes: eb('wrong_codes', '+', 1) }))
    .where('id', '=', sessionId)
    .returning('wrong_codes')
    .executeTakeFirst();
  if (row !== undefined && row.wrong_codes >= MAX_WRONG_CODES) await endSession(tx, sessionId, 'REVOKED');
}

const SEEN_EVERY_SECONDS = 60;
/** Notes that a session was used, at the most once a minute. */
export async function touchSession(db: Db, sessionId: string): Promise<void> {
  await db
    .updateTable('session')
    .set({ last_seen_at: sql<Date>`now()` })
    .where('id', '=', sessionId)
    .where(sql<SqlBool>`last_seen_at < now() - make_interval(secs => ${SEEN_EVERY_SECONDS})`)
    .execute();
}

/** After their end. */
export const SESSIONS_KEPT_DAYS = 90;

/** Deletes some that are over for a quarter of a year; answers how many. The audit trail keeps that they were. */
export async function pruneSessions(db: Db, limit: number): Promise<number> {
  const { numAffectedRows } = await sql`
    DELETE FROM session WHERE id IN (SELECT s.id FROM session s
      WHERE s.expires_at < now() - ${SESSIONS_KEPT_DAYS}::int * interval '1 day' ORDER BY s.expires_at LIMIT ${limit}::int)`.execute(
    db,
  );
  return Number(numAffectedRows ?? 0n);
}
