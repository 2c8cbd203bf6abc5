import { sql } from 'kysely';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { planDueReminders } from '../../src/domain/messages/reminders.ts';
import { notificationContent } from '../../src/domain/messages/resource.ts';
import { createSimulatedDatabase, type SimulatedDatabase } from '../setup/database.ts';
import { deliverAll } from '../setup/deliver.ts';
import { type Answer, type System, startSystem } from '../setup/system.ts';

/** Messages through HTTP: rules, settings, preferences, resending; and reminders that move. */

let simulated: SimulatedDatabase;
let system: System;
beforeAll(async () => {
  simulated = await createSimulatedDatabase();
  system = await startSystem(simulated);
  await simulated.clock.moveTo('2027-05-01T08:00:00Z');
});
afterAll(() => system?.close());
const NO_QUIET_HOURS = { quietChannels: [] };
beforeEach(async () => {
  await simulated.clock.moveTo('2027-05-01T08:00:00Z');
  await system.call('PATCH', '/notification-rules', { body: { quietFrom: '21:00', quietChannels: ['SMS'] } });
});

let made = 0;
async function confirmed(stay: { readonly checkInDate?: string; readonly checkOutDate?: string } = {}) {
  made += 1;
  const n = made;
  const add = async (path: string, body: object) => {
    const answer = await system.call('POST', path, { body });
    expect(answer.status, answer.text).toBe(201);
  };
  await add('/owners', { id: `owner-${n}`, name: 'Aisha', email: `owner${n}@example.com` });
  await add('/guests', { id: `guest-${n}`, name: 'John Doe', email: `guest${n}@example.com`, phone: '+971500000001' });
  await add('/properties', { id: `home-${n}`, name: 'Marina', ownerId: `owner-${n}`, timeZone: 'Asia/Dubai' });
  await add('/reservations', {
    id: `stay-${n}`,
    propertyId: `home-${n}`,
    guestId: `guest-${n}`,
    checkInDate: '2027-06-01',
    checkOutDate: '2027-06-04',
    totalAmount: 1000,
    currency: 'AED',
    ...stay,
  });
  expect((await act(`stay-${n}`, 'confirm')).status).toBe(200);
  await plan();
  return { stay: `stay-${n}`, home: `home-${n}`, guest: `guest-${n}`, owner: `owner-${n}` };
}
const act = (id: string, action: string, body: object = {}): Promise<Answer> =>
  system.call('POST', `/reservations/${id}/${action}`, { body });
async function plan(): Promise<void> {
  while ((await planDueReminders(system.bed.db, 20)) > 0);
}
const deliver = (): Promise<void> => deliverAll(system.bed.db);
const rowsOf = (stay: string, event: string) =>
  system.bed.db
    .selectFrom('notification')
    .selectAll()
    .where('reservation_id', '=', stay)
    .where('event', '=', event)
    .orderBy('channel')
    .orderBy('created_at')
    .execute();
const states = async (stay: string, event: string) =>
  (await rowsOf(stay, event)).map(({ channel, status, reason, due_at }) =>
    [channel, status, reason ?? due_at.toISOString().slice(0, 16)].join(' '),
  );
const CHECK_IN = 'CHECK_IN_REMINDER';

