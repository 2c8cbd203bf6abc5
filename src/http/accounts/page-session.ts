import { deleteCookie, getCookie, setCookie } from 'hono/cookie';
import { type AccountRow, needsSecondFactor } from '../../domain/people/accounts.ts';
import { findSession, type LiveSession, type OpenedSession } from '../../domain/people/sessions.ts';
import { RoomyError } from '../../kernel/errors.ts';
import { isFromOwnPage } from '../../kernel/same-origin.ts';
import { sessionCookie } from '../../kernel/session-cookie.ts';
import type { Role } from '../auth.ts';
import type { AnyContext, Services } from '../context.ts';

/** The session of a browser. Its cookie counts on pages only: `/api` knows bearer tokens and nothing else. */

type Deps = Pick<Services, 'db' | 'isProduction' | 'publicUrl'>;
const nameIn = ({ isProduction = false }: Deps): string => sessionCookie(isProduction);

/** Lax, so that a link in a mail finds its reader signed in; what changes anything checks where it comes from besides. */
const attributes = ({ isProduction = false, publicUrl }: Deps) =>
  ({ path: '/', httpOnly: true, sameSite: 'Lax', secure: isProduction || publicUrl.startsWith('https:') }) as const;

/** The session that counts now; null: signed out, ended meanwhile, or deactivated. */
export async function sessionOf(c: AnyContext, deps: Deps): Promise<LiveSession | null> {
  const key = getCookie(c, nameIn(deps));
  return key === undefined || key === '' ? null : findSession(deps.db, key);
}

export function keepSession(
  c: AnyContext,
  deps: Deps & Pick<Services, 'clock'>,
  { key, expiresAt }: OpenedSession,
): void {
  const seconds = Math.max(0, Math.floor((expiresAt.getTime() - deps.clock.now().getTime()) / 1_000));
  setCookie(c, nameIn(deps), key, { ...attributes(deps), maxAge: seconds, expires: expiresAt });
}

export const dropSession = (c: AnyContext, deps: Deps): void => {
  deleteCookie(c, nameIn(deps), attributes(deps));
};

/** Throws `CROSS_SITE` for what another site made a browser send. */
export function assertFromOwnPage(c: AnyContext, { publicUrl }: Deps): void {
  if (!isFromOwnPage((name) => c.req.header(name), c.req.url, publicUrl)) throw new RoomyError('CROSS_SITE');
}

/** Nothing opens in this session before a second factor was given in it. */
export const lacksSecondFactor = ({ mfaAt, account }: Pick<LiveSession, 'mfaAt' | 'account'>): boolean =>
  mfaAt === null && (needsSecondFactor(account.role) || account.totp_secret !== null);

const DAY_SECONDS = 24 * 3_600;
const LIFETIME_SECONDS: Readonly<Record<Role, number>> = {
  // On the phone, day after day.
  CLEANER: 30 * DAY_SECONDS,
  MAINTENANCE_STAFF: 30 * DAY_SECONDS,
  AGENT: 30 * DAY_SECONDS,
  OWNER: 7 * DAY_SECONDS,
  GUEST: 7 * DAY_SECONDS,
  // A working day.
  ADMIN: DAY_SECONDS / 2,
  FINANCE: DAY_SECONDS / 2,
  OPS: DAY_SECONDS / 2,
};
/** How long a session of this role lasts, in seconds. */
export const lifetimeOf = (role: Role): number => LIFETIME_SECONDS[role];

/** The page on which somebody of this role lands. */
export function landingOf({ role }: Pick<AccountRow, 'role'>): string {
  if (role === 'OWNER') return '/owner';
  return role === 'CLEANER' || role === 'MAINTENANCE_STAFF' || role === 'AGENT' ? '/work' : '/account';
}
