import { sql } from 'kysely';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { confirmationMessages } from '../../src/domain/messages/catalogue/reservation-confirmed.ts';
import { readDevMail } from '../../src/domain/messages/delivery-mailbox.ts';
import { enqueueInTransaction } from '../../src/domain/notifications/enqueue.ts';
import { guestLinkToken } from '../../src/domain/reservations/guest-link.ts';
import { limitClassOf } from '../../src/http/limits.ts';
import { systemClock } from '../../src/kernel/clock.ts';
import { createLinkSeal } from '../../src/kernel/link-seal.ts';
import { createLogger } from '../../src/kernel/log.ts';
import { deliverAll } from '../setup/deliver.ts';
import { payStay, refundStay, seedMoneyStay } from '../setup/ledger.ts';
import { API, at, type Call, type Http, JWT, PUBLIC_URL, startHttp } from './harness.ts';
import { addPerson } from './people.ts';

/** A guest opens the own stay by a link, without an account (security.md Z19). */

const logged: object[] = [];
let http: Http;
beforeAll(async () => {
  const keep = (event: object): void => void logged.push({ ...event });
  const log = Object.assign(Object.create(createLogger('test', 'silent')), { info: keep, warn: keep, error: keep });
  http = await startHttp({ log });
  const { db } = http;
  await db
    .insertInto('guest')
    .values([
      { id: 'guest-1', name: 'John Doe', email: 'john@guests.example', phone: '+971501112233' },
      { id: 'guest-2', name: 'Jane Roe', email: 'jane@guests.example' },
    ])
    .execute();
}, 60_000);
afterAll(() => http?.stop());

let made = 0;
/** A confirmed stay in the next years, whose property agent-1 has. */
async function addStay(): Promise<string> {
  made += 1;
  const id = `stay-${made}`;
  await seedMoneyStay(http.db, { id, propertyId: `property-${made}` });
  await http.db
    .updateTable('property')
    .set({ agent_ids: ['agent-1'], address: 'Marina Walk 7', name: 'Marina <1204>' })
    .where('id', '=', `property-${made}`)
    .execute();
  await change(id, { status: 'CONFIRMED', check_in_date: '2041-06-01', check_out_date: '2041-06-04' });
  return id;
}
const change = (id: string, columns: object) =>
  http.db.updateTable('reservation').set(columns).where('id', '=', id).execute();
const ask = (id: string, call: Call = {}) => http.call('POST', `${API}/reservations/${id}/guest-link`, call);
async function linkOf(id: string): Promise<string> {
  const answer = await ask(id);
  expect(answer.status, answer.text).toBe(200);
  return String(at(answer.body, 'data', 'url')).slice(PUBLIC_URL.length);
}
const open = (path: string) => http.call('GET', path, { as: null, headers: { accept: 'text/html' } });
/** What a reader sees. */
const wordsOf = (page: string): string =>
  page
    .replaceAll(/<[^>]*>/g, ' ')
    .replaceAll('&lt;', '<')
    .replaceAll('&gt;', '>')
    .replaceAll(/\s+/g, ' ');
const grantCode = (id: string, until: string) =>
  sql`INSERT INTO amenity_grant (reservation_id, property_id, device, activation_key, provider_id, status, access_code, valid_from, valid_until, asked_until)
    SELECT r.id, r.property_id, 'lock', r.id, r.id, 'ACTIVE', '471188', '2020-01-01'::timestamptz, ${until}::timestamptz, ${until}::timestamptz
      FROM reservation r WHERE r.id = ${id}
      ON CONFLICT (reservation_id) DO UPDATE SET valid_until = excluded.valid_until`.execute(http.db);
const auditOf = (id: string) =>
  http.db
    .selectFrom('audit_log')
    .select(['event', 'actor', 'body'])
    .where('stream_id', '=', `reservation:${id}`)
    .where('event', '=', 'GUEST_LINK_GIVEN')
    .execute();

