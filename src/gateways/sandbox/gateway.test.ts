import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { promisify } from 'node:util';
import { Worker } from 'node:worker_threads';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { OpenersShared } from '../../../test/gateways/opener.ts';
import type { ChargeRequest, MoneyOutcome, RefundRequest } from '../../domain/ports.ts';
import { RoomyError } from '../../kernel/errors.ts';
import { createSandboxGateway, type SandboxGateway } from './gateway.ts';

const GATEWAY = 'gateway-123';
const START = new Date('2026-03-01T12:00:00Z');
const never = new AbortController().signal;

let dir: string;
let now: Date;
const open: SandboxGateway[] = [];
/** As another process, or this one after a restart, would open it. */
const openGateway = (feeBp = 290): SandboxGateway => {
  const gateway = createSandboxGateway({ dir, feeBp, clock: { now: () => now } });
  open.push(gateway);
  return gateway;
};
const wait = (ms: number): void => {
  now = new Date(now.getTime() + ms);
};

beforeEach(async () => {
  dir = await mkdtemp(path.join(tmpdir(), 'roomy-sandbox-'));
  now = START;
});
afterEach(async () => {
  for (const gateway of open.splice(0)) gateway.close();
  await rm(dir, { recursive: true, force: true });
});

const chargeOf = (reference: string, key = `${reference}-key`, amountMinor = 1_000): ChargeRequest => ({
  key,
  gatewayId: GATEWAY,
  reference,
  amountMinor,
  currency: 'AED',
  reservationId: 'reservation-1',
});
const charge = (gateway: SandboxGateway, ...of: Parameters<typeof chargeOf>) => gateway.charge(chargeOf(...of), never);
const undo = (gateway: SandboxGateway, reference: string, chargeKey = `${reference}-key`) =>
  gateway.undoCharge({ ...chargeOf(reference, `${chargeKey}-C`), chargeKey }, never);
const refund = (
  gateway: SandboxGateway,
  request: Partial<RefundRequest> & { readonly chargeId: string },
): Promise<MoneyOutcome> =>
  gateway.refund(
    { key: 'refund-1', gatewayId: GATEWAY, reference: 'ref-1', amountMinor: 1_000, currency: 'AED', ...request },
    never,
  );
const pay = (gateway: SandboxGateway, account: string, key = `${account}-key`): Promise<MoneyOutcome> =>
  gateway.payOut({ key, account, amountMinor: 700, currency: 'AED' }, never);
const movements = (gateway: SandboxGateway, gatewayId = GATEWAY) =>
  gateway.movements(gatewayId, new Date(0), new Date(8.64e15), 100);
/** What the provider holds of a reference. */
const net = async (gateway: SandboxGateway, reference: string): Promise<number> =>
  (await movements(gateway))
    .filter((movement) => movement.reference === reference)
    .reduce((sum, { kind, amountMinor }) => sum + (kind === 'CHARGE' ? amountMinor : -amountMinor), 0);
async function failure(work: Promise<unknown>): Promise<RoomyError> {
  const error = await work.then(
    () => null,
    (thrown: unknown) => thrown,
  );
  if (error instanceof RoomyError) return error;
  throw new Error('it was to fail', { cause: error });
}

