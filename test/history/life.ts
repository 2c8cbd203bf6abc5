import { sql } from 'kysely';
import type { Db } from '../../src/db/client.ts';
import { assignDueTasks } from '../../src/domain/assignment/assign-sweep.ts';
import { numberEvents } from '../../src/domain/events/feed.ts';
import { reconcile } from '../../src/domain/finance/reconciliation.ts';
import { planDueReminders } from '../../src/domain/messages/reminders.ts';
import { giveRating } from '../../src/domain/reservations/rating.ts';
import { deliverWebhooks, type WebhookDeps } from '../../src/domain/webhooks/deliver.ts';
import { systemClock } from '../../src/kernel/clock.ts';
import { noOutages } from '../../src/kernel/outages.ts';
import { GATEWAY } from '../sagas/money.ts';
import { deliverAll } from '../setup/deliver.ts';
import { movement } from '../setup/movements.ts';
import type { QuietSystem } from './system.ts';

/** The finished stays that a history is made of, each run through the product from its creation to its end. */

/** Ids that end in `0` stand for many: copies are spread over `owner-h0`, `owner-h1` ... */
export const PEOPLE = { owner: 'owner-h0', cleaner: 'cleaner-h0', agent: 'agent-h0', property: 'property-h0' } as const;
/** Those who have half of a long history. */
export const MANY = { owner: 'owner-h1', property: 'property-h1', cleaner: 'cleaner-h1', agent: 'agent-h1' } as const;
/** Each copy has one of its own. */
export const LIVES = ['stay-life-a', 'stay-life-b'] as const;
const GUEST = 'guest-life';

export async function seedParties({ db }: QuietSystem): Promise<void> {
  const email = 'someone@example.com';
  await db.insertInto('owner').values({ id: PEOPLE.owner, name: 'Olga', email, payout_account: 'acct-h' }).execute();
  await db
    .insertInto('staff')
    .values([
      { id: PEOPLE.cleaner, name: 'Clara', email, phone: '+971500000002', role: 'CLEANER' },
      { id: PEOPLE.agent, name: 'Amina', email, phone: '+971500000003', role: 'AGENT' },
    ])
    .execute();
  await db
    .insertInto('property')
    .values({
      id: PEOPLE.property,
      name: 'Marina',
      owner_id: PEOPLE.owner,
      region: 'Marina',
      agent_ids: [PEOPLE.agent],
      amenity_device: 'lock-h',
    })
    .execute();
}

/** Days from today, as a date. */
export const day = (offset: number): string =>
  new Date(systemClock.now().getTime() + offset * 86_400_000).toISOString().slice(0, 10);

export async function book(
  { db }: QuietSystem,
  id: string,
  from: number,
  to: number,
  propertyId: string = PEOPLE.property,
): Promise<void> {
  await db
    .insertInto('guest')
    .values({ id: GUEST, name: 'John', email: 'john@example.com', phone: '+971500000001' })
    .onConflict((conflict) => conflict.doNothing())
    .execute();
  await db
    .insertInto('reservation')
    .values({
      id,
      property_id: propertyId,
      guest_id: GUEST,
      check_in_date: day(from),
      check_out_date: day(to),
      total_minor: 100_000,
      currency: 'AED',
      created_by: 'agent-x',
      referring_agent_id: PEOPLE.agent,
    })
    .execute();
}

export const payment = (reference: string) => ({
  amount: 1000,
  currency: 'AED',
  gatewayId: GATEWAY,
  gatewayReference: reference,
});

/** Everything that the workers would do next. */
export async function settle({ db }: QuietSystem): Promise<void> {
  while ((await assignDueTasks(db, 50)) === 50);
  while ((await planDueReminders(db, 100)) > 0);
  await deliverAll(db);
  while ((await deliverWebhooks(WEBHOOKS(db))) > 0);
}

/** To an endpoint that takes everything. */
export const WEBHOOKS = (db: Db): WebhookDeps => ({
  db,
  sender: { send: async () => ({ taken: true, statusCode: 200, reason: null, ms: 12 }), refusalOf: async () => null },
  random: () => 0.5,
  outages: noOutages,
});

