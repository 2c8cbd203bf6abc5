import type { Context } from 'hono';
import { deleteCookie, setCookie } from 'hono/cookie';
import { parse } from 'hono/utils/cookie';
import { decodeJwt } from 'jose';
import type { Clock } from '../kernel/clock.ts';

/** The token itself is the session: nothing to store, and it ends when the token ends. */

export interface Operator {
  readonly sub: string;
  /** False: a good token of another role. */
  readonly allowed: boolean;
}
export type VerifyToken = (token: string) => Promise<{ readonly sub: string; readonly role: string | null }>;

const COOKIE = 'roomy_ops';
const ROLES: ReadonlySet<string> = new Set(['OPS', 'ADMIN']);
/** A cookie holds 4 KB with its name and attributes. */
const MAX_TOKEN_CHARS = 3_500;

/** Null for no token, or one that is not valid; why not is nobody's business but the log's. */
export async function verifyOperator(verify: VerifyToken, token: string | undefined): Promise<Operator | null> {
  if (!token || token.length > MAX_TOKEN_CHARS) return null;
  try {
    const { sub, role } = await verify(token);
    return { sub, allowed: role !== null && ROLES.has(role) };
  } catch {
    return null;
  }
}

/** The operator of a request, from its `Cookie` header alone, so that it can be asked wherever headers are at hand. */
export const operatorOf = (verify: VerifyToken, cookieHeader: string | undefined): Promise<Operator | null> =>
  verifyOperator(verify, cookieHeader === undefined ? undefined : parse(cookieHeader, COOKIE)[COOKIE]);

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

export const closeSession = (c: Context, { prefix, isHttps }: CookiePlace): void => {
  const secure = isHttps || cameByHttps(c);
  deleteCookie(c, COOKIE, { path: prefix || '/', httpOnly: true, sameSite: 'Strict', secure });
};

/** Behind a proxy that ends TLS this program sees http; the browser's `Origin` still says how it came. */
const cameByHttps = (c: Context): boolean =>
  new URL(c.req.url).protocol === 'https:' || (c.req.header('origin') ?? '').startsWith('https://');
