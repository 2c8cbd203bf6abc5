import { sql } from 'kysely';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { assignDueTasks } from '../../src/domain/assignment/assign-sweep.ts';
import { planDueReminders } from '../../src/domain/messages/reminders.ts';
import { createLogger } from '../../src/kernel/log.ts';
import { releaseDuePayouts } from '../../src/workers/finance.ts';
import { GATEWAY } from '../sagas/money.ts';
import { createSimulatedDatabase, type SimulatedDatabase } from '../setup/database.ts';
import { deliverAll } from '../setup/deliver.ts';
import { type System, startSystem } from '../setup/system.ts';

/** Whole lives of stays through HTTP on a clock that the test moves: who is told what, when, and nothing else. */

let simulated: SimulatedDatabase;
let system: System;
const log = createLogger('test', 'silent');
beforeAll(async () => {
  simulated = await createSimulatedDatabase();
  system = await startSystem(simulated);
});
afterAll(() => system?.close());

const at = (moment: string): Promise<void> => simulated.clock.moveTo(moment);
const call = async (method: string, path: string, body?: object) => {
  const answer = await system.call(method, path, body === undefined ? {} : { body });
  expect(answer.status, `${method} ${path}: ${answer.text}`).toBeLessThan(300);
  return answer.body.data;
};

/** Runs the scheduled work until nothing is due. */
async function sweep(): Promise<void> {
  const { db } = system.bed;
  await assignDueTasks(db, 50);
  await releaseDuePayouts({ db, ports: system.sandbox.ports, orchestrator: system.process.engine.orchestrator, log });
  await expect
    .poll(() => db.selectFrom('saga').select('id').where('finished_at', 'is', null).execute(), { timeout: 20_000 })
    .toEqual([]);
  while ((await planDueReminders(db, 50)) > 0);
  await deliverAll(db);
}

/** Lets the time until `until` pass: stops wherever something is due. */
async function pass(until: string): Promise<void> {
  await sweep();
  for (;;) {
    const next = await system.bed.db
      .selectFrom('notification')
      .select('due_at')
      .where('status', '=', 'QUEUED')
      .orderBy('due_at')
      .limit(1)
      .executeTakeFirst();
    if (!next || next.due_at > new Date(until)) break;
    await at(next.due_at.toISOString());
    await sweep();
  }
  await at(until);
  await sweep();
}

interface Scene {
  readonly name: string;
  readonly timeZone: string;
  readonly guestZone?: string;
  readonly checkIn: string;
  readonly checkOut: string;
  readonly booked: string;
  /** Instants at which people do things. */
  readonly cleaned: string;
  readonly arrived: string;
  readonly left: string;
  readonly tidied: string;
  readonly after: string;
  readonly reminders: Readonly<Record<string, string>>;
}

