import { afterAll, beforeAll, expect, inject, it } from 'vitest';
import { linkForAdmin } from '../../src/domain/people/first-admin.ts';
import { noOutages } from '../../src/kernel/outages.ts';
import { connectQueues } from '../../src/queues/connection.ts';
import { connectStandingNews } from '../../src/queues/standing-news.ts';
import { type Http, startHttp } from '../http/harness.ts';
import { addPerson, browserOf } from '../http/people.ts';
import { until } from '../setup/engine.ts';

/** The way in from the shell, and what processes tell each other. */

let http: Http;
beforeAll(async () => {
  http = await startHttp();
}, 60_000);
afterAll(() => http?.stop());

const ask = (email: string, more: Partial<Parameters<typeof linkForAdmin>[1]> = {}) =>
  linkForAdmin(http.db, { email, name: 'Hana Saleh', newAuthenticator: false, ...more });
const pathOf = ({ kind, secret }: Awaited<ReturnType<typeof linkForAdmin>>) =>
  `/${kind === 'INVITATION' ? 'invitations' : 'sign-in'}/${secret}`;

it('S4: the first administrator comes by a link that opens once; then only an administrator gets another', async () => {
  const [first, second] = [await ask('hana@office.test'), await ask('hana@office.test')];
  expect([first.kind, second.kind]).toEqual(['INVITATION', 'INVITATION']);
  // A newer link ends the one before.
  expect((await browserOf(http.app).post(pathOf(first))).status).toBe(404);
  expect((await browserOf(http.app).post(pathOf(second))).location).toBe('/account/second-factor');
  expect((await browserOf(http.app).post(pathOf(second))).status).toBe(404);

  await expect(ask('mallory@office.test')).rejects.toMatchObject({ code: 'FORBIDDEN' });
  const cleaner = await addPerson(http.db, 'CLEANER');
  await expect(ask(cleaner.email)).rejects.toMatchObject({ code: 'FORBIDDEN' });
  const again = await ask('HANA@office.test');
  expect(again.kind).toBe('LINK');

  const hana = await http.db
    .selectFrom('account')
    .selectAll()
    .where('email', '=', 'hana@office.test')
    .executeTakeFirstOrThrow();
  await http.db.updateTable('account').set({ totp_secret: 'lost' }).where('id', '=', hana.id).execute();
  await ask('hana@office.test', { newAuthenticator: true });
  const row = await http.db.selectFrom('account').select('totp_secret').where('id', '=', hana.id).executeTakeFirst();
  expect(row?.totp_secret).toBeNull();
  const events = await http.db
    .selectFrom('audit_log')
    .select(['event', 'actor'])
    .where('stream_id', '=', `account:${hana.id}`)
    .orderBy('seq')
    .execute();
  const byShell = events.filter(({ actor }) => actor === 'npm run account').map(({ event }) => event);
  expect(byShell).toEqual([
    'FIRST_ADMIN_MADE',
    'ADMIN_LINK_MADE',
    'ADMIN_LINK_MADE',
    'ACCOUNT_AUTHENTICATOR_RESET',
    'SESSIONS_ENDED',
    'ADMIN_LINK_MADE',
  ]);
});

it('Z12: a change of somebody’s standing is heard by other processes, over Redis', async () => {
  const queues = connectQueues(inject('redisUrl'), `news-${process.pid}`, noOutages);
  const [teller, hearer] = [1, 2].map(() => connectStandingNews(inject('redisUrl'), queues));
  const heard: (readonly string[] | null)[] = [];
  hearer?.hear((principals) => heard.push(principals));
  try {
    await until('a principal is heard', async () => {
      if (queues.isReady()) teller?.tell(['cleaner-1']);
      return heard.some((principals) => principals?.includes('cleaner-1')) ? true : undefined;
    });
    // Whatever was missed before: everything is looked up once.
    expect(heard).toContain(null);
  } finally {
    teller?.close();
    hearer?.close();
    await queues.close();
  }
});
