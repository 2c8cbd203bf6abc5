import { sql } from 'kysely';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { createDb, createPool, type Db } from '../../src/db/client.ts';
import type { Channel, RecipientType } from '../../src/db/schema.ts';
import { confirmationMessages } from '../../src/domain/messages/catalogue/reservation-confirmed.ts';
import { type DeliveryDeps, deliverDue } from '../../src/domain/messages/delivery.ts';
import { raiseAlertOnce } from '../../src/domain/notifications/alerts.ts';
import type { Messenger } from '../../src/domain/ports.ts';
import { NOTIFICATION, newId } from '../../src/kernel/ids.ts';
import { DEFAULT_MESSAGE_CAPS } from '../../src/kernel/message-caps.ts';
import { createTestDatabase } from '../setup/database.ts';
import { mailboxDeps } from '../setup/deliver.ts';

/** security.md Q6: what one recipient gets within a day. */

let database: Awaited<ReturnType<typeof createTestDatabase>>;
let db: Db;
let deps: DeliveryDeps;
beforeAll(async () => {
  database = await createTestDatabase();
  db = createDb(createPool({ connectionString: database.url, max: 8, applicationName: 'caps-test' }));
  deps = { ...mailboxDeps(db), caps: DEFAULT_MESSAGE_CAPS };
  const email = 'someone@example.com';
  await db.insertInto('owner').values({ id: 'owner-1', name: 'Olga', email }).execute();
  await db
    .insertInto('guest')
    .values(['guest-1', 'guest-2'].map((id) => ({ id, name: 'John', email, phone: '+971501234567' })))
    .execute();
  await db.insertInto('staff').values({ id: 'cleaner-1', name: 'Clara', email, role: 'CLEANER' }).execute();
  await db.insertInto('property').values({ id: 'property-1', name: 'Marina 12', owner_id: 'owner-1' }).execute();
  await db
    .insertInto('reservation')
    .values({
      id: 'stay-1',
      property_id: 'property-1',
      guest_id: 'guest-1',
      check_in_date: '2024-02-01',
      check_out_date: '2024-02-03',
      total_minor: 100_000,
      currency: 'AED',
      status: 'CONFIRMED',
      distribution_version: 1,
      created_by: 'test',
    })
    .execute();
}, 60_000);
afterAll(async () => {
  await db?.destroy();
  await database?.drop();
});
beforeEach(async () => {
  await db.deleteFrom('notification').execute();
  await db.deleteFrom('dev_mail').execute();
});

const CONFIRMATION = confirmationMessages({ guestId: 'guest-1', guestHasPhone: true, ownerId: 'owner-1' });
let made = 0;
/** Orders so many messages, as a loop of confirmations does. */
async function order(
  count: number,
  { channel = 'SMS', type = 'GUEST', id = 'guest-1' }: { channel?: Channel; type?: RecipientType; id?: string } = {},
): Promise<void> {
  const kind = CONFIRMATION.find((one) => one.channel === channel && one.recipientType === type);
  if (kind === undefined) throw new Error('the confirmation has no such message');
  made += count;
  const rows = Array.from({ length: count }, (_, n) => ({
    id: newId(NOTIFICATION),
    effect_key: `effect-${made - n}`,
    reservation_id: 'stay-1',
    event: kind.event,
    template: kind.template,
    channel,
    recipient_type: type,
    recipient_id: id,
  }));
  await db.insertInto('notification').values(rows).execute();
}
async function deliver(): Promise<void> {
  while ((await deliverDue(deps)) > 0);
}
async function outcomes(recipient = 'guest-1'): Promise<Record<string, number>> {
  const rows = await db
    .selectFrom('notification')
    .select(['status', 'reason'])
    .where('recipient_id', '=', recipient)
    .execute();
  const counts: Record<string, number> = {};
  for (const { status, reason } of rows) {
    const name = reason === null ? status : `${status} ${reason}`;
    counts[name] = (counts[name] ?? 0) + 1;
  }
  return counts;
}
const alerts = () => db.selectFrom('notification').select('params').where('recipient_type', '=', 'OPS').execute();

describe('a recipient', () => {
  it('Q6: of 40 SMS gets ten, and operations are told once', async () => {
    await order(40);
    await deliver();
    expect(await outcomes()).toEqual({ SENT: 10, 'BLOCKED DAILY_LIMIT': 30 });
    expect(
      await db.selectFrom('dev_mail').select('id').where('recipient', '=', '+971501234567').execute(),
    ).toHaveLength(10);
    const told = await alerts();
    // One an hour: an hour may end in the middle of this.
    expect([1, 2]).toContain(told.length);
    expect(told[0]?.params).toMatchObject({ code: 'DAILY_LIMIT', about: 'message' });
  });

  it('Q6: gets ten of those that are ordered one by one, too', async () => {
    for (let n = 0; n < 12; n += 1) {
      await order(1);
      await deliver();
    }
    expect(await outcomes()).toEqual({ SENT: 10, 'BLOCKED DAILY_LIMIT': 2 });
  });

  it('Q6: gets ten of two workers together: what another one is sending counts', async () => {
    await order(20);
    const begun = Promise.withResolvers<void>();
    const released = Promise.withResolvers<void>();
    const slow: Messenger = {
      maxBatch: 8,
      async send(messages) {
        begun.resolve();
        await released.promise;
        return messages.map(({ messageId }) => ({ sent: true, providerId: messageId }));
      },
      close: async () => undefined,
    };
    const first = deliverDue({ ...deps, messengers: { EMAIL: slow, SMS: slow } });
    await begun.promise;
    await deliver();
    expect(await outcomes()).toEqual({ SENDING: 8, SENT: 2, 'BLOCKED DAILY_LIMIT': 10 });
    released.resolve();
    await first;
    expect(await outcomes()).toEqual({ SENT: 10, 'BLOCKED DAILY_LIMIT': 10 });
  });

  it('Q6: has as many for each channel, and others have their own', async () => {
    await order(12);
    await order(12, { channel: 'EMAIL' });
    await order(3, { id: 'guest-2' });
    await order(12, { channel: 'EMAIL', type: 'OWNER', id: 'owner-1' });
    await deliver();
    expect(await outcomes()).toEqual({ SENT: 20, 'BLOCKED DAILY_LIMIT': 4 });
    expect(await outcomes('guest-2')).toEqual({ SENT: 3 });
    expect(await outcomes('owner-1')).toEqual({ SENT: 12 });
  });

  it('Q6: gets more when a day has passed', async () => {
    await order(10);
    await deliver();
    await sql`UPDATE notification SET sent_at = sent_at - interval '25 hours' WHERE sent_at IS NOT NULL`.execute(db);
    await order(1);
    await deliver();
    expect(await outcomes()).toEqual({ SENT: 11 });
  });

  it('Q6: that is operations is told everything: alerts have a bound of their own', async () => {
    for (let n = 0; n < 15; n += 1) {
      const alert = {
        about: 'queue',
        id: 'tasks',
        source: 'test',
        step: null,
        code: 'STUCK',
        group: `group-${n}`,
      } as const;
      await raiseAlertOnce(db, alert);
    }
    await deliver();
    expect(await outcomes('ops')).toEqual({ SENT: 15 });
  });
});