describe('reminders', () => {
  it('move with the clock of the property, and not twice', async () => {
    const { stay, home } = await confirmed();
    expect(await states(stay, CHECK_IN)).toEqual(['EMAIL QUEUED 2027-05-31T06:00', 'SMS QUEUED 2027-05-31T06:00']);
    await system.call('PATCH', `/properties/${home}`, {
      body: { checkInReminderTime: '12:00', timeZone: 'Europe/Paris' },
    });
    await plan();
    expect(await states(stay, CHECK_IN)).toEqual(['EMAIL QUEUED 2027-05-31T10:00', 'SMS QUEUED 2027-05-31T10:00']);
    await system.call('PATCH', `/properties/${home}`, { body: { paymentDueDays: null } });
    await plan();
    expect(await states(stay, 'PAYMENT_DUE')).toEqual(['EMAIL SKIPPED NOT_DUE_ANY_MORE']);
    await system.call('PATCH', `/properties/${home}`, { body: { paymentDueDays: 7 } });
    await plan();
    expect(await states(stay, 'PAYMENT_DUE')).toEqual(['EMAIL QUEUED 2027-05-25T08:00']);
  });

  it('that are moved into the past do not go off at once', async () => {
    const { stay, home } = await confirmed();
    await simulated.clock.moveTo('2027-05-31T05:00:00Z');
    await system.call('PATCH', `/properties/${home}`, { body: { checkInReminderTime: '08:00' } });
    await plan();
    expect(await states(stay, CHECK_IN)).toEqual(['EMAIL QUEUED 2027-05-31T05:30', 'SMS QUEUED 2027-05-31T05:30']);
    await system.call('PATCH', `/properties/${home}`, {
      body: { checkOutReminderTime: '00:01', checkInReminderTime: '23:00' },
    });
    await plan();
    // At eleven in the evening an SMS waits for the morning.
    expect(await states(stay, CHECK_IN)).toEqual(['EMAIL QUEUED 2027-05-31T19:00', 'SMS QUEUED 2027-06-01T05:00']);
  });

  it('follow the guest: a phone, a zone, and rules that change', async () => {
    const { stay, guest } = await confirmed();
    await system.call('PATCH', `/guests/${guest}`, { body: { timeZone: 'America/Los_Angeles' } });
    await plan();
    expect(await states(stay, CHECK_IN)).toEqual(['EMAIL QUEUED 2027-05-31T06:00', 'SMS QUEUED 2027-05-31T16:00']);
    await system.call('PATCH', '/notification-rules', { body: NO_QUIET_HOURS });
    await plan();
    expect(await states(stay, CHECK_IN)).toEqual(['EMAIL QUEUED 2027-05-31T06:00', 'SMS QUEUED 2027-05-31T06:00']);
    await system.call('PATCH', `/guests/${guest}`, { body: { phone: null } });
    await plan();
    expect(await states(stay, CHECK_IN)).toEqual(['EMAIL QUEUED 2027-05-31T06:00', 'SMS SKIPPED NOT_DUE_ANY_MORE']);
  });

  it('are not sent while a change of the stay is not planned for yet', async () => {
    const { stay, home } = await confirmed();
    await simulated.clock.moveTo('2027-05-31T06:00:01Z');
    await system.call('PATCH', `/properties/${home}`, { body: { checkInReminderTime: '20:00' } });
    await deliver();
    expect((await rowsOf(stay, CHECK_IN)).map(({ status, reason }) => `${status} ${reason}`)).toEqual([
      'QUEUED REPLANNING',
      'QUEUED REPLANNING',
    ]);
    await plan();
    expect(await states(stay, CHECK_IN)).toEqual(['EMAIL QUEUED 2027-05-31T16:00', 'SMS QUEUED 2027-05-31T16:00']);
    await simulated.clock.moveTo('2027-05-31T16:00:00Z');
    await deliver();
    expect((await rowsOf(stay, CHECK_IN)).map(({ status }) => status)).toEqual(['SENT', 'SENT']);
  });

  it('come too late after a long outage, and are not sent', async () => {
    const { stay } = await confirmed();
    await simulated.clock.moveTo('2027-06-01T11:00:01Z');
    await deliver();
    expect(await states(stay, CHECK_IN)).toEqual(['EMAIL SKIPPED TOO_LATE', 'SMS SKIPPED TOO_LATE']);
  });

  it('come back with a stay that is confirmed again', async () => {
    const { stay } = await confirmed();
    const { db } = system.bed;
    await db.updateTable('reservation').set({ status: 'PENDING', version: 3 }).where('id', '=', stay).execute();
    await plan();
    expect(await states(stay, CHECK_IN)).toEqual(['EMAIL SKIPPED ROLLED_BACK', 'SMS SKIPPED ROLLED_BACK']);
    await db.updateTable('reservation').set({ status: 'CONFIRMED', version: 4 }).where('id', '=', stay).execute();
    await plan();
    expect((await rowsOf(stay, CHECK_IN)).map(({ status }) => status)).toEqual(['QUEUED', 'QUEUED']);
  });

  it('are planned once by sweeps that run at the same time', async () => {
    const { db } = system.bed;
    const stays = [];
    for (let n = 0; n < 6; n += 1) stays.push((await confirmed()).stay);
    await db.updateTable('reservation').set({ reminded_version: null }).where('id', 'in', stays).execute();
    await db
      .deleteFrom('notification')
      .where('reservation_id', 'in', stays)
      .where('due_rule', 'is not', null)
      .execute();
    await Promise.all(Array.from({ length: 4 }, plan));
    for (const stay of stays) expect(await rowsOf(stay, CHECK_IN)).toHaveLength(2);
  });

  it('ask for no review while something is broken', async () => {
    const { stay, home } = await confirmed();
    await simulated.clock.moveTo('2027-06-01T12:00:00Z');
    await act(stay, 'check-in');
    const { body } = await system.call('POST', '/tasks', {
      body: {
        propertyId: home,
        type: 'EMERGENCY',
        title: 'No water',
        scheduledDate: '2027-06-02T10:00:00Z',
        durationMinutes: 60,
      },
    });
    expect(body.success, JSON.stringify(body)).toBe(true);
    await simulated.clock.moveTo('2027-06-04T06:00:00Z');
    await act(stay, 'check-out');
    await plan();
    await simulated.clock.moveTo('2027-06-07T06:00:00Z');
    await deliver();
    expect(await states(stay, 'REVIEW_REQUEST')).toEqual(['EMAIL SKIPPED OPEN_INCIDENT']);
  });
});

