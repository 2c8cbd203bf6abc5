import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { fallBack } from '../../src/domain/messages/fallback.ts';
import { createSimulatedDatabase, type SimulatedDatabase } from '../setup/database.ts';
import { deliverAll } from '../setup/deliver.ts';
import { type System, startSystem } from '../setup/system.ts';

/** Texts as people change them through HTTP, and what is sent then. */

let simulated: SimulatedDatabase;
let system: System;
let made = 0;
beforeAll(async () => {
  simulated = await createSimulatedDatabase();
  system = await startSystem(simulated);
});
afterAll(() => system?.close());
beforeEach(() => simulated.clock.moveTo('2027-05-01T08:00:00Z'));

const KEY = 'reservation-confirmed.guest@1';
const call = (method: string, path: string, body?: object) =>
  system.call(method, path, body === undefined ? {} : { body });
const save = (draft: object, key = KEY) => call('POST', `/templates/${key}/versions`, draft);
const preview = (request: object, key = KEY) => call('POST', `/templates/${key}/preview`, request);
async function confirmed(guest: object = {}, property: object = {}): Promise<string> {
  made += 1;
  const n = made;
  await call('POST', '/owners', { id: `owner-${n}`, name: 'Aisha', email: `owner${n}@example.com` });
  await call('POST', '/guests', {
    id: `guest-${n}`,
    name: 'John Doe',
    email: `guest${n}@example.com`,
    phone: '+971500000001',
    ...guest,
  });
  await call('POST', '/properties', { id: `home-${n}`, name: 'Marina 12', ownerId: `owner-${n}`, ...property });
  const stay = {
    id: `stay-${n}`,
    propertyId: `home-${n}`,
    guestId: `guest-${n}`,
    checkInDate: '2027-06-01',
    checkOutDate: '2027-06-03',
  };
  await call('POST', '/reservations', { ...stay, totalAmount: 1000, currency: 'AED' });
  expect((await call('POST', `/reservations/stay-${n}/confirm`, {})).status).toBe(200);
  return `stay-${n}`;
}
const deliver = (): Promise<void> => deliverAll(system.bed.db);
async function messageOf(stay: string, event: string, channel = 'EMAIL') {
  const { body } = await call('GET', `/notifications?reservationId=${stay}&event=${event}`);
  const message = body.data.find((one: { channel: string }) => one.channel === channel);
  const content = await call('GET', `/notifications/${message.id}/content`);
  return { ...message, content: content.body.data };
}

describe('the catalogue', () => {
  it('says what a message may say, in which languages', async () => {
    const { body } = await call('GET', '/templates');
    const confirmation = body.data.find(({ key }: { key: string }) => key === KEY);
    expect(confirmation).toMatchObject({
      event: 'RESERVATION_CONFIRMED',
      recipientType: 'GUEST',
      channels: ['EMAIL', 'SMS'],
      missingTranslations: [],
    });
    expect(confirmation.variables).toContainEqual({
      name: 'checkInDate',
      type: 'date',
      example: '1 June 2027',
      optional: false,
    });
    expect(confirmation.variables).toContainEqual(expect.objectContaining({ name: 'address', optional: true }));
    const detail = await call('GET', `/templates/${KEY}`);
    expect(detail.body.data.builtIn).toContainEqual({
      locale: 'en',
      subject: 'Reservation Confirmed - {propertyName}',
      message: 'Dear {guestName}, your reservation for {propertyName} is confirmed for {checkInDate}.',
    });
    expect((await call('GET', '/templates/nothing.guest@1')).status).toBe(404);
    expect((await call('GET', '/templates/x')).status).toBe(422);
    expect((await system.call('GET', '/templates', { role: 'AGENT' })).status).toBe(403);
  });
});

