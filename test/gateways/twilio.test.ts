import { sql } from 'kysely';
import twilio from 'twilio';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { deliverDue } from '../../src/domain/messages/delivery.ts';
import { storeDevMail } from '../../src/domain/messages/delivery-mailbox.ts';
import type { Messenger, OutgoingMessage } from '../../src/domain/ports.ts';
import { createBreakers } from '../../src/gateways/breaker.ts';
import { withCircuit } from '../../src/gateways/channel-circuit.ts';
import { createDevMailbox } from '../../src/gateways/dev-mailbox.ts';
import { createTwilio } from '../../src/gateways/twilio/messenger.ts';
import { twilioReceipts } from '../../src/gateways/twilio/receipts.ts';
import { systemClock } from '../../src/kernel/clock.ts';
import { createLinkSeal } from '../../src/kernel/link-seal.ts';
import { createLogger } from '../../src/kernel/log.ts';
import { createTextSeal } from '../../src/kernel/text-seal.ts';
import { API } from '../http/harness.ts';
import { prepareStays, seedStay } from '../sagas/confirmation.ts';
import { type System, startSystem } from '../setup/system.ts';
import { ACCOUNT, type FakeTwilio, startFakeTwilio, TOKEN } from './fake-twilio.ts';

/** SMS over the wire: what Twilio is asked, what its answers come to, and what it tells afterwards. */

const CALLBACK = `https://api.example.com${API}/webhooks/twilio`;
const log = createLogger('test', 'silent');
let fake: FakeTwilio;
let system: System;
beforeAll(async () => {
  system = await startSystem(undefined, {
    receivers: new Map([['twilio', twilioReceipts(TOKEN, CALLBACK)]]),
  });
  await prepareStays(system.bed.db);
});
afterAll(() => system?.close());
beforeEach(async () => {
  fake = await startFakeTwilio();
  await system.bed.db.deleteFrom('notification').execute();
});
afterEach(() => fake.close());

const adapter = (from = '+15005550006'): Messenger =>
  createTwilio({ accountSid: ACCOUNT, authToken: TOKEN, from, apiUrl: fake.url, statusCallback: CALLBACK });
const sms = (text = 'Hello & مرحبا'): OutgoingMessage => ({
  messageId: '<1@roomy>',
  channel: 'SMS',
  to: '+971501234567',
  subject: null,
  text,
  html: null,
});
const deliver = (messenger: Messenger) => {
  const mailbox = createDevMailbox((messages) => storeDevMail(system.bed.db, messages));
  return deliverDue({
    db: system.bed.db,
    messengers: { EMAIL: mailbox, SMS: messenger },
    opsEmail: 'ops@roomy.example',
    secrets: createTextSeal([]),
    links: createLinkSeal([], systemClock),
    publicUrl: 'https://roomy.example',
    agencyTimeZone: 'Asia/Dubai',
    log,
  });
};
async function confirmed(): Promise<string> {
  const id = await seedStay(system.bed.db);
  expect((await system.call('POST', `/reservations/${id}/confirm`, { body: {} })).status).toBe(200);
  return id;
}
const texts = () =>
  system.bed.db
    .selectFrom('notification')
    .selectAll()
    .where('channel', '=', 'SMS')
    .orderBy('created_at')
    .orderBy('id')
    .execute();

