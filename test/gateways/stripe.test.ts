import { randomUUIDv7 } from 'node:crypto';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { ChargeRequest, PaymentGateway, PayoutRequest, RefundRequest } from '../../src/domain/ports.ts';
import { undoneMark } from '../../src/gateways/stripe/claim.ts';
import { createStripeGateway } from '../../src/gateways/stripe/gateway.ts';
import { RoomyError } from '../../src/kernel/errors.ts';
import { createLogger } from '../../src/kernel/log.ts';
import { type FakeStripe, SECRET_KEY, startFakeStripe } from './fake-stripe.ts';

/** The Stripe adapter against a stand-in that takes requests only as Stripe documents them. */

let stripe: FakeStripe;
let gateway: PaymentGateway;
let now: Date;
const clock = { now: () => now };
const log = createLogger('test', 'silent');
const never = new AbortController().signal;
const open = (): PaymentGateway =>
  createStripeGateway({ secretKey: SECRET_KEY, apiUrl: stripe.url, timeoutMs: 1_500 }, { clock, log });

beforeEach(async () => {
  now = new Date(Math.floor(Date.now() / 1000) * 1000);
  stripe = await startFakeStripe(() => Math.floor(now.getTime() / 1000));
  gateway = open();
});
afterEach(() => stripe.close());

const KEY = `saga-${randomUUIDv7()}-2-F`;
const chargeOf = (reference: string, more: Partial<ChargeRequest> = {}): ChargeRequest => ({
  key: KEY,
  gatewayId: 'stripe',
  reference,
  amountMinor: 100_000,
  currency: 'AED',
  reservationId: 'reservation-1',
  ...more,
});
const charge = (reference: string, more: Partial<ChargeRequest> = {}) =>
  gateway.charge(chargeOf(reference, more), never);
const undo = (reference: string, chargeKey = KEY) =>
  gateway.undoCharge({ ...chargeOf(reference, { key: chargeKey.replace(/F$/, 'C') }), chargeKey }, never);
const refund = (chargeId: string, more: Partial<RefundRequest> = {}) =>
  gateway.refund(
    {
      key: 'saga-2-2-F',
      gatewayId: 'stripe',
      reference: 'pm_card',
      chargeId,
      amountMinor: 40_000,
      currency: 'AED',
      ...more,
    },
    never,
  );
const payOut = (more: Partial<PayoutRequest> = {}) =>
  gateway.payOut({ key: 'saga-3-2-F', account: 'acct_1', amountMinor: 70_000, currency: 'AED', ...more }, never);
async function failure(work: Promise<unknown>): Promise<RoomyError> {
  const error = await work.then(
    () => null,
    (thrown: unknown) => thrown,
  );
  if (error instanceof RoomyError) return error;
  throw new Error('it was to fail', { cause: error });
}
const paths = (): readonly string[] => stripe.received.map(({ method, path }) => `${method} ${path.slice(4)}`);
/** The guest's payments less the refunds. */
const held = (): number =>
  [...stripe.account.intents.values()].reduce(
    (sum, intent) =>
      sum + (intent.status === 'succeeded' ? (intent.charge?.captured ?? 0) - (intent.charge?.refunded ?? 0) : 0),
    0,
  );

describe('the card behind a reference', () => {
  const cardOf = (reference: string) => gateway.cardOf({ gatewayId: 'stripe', reference }, never);

  it('is Stripe’s fingerprint of a PaymentMethod, as it is', async () => {
    stripe.account.cards.set('pm_other', 'Xt5EWLLDS7FJjR1c');
    expect(await cardOf('pm_other')).toBe('Xt5EWLLDS7FJjR1c');
    expect(paths()).toEqual(['GET payment_methods/pm_other']);
  });

  it('is that of the method on a PaymentIntent, also after it was declined', async () => {
    stripe.account.seed({ id: 'pi_new', paymentMethod: 'pm_declined' });
    expect(await cardOf('pi_new')).toBe('fp_pm_declined');
    await failure(charge('pi_new'));
    expect(stripe.account.intents.get('pi_new')).toMatchObject({ paymentMethod: null });
    expect(await cardOf('pi_new')).toBe('fp_pm_declined');
    stripe.account.seed({ id: 'pi_empty', paymentMethod: null });
    expect(await cardOf('pi_empty')).toBeNull();
  });

  it('is none where there is no card, or no such reference; that is no failure of Stripe', async () => {
    stripe.account.cards.set('pm_bank', null);
    for (const reference of ['pm_bank', 'pm_missing', 'pi_missing', 'ref-456']) {
      expect(await cardOf(reference)).toBeNull();
    }
    expect(paths()).toHaveLength(3);
  });

  it('is not known while Stripe is away', async () => {
    stripe.faults.push({ on: /payment_methods/, answer: 503 });
    expect(await failure(cardOf('pm_card'))).toMatchObject({ code: 'GATEWAY_UNAVAILABLE', unsent: true });
  });
});