const SCENES: readonly Scene[] = [
  {
    name: 'Dubai',
    timeZone: 'Asia/Dubai',
    checkIn: '2027-06-01',
    checkOut: '2027-06-04',
    booked: '2027-05-01T08:00:00Z',
    cleaned: '2027-05-31T12:00:00Z',
    arrived: '2027-06-01T11:30:00Z',
    left: '2027-06-04T07:00:00Z',
    tidied: '2027-06-04T11:00:00Z',
    after: '2027-07-01T00:00:00Z',
    reminders: {
      'CHECK_IN_REMINDER EMAIL': '2027-05-31T06:00',
      'CHECK_IN_REMINDER SMS': '2027-05-31T06:00',
      'CHECK_OUT_REMINDER EMAIL': '2027-06-03T14:00',
      'CHECK_OUT_REMINDER SMS': '2027-06-03T14:00',
      'REVIEW_REQUEST EMAIL': '2027-06-06T06:00',
    },
  },
  {
    name: 'Paris on the night when the clocks go forward, for a guest from Los Angeles',
    timeZone: 'Europe/Paris',
    guestZone: 'America/Los_Angeles',
    checkIn: '2028-03-26',
    checkOut: '2028-03-27',
    booked: '2028-03-01T08:00:00Z',
    cleaned: '2028-03-25T16:00:00Z',
    arrived: '2028-03-26T15:00:00Z',
    left: '2028-03-27T09:00:00Z',
    tidied: '2028-03-27T12:00:00Z',
    after: '2028-04-30T00:00:00Z',
    reminders: {
      'CHECK_IN_REMINDER EMAIL': '2028-03-25T09:00',
      // 02:00 in Los Angeles: at nine there, summer time already.
      'CHECK_IN_REMINDER SMS': '2028-03-25T16:00',
      'CHECK_OUT_REMINDER EMAIL': '2028-03-26T16:00',
      'CHECK_OUT_REMINDER SMS': '2028-03-26T16:00',
      'REVIEW_REQUEST EMAIL': '2028-03-29T08:00',
    },
  },
  {
    name: 'Paris on the night when the clocks go back, for a guest from Tokyo',
    timeZone: 'Europe/Paris',
    guestZone: 'Asia/Tokyo',
    checkIn: '2028-10-29',
    checkOut: '2028-10-30',
    booked: '2028-10-01T08:00:00Z',
    cleaned: '2028-10-28T15:00:00Z',
    arrived: '2028-10-29T15:00:00Z',
    left: '2028-10-30T10:00:00Z',
    tidied: '2028-10-30T14:00:00Z',
    after: '2028-11-30T00:00:00Z',
    reminders: {
      'CHECK_IN_REMINDER EMAIL': '2028-10-28T08:00',
      'CHECK_IN_REMINDER SMS': '2028-10-28T08:00',
      'CHECK_OUT_REMINDER EMAIL': '2028-10-29T17:00',
      // 02:00 in Tokyo: at nine there, which is one in the morning at the property, and hours before the departure.
      'CHECK_OUT_REMINDER SMS': '2028-10-30T00:00',
      'REVIEW_REQUEST EMAIL': '2028-11-01T09:00',
    },
  },
];

let made = 0;
async function book(scene: Pick<Scene, 'timeZone' | 'guestZone' | 'checkIn' | 'checkOut'>): Promise<string> {
  made += 1;
  const n = made;
  await call('POST', '/owners', {
    id: `owner-${n}`,
    name: 'Aisha Rahman',
    email: `owner${n}@example.com`,
    payoutAccount: `acct-${n}`,
  });
  const zone = scene.guestZone === undefined ? {} : { timeZone: scene.guestZone };
  await call('POST', '/guests', {
    id: `guest-${n}`,
    name: 'John Doe',
    email: `guest${n}@example.com`,
    phone: `+97150000${100 + n}`,
    ...zone,
  });
  await call('POST', '/properties', {
    id: `home-${n}`,
    name: `Marina ${n}`,
    ownerId: `owner-${n}`,
    timeZone: scene.timeZone,
    amenityDevice: `lock-${n}`,
  });
  await call('POST', '/staff', {
    id: `agent-${n}`,
    name: 'Sara Malik',
    email: `agent${n}@example.com`,
    role: 'AGENT',
    propertyIds: [`home-${n}`],
  });
  await call('POST', '/staff', {
    id: `cleaner-${n}`,
    name: 'Nina',
    email: `cleaner${n}@example.com`,
    role: 'CLEANER',
    propertyIds: [`home-${n}`],
  });
  await call('PATCH', `/properties/home-${n}`, { agentIds: [`agent-${n}`] });
  await call('POST', '/reservations', {
    id: `stay-${n}`,
    propertyId: `home-${n}`,
    guestId: `guest-${n}`,
    checkInDate: scene.checkIn,
    checkOutDate: scene.checkOut,
    totalAmount: 1000,
    currency: 'AED',
  });
  return `stay-${n}`;
}
const act = (id: string, action: string, body: object = {}) => call('POST', `/reservations/${id}/${action}`, body);
const pay = (id: string) =>
  act(id, 'payment', {
    amount: 1000,
    currency: 'AED',
    paymentMethod: 'Credit Card',
    gatewayId: GATEWAY,
    gatewayReference: `ref-${id}`,
  });
