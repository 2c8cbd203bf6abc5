import { deleteCookie, getCookie, setCookie } from 'hono/cookie';
import type { AccountRow } from '../../domain/people/accounts.ts';
import type { AnyContext, Services } from '../context.ts';
import { landingOf } from './page-session.ts';

/** Where somebody wanted to go when they had to sign in first, or give a code: the link of a mail leads there after all. */

const COOKIE = 'roomy_back';
const HOUR_SECONDS = 3_600;
/** A page of the console with its query, and nothing else: never another site. */
const PAGE = /^\/console(?:\/(?:[\w.@-]|%40){1,100}){1,3}(?:\?[\w.%&=+-]{0,300})?$/;

type Deps = Pick<Services, 'isProduction' | 'publicUrl'>;
const attributes = ({ isProduction = false, publicUrl }: Deps) =>
  ({ path: '/', httpOnly: true, sameSite: 'Lax', secure: isProduction || publicUrl.startsWith('https:') }) as const;

/** For an hour, in this browser. `path`: below the path prefix. What is no page of the console is not kept. */
export function keepWayBack(c: AnyContext, deps: Deps, path: string): void {
  if (PAGE.test(path)) setCookie(c, COOKIE, path, { ...attributes(deps), maxAge: HOUR_SECONDS });
}

export const forgetWayBack = (c: AnyContext, deps: Deps): void => void deleteCookie(c, COOKIE, attributes(deps));

export const hasWayBack = (c: AnyContext): boolean => PAGE.test(getCookie(c, COOKIE) ?? '');

/** The page that comes next, once: where they wanted to go, else where people of their role land. */
export function nextPageOf(c: AnyContext, deps: Deps, account: Pick<AccountRow, 'role'>): string {
  const path = getCookie(c, COOKIE);
  if (path === undefined) return landingOf(account);
  deleteCookie(c, COOKIE, attributes(deps));
  return PAGE.test(path) ? path : landingOf(account);
}