describe('the mail of a confirmation', () => {
  const MAIL = 'reservation-confirmed-details.guest@2';
  it('is shown before as it will be, without lines for what the stay does not have', async () => {
    const bare = await confirmed();
    const placed = await confirmed({}, { address: 'Marina Walk 12, Dubai' });
    const shown = async (reservationId: string) => (await preview({ reservationId }, MAIL)).body.data.mail.text;
    expect(await shown(bare)).not.toMatch(/Address|\n\n\n/);
    expect(await shown(placed)).toContain('\nAddress: Marina Walk 12, Dubai\n');
    await deliver();
    for (const stay of [bare, placed]) {
      const { template, content } = await messageOf(stay, 'RESERVATION_CONFIRMED');
      expect(template).toBe(MAIL);
      expect(content.body).toBe((await shown(stay)).replace('/stay/example', '/stay/••••'));
      expect((await messageOf(stay, 'RESERVATION_CONFIRMED', 'SMS')).content.body).toBe(content.body.split('\n')[0]);
    }
    expect((await preview({}, MAIL)).body.data).toMatchObject({ sms: null, version: 0 });
  });
  it('goes by SMS in the short text where the mail cannot be sent', async () => {
    const { db } = system.bed;
    const stay = await confirmed({ phone: undefined });
    const { id } = await db
      .updateTable('notification')
      .set({ status: 'FAILED', reason: 'HARD_BOUNCE' })
      .where('reservation_id', '=', stay)
      .where('template', '=', MAIL)
      .returning('id')
      .executeTakeFirstOrThrow();
    await call('PATCH', `/guests/guest-${made}`, { phone: '+971500000001' });
    expect(await fallBack(db, [id])).toBe(1);
    await deliver();
    const { template, content } = await messageOf(stay, 'RESERVATION_CONFIRMED', 'SMS');
    expect(template).toBe(KEY);
    expect(content.body).toBe('Dear John Doe, your reservation for Marina 12 is confirmed for 1 June 2027.');
  });
  it('may be a text of their own, whose lines go by the same rule', async () => {
    const draft = {
      locale: 'pt',
      subject: 'Confirmado',
      message: 'Olá {guestName}!\n\nMorada: {address}\nPreço: {price}',
    };
    expect((await save(draft, MAIL)).status).toBe(201);
    const stay = await confirmed({ locale: 'pt-PT' });
    await deliver();
    const { content } = await messageOf(stay, 'RESERVATION_CONFIRMED');
    expect(content.body).toMatch(/^Olá John Doe!\n\nPreço: 1[^\n]+$/);
  });
});