describe('what is not sent', () => {
  it('is switched off for everybody, except what the brief names', async () => {
    const { body } = await system.call('GET', '/notification-settings');
    expect(body.data).toContainEqual({
      event: 'REVIEW_REQUEST',
      recipientType: 'GUEST',
      channel: 'EMAIL',
      enabled: true,
      required: false,
    });
    const off = (event: string, recipientType = 'GUEST', channel = 'EMAIL', enabled = false) =>
      system.call('PUT', '/notification-settings', { body: { event, recipientType, channel, enabled } });
    expect((await off('THANK_YOU')).body.code).toBe('MESSAGE_REQUIRED');
    expect((await off('PAYMENT_DUE', 'GUEST', 'SMS')).status).toBe(422);
    expect((await off('PAYMENT_DUE')).status).toBe(200);
    const { stay } = await confirmed();
    const { body: forecast } = await system.call('GET', `/reservations/${stay}/forecast`);
    expect(forecast.data.messages.find(({ event }: { event: string }) => event === 'PAYMENT_DUE').status).toBe(
      'QUEUED',
    );
    await simulated.clock.moveTo('2027-05-29T06:00:00Z');
    await deliver();
    expect(await states(stay, 'PAYMENT_DUE')).toEqual(['EMAIL SKIPPED SWITCHED_OFF']);
    expect((await off('PAYMENT_DUE', 'GUEST', 'EMAIL', true)).status).toBe(200);
  });

  it('is what a recipient does not want, except what is owed', async () => {
    const { stay, guest, owner } = await confirmed();
    const put = (path: string, optOuts: readonly object[]) =>
      system.call('PUT', `/${path}/notification-preferences`, { body: { optOuts } });
    expect((await put(`guests/${guest}`, [{ event: 'RESERVATION_CONFIRMED', channel: 'EMAIL' }])).body.code).toBe(
      'MESSAGE_REQUIRED',
    );
    expect((await put(`guests/${guest}`, [{ event: 'TASK_ASSIGNED', channel: 'EMAIL' }])).status).toBe(422);
    expect((await put('guests/nobody', [])).status).toBe(404);
    const wanted = [
      { event: '*', channel: 'EMAIL' },
      { event: '*', channel: 'SMS' },
    ];
    expect((await put(`guests/${guest}`, wanted)).body.data).toEqual({ optOuts: wanted });
    expect((await put(`owners/${owner}`, [{ event: 'NEW_RESERVATION', channel: 'EMAIL' }])).status).toBe(200);
    await deliver();
    expect(await states(stay, 'NEW_RESERVATION')).toEqual(['EMAIL SKIPPED OPTED_OUT']);
    expect((await rowsOf(stay, 'RESERVATION_CONFIRMED')).map(({ channel, status }) => `${channel} ${status}`)).toEqual([
      'EMAIL SENT',
      'SMS SKIPPED',
    ]);
    await simulated.clock.moveTo('2027-05-31T06:00:00Z');
    await deliver();
    expect(await states(stay, CHECK_IN)).toEqual(['EMAIL SKIPPED OPTED_OUT', 'SMS SKIPPED OPTED_OUT']);
    expect((await system.call('GET', `/guests/${guest}/notification-preferences`)).body.data).toEqual({
      optOuts: wanted,
    });
  });

  it('waits while the recipient sleeps', async () => {
    await simulated.clock.moveTo('2027-05-01T18:00:00Z');
    const { stay } = await confirmed();
    await deliver();
    expect(
      (await rowsOf(stay, 'RESERVATION_CONFIRMED')).map(
        ({ channel, status, due_at }) => `${channel} ${status} ${status === 'SENT' ? '' : due_at.toISOString()}`,
      ),
    ).toEqual(['EMAIL SENT ', 'SMS QUEUED 2027-05-02T05:00:00.000Z']);
    await simulated.clock.moveTo('2027-05-02T05:00:00Z');
    await deliver();
    expect(
      (await rowsOf(stay, 'RESERVATION_CONFIRMED')).map(
        ({ status, attempts, waits }) => `${status} ${attempts} ${waits}`,
      ),
    ).toEqual(['SENT 1 0', 'SENT 2 1']);
  });

  it('refuses rules that contradict themselves', async () => {
    const answer = await system.call('PATCH', '/notification-rules', { body: { lastCall: '22:00' } });
    expect(answer.status).toBe(422);
    expect((await system.call('GET', '/notification-rules')).body.data).toEqual({
      quietFrom: '21:00',
      quietTo: '09:00',
      lastCall: '20:30',
      quietChannels: ['SMS'],
      reviewDelayHours: 24,
      reviewDespiteIncident: false,
      digestTime: '18:00',
    });
  });
});

