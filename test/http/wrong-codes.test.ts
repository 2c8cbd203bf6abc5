import { sql } from 'kysely';
import { Secret, TOTP } from 'otpauth';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { AccountRow } from '../../src/domain/people/accounts.ts';
import { openSession } from '../../src/domain/people/sessions.ts';
import { createTextSeal } from '../../src/kernel/text-seal.ts';
import { createAuthenticator } from '../setup/authenticator.ts';
import { API, at, type Http, PUBLIC_URL, startHttp, tokenFor } from './harness.ts';
import { addPerson, movableClock } from './people.ts';

/** Guesses at a second factor, and mails with links, have a bound by account (security.md S1, S3, Q6). */

const clock = movableClock();
let http: Http;
beforeAll(async () => {
  http = await startHttp({ clock });
}, 60_000);
afterAll(() => http?.stop());

let person: AccountRow;
let secret: string;
beforeEach(async () => {
  person = await addPerson(http.db, 'FINANCE');
  const cookie = await newSession();
  const text = await (await send('GET', cookie)).text();
  secret = (/<code>([A-Z2-7 ]+)<\/code>/.exec(text)?.[1] ?? '').replaceAll(' ', '');
  clock.forward(60);
  const sealed = /name="sealed" value="([^"]+)"/.exec(text)?.[1] ?? '';
  expect((await send('POST', cookie, { sealed, code: rightCode() })).headers.get('location')).toBe('/account');
  clock.forward(60);
});

const rightCode = (): string =>
  new TOTP({ algorithm: 'SHA1', digits: 6, period: 30, secret: Secret.fromBase32(secret) }).generate({
    timestamp: clock.now().getTime(),
  });
/** As after a link of a mail; its cookie. */
async function newSession(): Promise<string> {
  const session = {
    accountId: person.id,
    method: 'LINK',
    mfaAt: null,
    ip: null,
    userAgent: null,
    lifetime: 60_000,
  } as const;
  const { key } = await http.db.transaction().execute((tx) => openSession(tx, session));
  return `roomy_session=${key}`;
}
const send = (method: 'GET' | 'POST', cookie: string, form?: Record<string, string>) =>
  http.app.request(`${PUBLIC_URL}/account/second-factor`, {
    method,
    headers: { cookie, accept: 'text/html', 'sec-fetch-site': 'same-origin' },
    ...(form === undefined ? {} : { body: new URLSearchParams(form) }),
  });
const guess = (cookie: string, code = '00000x') => send('POST', cookie, { code });
/** In sessions of four guesses each, which therefore stay open. */
async function guessWrong(times: number): Promise<void> {
  let cookie = '';
  for (let n = 0; n < times; n += 1) {
    if (n % 4 === 0) cookie = await newSession();
    expect((await guess(cookie)).status).toBe(200);
  }
}
const letPass = (minutes: number) =>
  sql`UPDATE account SET wrong_code_at = wrong_code_at - ${minutes}::int * interval '1 minute' WHERE id = ${person.id}`.execute(
    http.db,
  );
const eventsOf = async (): Promise<readonly string[]> =>
  (
    await http.db
      .selectFrom('audit_log')
      .select('event')
      .where('stream_id', '=', `account:${person.id}`)
      .orderBy('seq')
      .execute()
  ).map(({ event }) => event);
const mailsOf = (event: string) =>
  http.db
    .selectFrom('notification')
    .select('id')
    .where('event', '=', event)
    .where('params', '@>', sql<never>`${JSON.stringify({ accountId: person.id })}::jsonb`)
    .execute();

