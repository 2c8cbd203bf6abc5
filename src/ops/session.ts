import type { Context } from 'hono';
import { deleteCookie, setCookie } from 'hono/cookie';
import { parse } from 'hono/utils/cookie';
import { decodeJwt } from 'jose';
import type { Origin } from '../domain/audit/record.ts';
import type { Clock } from '../kernel/clock.ts';

/**
 * Operators sign in where everybody does, and their session counts here too where both ports have one host: a cookie ignores
 * ports. In development a pasted token does as well: it is its own session, and ends when the token ends.
 */

export interface Operator {
  readonly sub: string;
  /** False: a good token of another role. */
  readonly allowed: boolean;
  /** Whether messages are shown, which have names, addresses and what opens doors. */
  readonly seesMessages: boolean;
  /** A second factor was given of late, as retrying a saga needs it (security.md S3). A pasted token is not asked. */
  readonly isSteppedUp: boolean;
  /** By what it is known who it is, as the audit trail names it; null: by what has no name. */
  readonly credential: string | null;
}
interface Identity {
  readonly sub: string;
  readonly role: string | null;
  readonly isSteppedUp?: boolean;
  readonly credential?: string | null;
}
export type VerifyToken = (token: string) => Promise<Identity>;

/** Sessions of the sign-in that all pages share. */
export interface OperatorSessions {
  /** The name of their cookie. */
  readonly cookie: string;
  /** Who is signed in with such a key, and has given a second factor; null: nobody. */
  find(key: string): Promise<Identity | null>;
  /** Uses up the code that a page of the sign-in has handed over, for a port that browsers reach under another host; null: none. */
  take(code: string, origin: Origin): Promise<{ readonly key: string; readonly expiresAt: Date } | null>;
  /** Ends it, with its audit row. */
  end(key: string, origin: Origin): Promise<void>;
}
export interface OperatorSource {
  readonly verifyToken: VerifyToken;
  readonly sessions?: OperatorSessions;
  /** Whether a pasted token signs in; default: yes. */
  readonly takesTokens?: boolean;
}

const COOKIE = 'roomy_ops';
const ROLES: ReadonlySet<string> = new Set(['OPS', 'ADMIN']);
/** A cookie holds 4 KB with its name and attributes. */
const MAX_TOKEN_CHARS = 3_500;

/** Null for no token, or one that is not valid; why not is nobody's business but the log's. */
export async function verifyOperator(verify: VerifyToken, token: string | undefined): Promise<Operator | null> {
  if (!token || token.length > MAX_TOKEN_CHARS) return null;
  try {
    return operatorBy(await verify(token));
  } catch {
    return null;
  }
}

/** The operator of a request, from its `Cookie` header alone, so that it can be asked wherever headers are at hand. */
export async function operatorOf(source: OperatorSource, cookieHeader: string | undefined): Promise<Operator | null> {
  if (cookieHeader === undefined) return null;
  const key = sessionKeyIn(source, cookieHeader);
  const identity = key === undefined ? null : ((await source.sessions?.find(key)) ?? null);
  if (identity !== null) return operatorBy(identity);
  if (source.takesTokens === false) return null;
  return verifyOperator(source.verifyToken, parse(cookieHeader, COOKIE)[COOKIE]);
}

/** The key of a session in a `Cookie` header: that of all pages, or one that was handed over to this port. */
export function sessionKeyIn({ sessions }: OperatorSource, cookieHeader: string | undefined): string | undefined {
  if (sessions === undefined || cookieHeader === undefined) return undefined;
  const cookies = parse(cookieHeader);
  const own = cookies[COOKIE];
  // A token has dots.
  return own !== undefined && own !== '' && !own.includes('.') ? own : cookies[sessions.cookie];
}

const operatorBy = ({ sub, role, isSteppedUp = true, credential = null }: Identity): Operator => ({
  credential,
  sub,
  isSteppedUp,
  allowed: role !== null && ROLES.has(role),
  seesMessages: role === 'ADMIN',
});

/** Where the cookie goes to: the path under which operators reach this port, and whether they reach it by https. */
export interface CookiePlace {
  /** Such as `/operations`, or nothing. */
  readonly prefix: string;
  /** By the configured address. */
  readonly isHttps: boolean;
}

/** False when the token names no end, or a past one: such a session is not opened. */
export function openSession(c: Context, token: string, { clock, ...place }: CookiePlace & { clock: Clock }): boolean {
  const { exp } = decodeJwt(token);
  const seconds = Math.floor((exp ?? 0) - clock.now().getTime() / 1000);
  if (seconds <= 0) return false;
  setCookie(c, COOKIE, token, {
    httpOnly: true,
    sameSite: 'Strict',
    path: place.prefix || '/',
    secure: place.isHttps || cameByHttps(c),
    maxAge: seconds,
    expires: new Date((exp ?? 0) * 1000),
  });
  return true;
}

/** Keeps a session that was handed over. */
export function keepSession(
  c: Context,
  { key, expiresAt }: { readonly key: string; readonly expiresAt: Date },
  { prefix, isHttps }: CookiePlace,
): void {
  const secure = isHttps || cameByHttps(c);
  setCookie(c, COOKIE, key, { httpOnly: true, sameSite: 'Strict', path: prefix || '/', secure, expires: expiresAt });
}

export const closeSession = (c: Context, { prefix, isHttps }: CookiePlace): void => {
  const secure = isHttps || cameByHttps(c);
  deleteCookie(c, COOKIE, { path: prefix || '/', httpOnly: true, sameSite: 'Strict', secure });
};

/** Behind a proxy that ends TLS this program sees http; the browser's `Origin` still says how it came. */
const cameByHttps = (c: Context): boolean =>
  new URL(c.req.url).protocol === 'https:' || (c.req.header('origin') ?? '').startsWith('https://');
