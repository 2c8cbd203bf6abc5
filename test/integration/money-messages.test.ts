import { sql } from 'kysely';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { createDb, createPool, type Db } from '../../src/db/client.ts';
import type { ValueRefs } from '../../src/db/fused.ts';
import type { Json } from '../../src/db/schema.ts';
import { paymentConfirmedMessages } from '../../src/domain/messages/catalogue/payment-confirmed.ts';
import { paymentFailedMessage } from '../../src/domain/messages/catalogue/payment-failed.ts';
import { payoutFailedMessage } from '../../src/domain/messages/catalogue/payout-failed.ts';
import { payoutProcessedMessage } from '../../src/domain/messages/catalogue/payout-processed.ts';
import { payoutScheduledMessage } from '../../src/domain/messages/catalogue/payout-scheduled.ts';
import { refundAffectsPayoutMessage } from '../../src/domain/messages/catalogue/refund-affects-payout.ts';
import { refundProcessedMessage } from '../../src/domain/messages/catalogue/refund-processed.ts';
import { cancelledMessages } from '../../src/domain/messages/catalogue/reservation-cancelled.ts';
import { taskStayCancelledMessage } from '../../src/domain/messages/catalogue/task-stay-cancelled.ts';
import { taskWithdrawnMessage } from '../../src/domain/messages/catalogue/task-withdrawn.ts';
import { type DeliveryDeps, deliverDue } from '../../src/domain/messages/delivery.ts';
import {
  enqueueInTransaction,
  enqueueMessages,
  enqueueMessagesAbout,
  type MessageValues,
  type OrderedText,
  orderMessages,
} from '../../src/domain/notifications/enqueue.ts';
import { skipWaitingMessages } from '../../src/domain/notifications/store/move.ts';
import { createTestDatabase } from '../setup/database.ts';
import { mailboxDeps } from '../setup/deliver.ts';
import { addSaga } from '../setup/ledger.ts';

let database: Awaited<ReturnType<typeof createTestDatabase>>;
let db: Db;
let deps: DeliveryDeps;
let sagaId: string;

beforeAll(async () => {
  database = await createTestDatabase();
  db = createDb(createPool({ connectionString: database.url, max: 4, applicationName: 'money-messages-test' }));
  deps = mailboxDeps(db);
  await db.insertInto('owner').values({ id: 'owner-1', name: 'Olga Owner', email: 'olga@example.com' }).execute();
  await db
    .insertInto('guest')
    .values({ id: 'guest-1', name: 'John Doe', email: 'john@example.com', phone: '+971501234567' })
    .execute();
  await db.insertInto('staff').values({ id: 'sara', name: 'Sara', email: 'sara@example.com', role: 'AGENT' }).execute();
  await db.insertInto('property').values({ id: 'property-1', name: 'Marina 12', owner_id: 'owner-1' }).execute();
  const stay = {
    property_id: 'property-1',
    guest_id: 'guest-1',
    check_in_date: '2027-05-03',
    check_out_date: '2027-05-05',
    total_minor: 100_000,
    currency: 'AED',
    created_by: 'test',
  };
  await db
    .insertInto('reservation')
    .values([
      { id: 'called-off', ...stay, status: 'CANCELLED' },
      { id: 'other', ...stay },
    ])
    .execute();
  await db
    .insertInto('task')
    .values({
      id: 'task-1',
      reservation_id: 'called-off',
      property_id: 'property-1',
      type: 'CHECK_IN',
      occurrence: 'ARRIVAL',
      title: 'Check-in for John Doe',
      status: 'CANCELLED',
      assignee_id: 'sara',
      scheduled_at: '2027-05-03T11:00:00Z',
      ends_at: '2027-05-03T12:00:00Z',
    })
    .execute();
  sagaId = await addSaga(db, { subjectId: 'called-off' });
}, 60_000);
afterAll(async () => {
  await db?.destroy();
  await database?.drop();
});
beforeEach(async () => {
  await db.deleteFrom('notification').execute();
  await db.deleteFrom('dev_mail').execute();
});

const stay = { guestId: 'guest-1', guestHasPhone: true, ownerId: 'owner-1' };
const enqueue = (key: string, messages: readonly OrderedText[], reservationId: string | null = 'called-off') =>
  db.transaction().execute((tx) => enqueueInTransaction(tx, key, messages, { sagaId, reservationId }));
const rows = () => db.selectFrom('notification').selectAll().orderBy('effect_key').execute();