describe('a charge in the sandbox', () => {
  it('captures the asked amount, keeps its fee half up, and is on record', async () => {
    const gateway = openGateway();
    const made = await charge(gateway, 'ref-1');
    expect(made).toEqual({
      providerId: expect.stringMatching(/^charge-/),
      amountMinor: 1_000,
      currency: 'AED',
      feeMinor: 29,
    });
    expect(await charge(openGateway(250), 'ref-2', 'key-2', 1_020)).toMatchObject({ feeMinor: 26 });
    expect((await movements(gateway))[0]).toEqual({
      kind: 'CHARGE',
      reference: 'ref-1',
      providerId: made.providerId,
      amountMinor: 1_000,
      feeMinor: 29,
      currency: 'AED',
      at: START,
      settled: true,
      failed: false,
    });
  });

  it('answers a repeated key from its record, also after a restart and in another process', async () => {
    const first = await charge(openGateway(), 'ref-1');
    expect(await charge(openGateway(), 'ref-1')).toEqual(first);
    expect(await movements(openGateway())).toHaveLength(1);
  });

  it('refuses a repeated key with another body as a bug', async () => {
    const gateway = openGateway();
    await charge(gateway, 'ref-1', 'key-1');
    const error = await failure(charge(gateway, 'ref-1', 'key-1', 999));
    expect(error).toMatchObject({ code: 'STEP_FAILED', details: { gatewayError: 'IDEMPOTENCY_KEY_REUSED' } });
    expect(await net(gateway, 'ref-1')).toBe(1_000);
  });

  it('captures a reference once, whoever claims it, and not after its refund', async () => {
    const gateway = openGateway();
    const { providerId } = await charge(gateway, 'ref-1', 'key-1');
    const used = await failure(charge(gateway, 'ref-1', 'key-2'));
    expect(used).toMatchObject({ code: 'PAYMENT_NOT_VERIFIED', details: { gatewayError: 'REFERENCE_USED' } });
    await refund(gateway, { chargeId: providerId });
    const refunded = await failure(charge(gateway, 'ref-1', 'key-3'));
    expect(refunded).toMatchObject({ code: 'PAYMENT_NOT_VERIFIED', details: { gatewayError: 'REFUNDED' } });
    // The same reference elsewhere is another payment.
    await gateway.charge({ ...chargeOf('ref-1', 'key-4'), gatewayId: 'gateway-9' }, never);
  });

  it.each([
    ['ref-insufficient-funds-7', 'INSUFFICIENT_FUNDS', '2026-03-02T12:00:00.000Z'],
    ['ref-declined', 'CARD_DECLINED', undefined],
    ['ref-expired-card-x', 'EXPIRED_CARD', undefined],
  ])('%s is declined, the same however often it is asked', async (reference, gatewayError, retryAfter) => {
    const gateway = openGateway();
    const error = await failure(charge(gateway, reference));
    expect(error).toMatchObject({ code: 'PAYMENT_DECLINED', kind: 'refusal', unsent: false });
    expect(error.details).toMatchObject({
      gatewayError,
      retryable: retryAfter !== undefined,
      advice: expect.any(String),
    });
    expect(error.details?.['retryAfter']).toBe(retryAfter);
    wait(1_000);
    expect((await failure(charge(gateway, reference))).details).toEqual(error.details);
    expect(await undo(gateway, reference)).toEqual({ outcome: 'nothing' });
    expect(await movements(gateway)).toEqual([]);
  });

  it('ref-down is never reached', async () => {
    const gateway = openGateway();
    for (let call = 0; call < 3; call += 1) {
      const error = await failure(charge(gateway, 'ref-down-1'));
      expect(error).toMatchObject({ code: 'GATEWAY_UNAVAILABLE', kind: 'transient', unsent: true });
      expect(error.details).toEqual({ gatewayError: 'GATEWAY_DOWN', retryAfter: '2026-03-01T12:00:30.000Z' });
    }
    expect(await undo(gateway, 'ref-down-1')).toEqual({ outcome: 'nothing' });
    expect(await movements(gateway)).toEqual([]);
  });

  it('ref-flaky acts at the third call, also when the process starts anew between them', async () => {
    for (let call = 0; call < 2; call += 1) {
      expect(await failure(charge(openGateway(), 'ref-flaky-1'))).toMatchObject({ code: 'GATEWAY_UNAVAILABLE' });
    }
    expect(await charge(openGateway(), 'ref-flaky-1')).toMatchObject({ amountMinor: 1_000 });
  });

  it('ref-timeout-before does not act at first, ref-timeout-after does, and each is charged once', async () => {
    const gateway = openGateway();
    for (const [reference, atFirst] of [
      ['ref-timeout-before-1', 0],
      ['ref-timeout-after-1', 1_000],
    ] as const) {
      expect(await failure(charge(gateway, reference))).toMatchObject({ code: 'STEP_TIMEOUT', unsent: false });
      expect(await net(gateway, reference)).toBe(atFirst);
      await charge(gateway, reference);
      await charge(openGateway(), reference);
      expect(await net(gateway, reference)).toBe(1_000);
    }
  });

  it('ends a lost call as soon as nobody waits for it', async () => {
    const started = performance.now();
    await failure(openGateway().charge(chargeOf('ref-timeout-before'), AbortSignal.abort()));
    expect(performance.now() - started).toBeLessThan(150);
  });

  it('ref-wrong-amount is not believed, and comes to nothing when undone', async () => {
    const gateway = openGateway();
    const error = await failure(charge(gateway, 'ref-wrong-amount'));
    expect(error).toMatchObject({
      code: 'PAYMENT_NOT_VERIFIED',
      details: { gatewayError: 'AMOUNT_MISMATCH', asked: 10, reported: 10.01, currency: 'AED' },
    });
    expect(await undo(gateway, 'ref-wrong-amount')).toEqual({ outcome: 'voided' });
    expect(await net(gateway, 'ref-wrong-amount')).toBe(0);
  });
});