describe('what Twilio is asked', () => {
  it('is its documented request', async () => {
    expect(await adapter().send([sms()])).toEqual([{ sent: true, providerId: expect.stringMatching(/^SM\d{32}$/) }]);
    expect(fake.requests).toMatchObject([{ method: 'POST', path: `/2010-04-01/Accounts/${ACCOUNT}/Messages.json` }]);
    expect(fake.messages).toMatchObject([
      {
        to: '+971501234567',
        from: '+15005550006',
        messagingServiceSid: null,
        body: 'Hello & مرحبا',
        statusCallback: CALLBACK,
      },
    ]);
    await adapter(`MG${'a'.repeat(32)}`).send([sms()]);
    expect(fake.messages[1]).toMatchObject({ from: null, messagingServiceSid: `MG${'a'.repeat(32)}` });
  });

  it.each([
    [
      { status: 400, code: 21211 },
      { sent: false, permanent: true, reason: 'TWILIO_21211' },
    ],
    [
      { status: 400, code: 21610 },
      { sent: false, permanent: true, reason: 'TWILIO_21610' },
    ],
    [
      { status: 429, code: 20429, retryAfter: '1' },
      { sent: false, permanent: false, reason: 'TWILIO_20429' },
    ],
    [
      { status: 401, code: 20003 },
      { sent: false, permanent: false, reason: 'TWILIO_20003' },
    ],
    [
      { status: 503, code: 20503 },
      { sent: false, unknown: true, reason: 'SMS_OUTCOME_UNKNOWN', candidates: [] },
    ],
    ['lost-before' as const, { sent: false, unknown: true, reason: 'SMS_OUTCOME_UNKNOWN', candidates: [] }],
  ])('and answers with %j', async (fault, outcome) => {
    fake.faults.push(fault);
    expect(await adapter().send([sms()])).toEqual([outcome]);
    expect(fake.messages).toHaveLength(0);
  });

  it('is found again when the answer was lost after it was taken', async () => {
    fake.faults.push('lost-after');
    const [outcome] = await adapter().send([sms()]);
    expect(outcome).toMatchObject({ sent: false, unknown: true, candidates: [fake.messages[0]?.sid] });
    await confirmed();
    fake.faults.push('lost-after');
    await deliver(adapter());
    expect(await texts()).toMatchObject([{ status: 'SENT', provider_id: fake.messages[1]?.sid }]);
    expect(fake.messages).toHaveLength(2);
  });

  it('X8: is answered in few bytes, or what the answer says is not believed', async () => {
    fake.faults.push('endless');
    const [outcome] = await adapter().send([sms()]);
    expect(outcome).toMatchObject({ sent: false, unknown: true, candidates: [fake.messages[0]?.sid] });
  });

  it('is nothing when nobody is there: that may be tried again', async () => {
    const messenger = adapter();
    await fake.close();
    expect(await messenger.send([sms()])).toEqual([{ sent: false, permanent: false, reason: 'TWILIO_ECONNREFUSED' }]);
  });
});

describe('an SMS', () => {
  it('whose outcome is not known is not sent again, and somebody is told', async () => {
    await confirmed();
    fake.faults.push('lost-before');
    await deliver(adapter());
    expect(await texts()).toMatchObject([{ status: 'BLOCKED', reason: 'SMS_OUTCOME_UNKNOWN' }]);
    const alert = await system.bed.db
      .selectFrom('notification')
      .select('params')
      .where('event', '=', 'SYSTEM_ALERT')
      .executeTakeFirst();
    expect(alert?.params).toMatchObject({ code: 'SMS_OUTCOME_UNKNOWN' });
  });

  it.each([
    ['was sent', true],
    ['was not sent', false],
  ])('that a dead worker had begun with is looked up: it %s', async (_what, wasSent) => {
    await confirmed();
    const messenger = adapter();
    const dying: Messenger = {
      ...messenger,
      send: async (messages) => {
        if (wasSent) await messenger.send(messages);
        throw new Error('killed');
      },
    };
    await deliver(dying);
    // As a worker leaves it that died with the answer in hand.
    const lost = {
      status: 'SENDING',
      lease_until: sql<Date>`now() - interval '1 s'`,
      due_at: sql<Date>`now() - interval '1 minute'`,
    } as const;
    await system.bed.db.updateTable('notification').set(lost).where('channel', '=', 'SMS').execute();
    await deliver(messenger);
    expect(fake.messages).toHaveLength(wasSent ? 1 : 0);
    expect(await texts()).toMatchObject([
      wasSent
        ? { status: 'SENT', provider_id: fake.messages[0]?.sid }
        : { status: 'BLOCKED', reason: 'SMS_OUTCOME_UNKNOWN' },
    ]);
  });

  it('waits without using up attempts while the channel is down', async () => {
    for (let n = 0; n < 7; n += 1) await confirmed();
    // So that all of them go in one batch, each time.
    await system.bed.db.deleteFrom('notification').where('channel', '=', 'EMAIL').execute();
    const breakers = createBreakers(log, { failures: 2, firstPauseMs: 60_000 });
    const messenger = withCircuit(adapter(), breakers, 'sms');
    fake.faults.push(...Array.from({ length: 40 }, () => ({ status: 429, code: 20429 })));
    const makeDue = () =>
      system.bed.db
        .updateTable('notification')
        .set({ due_at: sql<Date>`now()` })
        .where('status', '=', 'QUEUED')
        .execute();
    for (let round = 0; round < 4; round += 1) {
      await deliver(messenger);
      if (round < 3) await makeDue();
    }
    expect(breakers.states().get('sms')).toBe('open');
    for (const row of await texts())
      expect([row.status, row.reason, row.attempts - row.waits]).toEqual(['QUEUED', 'CIRCUIT_OPEN', 2]);
    const alerts = await system.bed.db
      .selectFrom('notification')
      .select('params')
      .where('effect_key', 'like', 'alert-circuit-SMS-%')
      .execute();
    expect(alerts).toHaveLength(1);
  });

  it('that is sent again is not taken for the one before, which said the same', async () => {
    await confirmed();
    await deliver(adapter());
    const [first] = await texts();
    const again = await system.call('POST', `/notifications/${first?.id}/resend`, { body: {} });
    expect(again.status).toBe(200);
    fake.faults.push('lost-before');
    await deliver(adapter());
    expect(fake.messages).toHaveLength(1);
    expect(await texts()).toMatchObject([{ status: 'SENT' }, { status: 'BLOCKED', reason: 'SMS_OUTCOME_UNKNOWN' }]);
  });

  it('that cannot be sent goes by mail, once, unless a mail went anyway', async () => {
    const id = await confirmed();
    fake.faults.push({ status: 400, code: 21211 });
    await deliver(adapter());
    expect(await texts()).toMatchObject([{ status: 'FAILED', reason: 'TWILIO_21211' }]);
    const mails = () =>
      system.bed.db
        .selectFrom('notification')
        .selectAll()
        .where('reservation_id', '=', id)
        .where('channel', '=', 'EMAIL')
        .where('recipient_type', '=', 'GUEST')
        .execute();
    expect(await mails()).toHaveLength(1);
    // Where the mail was never ordered.
    await system.bed.db.deleteFrom('notification').where('channel', '=', 'EMAIL').execute();
    await system.bed.db
      .updateTable('notification')
      .set({ status: 'QUEUED', attempts: 0 })
      .where('channel', '=', 'SMS')
      .execute();
    fake.faults.push({ status: 400, code: 21211 });
    await deliver(adapter());
    await deliver(adapter());
    expect(await mails()).toMatchObject([{ status: 'SENT', fallback_of: expect.any(String) }]);
  });
});

