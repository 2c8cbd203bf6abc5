import Stripe from 'stripe';
import twilio from 'twilio';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { readConfig } from '../../src/config.ts';
import { valuesOf } from '../../src/domain/messages/delivery-facts.ts';
import { EXAMPLE_STAY } from '../../src/domain/messages/examples.ts';
import { LANGUAGES } from '../../src/domain/messages/locales.ts';
import { renderMessage } from '../../src/domain/messages/render.ts';
import { TEMPLATES } from '../../src/domain/messages/templates.ts';
import { builtInText } from '../../src/domain/messages/texts.ts';
import { CATALOGUE } from '../../src/domain/messages/variables/index.ts';
import { receiptReceivers } from '../../src/gateways/message-channels.ts';
import { stripeWebhook } from '../../src/gateways/stripe/webhook.ts';
import { createTwilio } from '../../src/gateways/twilio/messenger.ts';
import { systemClock } from '../../src/kernel/clock.ts';
import { WEBHOOKS_PATH } from '../../src/kernel/webhook-path.ts';
import { ACCOUNT, startFakeTwilio, TOKEN } from '../gateways/fake-twilio.ts';
import { deliverAll } from '../setup/deliver.ts';
import { API, at, type Http, seed, startHttp, tokenFor } from './harness.ts';

/**
 * Addresses that leave the system other than in an answer, under https://host.example/roomy: each is the one that the
 * configuration says, and leads back through proxies that take the prefix off and that leave it on.
 */

const PREFIX = '/roomy';
const PUBLIC = `https://host.example${PREFIX}`;
const SECRET = 'whsec_0123456789abcdef';
const CONFIG = readConfig({
  NODE_ENV: 'test',
  DATABASE_URL: 'postgres://x',
  REDIS_URL: 'redis://x',
  JWT_KEYS: 'k1:0123456789abcdef0123456789abcdef',
  TWILIO_ACCOUNT_SID: ACCOUNT,
  TWILIO_AUTH_TOKEN: TOKEN,
  TWILIO_FROM: '+15005550006',
  PUBLIC_URL: `${PUBLIC}/`,
});
const SMS_RECEIPTS = `${WEBHOOKS_PATH}/twilio`;
const CALLBACK = `${PUBLIC}${SMS_RECEIPTS}`;

let http: Http;
beforeAll(async () => {
  http = await startHttp({
    publicUrl: CONFIG.publicUrl,
    receivers: new Map([
      ...(await receiptReceivers(CONFIG.channels)),
      ['stripe', stripeWebhook([SECRET], systemClock)],
    ]),
  });
  await seed(http.db);
  await http.db
    .updateTable('property')
    .set({ repair_limit_minor: 50_000, repair_limit_currency: 'AED' })
    .where('id', '=', 'property-1')
    .execute();
}, 60_000);
afterAll(() => http?.stop());

describe('PUBLIC_URL', () => {
  it('is written with or without a slash at its end, and what has a query, a fragment or credentials is refused', () => {
    expect(CONFIG.publicUrl).toBe(PUBLIC);
    expect(CONFIG.channels).toMatchObject([{ id: 'twilio', settings: { statusCallback: CALLBACK } }]);
    for (const bad of ['?x=1', '#x', '?', '#']) {
      for (const name of ['PUBLIC_URL', 'OPS_PUBLIC_URL'])
        expect(() => readConfig({ [name]: `${PUBLIC}${bad}` })).toThrow(`${name}: must have no query`);
    }
    expect(() => readConfig({ PUBLIC_URL: 'https://user:pass@host.example' })).toThrow('PUBLIC_URL: must have no');
  });
});

