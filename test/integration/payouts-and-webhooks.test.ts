import { sql } from 'kysely';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { alertOldDebts } from '../../src/domain/finance/owner-debts.ts';
import type { GatewayEvent } from '../../src/domain/ports.ts';
import { systemClock } from '../../src/kernel/clock.ts';
import { createLogger } from '../../src/kernel/log.ts';
import { doNight, releaseDuePayouts, takeUpGatewayNews } from '../../src/workers/finance.ts';
import { prepareStays, seedStay } from '../sagas/confirmation.ts';
import { expectIntegrity, GATEWAY } from '../sagas/money.ts';
import { expectAlertsFit } from '../setup/alerts.ts';
import { restOf } from '../setup/engine.ts';
import { tamper } from '../setup/ledger.ts';
import { type System, startSystem } from '../setup/system.ts';

/** Money that moves without anybody asking: payouts that fall due, and what a gateway tells us. */
let system: System;
beforeAll(async () => {
  system = await startSystem();
  await prepareStays(system.bed.db);
});
afterAll(() => system?.close());

let made = 0;
async function ownerWith(terms: object | null, payments: number): Promise<string> {
  made += 1;
  const { db } = system.bed;
  const id = `owner-due-${made}`;
  await db
    .insertInto('owner')
    .values({
      id,
      name: 'Due',
      email: 'due@example.com',
      payout_account: `acct-${id}`,
      payout_terms: terms === null ? null : JSON.stringify(terms),
    })
    .execute();
  for (let n = 0; n < payments; n += 1) {
    const stay = await seedStay(db);
    const property = db.selectFrom('reservation').select('property_id').where('id', '=', stay);
    await db.updateTable('property').set({ owner_id: id }).where('id', '=', property).execute();
    const body = { amount: 1000, currency: 'AED', gatewayId: GATEWAY, gatewayReference: `due-${made}-${n}` };
    expect((await system.call('POST', `/reservations/${stay}/payment`, { body })).status).toBe(200);
  }
  await db
    .updateTable('transaction')
    .set({ scheduled_for: sql<Date>`now() - interval '1 minute'` })
    .where('owner_id', '=', id)
    .where('type', '=', 'OWNER_PAYOUT')
    .execute();
  return id;
}
const payoutsOf = (ownerId: string) =>
  system.bed.db
    .selectFrom('transaction')
    .select(['id', 'status', 'settled_minor', 'payout_saga', 'provider_id'])
    .where('owner_id', '=', ownerId)
    .where('type', '=', 'OWNER_PAYOUT')
    .orderBy('id')
    .execute();
async function sweep(): Promise<void> {
  const { db } = system.bed;
  const { orchestrator } = system.process.engine;
  await releaseDuePayouts({ db, ports: system.sandbox.ports, orchestrator, log: createLogger('test', 'silent') });
  const open = await db.selectFrom('saga').select('id').where('name', '=', 'processOwnerPayout').execute();
  for (const { id } of open) await restOf(db, id);
}