/** Confirmed, paid, arrived, cleaned, departed, paid out. */
async function wholeStay(system: QuietSystem): Promise<void> {
  const [id] = LIVES;
  const { db } = system;
  await book(system, id, 0, 2);
  await system.run(`/reservations/${id}/confirm`);
  await settle(system);
  await system.run(`/reservations/${id}/payment`, payment('ref-life-a'));
  await system.run(`/reservations/${id}/check-in`);
  await settle(system);
  await system.run(`/reservations/${id}/check-out`);
  await settle(system);
  const tasks = await db
    .selectFrom('task')
    .select('id')
    .where('reservation_id', '=', id)
    .where('status', 'in', ['UNASSIGNED', 'ASSIGNED', 'IN_PROGRESS'])
    .execute();
  for (const task of tasks) {
    const done = await system.call('POST', `/tasks/${task.id}/complete`, { body: { notes: 'clean' } });
    if (done.status !== 200) throw new Error(done.text);
  }
  await db
    .transaction()
    .execute((tx) => giveRating(tx, { reservationId: id, score: 5, comment: null }, { actor: GUEST, requestId: null }));
  const payout = await db
    .selectFrom('transaction')
    .select('id')
    .where('reservation_id', '=', id)
    .where('type', '=', 'OWNER_PAYOUT')
    .executeTakeFirstOrThrow();
  await system.run(`/transactions/${payout.id}/payout`);
  await settle(system);
}

/** Confirmed, a payment that was declined, one that was not, cancelled, refunded. */
async function cancelledStay(system: QuietSystem): Promise<void> {
  const id = LIVES[1];
  const { db } = system;
  await book(system, id, 30, 32);
  await system.run(`/reservations/${id}/confirm`);
  await settle(system);
  await system.run(`/reservations/${id}/payment`, payment('decline-life-b'));
  await system.run(`/reservations/${id}/payment`, payment('ref-life-b'));
  await system.run(`/reservations/${id}/cancel`);
  const refunds = await db.selectFrom('saga').select('id').where('finished_at', 'is', null).execute();
  for (const { id: sagaId } of refunds) await system.finish(sagaId);
  await settle(system);
}

/** The records that a morning of finance adds. */
async function night(system: QuietSystem): Promise<void> {
  const made = await system.call('POST', '/financial/reconciliations', {
    body: { gatewayId: GATEWAY, from: day(0), to: day(1) },
  });
  if (made.status !== 201) throw new Error(made.text);
  // A charge that nobody has booked, handed over with another one.
  const at = new Date(`${day(0)}T12:00:00Z`);
  await reconcile(system.db, {
    gatewayId: GATEWAY,
    source: 'CSV',
    from: at,
    to: new Date(at.getTime() + 1),
    movements: [movement('CHARGE', 'ref-life-of-nobody', { at, settled: true })],
    occasion: 'file-life-1',
    startedBy: 'admin-1',
  });
}

export async function live(system: QuietSystem): Promise<void> {
  await seedParties(system);
  await system.db
    .insertInto('webhook_endpoint')
    .values({
      id: 'webhook-h',
      url: 'https://crm.example/hook',
      secret: 'whsec_c2VjcmV0',
      next_seq: 1,
      created_by: 'admin-1',
    })
    .execute();
  await wholeStay(system);
  await cancelledStay(system);
  await night(system);
  // Nothing of it may be waiting: it is history.
  await sql`UPDATE notification SET due_at = now() WHERE status = 'QUEUED'`.execute(system.db);
  await settle(system);
  await sql`UPDATE notification SET status = 'SKIPPED', reason = 'PAST' WHERE status = 'QUEUED'`.execute(system.db);
  await numberEvents(system.db);
  while ((await deliverWebhooks(WEBHOOKS(system.db))) > 0);
  await sql`UPDATE outbox SET published_at = now() WHERE published_at IS NULL`.execute(system.db);
}