interface Mail {
  readonly recipient: string;
  readonly subject: string | null;
  readonly text: string;
}
/** Sends what is queued; a mail's text without its markup. */
async function sent(...messages: readonly OrderedText[]): Promise<readonly Mail[]> {
  await enqueue('saga-x-6-F', messages);
  await deliverDue(deps);
  const mails = await db.selectFrom('dev_mail').selectAll().orderBy('message_id').execute();
  return mails.map(({ recipient, subject, body }) => ({
    recipient,
    subject,
    text: body
      .replace(/<style[\s\S]*<\/style>/, '')
      .replaceAll('</th><td>', ': ')
      .replaceAll(/<br>|<\/tr>/g, '\n')
      .replaceAll(/<[^>]*>/g, ''),
  }));
}
async function onlySent(message: OrderedText): Promise<Mail> {
  const mails = await sent(message);
  expect(mails).toHaveLength(1);
  return mails[0] ?? expect.fail('nothing was sent');
}

describe('what people read about money', () => {
  it('a guest who paid: what, what is still to pay, and by mail under which receipt', async () => {
    const part = { amountMinor: 40_000, currency: 'AED', outstandingMinor: 60_000, receiptId: 'transaction-9' };
    const [mail, sms] = await sent(...paymentConfirmedMessages(stay, part));
    const text = 'we received AED 400.00 for your stay at Marina 12 from 3 May 2027. Still to pay: AED 600.00.';
    expect(mail?.subject).toBe('Payment received - Marina 12');
    for (const fact of ['Received: AED 400.00', 'Still to pay: AED 600.00', 'Receipt: transaction-9']) {
      expect(mail?.text).toContain(fact);
    }
    expect(sms).toMatchObject({ recipient: '+971501234567', subject: null, text: `Dear John Doe, ${text}` });
  });

  it('a guest who paid all: that it is paid in full', async () => {
    const whole = { amountMinor: 100_000, currency: 'AED', outstandingMinor: 0, receiptId: 'transaction-9' };
    const [, sms] = await sent(...paymentConfirmedMessages(stay, whole));
    expect(sms?.text).toMatch(/we received AED 1,000\.00 .*It is paid in full\.$/);
  });

  it.each([
    ['JPY', 1_234, 'JPY 1,234'],
    ['KWD', 1_234, 'KWD 1.234'],
    ['HUF', 5, 'HUF 0.05'],
    ['AED', 100_000_000_000, 'AED 1,000,000,000.00'],
  ])('%s by its own exponent', async (currency, amountMinor, text) => {
    const mail = await onlySent(payoutProcessedMessage('owner-1', { amountMinor, currency, sagaId }));
    expect(mail.subject).toBe(`Payout processed - ${text}`);
  });

  it('an owner who was paid: for which stays, and what was kept back', async () => {
    const paid = { type: 'OWNER_PAYOUT', status: 'COMPLETED', owner_id: 'owner-1', currency: 'AED' } as const;
    const amounts = { payout_saga: sagaId, outstanding_minor: 0 };
    await db
      .insertInto('transaction')
      .values([
        {
          id: 'paid-1',
          ...paid,
          ...amounts,
          reservation_id: 'called-off',
          amount_minor: 70_000,
          settled_minor: 65_000,
        },
        { id: 'paid-2', ...paid, ...amounts, reservation_id: null, amount_minor: 5_000, settled_minor: 5_000 },
      ])
      .execute();
    const mail = await onlySent(payoutProcessedMessage('owner-1', { amountMinor: 70_000, currency: 'AED', sagaId }));
    expect(mail.text).toMatch(/For: Marina 12, 3 May 2027 – \d+ May 2027: AED 700\.00; -: AED 50\.00/);
    expect(mail.text).toContain('Kept back for what you owed: AED 50.00');
    await db.deleteFrom('notification').execute();
    await db.deleteFrom('dev_mail').execute();
    const whole = { amountMinor: 1, currency: 'AED', sagaId: 'another' };
    const other = await onlySent(payoutProcessedMessage('owner-1', whole));
    expect(other.text).toContain('Kept back for what you owed: nothing');
  });

  it.each([
    ['CARD_DECLINED', 'did not go through: the card was declined.'],
    ['CIRCUIT_OPEN', 'did not go through: the payment service could not be reached.'],
    ['SOME_CODE_OF_A_GATEWAY', 'did not go through: the payment could not be completed.'],
  ])('a guest whose payment failed with %s: why, in plain words', async (code, words) => {
    const mail = await onlySent(paymentFailedMessage(stay, { amountMinor: 40_000, currency: 'AED', code }));
    expect(mail.text).toContain(`Your payment of AED 400.00 for Marina 12 from 3 May 2027 ${words}`);
    expect(mail.text).not.toContain(code);
  });

  it("an owner whose payout is due: how much, and when by the property's clock", async () => {
    const scheduled = { amountMinor: 70_000, currency: 'AED', scheduledFor: '2027-05-03T11:00:00.000Z' };
    const mail = await onlySent(payoutScheduledMessage('owner-1', scheduled));
    expect(mail.recipient).toBe('olga@example.com');
    expect(mail.text).toContain('Your payout: AED 700.00');
    expect(mail.text).toMatch(/Scheduled for: Monday,? 3 May 2027 at 15:00 \(Asia\/Dubai\)/);
    expect(mail.text).toContain('Reservation called-off');
    expect(mail.text).not.toContain('John');
  });

  it('an owner whose payout was refused, or whom a refund costs something', async () => {
    const amount = { amountMinor: 35_000, currency: 'AED' };
    const mails = await sent(payoutFailedMessage('owner-1', amount), refundAffectsPayoutMessage('owner-1', amount));
    expect(mails).toHaveLength(2);
    expect(mails.map(({ text }) => text)).toEqual(
      expect.arrayContaining([
        expect.stringContaining('Your bank refused a payout of AED 350.00.'),
        expect.stringContaining('Your part of it, AED 350.00, is taken off this payout or the next ones.'),
      ]),
    );
  });

  it('a guest whose refund went out', async () => {
    const mail = await onlySent(refundProcessedMessage(stay, { amountMinor: 50_000, currency: 'AED' }));
    expect(mail.text).toContain('AED 500.00 for your stay at Marina 12 from 3 May 2027 went back');
  });
});

