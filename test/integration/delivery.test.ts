import { Queue } from 'bullmq';
import { sql } from 'kysely';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, inject, it } from 'vitest';
import { createDb, createPool, type Db } from '../../src/db/client.ts';
import type { NotificationStatus, ReservationStatus } from '../../src/db/schema.ts';
import { confirmationMessages } from '../../src/domain/messages/catalogue/reservation-confirmed.ts';
import { type DeliveryDeps, deliverDue } from '../../src/domain/messages/delivery.ts';
import { listDevMail, readDevMail } from '../../src/domain/messages/delivery-mailbox.ts';
import { claimDue, MAX_ATTEMPTS, recordVerdicts } from '../../src/domain/messages/delivery-rows.ts';
import { alertText } from '../../src/domain/notifications/alerts.ts';
import { deliveryKey } from '../../src/domain/notifications/enqueue.ts';
import type { Messenger, OutgoingMessage, SendOutcome } from '../../src/domain/ports.ts';
import { createLogger } from '../../src/kernel/log.ts';
import { keyPrefix } from '../../src/queues/connection.ts';
import { type Crew, createWorkers, sweepWork } from '../../src/workers/crew.ts';
import { JOBS } from '../../src/workers/jobs.ts';
import { createTestDatabase } from '../setup/database.ts';
import { mailboxDeps } from '../setup/deliver.ts';

const log = createLogger('test', 'silent');
let database: Awaited<ReturnType<typeof createTestDatabase>>;
let db: Db;
let deps: DeliveryDeps;

beforeAll(async () => {
  database = await createTestDatabase();
  const pool = createPool({ connectionString: database.url, max: 8, applicationName: 'delivery-test' });
  db = createDb(pool);
  deps = mailboxDeps(db);
  await db.insertInto('owner').values({ id: 'owner-1', name: 'Olga Owner', email: 'olga@example.com' }).execute();
  await db
    .insertInto('guest')
    .values([
      { id: 'guest-1', name: 'John <b>Doe</b>', email: 'john@example.com', phone: '+971501234567', locale: 'en-GB' },
      { id: 'guest-2', name: '{ownerEmail}', email: 'two@example.com', locale: 'en-US' },
      { id: 'guest-3', name: ' \u0001 ', email: 'three@example.com' },
      { id: 'guest-4', name: 'Анна', email: 'Anna&co@пример.рф', phone: '+44 (0)20 7946 0958' },
    ])
    .execute();
  await db
    .insertInto('staff')
    .values({ id: 'cleaner-1', name: 'Clara', email: 'clara@example.com', role: 'CLEANER' })
    .execute();
  await db.insertInto('property').values({ id: 'property-1', name: 'Marina 12', owner_id: 'owner-1' }).execute();
}, 60_000);
afterAll(async () => {
  await db?.destroy();
  await database?.drop();
});
beforeEach(async () => {
  await db.deleteFrom('notification').execute();
  await db.deleteFrom('dev_mail').execute();
});

let stays = 0;
async function stay(guestId = 'guest-1', status: ReservationStatus = 'CONFIRMED'): Promise<string> {
  stays += 1;
  const id = `reservation-${stays}`;
  const from = new Date(Date.UTC(2024, 1, 1 + stays * 3));
  await db
    .insertInto('reservation')
    .values({
      id,
      property_id: 'property-1',
      guest_id: guestId,
      check_in_date: from.toISOString().slice(0, 10),
      check_out_date: new Date(from.getTime() + 2 * 86_400_000).toISOString().slice(0, 10),
      total_minor: 100_000,
      currency: 'AED',
      status,
      distribution_version: 1,
      created_by: 'test',
    })
    .execute();
  return id;
}

/** Writes the rows of the confirmation's last step. Returns the reservation's id. */
async function confirmed(options: { guestId?: string; status?: ReservationStatus; phone?: boolean } = {}) {
  const reservationId = await stay(options.guestId, options.status);
  const guestId = options.guestId ?? 'guest-1';
  const list = confirmationMessages({ guestId, guestHasPhone: options.phone ?? true, ownerId: 'owner-1' });
  await db
    .insertInto('notification')
    .values(
      list.map((delivery) => ({
        id: deliveryKey(reservationId, delivery),
        effect_key: deliveryKey(`saga-${reservationId}-8-F`, delivery),
        reservation_id: reservationId,
        event: delivery.event,
        template: delivery.template,
        channel: delivery.channel,
        recipient_type: delivery.recipientType,
        recipient_id: delivery.recipientId,
      })),
    )
    .execute();
  return reservationId;
}

