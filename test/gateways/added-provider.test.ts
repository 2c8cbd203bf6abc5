import { afterAll, beforeAll, expect, it } from 'vitest';
import { readPayments, unnamedGateways } from '../../src/config-providers.ts';
import { PAYOUT_BANK } from '../../src/domain/ports.ts';
import { PAYMENT_PROVIDERS } from '../../src/gateways/payment-providers.ts';
import { readPage, statedFiles } from '../docs/page.ts';
import { prepareStays, seedStay } from '../sagas/confirmation.ts';
import { expectIntegrity } from '../sagas/money.ts';
import { type System, startSystem } from '../setup/system.ts';
import { HARBOUR_RECORD, harbourPayments, signatureOf } from './harbour.ts';

/** docs/add-a-gateway.md, done: one file of its own, and its place in the array. Nothing else knows of it. */

const SECRET = 'a-secret-of-the-harbour';
const ALL = [...PAYMENT_PROVIDERS, harbourPayments];
/** The ids that the sandbox may not have. */
const TAKEN = [...ALL.map(({ id }) => id).filter((id) => id !== 'sandbox'), PAYOUT_BANK];
const given = { HARBOUR_SECRET: SECRET, PAYMENT_GATEWAYS: 'sandbox,harbour' };

let system: System;
beforeAll(async () => {
  const harbour = readPayments(given, ALL).on.filter(({ id }) => id === 'harbour');
  system = await startSystem(undefined, {}, harbour);
  await prepareStays(system.bed.db);
}, 60_000);
afterAll(() => system?.close());

const pay = (id: string, gatewayReference: string) =>
  system.call('POST', `/reservations/${id}/payment`, {
    body: { amount: 1000, currency: 'AED', gatewayId: 'harbour', gatewayReference },
  });
const doneWith = (reference: string) =>
  HARBOUR_RECORD.filter((one) => one.reference === reference).map(({ kind, amountMinor }) => [kind, amountMinor]);

it('is configured by what it declares', () => {
  expect(readPayments(given, ALL).on.map(({ id }) => id)).toEqual(['sandbox', 'harbour']);
  expect(readPayments({ HARBOUR_SECRET: SECRET }, ALL).on.map(({ id }) => id)).toEqual(['harbour']);
  expect(readPayments({ PAYMENT_GATEWAYS: 'harbour' }, ALL).problems).toEqual([
    'HARBOUR_SECRET: is required when PAYMENT_GATEWAYS has harbour',
  ]);
  expect(readPayments({ HARBOUR_SECRET: 'short' }, ALL).problems).toEqual([expect.stringMatching(/^HARBOUR_SECRET: /)]);
  expect(readPayments({ ...given, SANDBOX_GATEWAYS: 'harbour' }, ALL).problems).toEqual([
    expect.stringMatching(new RegExp(`^SANDBOX_GATEWAYS: .*none of them ${TAKEN.join(' or ')}$`)),
  ]);
  expect(unnamedGateways({}, ALL)).toEqual([expect.stringContaining('harbour (with HARBOUR_SECRET)')]);
});

it('takes a payment and sends money back', async () => {
  const id = await seedStay(system.bed.db);
  const paid = await pay(id, 'hb-ref-1');
  expect(paid.status, paid.text).toBe(200);
  await system.bed.db.updateTable('reservation').set({ status: 'CHECKED_OUT' }).where('id', '=', id).execute();
  const refunded = await system.call('POST', `/reservations/${id}/refunds`, { body: { amount: 100, reason: 'Noise' } });
  expect(refunded.status, refunded.text).toBe(200);
  expect(doneWith('hb-ref-1')).toEqual([
    ['CHARGE', 100_000],
    ['REFUND', 10_000],
  ]);
  await expectIntegrity(system.bed.db);
});

it('pays those owners out whose accounts are its own', async () => {
  const { ports } = system.sandbox;
  expect(ports.payouts('hb-77')).toBe(ports.gateway('harbour'));
  expect(ports.payouts('acct-1')).toBe(ports.gateway('gateway-123'));
  expect(() => ports.payouts('somebody')).toThrow(expect.objectContaining({ code: 'GATEWAY_UNKNOWN' }));
});

it('calls us at an address of its own, and nobody in its name', async () => {
  const reservationId = await seedStay(system.bed.db);
  const text = JSON.stringify({ id: 'hb-evt-1', reference: 'hb-ref-2', reservationId, amountMinor: 100_000 });
  const report = (signature: string, provider = 'harbour') =>
    system.call('POST', `/webhooks/${provider}`, { text, headers: { 'harbour-signature': signature } });
  const signature = signatureOf(text, SECRET);
  expect((await report('forged')).body.code).toBe('INVALID_SIGNATURE');
  expect((await report(signature, 'nobody')).status).toBe(404);
  expect((await report(signature)).body.data.outcome).toBe('start-payment');
  const booked = () =>
    system.bed.db.selectFrom('payment').select(['gateway_id', 'status']).where('reservation_id', '=', reservationId);
  await expect
    .poll(() => booked().execute(), { timeout: 20_000 })
    .toEqual([{ gateway_id: 'harbour', status: 'COMPLETED' }]);
  expect((await report(signature)).body.data.outcome).not.toBe('start-payment');
});

it('takes the files that the document names, and no third one', () => {
  const table = [...readPage('add-a-gateway.md').matchAll(/^\| `(src\/[^`]+)` +\|/gm)].map((match) => match[1]);
  expect(table).toEqual(['src/gateways/<id>/provider.ts', 'src/gateways/payment-providers.ts']);
  expect(statedFiles('add-a-gateway.md')).toEqual([table.length]);
});