describe('ref-late', () => {
  it('answers an error and acts two seconds later, even if nobody is there', async () => {
    expect(await failure(charge(openGateway(), 'ref-late'))).toMatchObject({
      code: 'GATEWAY_UNAVAILABLE',
      unsent: false,
    });
    const other = openGateway();
    wait(1_999);
    expect(await net(other, 'ref-late')).toBe(0);
    wait(1);
    expect(await net(other, 'ref-late')).toBe(1_000);
    expect(await charge(other, 'ref-late')).toMatchObject({ amountMinor: 1_000 });
    expect(await net(other, 'ref-late')).toBe(1_000);
  });

  it('acts at once, and only once, when it is repeated before', async () => {
    const gateway = openGateway();
    await failure(charge(gateway, 'ref-late'));
    const made = await charge(gateway, 'ref-late');
    wait(5_000);
    expect(await movements(gateway)).toMatchObject([{ providerId: made.providerId }]);
  });

  it('never acts once it is undone, and its repeat is refused', async () => {
    const gateway = openGateway();
    await failure(charge(gateway, 'ref-late'));
    expect(await undo(gateway, 'ref-late')).toEqual({ outcome: 'nothing' });
    wait(5_000);
    expect(await movements(openGateway())).toEqual([]);
    expect(await failure(charge(gateway, 'ref-late'))).toMatchObject({
      code: 'PAYMENT_NOT_VERIFIED',
      details: { gatewayError: 'CANCELLED' },
    });
  });

  it('does not charge twice when another key took the reference meanwhile', async () => {
    const gateway = openGateway();
    await failure(charge(gateway, 'ref-late', 'key-1'));
    await charge(gateway, 'ref-late', 'key-2');
    wait(5_000);
    expect(await net(gateway, 'ref-late')).toBe(1_000);
  });
});

describe('an undone charge', () => {
  it('gives back the charge and its fee, once, and frees the reference', async () => {
    const gateway = openGateway();
    await charge(gateway, 'ref-1', 'key-1');
    for (let n = 0; n < 2; n += 1) expect(await undo(gateway, 'ref-1', 'key-1')).toEqual({ outcome: 'voided' });
    expect(await movements(gateway)).toMatchObject([
      { kind: 'CHARGE', feeMinor: 29 },
      { kind: 'REFUND', amountMinor: 1_000, feeMinor: -29 },
    ]);
    expect(await failure(charge(gateway, 'ref-1', 'key-1'))).toMatchObject({ code: 'PAYMENT_NOT_VERIFIED' });
    expect(await charge(gateway, 'ref-1', 'key-2')).toMatchObject({ amountMinor: 1_000 });
  });

  it('freezes a key that never came', async () => {
    const gateway = openGateway();
    expect(await undo(gateway, 'ref-1', 'key-1')).toEqual({ outcome: 'nothing' });
    expect(await failure(charge(openGateway(), 'ref-1', 'key-1'))).toMatchObject({
      details: { gatewayError: 'CANCELLED' },
    });
    expect(await movements(gateway)).toEqual([]);
  });

  it('gives back what no refund gave back', async () => {
    const gateway = openGateway();
    const { providerId } = await charge(gateway, 'ref-1', 'key-1');
    await refund(gateway, { chargeId: providerId, amountMinor: 400 });
    expect(await undo(gateway, 'ref-1', 'key-1')).toEqual({ outcome: 'voided' });
    expect(await net(gateway, 'ref-1')).toBe(0);
    const other = await charge(gateway, 'ref-2', 'key-2');
    await refund(gateway, { key: 'refund-2', reference: 'ref-2', chargeId: other.providerId });
    expect(await undo(gateway, 'ref-2', 'key-2')).toEqual({ outcome: 'refunded' });
    expect(await net(gateway, 'ref-2')).toBe(0);
  });

  it('waits while ref-refund-down is down', async () => {
    const gateway = openGateway();
    await charge(gateway, 'ref-refund-down', 'key-1');
    expect(await failure(undo(gateway, 'ref-refund-down', 'key-1'))).toMatchObject({ code: 'GATEWAY_UNAVAILABLE' });
    expect(await undo(gateway, 'ref-refund-down', 'key-2')).toEqual({ outcome: 'nothing' });
  });
});

