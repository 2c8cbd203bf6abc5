import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { CircuitOpenError, InvariantError, RoomyError } from '../kernel/errors.ts';
import { createLogger } from '../kernel/log.ts';
import { createPorts, type OpenPorts } from './index.ts';
import type { ConfiguredProvider } from './payment-provider.ts';
import { sandboxPayments } from './sandbox/provider.ts';
import { stripePayments } from './stripe/provider.ts';

const never = new AbortController().signal;
const SETTINGS = { secretKey: 'sk_test_0123456789', apiUrl: 'http://127.0.0.1:9', webhookSecrets: [] };
const STRIPE = stripePayments.with(SETTINGS);
let sandboxDir: string;
const opened: OpenPorts[] = [];
const sandboxAt = (...gatewayIds: readonly string[]): ConfiguredProvider =>
  sandboxPayments.with({ dir: sandboxDir, feeBp: 290, gatewayIds });
const open = async (...providers: readonly ConfiguredProvider[]): Promise<OpenPorts> => {
  const on = providers.length > 0 ? providers : [sandboxAt()];
  const ports = await createPorts({ providers: on }, createLogger('test', 'silent'));
  opened.push(ports);
  return ports;
};
beforeEach(async () => {
  sandboxDir = await mkdtemp(path.join(tmpdir(), 'roomy-ports-'));
});
afterEach(async () => {
  for (const ports of opened.splice(0)) await ports.close();
  await rm(sandboxDir, { recursive: true, force: true });
});

let keys = 0;
const charge = (ports: OpenPorts, reference: string, gatewayId = 'gateway-123') => {
  keys += 1;
  const request = { amountMinor: 1_000, currency: 'AED', reservationId: 'reservation-1' };
  return ports.gateway(gatewayId).charge({ key: `key-${keys}`, gatewayId, reference, ...request }, never);
};
const payOut = (ports: OpenPorts, account: string, key: string) =>
  ports.payouts(account).payOut({ key, account, amountMinor: 700, currency: 'AED' }, never);
const unknown = expect.objectContaining({ code: 'GATEWAY_UNKNOWN' });

describe('the payment ports', () => {
  it('know Stripe only when it is on, and the sandbox only by its ids', async () => {
    const sandbox = await open(sandboxAt('any'));
    expect(() => sandbox.gateway('stripe')).toThrow(unknown);
    expect(sandbox.payouts('acct_1')).toBe(sandbox.gateway('any'));
    expect(sandbox.gateway('gateway-123')).toBe(sandbox.gateway('any'));
    expect(sandbox.gatewayIds).toEqual(['gateway-123', 'any']);
    const stripe = await open(STRIPE);
    expect(() => stripe.gateway('gateway-123')).toThrow(unknown);
    expect(() => stripe.payouts('acct-1')).toThrow(unknown);
    expect(stripe.payouts('acct_1')).toBe(stripe.gateway('stripe'));
    const both = await open(sandboxAt(), STRIPE);
    expect(both.payouts('acct_1')).toBe(both.gateway('stripe'));
    expect(both.payouts('acct-1')).toBe(both.gateway('gateway-123'));
    expect(both.gatewayIds).toEqual(['gateway-123', 'stripe']);
  });

  it.each([
    ['Stripe', ['stripe']],
    ['strip', ['stripe']],
    ['STRIPE', ['stripe']],
    ['gateway-132', ['gateway-123']],
    ['gateway-nope', []],
    ['sandbox', []],
    ['', []],
    ['__proto__', []],
  ])('take %j for no gateway, and say which may have been meant', async (gatewayId, near) => {
    const both = await open(sandboxAt(), STRIPE);
    const known = ['gateway-123', 'stripe'];
    expect(() => both.gateway(gatewayId)).toThrow(
      expect.objectContaining({ code: 'GATEWAY_UNKNOWN', unsent: true, details: { gatewayId, known, near } }),
    );
  });

  it('pretend beside real providers only for what the sandbox has', async () => {
    const both = await open(sandboxAt(), STRIPE);
    for (const account of ['Acct_1', 'acct 1', 'AE070331234567890123456', ''])
      expect(() => both.payouts(account)).toThrow(unknown);
    const request = { key: 'k', propertyId: 'property-1', reservationId: 'stay', from: '', until: '' };
    const activate = (ports: OpenPorts, device: string) => ports.amenities.activate({ ...request, device }, never);
    for (const device of ['htps://lock.example/1', 'lock.example/1'])
      await expect(activate(both, device)).rejects.toMatchObject({ code: 'AMENITIES_REFUSED' });
    await expect(activate(both, 'lock-1')).resolves.toMatchObject({});
  });

  it('verify webhooks when there is a secret', async () => {
    expect([...(await open(sandboxAt(), STRIPE)).receivers]).toEqual([]);
    const stripe = stripePayments.with({ ...SETTINGS, webhookSecrets: ['whsec_0123456789abcdef'] });
    const { receivers } = await open(sandboxAt(), stripe);
    expect([...receivers.keys()]).toEqual(['stripe']);
    expect(() => receivers.get('stripe')?.receive(Buffer.from('{}'), 'x')).toThrow(RoomyError);
  });

  it('never let two providers have one gateway id', async () => {
    await expect(open(sandboxAt('stripe'), STRIPE)).rejects.toThrow(InvariantError);
    await expect(open(sandboxAt('bank'))).rejects.toThrow(InvariantError);
  });

  it('tell the bank’s record of payouts, which takes no payments', async () => {
    const ports = await open();
    await payOut(ports, 'acct-1', 'key-b');
    await payOut(ports, 'acct-2', 'key-a');
    const movements = await ports.gateway('bank').movements('bank', new Date(0), new Date(8.64e15), 1);
    expect(movements).toMatchObject([{ kind: 'PAYOUT', amountMinor: 700 }]);
    await expect(charge(ports, 'ref-1', 'bank')).rejects.toMatchObject({ code: 'GATEWAY_UNKNOWN' });
  });

  it('stop asking a reference that is down, and go on with all others', async () => {
    const ports = await open();
    for (let n = 0; n < 5; n += 1)
      await expect(charge(ports, 'ref-down-1')).rejects.not.toBeInstanceOf(CircuitOpenError);
    await expect(charge(ports, 'ref-down-1')).rejects.toBeInstanceOf(CircuitOpenError);
    for (let n = 0; n < 6; n += 1) await expect(charge(ports, 'ref-declined')).rejects.toMatchObject({ status: 402 });
    expect(await charge(ports, 'ref-1')).toMatchObject({ feeMinor: 29 });
    for (let n = 0; n < 5; n += 1) await expect(payOut(ports, 'acct-down', 'key-d')).rejects.toThrow();
    expect(await payOut(ports, 'acct-1', 'key-c')).toMatchObject({ done: true });
    const states = [...ports.circuits()].filter(([, state]) => state === 'open').map(([name]) => name);
    expect(states).toEqual(['gateway-123/ref-down-1', 'bank/acct-down']);
  });

  it('keep the sandbox’s record when they are opened anew', async () => {
    const first = await open();
    const made = await charge(first, 'ref-1');
    await first.close();
    opened.length = 0;
    const movements = await (await open())
      .gateway('gateway-123')
      .movements('gateway-123', new Date(0), new Date(8.64e15), 9);
    expect(movements).toMatchObject([{ providerId: made.providerId }]);
  });
});