describe('once more', () => {
  const resend = (id: string | undefined, body: object = {}, headers: Record<string, string> = {}) =>
    system.call('POST', `/notifications/${id}/resend`, { body, headers });

  it('is a message of its own, sent at any hour, once a key', async () => {
    await simulated.clock.moveTo('2027-05-01T18:00:00Z');
    const { stay } = await confirmed();
    const [mail, text] = await rowsOf(stay, 'RESERVATION_CONFIRMED');
    expect((await resend(mail?.id)).body.code).toBe('INVALID_STATE_TRANSITION');
    await deliver();
    const first = await resend(mail?.id, { channel: 'SMS' }, { 'idempotency-key': 'again' });
    expect(first.body.data).toMatchObject({
      channel: 'SMS',
      status: 'QUEUED',
      resendOf: mail?.id,
      event: 'RESERVATION_CONFIRMED',
    });
    // A mail has more to say than an SMS has room for.
    expect([mail?.template, first.body.data.template]).toEqual([
      'reservation-confirmed-details.guest@2',
      'reservation-confirmed.guest@1',
    ]);
    expect((await resend(mail?.id, { channel: 'SMS' }, { 'idempotency-key': 'again' })).text).toBe(first.text);
    expect((await resend(text?.id)).status).toBe(409);
    await deliver();
    expect(
      (await rowsOf(stay, 'RESERVATION_CONFIRMED')).map(
        ({ channel, status, reason }) => `${channel} ${status} ${reason}`,
      ),
    ).toEqual(['EMAIL SENT null', 'SMS QUEUED QUIET_HOURS', 'SMS SENT null']);
    const { rows } = await sql<{
      n: number;
    }>`SELECT count(*)::int AS n FROM dev_mail WHERE message_id LIKE '%again-1@roomy>'`.execute(system.bed.db);
    expect(rows[0]?.n).toBe(1);
  });

  it('says no to what there is not', async () => {
    const { stay } = await confirmed();
    await deliver();
    const [owners] = await rowsOf(stay, 'NEW_RESERVATION');
    expect((await resend('nothing')).status).toBe(404);
    // Links to sign in have bounds of their own.
    await system.bed.db
      .insertInto('notification')
      .values({
        id: 'notification-link',
        effect_key: 'a-link',
        event: 'SIGN_IN_LINK',
        template: 'sign-in-link.ops@1',
        channel: 'EMAIL',
        recipient_type: 'OPS',
        recipient_id: 'account-1',
        params: '{}',
        status: 'SENT',
      })
      .execute();
    expect((await resend('notification-link')).body.code).toBe('INVALID_STATE_TRANSITION');
    expect((await resend(owners?.id, { channel: 'SMS' })).status).toBe(422);
  });
});