const forecast = (id: string) => call('GET', `/reservations/${id}/forecast`);
async function complete(id: string, ...occurrences: readonly string[]): Promise<void> {
  const { tasks } = await forecast(id);
  for (const { taskId, occurrence } of tasks) {
    if (occurrences.includes(occurrence)) await call('POST', `/tasks/${taskId}/complete`, {});
  }
}

interface Sent {
  readonly event: string;
  readonly channel: string;
  readonly recipientType: string;
  readonly sentAt: Date;
}
/** Of the stay, and what its owner was paid: that message names no stay. */
async function sentTo(id: string): Promise<readonly Sent[]> {
  const rows = await system.bed.db
    .selectFrom('notification')
    .where((eb) =>
      eb.or([
        eb('reservation_id', '=', id),
        eb.and([eb('event', '=', 'PAYOUT_PROCESSED'), eb('recipient_id', '=', id.replace('stay', 'owner'))]),
      ]),
    )
    .where('status', '=', 'SENT')
    .orderBy('sent_at')
    .orderBy('id')
    .select(['event', 'channel', 'recipient_type as recipientType', 'sent_at as sentAt'])
    .execute();
  return rows.map((row) => ({ ...row, sentAt: row.sentAt ?? new Date(0) }));
}
const named = (
  messages: readonly { readonly event: string; readonly channel: string; readonly recipientType: string }[],
) => messages.map(({ event, channel, recipientType }) => `${event} ${recipientType} ${channel}`).toSorted();
const minute = (instant: string | Date): string => new Date(instant).toISOString().slice(0, 16);