describe('Z19: the page of a link', () => {
  it('shows what the guest is shown with an account, and nothing else', async () => {
    const id = await addStay();
    await grantCode(id, '2090-01-02T08:00:00Z');
    const link = await linkOf(id);
    const account = () => http.call('GET', `${API}/me/stays/${id}`, { as: 'GUEST', sub: 'guest-1' });
    const page = async () => wordsOf((await open(link)).text);

    const before = await page();
    for (const said of ['Marina <1204>', 'Marina Walk 7', '1 June 2041, from 15:00', '4 June 2041, until 11:00', id])
      expect(before).toContain(said);
    expect(before).toContain('Price AED 1,000.00 Paid AED 0.00 Still to pay AED 1,000.00');
    expect(at((await account()).body, 'data')).toMatchObject({ totalAmount: 1000, paid: 0, due: 1000, access: null });
    expect(before).not.toContain('471188');

    const paid = await payStay(http.db, { stay: { id }, amountMinor: 60_000, reference: `ref-${id}` });
    expect(at((await account()).body, 'data')).toMatchObject({ paid: 600, refunded: 0, due: 0 });
    expect(await page()).toContain('Price AED 1,000.00 Paid AED 600.00 Still to pay AED 0.00');

    for (const isBack of [false, true]) {
      await refundStay(http.db, { id }, paid, { percent: 20, paid: isBack });
      const back = isBack ? 200 : 0;
      expect(at((await account()).body, 'data')).toMatchObject({ paid: 600, refunded: back, due: 0 });
      expect((await page()).includes('Paid back to you AED 200.00')).toBe(isBack);
    }

    await change(id, { status: 'CHECKED_IN' });
    expect(at((await account()).body, 'data', 'access', 'code')).toBe('471188');
    expect(await page()).toMatch(/Door code 471188 \(until Monday, 2 January 2090 at 12:00 \)/);
    await grantCode(id, '2020-01-02');
    expect(at((await account()).body, 'data', 'access')).toBeNull();
    expect(await page()).not.toContain('471188');

    await change(id, { status: 'PENDING' });
    expect(at((await account()).body, 'data', 'property', 'address')).toBeNull();
    expect(await page()).not.toContain('Marina Walk 7');
    // Nothing of the guest, the owner or the agency.
    for (const other of ['John', 'guests.example', '97150', 'owner-1', 'agent-1', 'guest-1'])
      expect(await page()).not.toContain(other);
  });

  it('is in the language of the guest', async () => {
    const id = await addStay();
    await change(id, { guest_id: 'guest-2' });
    await http.db.updateTable('guest').set({ locale: 'ar-AE' }).where('id', '=', 'guest-2').execute();
    const { text } = await open(await linkOf(id));
    expect(text).toMatch(/<html lang="ar" dir="rtl">[\s\S]*المبلغ المتبقي/);
    await http.db.updateTable('guest').set({ locale: null }).where('id', '=', 'guest-2').execute();
  });

  it('is kept, framed and found by nobody, says nothing to other pages, and needs no script', async () => {
    const { status, headers, text } = await open(await linkOf(await addStay()));
    expect(status).toBe(200);
    expect(headers.get('cache-control')).toContain('no-store');
    expect(headers.get('referrer-policy')).toBe('no-referrer');
    expect(headers.get('x-robots-tag')).toBe('noindex');
    expect(headers.get('content-security-policy')).toMatch(/default-src 'none'.*frame-ancestors 'none'/);
    expect(text).toContain('<meta name="robots" content="noindex">');
    expect(text).not.toMatch(/<script|<form/);
  });

  it('counts as a look at a signed link', () => {
    expect(limitClassOf('GET', '/stay/:token', 'anonymous')).toEqual({ by: 'address', name: 'links' });
  });
});

describe('Z19: a link ends', () => {
  const opens = async (link: string): Promise<boolean> => {
    const answer = await http.call('GET', link, { as: null });
    expect([200, 404]).toContain(answer.status);
    if (answer.status === 404) expect(answer.body.code).toBe('NOT_FOUND');
    return answer.status === 200;
  };

  it('at once when the stay is cancelled', async () => {
    const id = await addStay();
    const link = await linkOf(id);
    await change(id, { status: 'CANCELLED' });
    expect(await opens(link)).toBe(false);
    const page = await open(link);
    expect([page.status, page.text.includes('This link does not work')]).toEqual([404, true]);
  });

  it('at once when the stay is another guest’s, who has another link', async () => {
    const id = await addStay();
    const link = await linkOf(id);
    await change(id, { guest_id: 'guest-2' });
    expect(await opens(link)).toBe(false);
    const other = await linkOf(id);
    expect([other === link, await opens(other)]).toEqual([false, true]);
    await change(id, { guest_id: null, kind: 'OWNER_STAY' });
    expect(await opens(other)).toBe(false);
  });

  it('with the account of the guest, where there is one', async () => {
    const id = await addStay();
    const person = await addPerson(http.db, 'GUEST');
    await change(id, { guest_id: person.principal });
    const link = await linkOf(id);
    expect(await opens(link)).toBe(true);
    await http.db.updateTable('account').set({ status: 'DEACTIVATED' }).where('id', '=', person.id).execute();
    expect(await opens(link)).toBe(false);
    expect((await ask(id)).body.code).toBe('INVALID_STATE_TRANSITION');
  });

  it('14 days after the departure, on the property’s calendar, and moves with it', async () => {
    const id = await addStay();
    const link = await linkOf(id);
    const leftDaysAgo = (days: number) =>
      sql`UPDATE reservation r SET status = 'CHECKED_OUT', check_in_date = d.day - 2, check_out_date = d.day
        FROM (SELECT (now() AT TIME ZONE 'Asia/Dubai')::date - ${days}::int AS day) d WHERE r.id = ${id}`.execute(
        http.db,
      );
    await leftDaysAgo(15);
    expect(await opens(link)).toBe(false);
    expect((await ask(id)).body).toMatchObject({
      code: 'INVALID_STATE_TRANSITION',
      details: { currentStatus: 'CHECKED_OUT', action: 'guest-link' },
    });
    await leftDaysAgo(14);
    expect(await opens(link)).toBe(true);
    await change(id, { check_in_date: '2041-06-01', check_out_date: '2041-06-04' });
    expect(at((await ask(id)).body, 'data', 'expiresAt')).toBe('2041-06-18T20:00:00.000Z');
  });
});