describe('a PaymentMethod', () => {
  it('is charged under the key: first made, then confirmed', async () => {
    expect(await charge('pm_card')).toEqual({
      providerId: expect.stringMatching(/^ch_/),
      amountMinor: 100_000,
      currency: 'AED',
      feeMinor: 2_900,
    });
    const [create, confirm] = stripe.received;
    expect(create).toMatchObject({ method: 'POST', path: '/v1/payment_intents', key: KEY });
    expect(create?.form).toMatchObject({
      amount: '100000',
      currency: 'aed',
      payment_method: 'pm_card',
      capture_method: 'automatic',
      'metadata[key]': KEY,
      'metadata[reservationId]': 'reservation-1',
    });
    expect(confirm).toMatchObject({ method: 'POST', path: expect.stringMatching(/confirm$/), key: `${KEY}-confirm` });
    expect(stripe.received).toHaveLength(2);
  });

  it('is charged once, however often it is asked, also when Stripe has forgotten the key', async () => {
    const first = await charge('pm_card');
    expect(await charge('pm_card')).toEqual(first);
    stripe.forgetKeys();
    now = new Date(now.getTime() + 25 * 60 * 60_000);
    expect(await charge('pm_card')).toEqual(first);
    expect(held()).toBe(100_000);
  });

  it.each([
    ['pm_funds', 'INSUFFICIENT_FUNDS', true],
    ['pm_declined', 'CARD_DECLINED', false],
    ['pm_stolen', 'CARD_DECLINED', false],
    ['pm_expired', 'EXPIRED_CARD', false],
    ['pm_3ds', 'AUTHENTICATION_REQUIRED', false],
  ])(
    '%s is declined as %s, and the undo leaves nothing that could be charged',
    async (reference, gatewayError, retryable) => {
      const error = await failure(charge(reference));
      expect(error).toMatchObject({ code: 'PAYMENT_DECLINED', details: { gatewayError, retryable } });
      expect('retryAfter' in (error.details ?? {})).toBe(retryable);
      expect(await undo(reference)).toEqual({ outcome: 'nothing' });
      expect([...stripe.account.intents.values()].map(({ status }) => status)).toEqual(['canceled']);
    },
  );

  it.each(['pm_card_visa', 'pm_card_mastercard', 'pm_card_visa_debit', 'pm_1PgafTB7WZ01zgkW6tl5p2GQ'])(
    'is charged by each name that Stripe gives one: %s',
    async (reference) => {
      expect(await charge(reference)).toMatchObject({ amountMinor: 100_000 });
      expect(await gateway.cardOf({ gatewayId: 'stripe', reference }, never)).not.toBeNull();
      expect(await undo(reference)).toEqual({ outcome: 'refunded' });
    },
  );

  it('that Stripe does not know is not verified', async () => {
    const error = await failure(charge('pm_missing'));
    expect(error).toMatchObject({ code: 'PAYMENT_NOT_VERIFIED', details: { gatewayError: 'RESOURCE_MISSING' } });
    expect(await undo('pm_missing')).toEqual({ outcome: 'nothing' });
  });

  it.each(['tok_visa', 'pi_', 'pm_x/../refunds', 'ref-1', ''])(
    '%j is no reference, and is never sent',
    async (reference) => {
      expect(await failure(charge(reference))).toMatchObject({ code: 'PAYMENT_NOT_VERIFIED' });
      expect(await undo(reference)).toEqual({ outcome: 'nothing' });
      expect(stripe.received).toEqual([]);
    },
  );

  it('is charged in Stripe’s own units', async () => {
    expect(await charge('pm_isk', { amountMinor: 500, currency: 'ISK' })).toMatchObject({
      amountMinor: 500,
      feeMinor: 15,
    });
    expect(stripe.received[0]?.form).toMatchObject({ amount: '50000', currency: 'isk' });
    const odd = charge('pm_kwd', { key: 'saga-9-2-F', amountMinor: 10_005, currency: 'KWD' });
    expect(await failure(odd)).toMatchObject({ code: 'AMOUNT_PRECISION' });
  });

  it('has its fee in its own currency when Stripe settles in another', async () => {
    Object.assign(stripe.account.settings, { settlementCurrency: 'eur', exchange: 0.25 });
    expect(await charge('pm_card')).toMatchObject({ amountMinor: 100_000, feeMinor: 2_900 });
  });
});