describe('what people read about a cancellation', () => {
  it('the refund to the minor unit that was posted, and for the owner that the dates are free', async () => {
    const [mail, owner, sms] = await sent(
      ...cancelledMessages(stay, { amountMinor: 33_333, excessMinor: 0, percent: 25, currency: 'AED' }),
    );
    const text = 'your reservation for Marina 12 from 3 May 2027 is cancelled. We refund AED 333.33 (25 %).';
    expect(mail?.text).toContain(text);
    expect(sms?.text).toBe(`Dear John Doe, ${text}`);
    expect(owner?.text).toContain('The dates are free again.');
    expect(owner?.text).not.toMatch(/John|333/);
  });

  it('that nothing is refunded', async () => {
    const [, , sms] = await sent(
      ...cancelledMessages(stay, { amountMinor: 0, excessMinor: 0, percent: 0, currency: 'AED' }),
    );
    expect(sms?.text).toMatch(/is cancelled\. Nothing is refunded\.$/);
  });

  it('the assignee of a task, although it is cancelled, and the person who is at it', async () => {
    const mails = await sent(taskWithdrawnMessage('sara', 'task-1'));
    expect(mails).toEqual([
      expect.objectContaining({
        recipient: 'sara@example.com',
        subject: 'Task withdrawn: Check-in for John Doe - Marina 12',
        text: expect.stringMatching(/It was to start: Monday,? 3 May 2027 at 15:00 \(Asia\/Dubai\)/),
      }),
    ]);
    await db.deleteFrom('notification').execute();
    await db.deleteFrom('dev_mail').execute();
    expect((await onlySent(taskStayCancelledMessage('sara', 'task-1'))).text).toContain('The task stays yours');
  });
});

describe('a message whose row lacks something', () => {
  it.each([
    ['an amount', { currency: 'AED' }, 'MISSING amount'],
    ['a currency', { amountMinor: 1 }, 'MISSING amount'],
    ['an amount that is a number', { amountMinor: '1', currency: 'AED' }, 'MISSING amount'],
  ])('%s is blocked and not sent', async (_what, params, reason) => {
    const message = { ...payoutProcessedMessage('owner-1', { amountMinor: 1, currency: 'AED', sagaId }), params };
    expect(await sent(message)).toEqual([]);
    expect(await rows()).toMatchObject([{ event: 'SYSTEM_ALERT' }, { status: 'BLOCKED', reason }]);
  });

  it('is blocked when its instant is none', async () => {
    const scheduled = { amountMinor: 1, currency: 'AED', scheduledFor: 'soon' };
    expect(await sent(payoutScheduledMessage('owner-1', scheduled))).toEqual([]);
    expect(await rows()).toMatchObject([
      { event: 'SYSTEM_ALERT', params: { code: 'ROW_FAILED' } },
      { status: 'BLOCKED', reason: 'RENDER_FAILED' },
    ]);
  });
});