describe('a refund in the sandbox', () => {
  it('is made once per key, and never above what was captured', async () => {
    const gateway = openGateway();
    const { providerId: chargeId } = await charge(gateway, 'ref-1');
    const first = await refund(gateway, { chargeId, amountMinor: 600 });
    expect(first).toEqual({ done: true, providerId: expect.stringMatching(/^refund-/) });
    expect(await refund(openGateway(), { chargeId, amountMinor: 600 })).toEqual(first);
    const over = { key: 'refund-2', chargeId, amountMinor: 401 };
    expect(await refund(gateway, over)).toEqual({ done: false, reason: 'EXCEEDS_CHARGE' });
    expect(await refund(gateway, { key: 'refund-3', chargeId, amountMinor: 400 })).toMatchObject({ done: true });
    expect(await net(gateway, 'ref-1')).toBe(0);
    expect(await refund(gateway, over)).toEqual({ done: false, reason: 'EXCEEDS_CHARGE' });
  });

  it('knows its charges and their currencies', async () => {
    const gateway = openGateway();
    const { providerId: chargeId } = await charge(gateway, 'ref-1');
    expect(await refund(gateway, { chargeId: 'charge-0' })).toEqual({ done: false, reason: 'UNKNOWN_CHARGE' });
    expect(await refund(gateway, { key: 'refund-2', chargeId, currency: 'USD' })).toEqual({
      done: false,
      reason: 'CURRENCY_MISMATCH',
    });
  });

  it('is refused for good, or not answered, by the references that say so', async () => {
    const gateway = openGateway();
    const refused = await charge(gateway, 'ref-refund-refused');
    expect(await refund(gateway, { reference: 'ref-refund-refused', chargeId: refused.providerId })).toEqual({
      done: false,
      reason: 'CARD_CLOSED',
    });
    const down = await charge(gateway, 'ref-refund-down');
    const asked = refund(gateway, { key: 'refund-2', reference: 'ref-refund-down', chargeId: down.providerId });
    expect(await failure(asked)).toMatchObject({ code: 'GATEWAY_UNAVAILABLE', unsent: true });
    expect(await net(gateway, 'ref-refund-down')).toBe(1_000);
  });
});

describe('a payout in the sandbox', () => {
  it('leaves the bank once per key', async () => {
    const gateway = openGateway();
    const paid = await pay(gateway, 'acct-1');
    expect(await pay(openGateway(), 'acct-1')).toEqual(paid);
    if (!paid.done) throw new Error('it was to be paid');
    expect(await movements(gateway, 'bank')).toMatchObject([
      { kind: 'PAYOUT', reference: paid.providerId, providerId: paid.providerId, amountMinor: 700, feeMinor: 0 },
    ]);
    expect(await movements(gateway)).toEqual([]);
  });

  it('is refused, not answered, or answered in vain by the accounts that say so', async () => {
    const gateway = openGateway();
    expect(await pay(gateway, 'acct-refused-1')).toEqual({ done: false, reason: 'ACCOUNT_REFUSED' });
    expect(await failure(pay(gateway, 'acct-down'))).toMatchObject({ code: 'GATEWAY_UNAVAILABLE', unsent: true });
    expect(await failure(pay(gateway, 'acct-timeout-after'))).toMatchObject({ code: 'STEP_TIMEOUT' });
    expect(await pay(gateway, 'acct-timeout-after')).toMatchObject({ done: true });
    expect(await movements(gateway, 'bank')).toHaveLength(1);
  });
});

describe('a card in the sandbox', () => {
  it.each([
    ['ref-1', 'ref-1'],
    ['ref-declined-7-card-42', 'card-42'],
    ['ref-8-card-42', 'card-42'],
    ['ref-card-42-x', 'ref-card-42-x'],
  ])('behind %s is %s', async (reference, card) => {
    expect(await openGateway().cardOf({ gatewayId: GATEWAY, reference }, never)).toBe(card);
  });

  it('cannot be looked up while its provider is down', async () => {
    const look = openGateway().cardOf({ gatewayId: GATEWAY, reference: 'ref-down-1' }, never);
    expect(await failure(look)).toMatchObject({ code: 'GATEWAY_UNAVAILABLE' });
  });
});