describe('a PaymentIntent', () => {
  it.each([
    ['succeeded', ['GET', 'POST']],
    ['requires_capture', ['GET', 'POST', 'POST']],
    ['requires_confirmation', ['GET', 'POST', 'POST']],
  ])('that is %s is claimed before it is completed, and is found again', async (status, methods) => {
    stripe.account.seed({ id: 'pi_1', status });
    const made = await charge('pi_1');
    expect(made).toMatchObject({ amountMinor: 100_000, feeMinor: 2_900 });
    expect(stripe.received.map(({ method }) => method)).toEqual(methods);
    expect(stripe.account.intents.get('pi_1')?.metadata).toMatchObject({ key: KEY, reservationId: 'reservation-1' });
    expect(await charge('pi_1')).toEqual(made);
    expect(held()).toBe(100_000);
  });

  it('of manual capture is confirmed and captured', async () => {
    stripe.account.seed({ id: 'pi_1', captureMethod: 'manual' });
    await charge('pi_1');
    expect(paths().slice(2)).toEqual(['POST payment_intents/pi_1/confirm', 'POST payment_intents/pi_1/capture']);
  });

  it.each([
    ['AMOUNT_MISMATCH', { amount: 100_001 }],
    ['CURRENCY_MISMATCH', { currency: 'usd' }],
    ['RESERVATION_MISMATCH', { metadata: { reservationId: 'reservation-2' } }],
    ['REFERENCE_USED', { metadata: { key: 'saga-0-2-F' } }],
  ])('X8: is not believed: %s, and its undo leaves it alone', async (gatewayError, intent) => {
    stripe.account.seed({ id: 'pi_1', status: 'succeeded', ...intent });
    const before = held();
    expect(await failure(charge('pi_1'))).toMatchObject({ code: 'PAYMENT_NOT_VERIFIED', details: { gatewayError } });
    expect(await undo('pi_1')).toEqual({ outcome: 'nothing' });
    expect(held()).toBe(before);
  });

  it('X8: is not believed once refunded, disputed, cancelled or unknown', async () => {
    const refunded = stripe.account.seed({ id: 'pi_1', status: 'succeeded' });
    Object.assign(refunded.charge ?? {}, { refunded: 1 });
    const disputed = stripe.account.seed({ id: 'pi_2', status: 'succeeded' });
    Object.assign(disputed.charge ?? {}, { disputed: true });
    stripe.account.seed({ id: 'pi_3', status: 'canceled' });
    for (const [id, gatewayError] of [
      ['pi_1', 'REFUNDED'],
      ['pi_2', 'DISPUTED'],
      ['pi_3', 'CANCELLED'],
      ['pi_4', 'RESOURCE_MISSING'],
    ] as const) {
      expect(await failure(charge(id))).toMatchObject({ code: 'PAYMENT_NOT_VERIFIED', details: { gatewayError } });
    }
  });

  it('that is told to be captured is booked, whatever has gone back of it since', async () => {
    const refunded = stripe.account.seed({ id: 'pi_1', status: 'succeeded' });
    Object.assign(refunded.charge ?? {}, { refunded: 1 });
    const disputed = stripe.account.seed({ id: 'pi_2', status: 'succeeded' });
    Object.assign(disputed.charge ?? {}, { disputed: true });
    for (const id of ['pi_1', 'pi_2']) {
      expect(await charge(id, { isCaptured: true })).toMatchObject({ amountMinor: 100_000 });
    }
  });

  it('that we have taken back ourselves is not booked by a late word, and no card is charged for one', async () => {
    const before = 'saga-0-2-F';
    const undone = stripe.account.seed({
      id: 'pi_1',
      status: 'succeeded',
      metadata: { key: before, ...undoneMark(before) },
    });
    Object.assign(undone.charge ?? {}, { refunded: 100_000 });
    for (const [id, gatewayError] of [
      ['pi_1', 'REFUNDED'],
      ['pm_1', 'UNKNOWN_REFERENCE'],
    ] as const) {
      const failed = await failure(charge(id, { isCaptured: true }));
      expect(failed).toMatchObject({ code: 'PAYMENT_NOT_VERIFIED', details: { gatewayError } });
    }
    expect(stripe.received.filter(({ method }) => method === 'POST')).toEqual([]);
  });

  it('that needs the guest is declined, and stays as it is', async () => {
    const failed = { code: 'card_declined', decline_code: 'insufficient_funds' };
    stripe.account.seed({ id: 'pi_1', status: 'requires_action' });
    stripe.account.seed({ id: 'pi_2', status: 'requires_payment_method', failure: failed });
    stripe.account.seed({ id: 'pi_3', status: 'requires_payment_method' });
    for (const [id, gatewayError] of [
      ['pi_1', 'AUTHENTICATION_REQUIRED'],
      ['pi_2', 'INSUFFICIENT_FUNDS'],
      ['pi_3', 'PAYMENT_METHOD_REQUIRED'],
    ] as const) {
      expect(await failure(charge(id))).toMatchObject({ code: 'PAYMENT_DECLINED', details: { gatewayError } });
      expect(await undo(id)).toEqual({ outcome: 'nothing' });
      expect(stripe.account.intents.get(id)?.status).not.toBe('canceled');
    }
  });

  it('that is still processing is asked about again', async () => {
    stripe.account.seed({ id: 'pi_1', status: 'processing' });
    const error = await failure(charge('pi_1'));
    expect(error).toMatchObject({
      code: 'GATEWAY_UNAVAILABLE',
      unsent: false,
      details: { gatewayError: 'PROCESSING' },
    });
  });

  it('counts with a fee that Stripe tells a little later, or not at all', async () => {
    stripe.account.seed({ id: 'pi_1', status: 'succeeded', feeLooks: 3 });
    expect(await charge('pi_1')).toMatchObject({ feeMinor: 2_900 });
    stripe.account.seed({ id: 'pi_2', status: 'succeeded', feeLooks: 99 });
    expect(await charge('pi_2', { key: 'saga-5-2-F' })).toMatchObject({ amountMinor: 100_000, feeMinor: 0 });
  });
});