describe('the payout sweep', () => {
  it('pays what is due to an owner with one bank instruction', async () => {
    const owner = await ownerWith(null, 3);
    await sweep();
    const payouts = await payoutsOf(owner);
    expect(payouts.map((row) => [row.status, row.settled_minor])).toEqual(Array(3).fill(['COMPLETED', 70_000]));
    expect(new Set(payouts.map((row) => row.payout_saga)).size).toBe(1);
    expect(await system.sandbox.paidAs(payouts[0]?.provider_id ?? '')).toBe(210_000);
    await sweep();
    expect((await payoutsOf(owner)).length).toBe(3);
    await expectIntegrity(system.bed.db);
  });

  it.each([
    ['an owner on hold', { hold: true }, 1, 0],
    ['less than the minimum', { minimumMinor: { AED: 100_000 } }, 1, 0],
    ['the working capital', { workingCapitalMinor: { AED: 50_000 } }, 2, 1],
  ])('leaves alone: %s', async (_what, terms, payments, paid) => {
    const owner = await ownerWith(terms, payments);
    await sweep();
    expect((await payoutsOf(owner)).filter((row) => row.status === 'COMPLETED')).toHaveLength(paid);
  });

  it('tells staff of owners who have owed for a month', async () => {
    const { db } = system.bed;
    const owner = await ownerWith(null, 1);
    await sweep();
    const { reservation_id } = await db
      .selectFrom('transaction')
      .select('reservation_id')
      .where('owner_id', '=', owner)
      .where('type', '=', 'OWNER_PAYOUT')
      .executeTakeFirstOrThrow();
    await system.call('POST', `/reservations/${reservation_id}/cancel`, { body: {} });
    expect(await alertOldDebts(db)).toBe(0);
    await tamper(
      db,
      sql`UPDATE ledger_tx SET created_at = now() - interval '31 days' WHERE reservation_id = ${reservation_id}`,
    );
    expect(await alertOldDebts(db)).toBe(1);
    const tasks = () => db.selectFrom('task').select(['status', 'title']).where('type', '=', 'FINANCE').execute();
    expect(await tasks()).toEqual([{ status: 'UNASSIGNED', title: 'Settle what an owner owes' }]);
    await db
      .updateTable('task')
      .set({ status: 'COMPLETED', completed_at: new Date() })
      .where('type', '=', 'FINANCE')
      .execute();
    await alertOldDebts(db);
    expect(await tasks()).toEqual([{ status: 'UNASSIGNED', title: 'Settle what an owner owes' }]);
  });

  it('does the night once', async () => {
    const { db } = system.bed;
    const { orchestrator } = system.process.engine;
    const work = { db, ports: system.sandbox.ports, orchestrator, log: createLogger('test', 'silent') };
    await doNight(work, new Date(systemClock.now().getTime() + 24 * 3_600_000));
    const nights = () => db.selectFrom('reconciliation').selectAll().where('gateway_id', '=', GATEWAY).execute();
    const [night] = await nights();
    expect(night).toMatchObject({ mismatched: 0, missing_in_ledger: 0, missing_at_gateway: 0 });
    await doNight(work, new Date(systemClock.now().getTime() + 24 * 3_600_000));
    expect(await nights()).toHaveLength(1);
  });
});

async function alertsOf(group: string): Promise<number> {
  const rows = await system.bed.db
    .selectFrom('notification')
    .select('id')
    .where(sql<boolean>`starts_with(effect_key, ${`alert-${group}-`})`)
    .execute();
  return rows.length;
}

let events = 0;
function send(event: GatewayEvent, id?: string, signature = 'good') {
  events += 1;
  const eventId = id ?? `evt-${events}`;
  const text = JSON.stringify({ gatewayId: GATEWAY, eventId, type: event.kind, event });
  return system.call('POST', '/webhooks/stripe', { text, headers: { 'stripe-signature': signature } });
}