describe('S3: wrong codes of a second factor', () => {
  it('are bounded by account: after ten, in whichever sessions, none counts for a quarter of an hour', async () => {
    await guessWrong(10);
    const cookie = await newSession();
    const late = await guess(cookie, rightCode());
    expect(late.status).toBe(429);
    const seconds = Number(late.headers.get('retry-after'));
    expect([seconds > 14 * 60, seconds <= 15 * 60]).toEqual([true, true]);
    expect(await late.text()).toContain('none counts for 15 minutes');
    expect((await eventsOf()).filter((event) => event === 'SECOND_FACTOR_PAUSED')).toHaveLength(1);
    expect(await mailsOf('SECOND_FACTOR_PAUSED')).toHaveLength(1);
    await letPass(15);
    expect((await guess(cookie, rightCode())).headers.get('location')).toBe('/account');
  });

  it('pause for twice as long with each that follows, and are told once', async () => {
    await guessWrong(10);
    await letPass(15);
    await guessWrong(1);
    for (const [minutes, next] of [
      [30, 60],
      [60, 120],
    ] as const) {
      const refused = await guess(await newSession(), rightCode());
      expect([refused.status, Math.ceil(Number(refused.headers.get('retry-after')) / 60)]).toEqual([429, minutes]);
      await letPass(minutes);
      await guessWrong(1);
      expect(Math.ceil(Number((await guess(await newSession())).headers.get('retry-after')) / 60)).toBe(next);
    }
    expect(await mailsOf('SECOND_FACTOR_PAUSED')).toHaveLength(1);
  });

  it('are at most ten of sixty in twelve sessions, also all at once', async () => {
    const cookies = await Promise.all(Array.from({ length: 12 }, newSession));
    const answers = await Promise.all(cookies.flatMap((cookie) => Array.from({ length: 5 }, () => guess(cookie))));
    expect(answers.filter(({ status }) => status === 200)).toHaveLength(10);
    expect((await eventsOf()).filter((event) => event === 'SECOND_FACTOR_REFUSED')).toHaveLength(10);
  });

  it('of one session are at most five, also of 25 at once', async () => {
    const cookie = await newSession();
    const answers = await Promise.all(Array.from({ length: 25 }, () => guess(cookie)));
    expect(answers.filter(({ status }) => status === 200)).toHaveLength(5);
    expect(answers.filter(({ headers }) => headers.get('location') === '/sign-in')).toHaveLength(20);
    expect((await eventsOf()).filter((event) => event === 'SECOND_FACTOR_REFUSED')).toHaveLength(5);
  });

  it('are forgotten with a right one', async () => {
    for (let n = 0; n < 3; n += 1) {
      await guessWrong(8);
      clock.forward(60);
      expect((await guess(await newSession(), rightCode())).headers.get('location')).toBe('/account');
    }
  });

  it('leave a passkey as the way in', async () => {
    const authenticator = createAuthenticator(PUBLIC_URL);
    const cookie = await newSession();
    clock.forward(60);
    await guess(cookie, rightCode());
    const post = async (path: string, body: unknown, headers = {}) =>
      http.call('POST', path, { as: null, body, headers: { 'sec-fetch-site': 'same-origin', ...headers } });
    const options = at((await post('/account/passkeys/options', {}, { cookie })).body, 'data');
    const made = { name: 'My phone', ...authenticator.create(options) };
    expect((await post('/account/passkeys', made, { cookie })).status).toBe(201);
    await guessWrong(10);
    const refused = await guess(await newSession(), rightCode());
    expect([refused.status, (await refused.text()).includes('passkey')]).toEqual([429, true]);
    const used = authenticator.get(at((await post('/passkeys/options', {})).body, 'data'));
    expect((await post('/passkeys/sign-in', used)).status).toBe(200);
  });

  it('are forgotten with a reset by an administrator', async () => {
    await guessWrong(10);
    const headers = { authorization: `Bearer ${await tokenFor({ role: 'ADMIN' }, 'admin-1', clock)}` };
    const reset = await http.app.request(`${API}/accounts/${person.id}/authenticator`, { method: 'DELETE', headers });
    expect(reset.status, await reset.text()).toBe(200);
    const row = await http.db.selectFrom('account').selectAll().where('id', '=', person.id).executeTakeFirstOrThrow();
    expect([row.wrong_codes, row.totp_secret]).toEqual([0, null]);
  });
});

it('S3: a code that cannot be checked, since the key of its seal is gone, is no wrong one', async () => {
  const lost = createTextSeal([
    { kid: 'lost', secret: new Uint8Array(Buffer.from('lost-0123456789-abcdefghijklmnopqrstuvwx')) },
  ]);
  const sealed = lost.seal(`totp ${person.id}`, secret);
  await http.db.updateTable('account').set({ totp_secret: sealed }).where('id', '=', person.id).execute();
  const cookie = await newSession();
  for (let n = 0; n < 12; n += 1) {
    const answer = await guess(cookie, rightCode());
    expect([answer.status, (await answer.text()).includes('cannot be checked any more')]).toEqual([200, true]);
  }
});