describe('undoing', () => {
  it('refunds what was captured under the key, once', async () => {
    await charge('pm_card');
    for (let n = 0; n < 2; n += 1) expect(await undo('pm_card')).toEqual({ outcome: 'refunded' });
    expect(stripe.account.refunds).toMatchObject([{ amount: 100_000, metadata: { reference: 'pm_card' } }]);
    expect(held()).toBe(0);
  });

  it('refunds a PaymentIntent that was captured before, for we had counted it as ours', async () => {
    stripe.account.seed({ id: 'pi_1', status: 'succeeded' });
    await charge('pi_1');
    expect(await undo('pi_1')).toEqual({ outcome: 'refunded' });
    expect(held()).toBe(0);
  });

  it('refunds only what is left', async () => {
    const { providerId } = await charge('pm_card');
    await refund(providerId);
    expect(await undo('pm_card')).toEqual({ outcome: 'refunded' });
    expect(stripe.account.refunds.map(({ amount }) => amount)).toEqual([40_000, 60_000]);
  });

  it('cancels what was claimed and not captured', async () => {
    stripe.account.seed({ id: 'pi_1', status: 'requires_capture' });
    stripe.faults.push({ on: /capture$/, answer: 500 });
    expect(await failure(charge('pi_1'))).toMatchObject({ code: 'GATEWAY_UNAVAILABLE', unsent: false });
    expect(await undo('pi_1')).toEqual({ outcome: 'voided' });
    expect(stripe.account.intents.get('pi_1')?.status).toBe('canceled');
  });

  it('lets nothing come of a charge that is on its way', async () => {
    stripe.account.seed({ id: 'pi_1', status: 'succeeded' });
    stripe.account.seed({ id: 'pi_2' });
    for (const reference of ['pi_1', 'pi_2', 'pm_card']) {
      const key = `saga-${reference}-2-F`;
      expect(await undo(reference, key)).toEqual({ outcome: 'nothing' });
      const before = held();
      expect(await failure(charge(reference, { key }))).toMatchObject({ code: 'PAYMENT_NOT_VERIFIED' });
      expect(held()).toBe(before);
    }
  });

  it('leaves the PaymentIntent to the next payment', async () => {
    stripe.account.seed({ id: 'pi_1', status: 'succeeded' });
    await undo('pi_1');
    expect(await charge('pi_1', { key: 'saga-7-2-F' })).toMatchObject({ amountMinor: 100_000 });
    expect(await undo('pi_1')).toEqual({ outcome: 'nothing' });
    expect(held()).toBe(100_000);
  });

  it('waits for what Stripe is still processing, and for a refund that failed', async () => {
    const intent = stripe.account.seed({ id: 'pi_1', status: 'processing' });
    await failure(charge('pi_1'));
    expect(await failure(undo('pi_1'))).toMatchObject({ kind: 'transient', details: { gatewayError: 'PROCESSING' } });
    // The undo is on record, so that it goes on when the payment has come through.
    stripe.account.seed({ ...intent, status: 'succeeded' });
    expect(await undo('pi_1')).toEqual({ outcome: 'refunded' });
    await charge('pm_card', { key: 'saga-6-2-F' });
    stripe.account.settings.refundFails = true;
    const failed = await failure(undo('pm_card', 'saga-6-2-F'));
    expect(failed).toMatchObject({ code: 'STEP_FAILED', details: { gatewayError: 'REFUND_FAILED' } });
  });

  it('of an amount that Stripe does not take is nothing: it was never made', async () => {
    const odd = { amountMinor: 10_005, currency: 'KWD' };
    for (const reference of ['pm_card', 'pi_none']) {
      const request = { ...chargeOf(reference, odd), key: KEY.replace(/F$/, 'C'), chargeKey: KEY };
      expect(await gateway.undoCharge(request, never)).toEqual({ outcome: 'nothing' });
    }
    expect(stripe.account.intents.size).toBe(0);
  });

  it('of a key that was used for another amount is a bug, like its charge', async () => {
    await charge('pm_card');
    const again = charge('pm_card', { amountMinor: 1 });
    expect(await failure(again)).toMatchObject({ details: { gatewayError: 'IDEMPOTENCY_KEY_REUSED' }, kind: 'bug' });
  });

  it('finds what took effect although its answer was lost', async () => {
    stripe.faults.push({ on: /confirm$/, answer: 'silence', after: true });
    expect(await failure(charge('pm_card'))).toMatchObject({ code: 'STEP_TIMEOUT', unsent: false });
    expect(held()).toBe(100_000);
    expect(await undo('pm_card')).toEqual({ outcome: 'refunded' });
    expect(held()).toBe(0);
  });

  it('finds it also when Stripe has forgotten the key', async () => {
    await charge('pm_card');
    stripe.forgetKeys();
    expect(await undo('pm_card')).toEqual({ outcome: 'refunded' });
    expect(held()).toBe(0);
    expect([...stripe.account.intents.values()].map(({ status }) => status)).toEqual(['succeeded', 'canceled']);
  });
});