describe("a gateway's webhook", () => {
  it('X9: is refused without a good signature', async () => {
    const refused = await send({ kind: 'ignored' }, 'evt-bad', 'bad');
    expect([refused.status, refused.body.code]).toEqual([401, 'INVALID_SIGNATURE']);
  });

  it('X9: books money that nobody has booked, once, and what is over the balance as credit', async () => {
    const { db } = system.bed;
    const reservationId = await seedStay(db);
    const event = {
      kind: 'charge-succeeded',
      reference: `hook-${reservationId}`,
      reservationId,
      amountMinor: 120_000,
      currency: 'AED',
    } as const;
    expect((await send(event, 'evt-captured')).body.data).toEqual({ outcome: 'start-payment' });
    const saga = await db
      .selectFrom('saga')
      .select('id')
      .where('subject_id', '=', reservationId)
      .executeTakeFirstOrThrow();
    expect(await restOf(db, saga.id)).toBe('completed');
    expect((await send(event, 'evt-captured')).body.data).toEqual({ outcome: 'repeated' });
    expect((await send(event)).body.data).toEqual({ outcome: 'known' });
    const stay = await system.call('GET', `/reservations/${reservationId}`);
    expect(stay.body.data.paymentStatus).toBe('OVERPAID');
    await expectIntegrity(db);
    const cancelled = await system.call('POST', `/reservations/${reservationId}/cancel`, { body: {} });
    expect(cancelled.body.data.refund).toMatchObject({ amount: 1200, status: 'COMPLETED' });
    await expectIntegrity(db);
  });

  it('keeps what comes in for a stay that was called off as the guest’s credit, and calls a person', async () => {
    const { db } = system.bed;
    const owner = await ownerWith(null, 1);
    const [{ reservation_id: reservationId } = { reservation_id: '' }] = await db
      .selectFrom('transaction')
      .select('reservation_id')
      .where('owner_id', '=', owner)
      .where('type', '=', 'OWNER_PAYOUT')
      .execute();
    if (reservationId === null) throw new Error('a payout of no stay');
    await system.call('POST', `/reservations/${reservationId}/cancel`, { body: {} });
    const event = { kind: 'charge-succeeded', reservationId, amountMinor: 100_000 } as const;
    const late = { ...event, reference: `late-${reservationId}`, currency: 'AED' };
    expect((await send(late)).body.data.outcome).toBe('start-payment');
    const { id } = await db
      .selectFrom('saga')
      .select('id')
      .where('subject_id', '=', reservationId)
      .orderBy('requested_at', 'desc')
      .limit(1)
      .executeTakeFirstOrThrow();
    expect(await restOf(db, id)).toBe('completed');
    expect((await system.call('GET', `/reservations/${reservationId}`)).body.data.paymentStatus).toBe('OVERPAID');
    expect((await payoutsOf(owner)).map(({ status }) => status)).toEqual(['CANCELLED']);
    const summary = await system.call('GET', `/financial/summary?reservationId=${reservationId}`);
    expect(summary.body.data.currencies).toMatchObject([
      { received: 2000, refunded: 1000, ownerShare: 0, agencyFee: 0, guestCredit: 1000 },
    ]);
    await expectIntegrity(db);
    expect(await alertsOf(`overpaid-${reservationId}`)).toBe(1);
    const foreign = { ...event, reference: `usd-${reservationId}`, currency: 'USD' };
    expect((await send(foreign)).body.data.outcome).toBe('noted');
    expect((await send({ ...late, reference: 'of-nobody', reservationId: 'no-such-stay' })).body.data.outcome).toBe(
      'noted',
    );
    expect(await alertsOf(`gateway-usd-${reservationId}`)).toBe(1);
  });

  it('that a payout has come back reverses it, and calls a person', async () => {
    const owner = await ownerWith(null, 1);
    await sweep();
    const [payout] = await payoutsOf(owner);
    const providerId = payout?.provider_id ?? '';
    expect((await send({ kind: 'payout-failed', providerId, reason: 'ACCOUNT_CLOSED' })).body.data.outcome).toBe(
      'reversed',
    );
    expect((await payoutsOf(owner))[0]).toMatchObject({ status: 'FAILED', settled_minor: 0 });
    expect((await send({ kind: 'payout-failed', providerId, reason: 'ACCOUNT_CLOSED' })).body.data.outcome).toBe(
      'known',
    );
    const strange = { kind: 'payout-failed', providerId: 'po_not_ours', reason: 'ACCOUNT_CLOSED' } as const;
    expect((await send(strange)).body.data.outcome).toBe('noted');
    expect(await alertsOf('gateway-po_not_ours')).toBe(1);
  });

  it.each(['AFTER_CHECK_IN', 'AFTER_CHECK_OUT'])(
    '%s falls due by the times of the stay as they are now',
    async (policy) => {
      const { db } = system.bed;
      const owner = await ownerWith({ policy }, 0);
      const stay = await seedStay(db);
      const { property_id: property } = await db
        .updateTable('property')
        .set({ owner_id: owner })
        .from('reservation')
        .whereRef('reservation.property_id', '=', 'property.id')
        .where('reservation.id', '=', stay)
        .returning('reservation.property_id')
        .executeTakeFirstOrThrow();
      expect((await system.call('POST', `/reservations/${stay}/confirm`)).status).toBe(200);
      const pay = async (amount: number) => {
        const body = { amount, currency: 'AED', gatewayId: GATEWAY, gatewayReference: `due-${policy}-${amount}` };
        expect((await system.call('POST', `/reservations/${stay}/payment`, { body })).status).toBe(200);
      };
      const due = async () => {
        const rows = await db
          .selectFrom('transaction')
          .select('scheduled_for')
          .where('owner_id', '=', owner)
          .where('type', '=', 'OWNER_PAYOUT')
          .execute();
        const [one, ...others] = new Set(rows.map(({ scheduled_for }) => scheduled_for?.getTime() ?? 0));
        expect(others).toEqual([]);
        return one ?? 0;
      };
      const hours = async (since: number) => ((await due()) - since) / 3_600_000;
      await pay(100);
      const before = await due();
      const agreed = { plannedArrival: '22:00', plannedDeparture: '08:00' };
      expect((await system.call('PATCH', `/reservations/${stay}`, { body: agreed })).status).toBe(200);
      const moved = await hours(before);
      expect(moved).toBe(policy === 'AFTER_CHECK_IN' ? 7 : -3);
      await pay(200);
      expect(await hours(before)).toBe(moved);
      const body = { timeZone: 'Asia/Tokyo' };
      expect((await system.call('PATCH', `/properties/${property}`, { body })).status).toBe(200);
      expect(await hours(before)).toBe(moved - 5);
      await pay(300);
      expect(await hours(before)).toBe(moved - 5);
    },
  );

  it('that a payout has come back waits for a payout that is still on its way', async () => {
    const { db } = system.bed;
    const owner = await ownerWith(null, 1);
    await sweep();
    const [payout] = await payoutsOf(owner);
    const providerId = payout?.provider_id ?? '';
    const put = (status: 'PROCESSING' | 'COMPLETED', provider_id: string | null) =>
      db.updateTable('transaction').set({ status, provider_id }).where('owner_id', '=', owner).execute();
    await put('PROCESSING', null);
    expect((await send({ kind: 'payout-failed', providerId, reason: 'ACCOUNT_CLOSED' })).body.data.outcome).toBe(
      'waiting',
    );
    const news = { db, ports: system.sandbox.ports, orchestrator: system.process.engine.orchestrator };
    await takeUpGatewayNews(news);
    await put('COMPLETED', providerId);
    await takeUpGatewayNews(news);
    expect((await payoutsOf(owner))[0]).toMatchObject({ status: 'FAILED', settled_minor: 0 });
  });

  it('about a charge of somebody else, or about nothing of ours, is ignored', async () => {
    const foreign = { kind: 'charge-changed', reference: 'of-another-shop', chargeId: 'ch_theirs' } as const;
    expect((await send(foreign)).body.data.outcome).toBe('ignored');
    expect((await send({ kind: 'ignored' })).body.data.outcome).toBe('ignored');
  });
});

it('no alert about money that has moved says that a saga waits', async () => {
  expect(await expectAlertsFit(system.bed.db)).toMatchObject({
    OVERPAID: 'notice-alert.ops@1',
    OWNER_OWES: 'notice-alert.ops@1',
    OWNER_PAYOUT_FAILED: 'notice-alert.ops@1',
    CAPTURED_NOT_BOOKABLE: 'notice-alert.ops@1',
  });
});