describe('a receipt', () => {
  const report = async (form: Record<string, string>, signature?: string) => {
    const { app } = await system.as({});
    const signed = signature ?? twilio.getExpectedTwilioSignature(TOKEN, CALLBACK, form);
    const response = await app.request(`${API}/webhooks/twilio`, {
      method: 'POST',
      headers: { 'content-type': 'application/x-www-form-urlencoded', 'x-twilio-signature': signed },
      body: new URLSearchParams(form).toString(),
    });
    return { status: response.status, body: (await response.json()) as { data?: { outcome: string }; code?: string } };
  };
  async function sent(): Promise<string> {
    await confirmed();
    await deliver(adapter());
    return fake.messages[0]?.sid ?? '';
  }

  it('says that an SMS arrived; it comes late, twice and in any order', async () => {
    const sid = await sent();
    expect((await report({ MessageSid: sid, MessageStatus: 'sent' })).body.data).toEqual({ outcome: 'nothing new' });
    expect((await report({ MessageSid: sid, MessageStatus: 'delivered' })).body.data).toEqual({ outcome: 'noted' });
    for (const MessageStatus of ['delivered', 'undelivered', 'queued']) {
      expect((await report({ MessageSid: sid, MessageStatus })).body.data).toEqual({ outcome: 'nothing new' });
    }
    expect(await texts()).toMatchObject([{ status: 'DELIVERED', delivered_at: expect.any(Date) }]);
    expect((await report({ MessageSid: 'SM-unknown', MessageStatus: 'delivered' })).status).toBe(200);
  });

  it('says why one did not', async () => {
    const sid = await sent();
    await report({ MessageSid: sid, MessageStatus: 'undelivered', ErrorCode: '30005' });
    expect(await texts()).toMatchObject([{ status: 'FAILED', reason: 'TWILIO_30005' }]);
    await report({ MessageSid: sid, MessageStatus: 'delivered' });
    expect(await texts()).toMatchObject([{ status: 'DELIVERED' }]);
  });

  it('X9: is believed only with the signature of its own form', async () => {
    const sid = await sent();
    const form = { MessageSid: sid, MessageStatus: 'delivered' };
    const other = twilio.getExpectedTwilioSignature(TOKEN, CALLBACK, { ...form, MessageStatus: 'failed' });
    for (const signature of ['', 'x', other])
      expect((await report(form, signature)).body.code).toBe('INVALID_SIGNATURE');
    expect((await report({ ...form, padding: 'x'.repeat(20_000) })).status).toBe(413);
    expect(await texts()).toMatchObject([{ status: 'SENT' }]);
  });
});