const rows = () => db.selectFrom('notification').selectAll().orderBy('id').execute();
/** Without what operations are told about the others. */
const stayRows = async () => (await rows()).filter(({ recipient_type }) => recipient_type !== 'OPS');
const statuses = async (): Promise<NotificationStatus[]> => (await rows()).map(({ status }) => status);
const makeDue = () =>
  db
    .updateTable('notification')
    .set({ due_at: sql<Date>`now() - interval '1 s'` })
    .where('status', '=', 'QUEUED')
    .execute();

/** A provider that answers as told and remembers what it got. */
function provider(answer: (message: OutgoingMessage) => Promise<SendOutcome>, maxBatch = 100) {
  const got: OutgoingMessage[] = [];
  const messenger: Messenger = {
    maxBatch,
    send: (messages) => {
      got.push(...messages);
      return Promise.all(messages.map(answer));
    },
    close: async () => {},
  };
  return { got, deps: { ...deps, messengers: { EMAIL: messenger, SMS: messenger } } satisfies DeliveryDeps };
}
const accepts = async ({ messageId }: OutgoingMessage): Promise<SendOutcome> => ({ sent: true, providerId: messageId });

describe('delivery', () => {
  it('goes to the ASCII form of an address, and to the number as it is called from abroad', async () => {
    await confirmed({ guestId: 'guest-4' });
    const { got, deps: told } = provider(accepts);
    await deliverDue(told);
    const sentTo = got.map(({ to }) => to).toSorted();
    expect(sentTo).toEqual(['+442079460958', 'Anna&co@xn--e1afmkfd.xn--p1ai', 'olga@example.com']);
  });

  it('that is late offers no refund whose time is over', async () => {
    await confirmed({ phone: false });
    await db
      .updateTable('notification')
      .set({ due_at: new Date('2023-06-01T00:00:00Z') })
      .execute();
    const { got, deps: told } = provider(accepts);
    await deliverDue(told);
    const [mail] = got.filter(({ to }) => to === 'john@example.com');
    expect(mail?.text).toContain('nothing is refunded');
    expect(mail?.text).not.toContain('is refunded until');
  });

  it('of a task’s new time says once what is new to who was told, however often it has changed', async () => {
    const at = (hour: number) => new Date(Date.UTC(2031, 4, 5, hour));
    const task = { id: 'task-moved', property_id: 'property-1', type: 'CLEANING', occurrence: 'MANUAL' } as const;
    const times = { scheduled_at: at(14), ends_at: at(16) };
    await db
      .insertInto('task')
      .values({ ...task, ...times, title: 'Clean', status: 'ASSIGNED', assignee_id: 'cleaner-1' })
      .execute();
    let ordered = 0;
    const order = async (event: 'TASK_ASSIGNED' | 'TASK_CHANGED', template: string, params: object) => {
      ordered += 1;
      const id = `moved-${ordered}`;
      const to = { channel: 'EMAIL', recipient_type: 'STAFF', recipient_id: 'cleaner-1' } as const;
      await db
        .insertInto('notification')
        .values({ id, effect_key: id, event, template, task_id: task.id, params: JSON.stringify(params), ...to })
        .execute();
    };
    const move = async (hour: number) => {
      const before = await db
        .updateTable('task as t')
        .from('task as was')
        .whereRef('was.id', '=', 't.id')
        .set({ scheduled_at: at(hour), ends_at: at(hour + 2) })
        .where('t.id', '=', task.id)
        .returning('was.scheduled_at')
        .executeTakeFirstOrThrow();
      await order('TASK_CHANGED', 'task-changed.staff@1', { previousStart: before.scheduled_at.toISOString() });
    };
    const { got, deps: told } = provider(accepts);
    await order('TASK_ASSIGNED', 'task-assigned.staff@1', {});
    await deliverDue(told);
    for (const hour of [12, 10, 8]) await move(hour);
    const untilTold = async () => {
      await deliverDue(told);
      // The last one waits for those before it, which may be on their way.
      await makeDue();
      await deliverDue(told);
    };
    await untilTold();
    expect(await statuses()).toEqual(['SENT', 'SKIPPED', 'SKIPPED', 'SENT']);
    expect(got).toHaveLength(2);
    expect(got[1]?.text).toMatch(/18:00[\s\S]*12:00/);
    for (const hour of [9, 8]) await move(hour);
    await untilTold();
    expect(got).toHaveLength(2);
    expect((await statuses()).slice(4)).toEqual(['SKIPPED', 'SKIPPED']);
  });

  it('sends a confirmation to guest and owner, and a person can read it in the mailbox', async () => {
    const reservationId = await confirmed();
    expect(await deliverDue(deps)).toBe(3);
    expect(await deliverDue(deps)).toBe(0);

    expect(await rows()).toEqual([
      expect.objectContaining({ status: 'SENT', attempts: 1, lease_until: null, sent_at: expect.any(Date) }),
      expect.objectContaining({ status: 'SENT', provider_id: expect.stringContaining('@roomy') }),
      expect.objectContaining({ status: 'SENT', reason: null }),
    ]);
    const list = await listDevMail(db, { before: null, limit: 10 });
    const mails = await Promise.all(list.map(({ id }) => readDevMail(db, id)));
    const to = (channel: string, recipient: string) =>
      mails.find((mail) => mail?.channel === channel && mail.recipient === recipient);
    const { check_in_date: date } = await db
      .selectFrom('reservation')
      .where('id', '=', reservationId)
      .select('check_in_date')
      .executeTakeFirstOrThrow();
    const day = new Intl.DateTimeFormat('en-GB', { dateStyle: 'long', timeZone: 'UTC' }).format(new Date(date));
    const guestMail = to('EMAIL', 'john@example.com');
    expect(guestMail).toMatchObject({
      subject: 'Reservation Confirmed - Marina 12',
      messageId: `<saga-${reservationId}-8-F-EMAIL-GUEST@roomy>`,
    });
    expect(guestMail?.body).toContain(
      `Dear John &lt;b&gt;Doe&lt;/b&gt;, your reservation for Marina 12 is confirmed for ${day}.`,
    );
    expect(to('SMS', '+971501234567')).toMatchObject({
      subject: null,
      body: `Dear John <b>Doe</b>, your reservation for Marina 12 is confirmed for ${day}.`,
    });
    const ownerMail = to('EMAIL', 'olga@example.com');
    expect(ownerMail?.body).toContain('AED 700.00');
    expect(ownerMail?.body).toContain('15:00 (Asia/Dubai)');
    expect(ownerMail?.body).not.toContain('John');
  });

  it('X3: prints a guest who is named like a placeholder as named', async () => {
    await confirmed({ guestId: 'guest-2', phone: false });
    await deliverDue(deps);
    const mail = (await listDevMail(db, { before: null, limit: 10 })).find((m) => m.recipient === 'two@example.com');
    const body = (await readDevMail(db, mail?.id ?? 0))?.body ?? '';
    expect(body).toContain('Dear {ownerEmail}, your reservation');
    expect(body).toMatch(/for \w+ \d+, 2024\./);
  });

  it('sends each message once, however many workers sweep at once', async () => {
    for (let n = 0; n < 20; n += 1) await confirmed();
    const sink = provider(accepts);
    const sweep = async () => {
      while ((await deliverDue(sink.deps, { limit: 7 })) > 0);
    };
    await Promise.all([sweep(), sweep(), sweep()]);
    expect(sink.got).toHaveLength(60);
    expect(new Set(sink.got.map(({ messageId }) => messageId)).size).toBe(60);
    expect(new Set(await statuses())).toEqual(new Set(['SENT']));
  });

  it('leaves what is not due yet', async () => {
    await confirmed();
    await db.updateTable('notification').set({ due_at: sql<Date>`now() + interval '1 hour'` }).execute();
    expect(await deliverDue(deps)).toBe(0);
  });

  it('takes no more at once than a slow provider can finish within a lease', async () => {
    await confirmed();
    expect(await deliverDue(provider(accepts, 2).deps)).toBe(2);
  });

  it('takes over from a worker that died, shows the message once, and lets the dead one record nothing', async () => {
    await confirmed();
    const dead = await claimDue(db, 'together', { limit: 100, ids: null });
    expect(await deliverDue(deps)).toBe(0);
    await db.updateTable('notification').set({ lease_until: sql<Date>`now() - interval '1 s'` }).execute();
    expect(await deliverDue(deps)).toBe(3);

    const late = dead.map((claimed) => ({
      ...claimed,
      verdict: { status: 'FAILED', reason: 'x' } as const,
    }));
    expect(await recordVerdicts(db, late)).toBe(0);
    expect(await statuses()).toEqual(['SENT', 'SENT', 'SENT']);
    expect((await rows()).map(({ attempts }) => attempts)).toEqual([2, 2, 2]);
  });

  it('lets a worker that lost its lease record nothing while another one is at it', async () => {
    await confirmed();
    const slow = await claimDue(db, 'together', { limit: 100, ids: null });
    await db.updateTable('notification').set({ lease_until: sql<Date>`now() - interval '1 s'` }).execute();
    const owner = await claimDue(db, 'together', { limit: 100, ids: null });
    const results = (claims: typeof slow, reason: string) =>
      claims.map((claimed) => ({
        ...claimed,
        verdict: { status: 'FAILED', reason } as const,
      }));
    expect(await recordVerdicts(db, results(slow, 'slow'))).toBe(0);
    expect(await statuses()).toEqual(['SENDING', 'SENDING', 'SENDING']);
    expect(await recordVerdicts(db, results(owner, 'owner'))).toBe(3);
    expect((await rows()).map(({ reason }) => reason)).toEqual(['owner', 'owner', 'owner']);
  });

  it('shows a message once that was sent by a worker which died before it could say so', async () => {
    await confirmed();
    await deliverDue(deps);
    await sql`UPDATE notification SET status = 'SENDING', lease_until = now() - interval '1 s'`.execute(db);
    expect(await deliverDue(deps)).toBe(3);
    expect(await statuses()).toEqual(['SENT', 'SENT', 'SENT']);
    expect(await listDevMail(db, { before: null, limit: 10 })).toHaveLength(3);
  });

  it('gives up on a message in whose every attempt the worker died', async () => {
    await confirmed();
    await sql`UPDATE notification SET status = 'SENDING', attempts = ${MAX_ATTEMPTS}, lease_until = now()`.execute(db);
    const sink = provider(accepts);
    await deliverDue(sink.deps);
    expect(sink.got).toEqual([]);
    expect((await stayRows())[0]).toMatchObject({ status: 'FAILED', reason: 'LEASE_EXPIRED' });
    const alerts = (await rows()).filter(({ event }) => event === 'SYSTEM_ALERT');
    expect(alerts.map(({ params }) => params['code'])).toEqual(['LEASE_EXPIRED']);
  });

  it('tries six times, later each time, and then says why it failed', async () => {
    await confirmed();
    const sink = provider(async () => ({ sent: false, permanent: false, reason: 'SMTP_451' }));
    const waits: number[] = [];
    for (let attempt = 1; attempt <= MAX_ATTEMPTS; attempt += 1) {
      expect(await deliverDue(sink.deps)).toBe(3);
      // In the end operations are told, once of all of them.
      expect(await deliverDue(deps)).toBe(attempt === MAX_ATTEMPTS ? 1 : 0);
      const { rows: wait } = await sql<{ s: number }>`
        SELECT extract(epoch FROM max(due_at) - now())::float8 AS s FROM notification`.execute(db);
      waits.push(wait[0]?.s ?? 0);
      await makeDue();
    }
    expect(waits.slice(0, 5).every((wait, n) => wait > 30 * 4 ** n * 0.75 && wait < 30 * 4 ** n * 1.25)).toBe(true);
    expect((await stayRows())[0]).toMatchObject({ status: 'FAILED', reason: 'SMTP_451', attempts: MAX_ATTEMPTS });
    expect(sink.got).toHaveLength(3 * MAX_ATTEMPTS);
  });

  it('does not repeat what was refused for good, and tells one channel from the other', async () => {
    await confirmed();
    const broken: Messenger = { maxBatch: 100, send: () => Promise.reject(new Error('down')), close: async () => {} };
    const refusing = provider(async () => ({ sent: false, permanent: true, reason: 'SMTP_550' })).deps.messengers.EMAIL;
    await deliverDue({ ...deps, messengers: { EMAIL: refusing, SMS: broken } });
    const byChannel = (await stayRows()).map(({ channel, status, reason }) => `${channel} ${status} ${reason}`);
    expect(byChannel).toEqual(['EMAIL FAILED SMTP_550', 'EMAIL FAILED SMTP_550', 'SMS QUEUED SEND_FAILED']);
  });

  it.each(['PENDING', 'CANCELLED'] as const)('drops a confirmation of a stay that is %s by now', async (status) => {
    await confirmed({ status });
    await deliverDue(deps);
    expect((await rows()).map((row) => `${row.status} ${row.reason}`)).toEqual(Array(3).fill('SKIPPED STALE'));
    expect(await listDevMail(db, { before: null, limit: 10 })).toEqual([]);
  });

  it('skips an SMS to a guest whose phone is gone', async () => {
    await confirmed({ guestId: 'guest-2', phone: true });
    await deliverDue(deps);
    expect((await rows()).map((row) => `${row.channel} ${row.status} ${row.reason}`)).toEqual([
      'EMAIL SENT null',
      'EMAIL SENT null',
      'SMS SKIPPED NO_ADDRESS',
    ]);
  });

  it('X3: blocks a message with a missing value, and sends the others', async () => {
    await confirmed({ guestId: 'guest-3', phone: false });
    await deliverDue(deps);
    expect((await rows()).map((row) => `${row.recipient_type} ${row.status} ${row.reason}`).toSorted()).toEqual([
      'GUEST BLOCKED MISSING guestName',
      // Somebody is told.
      'OPS QUEUED null',
      'OWNER SENT null',
    ]);
  });

  it('tells operations what stopped, and staff what is theirs', async () => {
    const task = {
      property_id: 'property-1',
      type: 'CLEANING',
      occurrence: 'x',
      title: 'Cleaning',
      status: 'ASSIGNED',
      scheduled_at: '2024-02-01T09:00:00Z',
      ends_at: '2024-02-01T11:00:00Z',
      assignee_id: 'cleaner-1',
    } as const;
    await db
      .insertInto('task')
      .values({ id: 'task-1', ...task })
      .execute();
    await db
      .insertInto('task')
      .values({ id: 'task-2', ...task, status: 'CANCELLED' })
      .execute();
    const assigned = (id: string) =>
      ({
        id: `a-${id}`,
        effect_key: `a-${id}`,
        task_id: id,
        event: 'TASK_ASSIGNED',
        template: 'task-assigned.staff@1',
        channel: 'EMAIL',
        recipient_type: 'STAFF',
        recipient_id: 'cleaner-1',
      }) as const;
    const { event, template, channel, recipientType, recipientId } = alertText('saga');
    const params = { sagaName: 'confirmReservation', step: 'createCheckInTask', code: 'STEP_FAILED', sagaId: 'saga-9' };
    const alert = { event, template, channel, recipient_type: recipientType, recipient_id: recipientId };
    await db
      .insertInto('notification')
      .values([
        assigned('task-1'),
        assigned('task-2'),
        { id: 'b', effect_key: 'b', ...alert, params: JSON.stringify(params) },
        { id: 'c', effect_key: 'c', ...alert, params: JSON.stringify({ sagaName: 'checkIn' }) },
        { id: 'd', effect_key: 'd', ...alert, template: 'from-a-newer-build@7' },
      ])
      .execute();
    await deliverDue(deps);
    expect((await rows()).map((row) => `${row.id} ${row.status} ${row.reason}`)).toEqual([
      'a-task-1 SENT null',
      'a-task-2 SKIPPED STALE',
      'b SENT null',
      'c BLOCKED MISSING code, sagaId',
      'd QUEUED UNKNOWN_TEMPLATE',
    ]);
    const mails = await db.selectFrom('dev_mail').selectAll().orderBy('message_id').execute();
    expect(mails.map(({ recipient, subject }) => [recipient, subject])).toEqual([
      ['clara@example.com', 'New task: Cleaning - Marina 12'],
      ['ops@roomy.example', 'Roomy needs a person: confirmReservation - STEP_FAILED'],
    ]);
    expect(mails[0]?.body).toMatch(/Thursday,? 1 February 2024 at 13:00 \(Asia\/Dubai\)/);
  });
});

describe('the delivery worker', () => {
  const prefix = keyPrefix(`t${Date.now()}`);
  const connection = { url: inject('redisUrl'), maxRetriesPerRequest: null };
  let worker: Crew | undefined;
  let queue: Queue | undefined;
  afterEach(async () => {
    await worker?.close();
    await queue?.obliterate({ force: true });
    await queue?.close();
  });

  it('sweeps until nothing is due when it is woken, whatever the job holds', async () => {
    for (let n = 0; n < 5; n += 1) await confirmed();
    queue = new Queue('notifications', { connection, prefix });
    const parts = { deliver: () => deliverDue(deps, { limit: 4 }), plan: async () => 0 };
    worker = createWorkers([sweepWork('notifications', JOBS.notifications, parts)], {
      options: { connection, prefix },
      log,
      alert: async () => undefined,
    });
    await queue.add('sweep', { forged: true });
    await expect.poll(statuses, { timeout: 10_000 }).toEqual(Array(15).fill('SENT'));
    await expect.poll(async () => (await queue?.getCompleted())?.[0]?.returnvalue).toEqual({ messages: 15 });
  });
});