describe('a refund', () => {
  it('is made once per key, also when Stripe has forgotten it', async () => {
    const { providerId } = await charge('pm_card');
    const done = await refund(providerId);
    expect(done).toEqual({ done: true, providerId: expect.stringMatching(/^re_/) });
    const sent = stripe.received.at(-1);
    expect(sent).toMatchObject({
      path: '/v1/refunds',
      key: 'saga-2-2-F',
      form: { charge: providerId, amount: '40000' },
    });
    stripe.forgetKeys();
    expect(await refund(providerId)).toEqual(done);
    expect(stripe.account.refunds).toHaveLength(1);
  });

  it('is refused for good with a reason', async () => {
    const { providerId } = await charge('pm_card');
    expect(await refund(providerId, { amountMinor: 200_000 })).toEqual({ done: false, reason: 'INVALID_REQUEST' });
    expect(await refund('ch_unknown', { key: 'k2' })).toEqual({ done: false, reason: 'RESOURCE_MISSING' });
    await refund(providerId, { key: 'k3', amountMinor: 100_000 });
    expect(await refund(providerId, { key: 'k4' })).toEqual({ done: false, reason: 'CHARGE_ALREADY_REFUNDED' });
    const other = await charge('pm_other', { key: 'saga-8-2-F' });
    stripe.account.settings.refundFails = true;
    expect(await refund(other.providerId, { key: 'k5' })).toEqual({ done: false, reason: 'EXPIRED_OR_CANCELED_CARD' });
  });

  it('whose key was used with another amount is a bug', async () => {
    const { providerId } = await charge('pm_card');
    await refund(providerId);
    expect(await failure(refund(providerId, { amountMinor: 1 }))).toMatchObject({ code: 'STEP_FAILED' });
  });
});