describe('Z19: an address that nobody was given', () => {
  const seal = (keys = JWT.keys) => createLinkSeal(keys, systemClock);
  it('is absent, whatever is wrong with it', async () => {
    const id = await addStay();
    const good = (await linkOf(id)).slice('/stay/'.length);
    const stranger = [{ kid: 'x', secret: new TextEncoder().encode('z'.repeat(40)) }] as never;
    const payload = Buffer.concat([Buffer.alloc(32), Buffer.from(`-.${id} guest-1`)]).toString('base64url');
    const wrong = [
      'x',
      good.slice(0, -1),
      `${good}A`,
      `${good}=`,
      (good.startsWith('A') ? 'B' : 'A') + good.slice(1),
      good.toUpperCase(),
      payload,
      'A'.repeat(15_000),
      guestLinkToken(seal(stranger), id, 'guest-1'),
      guestLinkToken(seal(), id, 'guest-2'),
      guestLinkToken(seal(), 'no-such-stay', 'guest-1'),
      // Links of other kinds.
      seal().seal('check-out-report', id, 600, 'guest-1').token,
      seal().sealLasting('check-out-report', id, 'guest-1'),
    ];
    for (const token of wrong) {
      const answer = await http.call('GET', `/stay/${token}`, { as: null });
      expect([answer.status, answer.body.code], token.slice(0, 60)).toEqual([404, 'NOT_FOUND']);
    }
    expect((await http.call('GET', `/stay/${good}`, { as: null })).status).toBe(200);
    // Nor does it open a report, which has an end.
    expect((await http.call('GET', `/reports/${good}`, { as: null })).status).toBe(404);
  });

  it('is one that the key of before has sealed, as long as that key counts', async () => {
    const id = await addStay();
    const old = guestLinkToken(seal(JWT.keys.slice(1) as never), id, 'guest-1');
    expect((await open(`/stay/${old}`)).status).toBe(200);
  });
});

describe('Z19: the office', () => {
  it('gets the link of a stay in the portfolio, the same each time, and each time there is an audit row', async () => {
    const id = await addStay();
    const agent = { as: 'AGENT', sub: 'agent-1' } as const;
    const own = await ask(id, agent);
    expect([own.status, own.headers.get('cache-control')]).toEqual([200, 'no-store']);
    expect(at((await ask(id)).body, 'data', 'url')).toBe(at(own.body, 'data', 'url'));
    expect((await auditOf(id)).map(({ actor }) => actor)).toEqual(['agent-1', 'admin-1']);
    const foreign = await ask(id, { as: 'AGENT', sub: 'agent-2' });
    const absent = await ask('no-such-stay', { as: 'AGENT', sub: 'agent-2' });
    expect([foreign.status, foreign.body.code, absent.body.code]).toEqual([
      404,
      'RESERVATION_NOT_FOUND',
      'RESERVATION_NOT_FOUND',
    ]);
    expect((await ask('no-such-stay')).status).toBe(404);
    expect(await auditOf(id)).toHaveLength(2);
  });

  it('that repeats a request gets the kept answer, which lies sealed', async () => {
    const id = await addStay();
    const once = { headers: { 'idempotency-key': `link-${id}` } };
    const first = await ask(id, once);
    const again = await ask(id, once);
    expect([again.headers.get('idempotency-replayed'), again.text]).toEqual(['true', first.text]);
    expect(await auditOf(id)).toHaveLength(1);
    const token = String(at(first.body, 'data', 'url'))
      .split('/')
      .at(-1);
    const { rows } = await sql<{ kept: string }>`SELECT k::text AS kept FROM idempotency_key k`.execute(http.db);
    expect(rows.length).toBeGreaterThan(0);
    for (const { kept } of rows) {
      expect(kept).not.toContain(token);
      expect(kept).not.toContain(Buffer.from(String(token)).toString('hex'));
    }
  });

  it.each([
    ['of a stay without a guest', { guest_id: null, kind: 'OWNER_STAY' }],
    ['of a cancelled stay', { status: 'CANCELLED' }],
  ])('gets none %s', async (_of, columns) => {
    const id = await addStay();
    await change(id, columns);
    const refused = await ask(id);
    expect([refused.status, refused.body.code]).toEqual([409, 'INVALID_STATE_TRANSITION']);
    expect(await auditOf(id)).toEqual([]);
  });
});

