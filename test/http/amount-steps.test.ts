import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { stripePayments } from '../../src/gateways/stripe/provider.ts';
import { createLogger } from '../../src/kernel/log.ts';
import { toMajor } from '../../src/kernel/money.ts';
import { releaseDuePayouts } from '../../src/workers/finance.ts';
import { type FakeStripe, SECRET_KEY, startFakeStripe } from '../gateways/fake-stripe.ts';
import { prepareStays, seedStay } from '../sagas/confirmation.ts';
import { expectIntegrity } from '../sagas/money.ts';
import { restOf } from '../setup/engine.ts';
import { type Answer, type System, startSystem } from '../setup/system.ts';

/** Currencies of which Stripe takes fewer decimals than ISO 4217 has: what it cannot be told is never asked of it. */
let system: System;
let stripe: FakeStripe;
beforeAll(async () => {
  stripe = await startFakeStripe(() => Math.floor(Date.now() / 1000));
  const settings = { secretKey: SECRET_KEY, apiUrl: stripe.url, timeoutMs: 3_000, webhookSecrets: [] };
  system = await startSystem(undefined, {}, [stripePayments.with(settings)]);
  await prepareStays(system.bed.db);
}, 60_000);
afterAll(async () => {
  await system?.close();
  await stripe?.close();
});

/** Of a step, minor units: the smallest multiple that Stripe takes. */
const CURRENCIES = [
  ['KWD', 10],
  ['BHD', 10],
  ['OMR', 10],
  ['JOD', 10],
  ['TND', 10],
  ['MGA', 100],
] as const;
const ownerOf = (currency: string): string => `owner-${currency}`;

async function newStay(currency: string, totalMinor: number): Promise<string> {
  const { db } = system.bed;
  const id = await seedStay(db);
  await db.updateTable('reservation').set({ currency, total_minor: totalMinor }).where('id', '=', id).execute();
  const account = { name: 'O', email: 'o@example.com', payout_account: `acct_${currency}` };
  await db
    .insertInto('owner')
    .values({ id: ownerOf(currency), ...account })
    .onConflict((conflict) => conflict.doNothing())
    .execute();
  const property = db.selectFrom('reservation').select('property_id').where('id', '=', id);
  await db
    .updateTable('property')
    .set({ owner_id: ownerOf(currency) })
    .where('id', '=', property)
    .execute();
  return id;
}
/** What one person may give back: of a currency without a limit, nothing (domain.md 4). */
async function allowOverrides(currency: string): Promise<void> {
  const set = await system.call('GET', '/settings/approval-limits');
  const { overrides, charges, roles, overEstimatePercent, expiresHours, accountWaitHours } = set.body.data;
  const others = overrides.filter((limit: { currency: string }) => limit.currency !== currency);
  const body = {
    overrides: [...others, { currency, amount: 5_000 }],
    charges,
    roles,
    overEstimatePercent,
    expiresHours,
    accountWaitHours,
  };
  const headers = { 'if-match': set.headers.get('etag') ?? '' };
  const changed = await system.call('PUT', '/settings/approval-limits', { body, headers });
  expect(changed.status, changed.text).toBe(200);
}
const pay = (id: string, currency: string, amountMinor: number): Promise<Answer> =>
  system.call('POST', `/reservations/${id}/payment`, {
    body: {
      amount: toMajor({ amountMinor, currency }),
      currency,
      gatewayId: 'stripe',
      gatewayReference: `pm_${id.replaceAll('-', '')}`,
    },
  });
const payoutsOf = (currency: string) =>
  system.bed.db
    .selectFrom('transaction')
    .select(['status', 'amount_minor', 'settled_minor'])
    .where('owner_id', '=', ownerOf(currency))
    .where('type', '=', 'OWNER_PAYOUT')
    .where('currency', '=', currency)
    .orderBy('created_at')
    .orderBy('id')
    .execute();
async function sweep(currency: string): Promise<void> {
  const { db } = system.bed;
  await db
    .updateTable('transaction')
    .set({ scheduled_for: new Date(0) })
    .where('currency', '=', currency)
    .where('type', '=', 'OWNER_PAYOUT')
    .execute();
  const { orchestrator } = system.process.engine;
  await releaseDuePayouts({ db, ports: system.sandbox.ports, orchestrator, log: createLogger('test', 'silent') });
  for (const { id } of await db.selectFrom('saga').select('id').where('name', '=', 'processOwnerPayout').execute())
    await restOf(db, id);
}

describe.each(CURRENCIES)('%s at Stripe', (currency, step) => {
  it('an amount that it does not take is refused at once: no saga begins, and Stripe is not asked', async () => {
    const id = await newStay(currency, 10_010 * step);
    const before = stripe.received.length;
    const refused = await pay(id, currency, 1000 * step + step / 2);
    expect([refused.status, refused.body]).toMatchObject([
      422,
      { code: 'AMOUNT_PRECISION', details: { currency, gatewayId: 'stripe' } },
    ]);
    expect(stripe.received.length).toBe(before);
    expect(await system.bed.db.selectFrom('saga').select('id').where('subject_id', '=', id).execute()).toEqual([]);
    expect((await pay(id, currency, 1000 * step)).status).toBe(200);
  });

  it('pays an owner what it can pay, and the rest with the next payout', async () => {
    const { db } = system.bed;
    await sweep(currency);
    const earlier = await payoutsOf(currency);
    for (const odd of [1001, 1003]) {
      const id = await newStay(currency, odd * step);
      expect((await pay(id, currency, odd * step)).status).toBe(200);
      await sweep(currency);
    }
    const later = (await payoutsOf(currency)).slice(earlier.length);
    const paid = later.filter(({ status }) => status === 'COMPLETED').reduce((sum, row) => sum + row.settled_minor, 0);
    const rest = later.filter(({ status }) => status === 'PENDING').reduce((sum, row) => sum + row.amount_minor, 0);
    // 70 % of both, in whole steps: 700.7 and 702.1 of them.
    expect([paid, rest]).toEqual([1402 * step, (8 * step) / 10]);
    expect(stripe.account.transfers.every(({ amount }) => amount > 0)).toBe(true);
    await expectIntegrity(db);
  });

  it('sends a guest back what it can send, rounded up', async () => {
    await allowOverrides(currency);
    const id = await newStay(currency, 1001 * step);
    await pay(id, currency, 1001 * step);
    await system.call('POST', `/reservations/${id}/confirm`, { body: {} });
    const body = { refundPercentOverride: 50, reason: 'GOODWILL' };
    const cancelled = await system.call('POST', `/reservations/${id}/cancel`, { body });
    const amount = toMajor({ amountMinor: 501 * step, currency });
    expect(cancelled.body.data.refund).toMatchObject({ percent: 50, amount, status: 'COMPLETED' });
    await expectIntegrity(system.bed.db);
  });
});

it('less than the provider can pay is not paid alone, and stays owed', async () => {
  const { db } = system.bed;
  const { id } = await db
    .selectFrom('transaction')
    .select('id')
    .where('owner_id', '=', ownerOf('KWD'))
    .where('status', '=', 'PENDING')
    .where('amount_minor', '<', 10)
    .executeTakeFirstOrThrow();
  const answer = await system.call('POST', `/transactions/${id}/payout`, { body: {} });
  expect([answer.status, answer.body]).toMatchObject([
    409,
    { code: 'PAYOUT_NOT_PAYABLE', details: { reason: 'BELOW_LEAST_AMOUNT', least: 0.01 } },
  ]);
  expect((await system.call('GET', `/transactions/${id}`)).body.data.status).toBe('PENDING');
});