describe('what has become of a charge', () => {
  const recordOf = (chargeId: string, reference = 'pm_card') =>
    gateway.recordOf({ gatewayId: 'stripe', reference, chargeId }, never);

  it('is every refund, ours and those of the dashboard, oldest first over all pages', async () => {
    const { providerId } = await charge('pm_card');
    await refund(providerId);
    for (let n = 0; n < 120; n += 1)
      stripe.account.createRefund(
        new Map([
          ['charge', providerId],
          ['amount', '100'],
        ]),
      );
    const { refunds, disputes } = await recordOf(providerId);
    expect(refunds.map(({ amountMinor }) => amountMinor)).toEqual([40_000, ...Array(120).fill(100)]);
    expect(refunds[0]).toEqual({
      providerId: expect.stringMatching(/^re_/),
      amountMinor: 40_000,
      currency: 'AED',
      cameBack: null,
    });
    expect(disputes).toEqual([]);
  });

  it('is also that a refund has failed or was withdrawn', async () => {
    const { providerId } = await charge('pm_card');
    for (let n = 0; n < 2; n += 1)
      stripe.account.createRefund(
        new Map([
          ['charge', providerId],
          ['amount', '100'],
        ]),
      );
    Object.assign(stripe.account.refunds[0] ?? {}, { status: 'failed', failure_reason: 'lost_or_stolen_card' });
    Object.assign(stripe.account.refunds[1] ?? {}, { status: 'canceled' });
    const { refunds } = await recordOf(providerId);
    expect(refunds.map(({ cameBack }) => cameBack)).toEqual(['LOST_OR_STOLEN_CARD', 'REFUND_CANCELED']);
  });

  it.each([
    ['warning_needs_response', [], { status: 'OPEN', withdrawn: false, feeMinor: 0 }],
    ['warning_closed', [], { status: 'CLOSED', withdrawn: false, feeMinor: 0 }],
    ['needs_response', [[-100_000, 1_500]], { status: 'OPEN', withdrawn: true, feeMinor: 1_500 }],
    ['under_review', [[-100_000, 1_500]], { status: 'OPEN', withdrawn: true, feeMinor: 1_500 }],
    ['lost', [[-100_000, 1_500]], { status: 'LOST', withdrawn: true, feeMinor: 1_500 }],
    [
      'won',
      [
        [-100_000, 1_500],
        [100_000, 0],
      ],
      { status: 'WON', withdrawn: false, feeMinor: 1_500 },
    ],
    [
      'won',
      [
        [-100_000, 1_500],
        [100_000, -1_500],
      ],
      { status: 'WON', withdrawn: false, feeMinor: 0 },
    ],
  ] as const)('is a dispute that is %s', async (status, moves, expected) => {
    const reference = 'pi_disputed';
    stripe.account.seed({ id: reference, status: 'succeeded' });
    const { providerId } = await charge(reference);
    const dispute = stripe.account.openDispute(reference, {
      status,
      balance_transactions: moves.map(([amount, fee]) => ({ amount, fee, currency: 'aed' })),
    });
    const { disputes } = await recordOf(providerId, reference);
    expect(disputes).toMatchObject([
      { providerId: dispute.id, amountMinor: 100_000, currency: 'AED', reason: 'FRAUDULENT', ...expected },
    ]);
    expect(disputes[0]?.respondBy === null).toBe(expected.status !== 'OPEN');
    const all = await gateway.disputes('stripe', new Date(0), new Date(4e12), 10);
    expect(all).toEqual([{ providerId: dispute.id, chargeId: providerId }]);
  });

  it('is told in the currency of the charge, whatever Stripe settles in', async () => {
    stripe.account.seed({ id: 'pi_yen', status: 'succeeded', amount: 10_000, currency: 'jpy' });
    const { providerId } = await charge('pi_yen', { amountMinor: 10_000, currency: 'JPY' });
    stripe.account.openDispute('pi_yen', { balance_transactions: [{ amount: -25_000, fee: 5_500, currency: 'aed' }] });
    const { disputes } = await recordOf(providerId, 'pi_yen');
    expect(disputes).toMatchObject([{ amountMinor: 10_000, currency: 'JPY', withdrawn: true, feeMinor: 2_200 }]);
  });
});