describe('a text', () => {
  it('that is saved counts from the next message on, and the message says which it was', async () => {
    const before = await confirmed();
    await deliver();
    expect(await messageOf(before, 'RESERVATION_CONFIRMED')).toMatchObject({
      locale: 'en',
      templateVersion: 0,
      wantedLocale: null,
    });
    const draft = {
      locale: 'en',
      subject: 'See you, {guestName}',
      message: 'Hello {guestName}, come to {propertyName} on {checkInDate}. {{ok}}',
    };
    expect((await save(draft)).body.data).toMatchObject({ locale: 'en', version: 1, createdBy: 'admin-1' });
    const after = await confirmed();
    await deliver();
    expect(await messageOf(after, 'RESERVATION_CONFIRMED')).toMatchObject({
      locale: 'en',
      templateVersion: 1,
      content: {
        subject: 'See you, John Doe',
        body: 'Hello John Doe, come to Marina 12 on 1 June 2027. {ok}',
        templateVersion: 1,
      },
    });
    expect((await save({ ...draft, locale: 'en' })).body.data.version).toBe(2);
    expect((await call('GET', `/templates/${KEY}`)).body.data.versions).toHaveLength(2);
  });

  it('X1, X3: is refused for what it cannot say', async () => {
    const unknown = await save({ locale: 'en', subject: 'x', message: 'Dear {gestName}, {proprtyName} {zzz}' });
    expect([unknown.status, unknown.body.code]).toEqual([422, 'TEMPLATE_UNKNOWN_VARIABLE']);
    expect(unknown.body.details.unknown).toEqual([
      { name: 'gestName', near: ['guestName'] },
      { name: 'proprtyName', near: ['propertyName'] },
      { name: 'zzz', near: [] },
    ]);
    const spelled = await save({
      locale: 'en',
      subject: 'x',
      message: '{guest_name} { propertyName } {{literal_one}}',
    });
    expect([spelled.status, spelled.body.code]).toEqual([422, 'TEMPLATE_UNKNOWN_VARIABLE']);
    expect(spelled.body.details.unknown).toEqual([
      { name: 'guest_name', near: ['guestName'] },
      { name: ' propertyName ', near: ['propertyName'] },
    ]);
    for (const message of ['Dear {guestName|},', 'See http://example.com', 'See javascript:alert(1)']) {
      expect((await save({ locale: 'en', subject: 'x', message })).body.code).toBe('TEMPLATE_INVALID');
    }
    const brace = await save({ locale: 'en', subject: 'x', message: 'Dear {guestName' });
    expect([brace.status, brace.body.code]).toEqual([422, 'TEMPLATE_INVALID']);
    expect((await save({ locale: 'en', message: 'Dear {guestName}' })).body.code).toBe('TEMPLATE_INVALID');
    const long = await save({ locale: 'en', subject: 'x', message: `{guestName} ${'word '.repeat(100)}` });
    expect([long.status, long.body.code, long.body.details.segments]).toEqual([422, 'TEMPLATE_TOO_LONG', 4]);
    expect((await save({ locale: 'en', subject: 'a\r\nBcc: x@y', message: 'x' })).status).toBe(422);
    expect((await save({ locale: 'en', subject: 'x', message: ' \n ' })).status).toBe(422);
    // A mail alone may be long.
    const owner = await save({ locale: 'en', subject: 'x', message: 'word '.repeat(400) }, 'payout-failed.owner@1');
    expect(owner.status).toBe(201);
    expect(
      (await system.call('POST', `/templates/${KEY}/versions`, { role: 'OPS', body: { locale: 'en', message: 'x' } }))
        .status,
    ).toBe(403);
  });

  it.each([
    '{{guestName}}',
    '{{ guest_name }}',
    '{{{guestName}}}',
    `\${guestName}`,
    '%guestName%',
    '[guest name]',
    '<GuestName>',
  ])('that names a guest as other systems do, %s, is saved and seen with a hint', async (written) => {
    const hint = { field: 'message', suggested: '{guestName}' };
    const draft = { locale: 'en', subject: 'At {propertyName}', message: `Dear ${written}, welcome` };
    const shown = await preview(draft);
    expect(shown.body.data.hints).toMatchObject([hint]);
    const saved = await save(draft);
    expect([saved.status, saved.body.data.hints]).toEqual([201, [{ ...hint, written }]]);
    // The saved text is previewed from now on, with its hints.
    expect((await preview({ locale: 'en' })).body.data.hints).toMatchObject([hint]);
    const right = await save({ ...draft, message: 'Dear {guestName}, [sic] {{ and }} 5%, a <b>' });
    expect(right.body.data.hints).toEqual([]);
  });

  it('that is missing in a language which somebody reads is reported', async () => {
    const key = 'thank-you.guest@1';
    await system.bed.db
      .insertInto('guest')
      .values({ id: 'guest-nl', name: 'Fleur', email: 'fleur@example.com', locale: 'nl-NL' })
      .execute();
    expect((await call('GET', `/templates/${key}`)).body.data.missingTranslations).toContain('nl');
    await save({ locale: 'nl', subject: 'x', message: 'y' }, key);
    expect((await call('GET', `/templates/${key}`)).body.data.missingTranslations).not.toContain('nl');
  });

  it('shows examples as its own language prints them', async () => {
    const arabic = (await preview({ locale: 'ar' }, 'payment-due.guest@1')).body.data;
    expect(arabic.mail.text).toMatch(/\u2068600\.00 AED\u2069/);
    expect(arabic.mail.text).toContain('يونيو');
  });

  it('that several people save at once gets a version from each, in one spelling of its locale', async () => {
    const key = 'maintenance-done.owner@1';
    const drafts = ['PT-br', 'pt-BR', 'pt-br', 'PT-BR', 'pt-BR'].map((locale) => ({
      locale,
      subject: 'x',
      message: 'y',
    }));
    const saved = await Promise.all(drafts.map((draft) => save(draft, key)));
    expect(saved.map(({ body }) => `${body.data?.locale} ${body.data?.version}`).toSorted()).toEqual(
      [1, 2, 3, 4, 5].map((version) => `pt-BR ${version}`),
    );
  });

  it('is seen as its recipient would, before it is saved', async () => {
    const stay = await confirmed({ name: '<b>Ann</b> {x}', locale: 'ar-AE' });
    const { body } = await preview({ locale: 'ar-AE', reservationId: stay });
    expect(body.data).toMatchObject({ locale: 'ar', version: 0 });
    expect(body.data.mail.html).toContain('dir="rtl"');
    expect(body.data.mail.html).toContain('&lt;b&gt;Ann&lt;/b&gt; {x}');
    expect(body.data.sms).toMatchObject({ encoding: 'UCS-2', segments: 2 });
    const draft = await preview({ message: 'Bye {guestName}, {accessCode|no code}' }, 'welcome.guest@1');
    expect(draft.body.data).toMatchObject({ version: null, mail: { text: 'Bye John Doe, 4711' } });
    expect((await preview({ message: '{nobody}' })).body.code).toBe('TEMPLATE_UNKNOWN_VARIABLE');
    expect((await preview({ reservationId: 'nothing' })).status).toBe(404);
    const { rows } = {
      rows: await system.bed.db.selectFrom('notification').select('id').where('id', 'like', 'preview-%').execute(),
    };
    expect(rows).toEqual([]);
  });

  it('comes in the language of its reader; where there is none, in English, or not at all', async () => {
    const arabic = await confirmed({ locale: 'ar-AE' });
    const french = await confirmed({ locale: 'fr-FR' });
    const strict = await confirmed({ locale: 'fr-FR' }, { requireTranslation: true });
    await deliver();
    const { content, ...message } = await messageOf(arabic, 'RESERVATION_CONFIRMED', 'SMS');
    expect(message).toMatchObject({ locale: 'ar', wantedLocale: 'ar-AE', status: 'SENT' });
    expect(content.body).toContain('تم تأكيد حجزك');
    expect(content.body).toContain('\u2068Marina 12\u2069');
    expect(await messageOf(french, 'RESERVATION_CONFIRMED')).toMatchObject({
      locale: 'en',
      wantedLocale: 'fr-FR',
      status: 'SENT',
    });
    expect(await messageOf(strict, 'RESERVATION_CONFIRMED')).toMatchObject({
      status: 'BLOCKED',
      reason: 'MISSING_TRANSLATION fr-FR',
    });
    await save({ locale: 'fr', subject: 'Confirmé', message: 'Bonjour {guestName}, le {checkInDate}.' });
    const translated = await confirmed({ locale: 'fr-FR' }, { requireTranslation: true });
    await deliver();
    expect((await messageOf(translated, 'RESERVATION_CONFIRMED')).content.body).toBe(
      'Bonjour John Doe, le 1 juin 2027.',
    );
  });

  it('with the code of a door waits for it, hides it in the log, and is blocked in the end', async () => {
    const stay = await confirmed({}, { amenityDevice: 'lock-1' });
    await simulated.clock.moveTo('2027-06-01T12:00:00Z');
    expect((await call('POST', `/reservations/${stay}/check-in`, {})).status).toBe(200);
    const grants = system.bed.db.updateTable('amenity_grant').where('reservation_id', '=', stay);
    const { access_code: code } = await system.bed.db
      .selectFrom('amenity_grant')
      .select('access_code')
      .where('reservation_id', '=', stay)
      .executeTakeFirstOrThrow();
    await grants.set({ access_code: null }).execute();
    await deliver();
    expect(await messageOf(stay, 'WELCOME').catch(() => null)).toMatchObject({
      status: 'QUEUED',
      reason: 'WAITING_FOR accessCode',
    });
    await grants.set({ access_code: code }).execute();
    await simulated.clock.moveTo('2027-06-01T12:05:00Z');
    await deliver();
    const sent = await messageOf(stay, 'WELCOME');
    expect(sent).toMatchObject({ status: 'SENT', attempts: 2 });
    expect(sent.content.body).toContain('••••');
    expect(sent.content.body).not.toContain(code);
    const late = await confirmed({}, { amenityDevice: 'lock-2' });
    expect((await call('POST', `/reservations/${late}/check-in`, {})).status).toBe(200);
    await system.bed.db
      .updateTable('amenity_grant')
      .set({ access_code: null })
      .where('reservation_id', '=', late)
      .execute();
    await simulated.clock.moveTo('2027-06-01T12:30:00Z');
    await deliver();
    const { body } = await call('GET', `/notifications?reservationId=${late}&event=WELCOME`);
    expect(body.data.map(({ status, reason }: { status: string; reason: string }) => `${status} ${reason}`)).toEqual([
      'BLOCKED MISSING accessCode',
      'BLOCKED MISSING accessCode',
    ]);
    expect((await call('GET', `/notifications/${body.data[0].id}/content`)).status).toBe(404);
    const alerts = await call('GET', '/notifications?event=SYSTEM_ALERT');
    expect(alerts.body.data.length).toBeGreaterThan(0);
  });
});