describe('the messages of a stay', () => {
  it.each(SCENES)('$name: each once, when it is due, as forecast', async (scene) => {
    await at(scene.booked);
    const id = await book(scene);
    const before = await forecast(id);
    expect(before).toMatchObject({ status: 'PENDING', wouldBeRefused: null, timeZone: scene.timeZone });
    await act(id, 'confirm');
    await sweep();
    await pay(id);
    await pass(scene.cleaned);
    await complete(id, 'PRE_ARRIVAL');
    await pass(scene.arrived);
    await act(id, 'check-in');
    await complete(id, 'ARRIVAL');
    await pass(scene.left);
    await act(id, 'check-out', { actualTime: scene.left });
    await complete(id, 'DEPARTURE');
    await pass(scene.tidied);
    await complete(id, 'POST_DEPARTURE');
    await pass(scene.after);

    const sent = await sentTo(id);
    const expected = before.messages.filter(
      ({ status, event }: { status: string; event: string }) => status === 'EXPECTED' && event !== 'PAYMENT_DUE',
    );
    expect(named(sent)).toEqual(named(expected));
    // A guest who has paid is not reminded.
    const due = before.messages.filter(({ event }: { event: string }) => event === 'PAYMENT_DUE');
    expect(due).toHaveLength(1);
    expect(await reasonsOf(id, 'PAYMENT_DUE')).toEqual(['SKIPPED PAID']);

    const reminders = Object.fromEntries(
      sent
        .filter(({ event, channel }) => `${event} ${channel}` in scene.reminders)
        .map(({ event, channel, sentAt }) => [`${event} ${channel}`, minute(sentAt)]),
    );
    expect(reminders).toEqual(scene.reminders);
    for (const { event, channel, at: when } of expected) {
      if (when !== null && event !== 'REVIEW_REQUEST')
        expect(minute(when)).toBe(scene.reminders[`${event} ${channel}`]);
    }
    const { tasks } = await forecast(id);
    const times = (list: readonly { occurrence: string; scheduledAt: string; endsAt: string }[]) =>
      list.map(({ occurrence, scheduledAt, endsAt }) => `${occurrence} ${scheduledAt} ${endsAt}`).toSorted();
    expect(times(tasks)).toEqual(times(before.tasks));
    expect(tasks).toHaveLength(4);
    await expectReadable(id, scene);
  });

  it('end with a cancellation', async () => {
    await at('2027-08-01T08:00:00Z');
    const id = await book({ timeZone: 'Asia/Dubai', checkIn: '2027-09-01', checkOut: '2027-09-03' });
    await act(id, 'confirm');
    await pass('2027-08-10T08:00:00Z');
    const before = (await sentTo(id)).length;
    await act(id, 'cancel', { reason: 'changed plans' });
    await pass('2027-10-01T08:00:00Z');
    const after = (await sentTo(id)).slice(before);
    expect(named(after)).toEqual([
      'RESERVATION_CANCELLED GUEST EMAIL',
      'RESERVATION_CANCELLED GUEST SMS',
      'RESERVATION_CANCELLED OWNER EMAIL',
      ...Array(4).fill('TASK_WITHDRAWN STAFF EMAIL'),
    ]);
    expect(after.every(({ sentAt }) => minute(sentAt) === '2027-08-10T08:00')).toBe(true);
    expect(await reasonsOf(id, 'CHECK_IN_REMINDER')).toEqual([
      'SKIPPED RESERVATION_CANCELLED',
      'SKIPPED RESERVATION_CANCELLED',
    ]);
  });

  it('remind who still has to pay, and stop when the guest leaves early', async () => {
    await at('2027-10-01T08:00:00Z');
    const id = await book({ timeZone: 'Asia/Dubai', checkIn: '2027-11-01', checkOut: '2027-11-10' });
    await act(id, 'confirm');
    await pass('2027-11-01T12:00:00Z');
    const due = (await sentTo(id)).filter(({ event }) => event === 'PAYMENT_DUE');
    expect(due.map(({ sentAt }) => minute(sentAt))).toEqual(['2027-10-29T06:00']);
    const { rows } = await sql<{ body: string }>`SELECT body FROM dev_mail WHERE subject LIKE 'Still to pay%'`.execute(
      system.bed.db,
    );
    expect(rows).toHaveLength(1);
    await act(id, 'check-in');
    await pass('2027-11-04T06:00:00Z');
    await act(id, 'check-out');
    await pass('2027-11-30T08:00:00Z');
    expect((await sentTo(id)).filter(({ event }) => event === 'CHECK_OUT_REMINDER')).toEqual([]);
    expect(await reasonsOf(id, 'CHECK_OUT_REMINDER')).toEqual(['SKIPPED NOT_DUE_ANY_MORE', 'SKIPPED NOT_DUE_ANY_MORE']);
  });
});

async function reasonsOf(id: string, event: string): Promise<readonly string[]> {
  const rows = await system.bed.db
    .selectFrom('notification')
    .select(['status', 'reason'])
    .where('reservation_id', '=', id)
    .where('event', '=', event)
    .execute();
  return rows.map(({ status, reason }) => `${status} ${reason}`);
}

/** Nothing blank, nothing of a template left, no SMS at night. */
async function expectReadable(id: string, { guestZone, timeZone }: Scene): Promise<void> {
  const { rows } = await sql<{ channel: string; event: string; subject: string | null; body: string; sent_at: Date }>`
    SELECT n.channel, n.event, m.subject, m.body, n.sent_at FROM notification n JOIN dev_mail m ON m.message_id = '<' || n.effect_key || '@roomy>'
     WHERE n.reservation_id = ${id} AND n.status = 'SENT'`.execute(system.bed.db);
  expect(rows.length).toBeGreaterThan(15);
  for (const { channel, event, subject, body, sent_at } of rows) {
    expect(`${subject} ${body.replace(/<style[\s\S]*?<\/style>/g, '')}`).not.toMatch(
      /\{[A-Za-z]+\}|undefined|null,|Dear ,|Invalid/,
    );
    if (channel !== 'SMS' || event === 'WELCOME') continue;
    const { hour } = Temporal.Instant.fromEpochMilliseconds(sent_at.getTime()).toZonedDateTimeISO(
      guestZone ?? timeZone,
    );
    expect(hour, event).toBeGreaterThanOrEqual(9);
    expect(hour, event).toBeLessThan(21);
  }
}