describe('Z19: the mail of a confirmation', () => {
  async function confirmed(id: string): Promise<void> {
    const stay = { guestId: 'guest-1', guestHasPhone: true, ownerId: 'owner-1' };
    await http.db
      .transaction()
      .execute((tx) =>
        enqueueInTransaction(tx, `confirm-${id}`, confirmationMessages(stay), { sagaId: null, reservationId: id }),
      );
  }
  async function mailsOf(id: string) {
    await deliverAll(http.db);
    const rows = await http.db
      .selectFrom('notification as n')
      .innerJoin('dev_mail as m', (join) =>
        join.on(sql`m.message_id`, '=', sql`'<' || n.effect_key || '@roomy>'`).onRef('m.channel', '=', 'n.channel'),
      )
      .select(['n.id', 'n.recipient_type', 'n.channel', 'm.id as mailId', 'n.status'])
      .where('n.reservation_id', '=', id)
      .execute();
    return Promise.all(
      rows.map(async (row) => ({ ...row, body: (await readDevMail(http.db, row.mailId))?.body ?? '' })),
    );
  }
  const LINK = /\/stay\/([\w-]+)/;

  it('has the link, which the SMS and the owner’s mail have not', async () => {
    const id = await addStay();
    await confirmed(id);
    const mails = await mailsOf(id);
    expect(mails.map(({ status }) => status)).toEqual(['SENT', 'SENT', 'SENT']);
    const linked = mails.filter(({ body }) => LINK.test(body));
    expect(linked.map(({ recipient_type, channel }) => `${recipient_type} ${channel}`)).toEqual(['GUEST EMAIL']);
    const [path = ''] = LINK.exec(linked[0]?.body ?? '') ?? [];
    expect(path).toBe(await linkOf(id));
    expect((await open(path)).status).toBe(200);
  });

  it('goes without it to a guest who has the stay no more', async () => {
    const id = await addStay();
    await confirmed(id);
    await change(id, { guest_id: 'guest-2' });
    const [mail] = (await mailsOf(id)).filter((one) => one.recipient_type === 'GUEST' && one.channel === 'EMAIL');
    expect(mail?.body).toContain('Reservation');
    expect(mail?.body).not.toMatch(LINK);
  });

  it('is kept without it: neither the office nor operators read it, and no log and no audit row has it', async () => {
    const id = await addStay();
    await confirmed(id);
    const [mail] = (await mailsOf(id)).filter((one) => one.recipient_type === 'GUEST' && one.channel === 'EMAIL');
    const [, token = ''] = LINK.exec(mail?.body ?? '') ?? [];
    expect(token.length).toBeGreaterThan(40);
    await open(`/stay/${token}`);
    await open(`/stay/${token}x`);
    await ask(id);

    const content = `${API}/notifications/${mail?.id}/content`;
    const read = await http.call('GET', content);
    expect(String(at(read.body, 'data', 'body'))).toContain('/stay/••••');
    expect((await http.call('GET', content, { as: 'OPS', sub: 'ops-1' })).status).toBe(403);
    const listed = await http.call('GET', `${API}/notifications?reservationId=${id}`, { as: 'OPS', sub: 'ops-1' });
    expect([listed.status, listed.text.includes(token)]).toEqual([200, false]);
    for (const path of ['audit', 'events?limit=1000']) {
      const answer = await http.call('GET', `${API}/${path}`, { as: 'OPS', sub: 'ops-1' });
      expect([path, answer.status, answer.text.includes(token)]).toEqual([path, 200, false]);
    }
    const { rows } = await sql<{ rows: number }>`
      SELECT (SELECT count(*) FROM audit_log a WHERE a::text LIKE ${`%${token}%`})::int
           + (SELECT count(*) FROM notification n WHERE n::text LIKE ${`%${token}%`})::int
           + (SELECT count(*) FROM domain_event e WHERE e::text LIKE ${`%${token}%`})::int AS rows`.execute(http.db);
    expect(rows).toEqual([{ rows: 0 }]);
    const lines = JSON.stringify(logged);
    expect(lines).toContain('/stay/:token');
    expect(lines).not.toContain(token);
  });
});
