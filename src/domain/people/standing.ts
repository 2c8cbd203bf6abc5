import { type RawBuilder, type SqlBool, sql } from 'kysely';
import type { Db } from '../../db/client.ts';
import type { Clock } from '../../kernel/clock.ts';
import type { AccountRole, AccountRow } from './accounts.ts';

/**
 * Whether somebody who has a token is still in force: it was right when it was signed, and the account may have been
 * deactivated since, may have another role, or the session may have ended.
 */

/** What is known of a principal, or of one session of it. */
export interface Standing {
  readonly accountId: string;
  readonly role: AccountRole;
  /** The account is active, and so is the member of staff that it belongs to. */
  readonly isActive: boolean;
  /** Of the session; null where none was asked about. */
  readonly session: { readonly isOpen: boolean; readonly mfaAt: Date | null } | null;
}

/** One statement. Null: the principal has no account, or no such session. */
export async function readStanding(db: Db, principal: string, sessionId: string | null): Promise<Standing | null> {
  const row = await db
    .selectFrom('account as a')
    .leftJoin('staff as m', 'm.id', 'a.staff_id')
    .leftJoin('session as s', (join) => join.onRef('s.account_id', '=', 'a.id').on('s.id', '=', sessionId))
    .select([
      'a.id',
      'a.role',
      's.id as sessionId',
      's.mfa_at as mfaAt',
      sql<boolean>`a.status = 'ACTIVE' AND coalesce(m.active, true)`.as('isActive'),
      sql<boolean>`coalesce(s.ended_at IS NULL AND s.expires_at > now(), false)`.as('isOpen'),
    ])
    .where('a.principal', '=', principal)
    .executeTakeFirst();
  if (!row) return null;
  const session = sessionId === null ? null : { isOpen: row.sessionId !== null && row.isOpen, mfaAt: row.mfaAt };
  return { accountId: row.id, role: row.role, isActive: row.isActive, session };
}

/** Whether the member of staff whom an account belongs to works here; of somebody else's, that is so. */
export async function isAtWork(db: Db, { staff_id: staffId }: Pick<AccountRow, 'staff_id'>): Promise<boolean> {
  if (staffId === null) return true;
  const staff = await db.selectFrom('staff').select('active').where('id', '=', staffId).executeTakeFirst();
  return staff?.active ?? false;
}

/** SQL: nobody who has been deactivated has this id, an expression of the statement around it; of a link or a calendar, which are read without a token. */
export const isInForce = (principal: RawBuilder<unknown>): RawBuilder<SqlBool> =>
  sql<SqlBool>`NOT EXISTS (SELECT FROM account of_link WHERE of_link.principal = ${principal} AND of_link.status = 'DEACTIVATED')`;

/** How long what was read is believed: with the time to hear of a change, well within the minute that is promised. */
const BELIEVED_MS = 30_000;
const MAX_BELIEVED = 10_000;

/** What a process remembers of who is in force. */
export interface StandingBook {
  /** From memory where that is young enough: then it costs no statement. */
  of(principal: string, sessionId: string | null): Promise<Standing | null>;
  /** Something about these principals has changed, or null about any: they are looked up when they call next. */
  forget(principals: Iterable<string> | null): void;
}

/** Remembers what it has read for half a minute, also that there is nobody; several who ask at once share one statement. */
export function createStandingBook(db: Db, clock: Clock): StandingBook {
  /** By principal, and in that by session. */
  const believed = new Map<
    string,
    Map<string | null, { readonly at: number; readonly read: Promise<Standing | null> }>
  >();
  return {
    of(principal, sessionId) {
      const now = clock.now().getTime();
      const known = believed.get(principal)?.get(sessionId);
      // A clock that was set back makes nothing last longer.
      if (known && known.at <= now && now - known.at < BELIEVED_MS) return known.read;
      if (believed.size >= MAX_BELIEVED) believed.clear();
      const read = readStanding(db, principal, sessionId);
      const sessions = believed.get(principal) ?? new Map();
      if (sessions.size >= MAX_SESSIONS) sessions.clear();
      sessions.set(sessionId, { at: now, read });
      believed.set(principal, sessions);
      // A failure is not remembered.
      read.catch(() => sessions.delete(sessionId));
      return read;
    },
    forget(principals) {
      if (principals === null) believed.clear();
      else for (const principal of principals) believed.delete(principal);
    },
  };
}
const MAX_SESSIONS = 100;