describe('the record of the sandbox', () => {
  it('tells movements of a time, oldest first, and no more than asked', async () => {
    const gateway = openGateway();
    for (const n of [1, 2, 3, 4]) {
      await charge(gateway, `ref-${n}`);
      wait(1_000);
    }
    const of = async (fromMs: number, toMs: number, limit: number) =>
      (
        await gateway.movements(GATEWAY, new Date(START.getTime() + fromMs), new Date(START.getTime() + toMs), limit)
      ).map(({ reference }) => reference);
    expect(await of(1_000, 3_000, 9)).toEqual(['ref-2', 'ref-3']);
    expect(await of(0, 9_000, 3)).toEqual(['ref-1', 'ref-2', 'ref-3']);
  });

  it('lets several processes charge at once, each key once', async () => {
    const keys = Array.from({ length: 30 }, (_, n) => `key-${n}`);
    const program = path.join(import.meta.dirname, '../../../test/gateways/payer.ts');
    const outputs = await Promise.all(
      [keys, keys.toReversed(), keys].map((order) => promisify(execFile)(process.execPath, [program, dir, ...order])),
    );
    const [first, ...others] = outputs.map(({ stdout }) => stdout.trim().split('\n').toSorted());
    expect(first).toHaveLength(30);
    for (const other of others) expect(other).toEqual(first);
    now = new Date();
    expect(await movements(openGateway())).toHaveLength(30);
  });

  it('is opened by several at once while it is new, and none is refused', async () => {
    const dirs = Array.from({ length: 60 }, (_, n) => path.join(dir, `new-${n}`));
    const shared: OpenersShared = { dirs, threads: 4, arrived: new Int32Array(new SharedArrayBuffer(4)) };
    const program = path.join(import.meta.dirname, '../../../test/gateways/opener.ts');
    const refusals = await Promise.all(
      Array.from({ length: shared.threads }, async () => {
        const [refused] = (await once(new Worker(program, { workerData: shared }), 'message')) as [string[]];
        return refused;
      }),
    );
    expect(refusals.flat()).toEqual([]);
  });

  it('is only added to', async () => {
    await charge(openGateway(), 'ref-1');
    const file = new DatabaseSync(path.join(dir, 'sandbox-gateway.db'));
    expect(() => file.exec('UPDATE effect SET amount = 1')).toThrow(/only added/);
    expect(() => file.exec('DELETE FROM effect')).toThrow(/only added/);
    file.close();
  });

  it('is an outage while somebody else holds it for long, and the process goes on', async () => {
    const gateway = openGateway();
    const file = new DatabaseSync(path.join(dir, 'sandbox-gateway.db'));
    file.exec('BEGIN IMMEDIATE');
    expect(await failure(charge(gateway, 'ref-1'))).toMatchObject({ code: 'GATEWAY_UNAVAILABLE', unsent: true });
    file.exec('ROLLBACK');
    file.close();
    expect(await charge(gateway, 'ref-1')).toMatchObject({ amountMinor: 1_000 });
  });

  it('refuses a file of another version', () => {
    const file = new DatabaseSync(path.join(dir, 'sandbox-gateway.db'));
    file.exec('PRAGMA user_version = 99');
    file.close();
    expect(() => openGateway()).toThrow(/version 99/);
  });
});

describe('what happens past this system', () => {
  const later = {
    'ref-refunded-in-dashboard': 'refund',
    'ref-disputed': 'OPEN',
    'ref-dispute-won': 'WON',
    'ref-dispute-lost': 'LOST',
  };
  it.each(Object.entries(later))('to a charge of %s is done some seconds later: %s', async (reference, what) => {
    const gateway = openGateway();
    const { providerId: chargeId } = await charge(gateway, reference);
    const look = () => gateway.recordOf({ gatewayId: GATEWAY, reference, chargeId }, never);
    expect(await look()).toEqual({ refunds: [], disputes: [] });
    wait(5_000);
    const { refunds, disputes } = await look();
    if (what === 'refund') expect(refunds).toMatchObject([{ cameBack: null }]);
    else expect(disputes).toMatchObject([{ status: what, withdrawn: what !== 'WON' }]);
    expect(await gateway.disputes(GATEWAY, new Date(0), new Date(8.64e15), 9)).toHaveLength(disputes.length);
  });
});