describe('a payout', () => {
  it('is a transfer, made once per key, also when Stripe has forgotten it', async () => {
    const done = await payOut();
    expect(done).toEqual({ done: true, providerId: expect.stringMatching(/^tr_/) });
    expect(stripe.received.at(-1)).toMatchObject({
      path: '/v1/transfers',
      key: 'saga-3-2-F',
      form: { amount: '70000', currency: 'aed', destination: 'acct_1', transfer_group: 'saga-3-2-F' },
    });
    stripe.forgetKeys();
    expect(await payOut()).toEqual(done);
    expect(stripe.account.transfers).toHaveLength(1);
  });

  it('is refused for good by a closed account, waits for money, and is not sent again once it came back', async () => {
    stripe.account.settings.accountClosed = true;
    expect(await payOut()).toEqual({ done: false, reason: 'ACCOUNT_INVALID' });
    Object.assign(stripe.account.settings, { accountClosed: false, balance: false });
    const waiting = await failure(payOut({ key: 'k2' }));
    expect(waiting).toMatchObject({ kind: 'transient', details: { gatewayError: 'BALANCE_INSUFFICIENT' } });
    stripe.account.settings.balance = true;
    await payOut({ key: 'k3' });
    Object.assign(stripe.account.transfers[0] ?? {}, { reversed: true });
    expect(await payOut({ key: 'k3' })).toEqual({ done: false, reason: 'TRANSFER_REVERSED' });
  });
});

