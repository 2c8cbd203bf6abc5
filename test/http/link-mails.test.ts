import { sql } from 'kysely';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { deliverDue } from '../../src/domain/messages/delivery.ts';
import type { AccountRole, AccountRow } from '../../src/domain/people/accounts.ts';
import { DEFAULT_MESSAGE_CAPS } from '../../src/kernel/message-caps.ts';
import { ROLES } from '../../src/kernel/roles.ts';
import { mailboxDeps } from '../setup/deliver.ts';
import { type Http, startHttp } from './harness.ts';
import { addPerson, browserOf, mailedLink } from './people.ts';

/** Strangers who ask for links in somebody's name: no flood for the person, and no day without a way in (security.md S1, Q6). */

let http: Http;
beforeAll(async () => {
  http = await startHttp();
}, 60_000);
afterAll(() => http?.stop());

const ask = (email: string) => browserOf(http.app).post('/sign-in', { email });
async function sentTo({ id }: AccountRow): Promise<readonly string[]> {
  while ((await deliverDue({ ...mailboxDeps(http.db), caps: DEFAULT_MESSAGE_CAPS })) > 0);
  const rows = await http.db
    .selectFrom('notification')
    .select('status')
    .where('event', '=', 'SIGN_IN_LINK')
    .where(sql`params ->> 'accountId'`, '=', id)
    .execute();
  return rows.map(({ status }) => status);
}
/** The links and mails of before are so much older. */
async function letPass({ id }: AccountRow, minutes: number): Promise<void> {
  await sql`UPDATE one_time SET created_at = created_at - ${minutes}::int * interval '1 minute',
    expires_at = expires_at - ${minutes}::int * interval '1 minute' WHERE account_id = ${id}`.execute(http.db);
}

describe('S1, Q6: links that strangers ask for', () => {
  for (const role of ROLES) {
    it(`are one mail of sixty for ${role}, and the page says no more of the others`, async () => {
      const person = await addPerson(http.db, role as AccountRole);
      const pages = await Promise.all(Array.from({ length: 60 }, () => ask(person.email)));
      expect(new Set(pages.map(({ status, text }) => `${status} ${text}`)).size).toBe(1);
      expect(await sentTo(person)).toEqual(['SENT']);
    });

    it(`use up no day of ${role}: every five minutes for a day one is sent, and opens`, async () => {
      const person = await addPerson(http.db, role as AccountRole);
      const FLOOD = 30;
      for (let n = 1; n <= FLOOD; n += 1) {
        await ask(person.email);
        await letPass(person, 5);
      }
      expect(await sentTo(person)).toEqual(Array(FLOOD).fill('SENT'));
      await ask(person.email);
      const own = browserOf(http.app);
      expect((await own.post(await mailedLink(http.db, person.email))).status).toBe(303);
    });
  }

  it('that are used make room at once, up to twenty an hour', async () => {
    const person = await addPerson(http.db, 'OWNER');
    for (let n = 0; n < 20; n += 1) {
      await ask(person.email);
      expect((await browserOf(http.app).post(await mailedLink(http.db, person.email))).status).toBe(303);
    }
    await ask(person.email);
    expect(await sentTo(person)).toHaveLength(20);
    await letPass(person, 61);
    await ask(person.email);
    expect(await sentTo(person)).toHaveLength(21);
  });
});