describe('every text of a message', () => {
  it('has no address but of variables, and each of those is made from the configured one', () => {
    const stay = { ...EXAMPLE_STAY, approvalToken: 'a-token', offerToken: 'b'.repeat(64) };
    const addresses = Object.entries(CATALOGUE).flatMap(([name, { type }]) => (type === 'url' ? [name] : []));
    expect(addresses.length).toBeGreaterThan(0);
    let links = 0;
    for (const language of LANGUAGES) {
      const values = valuesOf(stay, language, PUBLIC);
      for (const [name, value] of Object.entries(values)) {
        if (addresses.includes(name)) expect(value, name).toMatch(`${PUBLIC}/`);
        else expect(value ?? '', name).not.toMatch(/https?:|\/api\//);
      }
      const filled = Object.fromEntries(Object.entries(values).map(([name, value]) => [name, value ?? '-']));
      for (const key of Object.keys(TEMPLATES)) {
        const text = builtInText(key, language);
        if (!text) continue;
        const sent = renderMessage(text, 'EMAIL', filled);
        if ('missing' in sent) expect.fail(`${key} lacks ${sent.missing.join()}`);
        for (const [address] of `${sent.text} ${sent.html?.replaceAll(/ xmlns(?::\w+)?="[^"]*"/g, '')}`.matchAll(
          /(?:https?:\/\/|href="|src="|action=")[^\s"<]*/g,
        )) {
          const url = address.replace(/^(?:href|src|action)="/, '');
          expect(url.startsWith(`${PUBLIC}/`), `${key} in ${language}: ${url}`).toBe(true);
          links += 1;
        }
      }
    }
    expect(links).toBeGreaterThan(3);
  });
});

let made = 0;
describe.each([
  ['takes it off', (path: string) => path.slice(PREFIX.length)],
  ['leaves it on', (path: string) => path],
] as const)('behind a proxy that %s', (_what, passed) => {
  /** As somebody on the outside follows an address; the program hears an inner host. */
  function follow(address: string, init: RequestInit = {}): Response | Promise<Response> {
    const url = new URL(address);
    expect(`${url.origin}${PREFIX}`, address).toBe(PUBLIC);
    expect(url.pathname.startsWith(`${PREFIX}/`), address).toBe(true);
    return http.app.request(`http://inside:3000${passed(url.pathname)}${url.search}`, init);
  }

  it('an owner opens the link of the mail, and answers by the button of the page', async () => {
    for (const [button, decision] of [
      ['approve', 'APPROVED'],
      ['decline', 'DECLINED'],
    ] as const) {
      const made = await http.call('POST', `${API}/tasks`, {
        body: {
          type: 'MAINTENANCE',
          title: 'New boiler',
          propertyId: 'property-1',
          scheduledDate: '2031-03-01T09:00:00Z',
          estimate: { amount: 750, currency: 'AED' },
        },
      });
      const id = String(at(made.body, 'data', 'id'));
      await deliverAll(http.db, CONFIG.publicUrl);
      const mail = await http.db
        .selectFrom('dev_mail')
        .select('body')
        .where('body', 'like', '%/approvals/%')
        .orderBy('id', 'desc')
        .executeTakeFirstOrThrow();
      const link = /<a href="([^"]+)"/.exec(mail.body)?.[1] ?? expect.fail('no link in the mail');
      const page = await follow(link);
      expect(page.status, link).toBe(200);
      const actions = [...(await page.text()).matchAll(/ action="([^"]+)"/g)].map(
        ([, to]) => new URL(to ?? '', link).href,
      );
      expect(actions).toHaveLength(2);
      const action = actions.find((to) => to.endsWith(`/${button}`)) ?? expect.fail(`no button to ${button}`);
      const answered = await follow(action, { method: 'POST' });
      expect(answered.status, action).toBe(303);
      expect(at((await http.call('GET', `${API}/tasks/${id}`)).body, 'data', 'approval')).toBe(decision);
    }
  });

  it('who is asked about a task opens the link of the mail, and answers by the button of the page', async () => {
    const start = '2031-03-01T09:00:00Z';
    const id = `asked-${made++}`;
    await http.db
      .insertInto('task')
      .values({
        id,
        property_id: 'property-1',
        type: 'CLEANING',
        occurrence: 'MANUAL',
        title: 'Clean',
        status: 'UNASSIGNED',
        scheduled_at: start,
        ends_at: '2031-03-01T10:00:00Z',
      })
      .execute();
    await http.db.updateTable('property').set({ accept_minutes: 30 }).where('id', '=', 'property-1').execute();
    const given = await http.call('PATCH', `${API}/tasks/${id}`, { body: { assigneeId: 'cleaner-1' } });
    expect(given.status).toBe(200);
    await deliverAll(http.db, CONFIG.publicUrl);
    const mail = await http.db
      .selectFrom('dev_mail')
      .select('body')
      .where('body', 'like', '%/offers/%')
      .orderBy('id', 'desc')
      .executeTakeFirstOrThrow();
    const link = /<a href="([^"]+)"/.exec(mail.body)?.[1] ?? expect.fail('no link in the mail');
    const page = await follow(link);
    const [yes] = [...(await page.text()).matchAll(/ action="([^"]+)"/g)].map(([, to]) => new URL(to ?? '', link).href);
    const answered = await follow(yes ?? '', { method: 'POST' });
    expect(answered.status, yes).toBe(303);
    expect(new URL(answered.headers.get('location') ?? '', yes).href).toBe(link);
    const task = await http.call('GET', `${API}/tasks/${id}`);
    expect(at(task.body, 'data', 'acceptedAt')).not.toBeNull();
    await http.call('PATCH', `${API}/tasks/${id}`, { body: { assigneeId: null } });
  });

  it('Twilio gets an address at which its receipts are taken, signed for that address only', async () => {
    const fake = await startFakeTwilio();
    const messenger = createTwilio({
      accountSid: ACCOUNT,
      authToken: TOKEN,
      from: '+15005550006',
      apiUrl: fake.url,
      statusCallback: CALLBACK,
    });
    await messenger.send([
      { messageId: '<1@roomy>', channel: 'SMS', to: '+971501234567', subject: null, text: 'Hello', html: null },
    ]);
    await messenger.close();
    await fake.close();
    const callback = fake.messages[0]?.statusCallback ?? expect.fail('no address was told');
    const form = { MessageSid: 'SM1', MessageStatus: 'delivered' };
    const receipt = (signedFor: string) =>
      follow(callback, {
        method: 'POST',
        headers: {
          'content-type': 'application/x-www-form-urlencoded',
          'x-twilio-signature': twilio.getExpectedTwilioSignature(TOKEN, signedFor, form),
          'x-forwarded-host': 'evil.example',
          'x-forwarded-proto': 'http',
        },
        body: new URLSearchParams(form).toString(),
      });
    expect((await receipt(callback)).status).toBe(200);
    for (const other of [
      callback.replace(PREFIX, ''),
      `https://evil.example${SMS_RECEIPTS}`,
      callback.replace('https', 'http'),
    ])
      expect((await receipt(other)).status, other).toBe(401);
  });

  it('Stripe’s events are taken under the prefix', async () => {
    const payload = JSON.stringify({
      id: 'evt_1',
      object: 'event',
      type: 'customer.created',
      created: 1_700_000_000,
      data: { object: { id: 'cus_1', object: 'customer' } },
    });
    const signature = new Stripe('sk_test_0123456789').webhooks.generateTestHeaderString({ payload, secret: SECRET });
    const event = (header: string) =>
      follow(`${PUBLIC}${API}/webhooks/stripe`, {
        method: 'POST',
        headers: { 'stripe-signature': header },
        body: payload,
      });
    expect((await event(signature)).status).toBe(200);
    expect((await event(signature.replace('v1=', 'v1=0'))).status).toBe(401);
  });

  it('a calendar is read at the address that was given out', async () => {
    const given = await http.call('POST', `${API}/me/calendar`, { as: 'CLEANER', sub: 'cleaner-1' });
    const address = String(at(given.body, 'data', 'url'));
    expect(address).toMatch(new RegExp(`^${PUBLIC}/calendar/[\\w-]{43}\\.ics$`));
    const read = await follow(address, { headers: { host: 'evil.example', 'x-forwarded-host': 'evil.example' } });
    expect([read.status, read.headers.get('content-type')]).toEqual([200, 'text/calendar; charset=utf-8']);
    expect(await read.text()).toContain('BEGIN:VCALENDAR');
  });

  it('a problem’s type leads to the page that explains it', async () => {
    const headers = { authorization: `Bearer ${await tokenFor({ role: 'ADMIN' }, 'admin-1')}` };
    const refused = await follow(`${PUBLIC}${API}/reservations/none`, {
      headers: { ...headers, accept: 'application/problem+json' },
    });
    const { type } = (await refused.json()) as { readonly type: string };
    expect((await follow(type)).status).toBe(200);
  });
});