describe('what goes wrong on the way', () => {
  it('was certainly not sent, if nobody listens', async () => {
    await stripe.close();
    for (const reference of ['pm_card', 'pi_1']) {
      const error = await failure(charge(reference));
      expect(error).toMatchObject({
        code: 'GATEWAY_UNAVAILABLE',
        unsent: true,
        details: { gatewayError: 'GATEWAY_DOWN' },
      });
    }
  });

  it.each([
    ['a broken connection', 'reset', 'GATEWAY_UNAVAILABLE', false],
    ['silence', 'silence', 'STEP_TIMEOUT', false],
    ['a 500', 500, 'GATEWAY_UNAVAILABLE', false],
    ['a 409', 409, 'GATEWAY_UNAVAILABLE', false],
    ['a rate limit', 429, 'GATEWAY_UNAVAILABLE', true],
    ['a wrong key', 401, 'GATEWAY_UNAVAILABLE', true],
    ['no permission', 403, 'GATEWAY_UNAVAILABLE', true],
    ['a page of HTML', { status: 200, body: '<html>' }, 'GATEWAY_UNAVAILABLE', false],
    ['a long answer', { status: 200, body: JSON.stringify({ x: 'x'.repeat(70_000) }) }, 'GATEWAY_UNAVAILABLE', false],
    ['a redirect', { status: 302, body: '' }, 'GATEWAY_UNAVAILABLE', false],
    ['another object', { status: 200, body: '{"object":"customer","id":"cus_1"}' }, 'PAYMENT_NOT_VERIFIED', false],
  ] as const)('X8: %s to the first request', async (_name, answer, code, unsent) => {
    stripe.faults.push({ on: /payment_intents$/, answer });
    expect(await failure(charge('pm_card'))).toMatchObject({ code, unsent });
    expect(stripe.received).toHaveLength(1);
  });

  it('is uncertain once an earlier request of the attempt has changed something', async () => {
    stripe.faults.push({ on: /confirm$/, answer: 429 });
    expect(await failure(charge('pm_card'))).toMatchObject({ code: 'GATEWAY_UNAVAILABLE', unsent: false });
    expect(await charge('pm_card')).toMatchObject({ amountMinor: 100_000 });
  });

  it('is nothing while it was only looked up', async () => {
    stripe.account.seed({ id: 'pi_1' });
    stripe.faults.push({ on: /^GET .*pi_1$/, answer: 'silence' });
    expect(await failure(charge('pi_1'))).toMatchObject({ code: 'STEP_TIMEOUT', unsent: true });
  });

  it('X8: ends with the caller’s patience: nothing more is sent', async () => {
    const aborted = gateway.charge(chargeOf('pm_card'), AbortSignal.abort());
    expect(await failure(aborted)).toMatchObject({ code: 'STEP_TIMEOUT', unsent: true });
    expect(stripe.received).toEqual([]);
  });
});

describe('Stripe’s record', () => {
  it('is told page by page, oldest first: charges and refunds, and transfers as the bank’s', async () => {
    const start = now;
    const later = (): void => {
      now = new Date(now.getTime() + 1_000);
    };
    for (let n = 0; n < 120; n += 1) stripe.account.seed({ id: `pi_x${n}`, status: 'succeeded' });
    later();
    const { providerId } = await charge('pm_card');
    later();
    await refund(providerId);
    await payOut();
    stripe.account.settings.refundFails = true;
    await refund(providerId, { key: 'k2' });
    later();
    const all = await gateway.movements('stripe', start, now, 1_000);
    expect(all).toHaveLength(123);
    // With the refund that failed: we may have booked it.
    expect(all.slice(-3)).toMatchObject([
      { kind: 'CHARGE', reference: 'pm_card', providerId, amountMinor: 100_000, feeMinor: 2_900, currency: 'AED' },
      { kind: 'REFUND', reference: 'pm_card', amountMinor: 40_000, feeMinor: 0, failed: false },
      { kind: 'REFUND', failed: true },
    ]);
    expect(all.every(({ settled }) => !settled)).toBe(true);
    // A captured amount can be paid out two days later.
    now = new Date(now.getTime() + stripe.account.settings.availableAfter * 1_000);
    const available = await gateway.movements('stripe', start, now, 1_000);
    expect(available.map(({ providerId: id, settled }) => [id, settled])).toEqual(
      all.map(({ providerId: id }) => [id, true]),
    );
    expect(all[0]).toMatchObject({ reference: 'pi_x0' });
    expect(await gateway.movements('stripe', start, now, 50)).toHaveLength(50);
    const bank = await gateway.movements('bank', start, now, 50);
    expect(bank).toMatchObject([{ kind: 'PAYOUT', reference: expect.stringMatching(/^tr_/), amountMinor: 70_000 }]);
  });
});