/** The values of one due step, where a fused statement would find them. */
const guardOf = (subjectId: string) =>
  db.with('guard', (query) =>
    query.selectNoFrom([
      sql<string>`${sagaId}::text`.as('saga_id'),
      sql<string>`${subjectId}::text`.as('subject_id'),
      sql<string>`'saga-x-6-F'`.as('effect_key'),
      sql<string>`'saga-x-6-F'`.as('forward_key'),
      sql<Date>`now()`.as('requested_at'),
      sql<Json>`'{}'::jsonb`.as('vals'),
    ]),
  );
const refs = ({ messages }: MessageValues) =>
  ({ json: () => sql`${JSON.stringify(messages)}::jsonb` }) as unknown as ValueRefs<MessageValues>;

describe('the rows that a step writes', () => {
  const messages = cancelledMessages(stay, { amountMinor: 50_000, excessMinor: 0, percent: 50, currency: 'AED' });
  const written = async () =>
    (await rows()).map(({ id: _, created_at: __, due_at: ___, ...row }) => ({
      ...row,
      reservation_id: row.reservation_id,
    }));

  it('are the same from a fused statement as from a transaction, and there once', async () => {
    const list = [...messages, taskWithdrawnMessage('sara', 'task-1')];
    for (let run = 0; run < 2; run += 1) await enqueue('saga-x-6-F', list);
    const inTransaction = await written();
    expect(inTransaction).toHaveLength(4);
    expect(inTransaction[0]).toMatchObject({
      effect_key: 'saga-x-6-F-EMAIL-GUEST',
      saga_id: sagaId,
      reservation_id: 'called-off',
      params: { amountMinor: 50_000, currency: 'AED', percent: 50 },
    });
    expect(inTransaction.find(({ recipient_type }) => recipient_type === 'STAFF')?.task_id).toBe('task-1');

    await db.deleteFrom('notification').execute();
    const values = orderMessages('saga-x-6-F', list);
    for (let run = 0; run < 2; run += 1) await enqueueMessages(guardOf('called-off'), refs(values)).execute();
    expect(await written()).toEqual(inTransaction);

    await db.deleteFrom('notification').execute();
    const about = orderMessages('saga-x-6-F', list, 'called-off');
    for (let run = 0; run < 2; run += 1) await enqueueMessagesAbout(guardOf('refund-1'), refs(about)).execute();
    expect(await written()).toEqual(inTransaction);
  });

  it('are about no stay where a bank instruction is for several', async () => {
    const message = payoutProcessedMessage('owner-1', { amountMinor: 70_000, currency: 'AED', sagaId });
    await enqueue('saga-x-4-F', [message], null);
    await enqueueMessagesAbout(guardOf('payout-1'), refs(orderMessages('saga-x-5-F', [message]))).execute();
    expect((await rows()).map((row) => row.reservation_id)).toEqual([null, null]);
    await deliverDue(deps);
    expect((await rows()).map((row) => row.status)).toEqual(['SENT', 'SENT']);
  });

  it('are none for no messages', async () => {
    await enqueue('saga-x-6-F', []);
    expect(await rows()).toEqual([]);
  });
});

describe('reminders of a stay that is called off', () => {
  it('are dropped as far as they wait for their hour; what was due, tried or sent stays, and so do other stays', async () => {
    const reminder = (id: string, more: object) => ({
      id,
      effect_key: id,
      reservation_id: 'called-off',
      event: 'RESERVATION_CONFIRMED',
      template: 'reservation-confirmed.guest@1',
      channel: 'EMAIL' as const,
      recipient_type: 'GUEST' as const,
      recipient_id: 'guest-1',
      due_at: sql<Date>`now() + interval '1 day'`,
      ...more,
    });
    await db
      .insertInto('notification')
      .values([
        reminder('a-waits', {}),
        reminder('b-due', { due_at: sql<Date>`now() - interval '1 s'` }),
        reminder('c-sending', { status: 'SENDING', attempts: 1, lease_until: sql<Date>`now()` }),
        reminder('d-sent', { status: 'SENT' }),
        reminder('e-retried', { attempts: 2 }),
        reminder('f-other', { reservation_id: 'other' }),
      ])
      .execute();
    const skipped = await skipWaitingMessages(guardOf('called-off')).execute();
    expect(skipped).toEqual([{ id: 'a-waits' }]);
    expect((await rows()).map(({ id, status, reason }) => `${id} ${status} ${reason}`)).toEqual([
      'a-waits SKIPPED RESERVATION_CANCELLED',
      'b-due QUEUED null',
      'c-sending SENDING null',
      'd-sent SENT null',
      'e-retried QUEUED null',
      'f-other QUEUED null',
    ]);
    expect(await skipWaitingMessages(guardOf('called-off')).execute()).toEqual([]);
  });
});
