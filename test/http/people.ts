import type { Db } from '../../src/db/client.ts';
import { readDevMail } from '../../src/domain/messages/delivery-mailbox.ts';
import { type AccountRow, insertAccount, type NewAccount, updateAccount } from '../../src/domain/people/accounts.ts';
import type { App } from '../../src/http/context.ts';
import type { Clock } from '../../src/kernel/clock.ts';
import { deliverAll } from '../setup/deliver.ts';
import { PUBLIC_URL } from './harness.ts';

/** People who sign in, and the browsers that they do it with. */

let made = 0;
/** An account that is active, with a record of its own where the role needs one. */
export async function addPerson(
  db: Db,
  role: AccountRow['role'],
  links: Partial<NewAccount> = {},
): Promise<AccountRow> {
  made += 1;
  const email = `${role.toLowerCase()}-${made}@people.example`;
  return db.transaction().execute(async (tx) => {
    const id = `${role.toLowerCase()}-of-${made}`;
    let linked: Partial<NewAccount> = links;
    if (Object.keys(links).length === 0) {
      if (role === 'AGENT' || role === 'CLEANER' || role === 'MAINTENANCE_STAFF') {
        await tx.insertInto('staff').values({ id, name: 'Nina', email, role }).execute();
        linked = { staffId: id };
      } else if (role === 'OWNER') {
        await tx.insertInto('owner').values({ id, name: 'Olga', email }).execute();
        linked = { ownerId: id };
      } else if (role === 'GUEST') {
        await tx.insertInto('guest').values({ id, name: 'Gus', email }).execute();
        linked = { guestId: id };
      }
    }
    const account = await insertAccount(tx, { email, name: `Person ${made}`, role, invitedBy: null, ...linked });
    return updateAccount(tx, account.id, { status: 'ACTIVE' });
  });
}

/** A clock that a test moves forward. */
export function movableClock(): Clock & { forward(seconds: number): void } {
  let skewMs = 0;
  return {
    now: () => new Date(Date.now() + skewMs),
    forward: (seconds) => {
      skewMs += seconds * 1_000;
    },
  };
}

export interface PageAnswer {
  readonly status: number;
  readonly location: string | null;
  readonly text: string;
  readonly headers: Headers;
}
export interface Browser {
  get(path: string): Promise<PageAnswer>;
  /** A form of ours, or of another site with other headers. */
  post(
    path: string,
    form?: Readonly<Record<string, string>>,
    headers?: Readonly<Record<string, string>>,
  ): Promise<PageAnswer>;
  /** The value of the session's cookie. */
  readonly key: string | null;
  /** What it sends as `Cookie`. */
  readonly cookie: string;
  /** The `Set-Cookie` header that came last. */
  readonly lastSet: string;
}

export function browserOf(app: App): Browser {
  const jar = new Map<string, string>();
  let lastSet = '';
  const cookie = (): string => [...jar].map(([name, value]) => `${name}=${value}`).join('; ');
  const send = async (method: string, path: string, init: RequestInit = {}): Promise<PageAnswer> => {
    const headers = new Headers(init.headers);
    if (jar.size > 0) headers.set('cookie', cookie());
    const answer = await app.request(`${PUBLIC_URL}${path}`, { ...init, method, headers, redirect: 'manual' });
    for (const set of answer.headers.getSetCookie()) {
      const [pair = ''] = set.split(';');
      const [name = '', value = ''] = pair.split('=');
      if (value === '') jar.delete(name);
      else jar.set(name, value);
      lastSet = set;
    }
    const text = await answer.text();
    return { status: answer.status, location: answer.headers.get('location'), text, headers: answer.headers };
  };
  return {
    get: (path) => send('GET', path, { headers: { accept: 'text/html' } }),
    post: (path, form = {}, headers = { 'sec-fetch-site': 'same-origin' }) =>
      send('POST', path, { headers, body: new URLSearchParams(form) }),
    get key() {
      return [...jar.values()][0] ?? null;
    },
    get cookie() {
      return cookie();
    },
    get lastSet() {
      return lastSet;
    },
  };
}

/** The link in the newest mail to this address: the path of its page. */
export async function mailedLink(db: Db, email: string): Promise<string> {
  await deliverAll(db);
  const row = await db
    .selectFrom('dev_mail')
    .select('id')
    .where('recipient', '=', email)
    .orderBy('id', 'desc')
    .executeTakeFirst();
  const body = row === undefined ? '' : ((await readDevMail(db, row.id))?.body ?? '');
  const [, path] = /"https?:[^"]*?(\/(?:sign-in|invitations)\/[\w-]{43})/.exec(body) ?? [];
  if (path === undefined) throw new Error(`no link for ${email}`);
  return path;
}

/** Signs somebody in by the link of a mail, in a browser of their own. */
export async function signInByMail(app: App, db: Db, email: string): Promise<Browser> {
  const browser = browserOf(app);
  await browser.post('/sign-in', { email });
  await browser.post(await mailedLink(db, email));
  if (browser.key === null) throw new Error(`${email} is not signed in`);
  return browser;
}

/** The token that a page's script gets for its session. */
export async function tokenOf(browser: Browser): Promise<string> {
  const { status, text } = await browser.post('/session/token');
  if (status !== 200) throw new Error(text);
  const { data } = JSON.parse(text) as { readonly data: { readonly token: string } };
  return data.token;
}
