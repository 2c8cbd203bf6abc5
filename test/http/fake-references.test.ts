import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { stripePayments } from '../../src/gateways/stripe/provider.ts';
import { type FakeStripe, SECRET_KEY, startFakeStripe } from '../gateways/fake-stripe.ts';
import { prepareStays, seedStay } from '../sagas/confirmation.ts';
import { expectIntegrity, GATEWAY, netByAccount } from '../sagas/money.ts';
import { type Answer, type System, startSystem } from '../setup/system.ts';

/** A caller’s reference proves nothing (M3): the gateway is asked, and what it does not confirm is not booked. */

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

const pay = (id: string, gatewayId: string, gatewayReference: string, who: object = {}): Promise<Answer> =>
  system.call('POST', `/reservations/${id}/payment`, {
    body: { amount: 1000, currency: 'AED', gatewayId, gatewayReference },
    ...who,
  });
const ledgerRows = async (): Promise<number> => {
  const { n } = await system.bed.db
    .selectFrom('ledger_entry')
    .select((eb) => eb.fn.countAll<number>().as('n'))
    .executeTakeFirstOrThrow();
  return Number(n);
};

/** How each reference lies, at the provider. */
const LIES: Readonly<Record<string, readonly [gatewayId: string, prepare: () => string, reason: string]>> = {
  'that nobody knows': ['stripe', () => 'pi_unknown', 'RESOURCE_MISSING'],
  'that is no reference at all': ['stripe', () => 'ref-456', 'UNKNOWN_REFERENCE'],
  'of another merchant': [
    'stripe',
    () => {
      // A key opens its own merchant’s payments; of another’s, Stripe says what it says of one that there is not.
      stripe.faults.push({
        on: /GET .*payment_intents\/pi_foreign/,
        answer: {
          status: 404,
          body: JSON.stringify({ error: { type: 'invalid_request_error', code: 'resource_missing', message: 'x' } }),
        },
      });
      return 'pi_foreign';
    },
    'RESOURCE_MISSING',
  ],
  'that another stay was paid with': [
    'stripe',
    () => stripe.account.seed({ id: 'pi_stay', status: 'succeeded', metadata: { reservationId: 'another' } }).id,
    'RESERVATION_MISMATCH',
  ],
  'of 0.01 for 1 000': [
    'stripe',
    () => stripe.account.seed({ id: 'pi_small', status: 'succeeded', amount: 1 }).id,
    'AMOUNT_MISMATCH',
  ],
  'in another currency': [
    'stripe',
    () => stripe.account.seed({ id: 'pi_usd', status: 'succeeded', currency: 'usd' }).id,
    'CURRENCY_MISMATCH',
  ],
  'that was refunded': [
    'stripe',
    () => {
      const intent = stripe.account.seed({ id: 'pi_refunded', status: 'succeeded' });
      Object.assign(intent.charge ?? {}, { refunded: 100_000 });
      return intent.id;
    },
    'REFUNDED',
  ],
  'of another amount at the sandbox': [GATEWAY, () => 'ref-wrong-amount-m3', 'AMOUNT_MISMATCH'],
};

describe('M3: a gateway reference', () => {
  it.each(Object.entries(LIES))(
    '%s is 409 PAYMENT_NOT_VERIFIED, with no ledger rows',
    async (_, [gateway, prepare, reason]) => {
      const id = await seedStay(system.bed.db);
      const before = await ledgerRows();
      const refused = await pay(id, gateway, prepare());
      expect([refused.status, refused.body.code, refused.body.details?.gatewayError], refused.text).toEqual([
        409,
        'PAYMENT_NOT_VERIFIED',
        reason,
      ]);
      expect(await netByAccount(system.bed.db, refused.body.sagaExecutionId)).toEqual({});
      // What was booked before it was found out is reversed; of a lie nothing is booked at all.
      expect(await ledgerRows()).toBe(before);
      expect((await system.call('GET', `/reservations/${id}`)).body.data.paymentStatus).toBe('UNPAID');
    },
  );

  it('that was refunded at the sandbox, past this system, pays no second stay', async () => {
    const first = await seedStay(system.bed.db);
    const reference = 'ref-m3-refunded';
    expect((await pay(first, GATEWAY, reference)).status).toBe(200);
    await system.call('POST', `/reservations/${first}/cancel`, { body: {} });
    const second = await seedStay(system.bed.db);
    const before = await ledgerRows();
    const refused = await pay(second, GATEWAY, reference);
    expect(refused.status).toBe(409);
    expect(['PAYMENT_NOT_VERIFIED', 'GATEWAY_REFERENCE_REUSED']).toContain(refused.body.code);
    expect(await ledgerRows()).toBe(before);
    await expectIntegrity(system.bed.db);
  });
});