describe('the forecast', () => {
  it('says when a confirmation would be refused, and is for those who may see the stay', async () => {
    const { home, guest } = await confirmed();
    const rival = {
      id: `rival-${made}`,
      propertyId: home,
      guestId: guest,
      checkInDate: '2027-06-02',
      checkOutDate: '2027-06-05',
    };
    await system.call('POST', '/reservations', { body: { ...rival, totalAmount: 1000, currency: 'AED' } });
    const { body } = await system.call('GET', `/reservations/${rival.id}/forecast`);
    expect(body.data).toMatchObject({ status: 'PENDING', wouldBeRefused: 'RESERVATION_CONFLICT' });
    expect((await system.call('GET', '/reservations/nothing/forecast')).status).toBe(404);
    const agent = { role: 'AGENT', sub: 'agent-of-nobody' } as const;
    expect((await system.call('GET', `/reservations/${rival.id}/forecast`, agent)).status).toBe(404);
    expect((await system.call('GET', `/reservations/${rival.id}/forecast`, { role: 'CLEANER' })).status).toBe(403);
  });

  it('shows what is not wanted, and a cleaning that another stay’s does as well', async () => {
    const { home, guest } = await confirmed();
    const next = {
      id: `next-${made}`,
      propertyId: home,
      guestId: guest,
      checkInDate: '2027-06-04',
      checkOutDate: '2027-06-05',
    };
    await system.call('POST', '/reservations', { body: { ...next, totalAmount: 1000, currency: 'AED' } });
    await system.call('PUT', `/guests/${guest}/notification-preferences`, {
      body: { optOuts: [{ event: '*', channel: 'SMS' }] },
    });
    const { body } = await system.call('GET', `/reservations/${next.id}/forecast`);
    const shown = body.data.messages.filter(({ channel }: { channel: string }) => channel === 'SMS');
    expect(shown.length).toBeGreaterThan(3);
    expect(
      shown.every(
        ({ status, reason }: { status: string; reason: string }) => status === 'SKIPPED' && reason === 'OPTED_OUT',
      ),
    ).toBe(true);
    expect(
      body.data.tasks.map(
        ({ occurrence, status }: { occurrence: string; status: string }) => `${occurrence} ${status}`,
      ),
    ).toEqual(['PRE_ARRIVAL MERGED', 'ARRIVAL EXPECTED', 'DEPARTURE EXPECTED', 'POST_DEPARTURE EXPECTED']);
  });
});

describe('a task that is taken away', () => {
  it('is remembered by the time at which its assignee was told that it begins', async () => {
    const { home } = await confirmed();
    const { db } = system.bed;
    const fixer = { id: `fixer-${made}`, name: 'Fay', email: 'fay@example.com', role: 'MAINTENANCE_STAFF' };
    expect((await system.call('POST', '/staff', { body: { ...fixer, propertyIds: [home] } })).status).toBe(201);
    const task = { type: 'MAINTENANCE', title: 'Drip', propertyId: home, scheduledDate: '2031-03-05T08:00:00Z' };
    const { body } = await system.call('POST', '/tasks', { body: { ...task, requireAssignment: true } });
    expect(body.data.assigneeId).toBe(fixer.id);
    await deliver();
    const moved = { scheduledDate: '2031-03-06T10:00:00Z', assigneeId: null };
    expect((await system.call('PATCH', `/tasks/${body.data.id}`, { body: moved })).status).toBe(200);
    // It waits some seconds, as the same person may get the task again.
    await db
      .updateTable('notification')
      .set({ due_at: new Date(0) })
      .where('task_id', '=', body.data.id)
      .where('event', '=', 'TASK_WITHDRAWN')
      .execute();
    await deliver();
    const said = await db
      .selectFrom('notification as n')
      .select('n.id')
      .where('n.task_id', '=', body.data.id)
      .where('n.event', '=', 'TASK_WITHDRAWN')
      .execute();
    expect(said).toHaveLength(1);
    expect((await notificationContent(db, said[0]?.id ?? '')).body).toMatch(
      /It was to start: Wednesday,? 5 March 2031 at 12:00/,
    );
  });
});
