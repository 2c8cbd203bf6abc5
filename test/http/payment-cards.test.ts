import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { FRAUD_RULES } from '../../src/domain/finance/fraud.ts';
import { stripePayments } from '../../src/gateways/stripe/provider.ts';
import { type FakeStripe, SECRET_KEY, startFakeStripe } from '../gateways/fake-stripe.ts';
import { prepareStays, seedStay } from '../sagas/confirmation.ts';
import { GATEWAY } from '../sagas/money.ts';
import { type Answer, type System, startSystem } from '../setup/system.ts';

/** The fraud rules on many payments by one service client, and on one card for many guests. */
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

const { atLeast } = FRAUD_RULES.declinesOfCard;
/** A stay of a guest who has no other. */
async function newStay(): Promise<string> {
  const { db } = system.bed;
  const id = await seedStay(db);
  const guest = { id: `guest-of-${id}`, name: 'G', email: `${id}@example.com` };
  await db.insertInto('guest').values(guest).execute();
  await db.updateTable('reservation').set({ guest_id: guest.id }).where('id', '=', id).execute();
  return id;
}
const pay = (id: string, gatewayReference: string, gatewayId = GATEWAY): Promise<Answer> =>
  system.call('POST', `/reservations/${id}/payment`, {
    scope: 'payments:write',
    sub: 'crm',
    body: { amount: 1000, currency: 'AED', gatewayId, gatewayReference },
  });
async function declined(references: readonly string[], gatewayId = GATEWAY): Promise<void> {
  for (let from = 0; from < references.length; from += 8) {
    const answers = references.slice(from, from + 8).map(async (one) => pay(await newStay(), one, gatewayId));
    for (const { body } of await Promise.all(answers)) expect(body.code).toBe('PAYMENT_DECLINED');
  }
}
const times = (count: number, reference: (n: number) => string): readonly string[] =>
  Array.from({ length: count }, (_, n) => reference(n));
/** It waits for a person, because of its card. */
async function expectHeld(answer: Answer): Promise<void> {
  expect([answer.status, answer.body.data.status]).toEqual([202, 'parked']);
  expect(answer.body.data.waitsFor).toMatchObject({ step: 'validatePayment', code: 'APPROVAL_REQUIRED' });
  const { text } = await system.call('GET', `/sagas/executions/${answer.body.data.sagaExecutionId}`);
  expect(text).toContain('DECLINES_OF_CARD');
}
const recordOf = (id: string) =>
  system.bed.db
    .selectFrom('payment')
    .select(['saga_id', 'card_fingerprint'])
    .where('reservation_id', '=', id)
    .executeTakeFirstOrThrow();

describe('declines', () => {
  it('of 200 stays, guests and cards on one service token do not hold its next payment', async () => {
    await declined(times(200, (n) => `ref-declined-busy-${n}`));
    expect((await pay(await newStay(), 'ref-busy-next')).status).toBe(200);
  }, 120_000);

  it('of one card hold its next payment, whichever stay and guest it is for, and no other card', async () => {
    await declined(times(atLeast, (n) => `ref-declined-${n}-card-7`));
    await expectHeld(await pay(await newStay(), 'ref-next-card-7'));
    expect((await pay(await newStay(), 'ref-next-card-8')).status).toBe(200);
  });

  it('of one card at Stripe hold it under another PaymentMethod', async () => {
    // One claim of a reference at a time, so that these come one after the other.
    for (let n = 0; n < atLeast; n += 1) await declined(['pm_declined'], 'stripe');
    stripe.account.cards.set('pm_other', 'fp_pm_declined');
    await expectHeld(await pay(await newStay(), 'pm_other', 'stripe'));
    expect((await pay(await newStay(), 'pm_card', 'stripe')).status).toBe(200);
  });
});

describe('the fingerprint of a card', () => {
  it('is kept with the payment, and in no answer', async () => {
    const id = await newStay();
    const paid = await pay(id, 'pm_secret', 'stripe');
    expect(paid.status).toBe(200);
    const { saga_id, card_fingerprint } = await recordOf(id);
    expect(card_fingerprint).toBe('fp_pm_secret');
    const paths = [
      `/sagas/executions/${saga_id}`,
      `/reservations/${id}?include=transactions`,
      `/transactions?reservationId=${id}`,
      `/audit?reservationId=${id}`,
    ];
    const answers = await Promise.all(paths.map((path) => system.call('GET', path)));
    for (const { status, text } of [paid, ...answers]) {
      expect(status).toBe(200);
      expect(text).not.toContain('fp_pm_secret');
    }
    expect(answers[0]?.text).toContain('validatePayment');
  });

  it.each([
    ['an error', 503],
    ['a refusal', 403],
    ['silence', 'silence'],
    ['a broken connection', 'reset'],
  ] as const)('that cannot be had (%s) stops no payment', async (_name, answer) => {
    const id = await newStay();
    stripe.faults.push({ on: /GET .*payment_methods/, answer });
    expect((await pay(id, `pm_unseen${answer}`, 'stripe')).status).toBe(200);
    expect(stripe.faults).toEqual([]);
    expect((await recordOf(id)).card_fingerprint).toBeNull();
  });
});
