import { createHmac } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { createWebhookVerifier } from './webhook.ts';

const SECRET = 'whsec_0123456789abcdef';
const OLD_SECRET = 'whsec_fedcba9876543210';
const NOW = new Date('2026-03-01T12:00:00Z');
const verify = createWebhookVerifier([SECRET, OLD_SECRET], { now: () => NOW });

interface Signing {
  readonly secret?: string;
  readonly ageSeconds?: number;
}
/** As Stripe documents it: HMAC-SHA256 of time, dot and body. */
function sign(body: Buffer, { secret = SECRET, ageSeconds = 0 }: Signing = {}): string {
  const time = Math.floor(NOW.getTime() / 1000) - ageSeconds;
  const mac = createHmac('sha256', secret).update(`${time}.`).update(body).digest('hex');
  return `t=${time},v1=${mac}`;
}
const eventOf = (type: string, object: object): Buffer =>
  Buffer.from(JSON.stringify({ id: 'evt_1', object: 'event', type, data: { object } }));
const newsOf = (type: string, object: object) => {
  const body = eventOf(type, object);
  return verify(body, sign(body)).event;
};

const INTENT = {
  object: 'payment_intent',
  id: 'pi_1',
  status: 'succeeded',
  amount: 100_000,
  amount_received: 100_000,
  currency: 'aed',
  metadata: { reservationId: 'reservation-1' },
  latest_charge: 'ch_1',
};
const CHARGE = {
  object: 'charge',
  id: 'ch_1',
  amount_captured: 100_000,
  amount_refunded: 40_000,
  disputed: false,
  currency: 'aed',
  metadata: {},
  payment_intent: 'pi_1',
  balance_transaction: 'txn_1',
};
const TRANSFER = {
  object: 'transfer',
  id: 'tr_1',
  amount: 70_000,
  currency: 'aed',
  destination: 'acct_1',
  reversed: true,
  metadata: {},
};

/** The same JSON for whoever parses it, and other bytes. */
const reordered = (body: Buffer): Buffer =>
  Buffer.from(JSON.stringify(Object.fromEntries(Object.entries(JSON.parse(body.toString())).toReversed())));

describe('the signature of a webhook', () => {
  const body = eventOf('payment_intent.succeeded', INTENT);

  it('X9: may be made with any of the secrets, and be repeated', () => {
    for (const secret of [SECRET, OLD_SECRET, SECRET]) {
      expect(verify(body, sign(body, { secret }))).toMatchObject({ gatewayId: 'stripe', eventId: 'evt_1' });
    }
  });

  it.each([
    ['another secret', sign(body, { secret: 'whsec_another-secret-123' })],
    ['another body', sign(Buffer.from('{}'))],
    ['an old time', sign(body, { ageSeconds: 301 })],
    ['a time to come', sign(body, { ageSeconds: -301 })],
    ['a time to come, and one that is now', `t=${NOW.getTime() / 1_000},${sign(body, { ageSeconds: -301 })}`],
    ['the same fields in another order', sign(reordered(body))],
    ['a changed time', sign(body).replace(/t=\d+/, `t=${Math.floor(NOW.getTime() / 1000) + 1}`)],
    ['an old scheme', sign(body).replace('v1=', 'v0=')],
    ['no form', 'x'],
    ['nothing', ''],
  ])('X9: is refused: %s', (_name, signature) => {
    expect(() => verify(body, signature)).toThrow(expect.objectContaining({ code: 'INVALID_SIGNATURE', status: 401 }));
  });

  it.each([300, -300])('X9: is accepted within five minutes: %i s ago', (ageSeconds) => {
    expect(verify(body, sign(body, { ageSeconds })).type).toBe('payment_intent.succeeded');
  });

  it('X9: is of the body byte by byte', () => {
    const spaced = Buffer.from(`${body.toString()} `);
    expect(() => verify(spaced, sign(body))).toThrow(expect.objectContaining({ code: 'INVALID_SIGNATURE' }));
  });

  it.each(['not json', '[]', '{"id":"evt_1"}', '{"id":"evt_1","type":"charge.refunded","data":{"object":{}}}'])(
    'does not make sense of %j',
    (text) => {
      const odd = Buffer.from(text);
      expect(() => verify(odd, sign(odd))).toThrow(expect.objectContaining({ code: 'MALFORMED_REQUEST' }));
    },
  );
});

describe('the news of a webhook', () => {
  it('of a payment: what was captured, and for which stay', () => {
    const paid = { kind: 'charge-succeeded', reservationId: 'reservation-1', amountMinor: 100_000, currency: 'AED' };
    expect(newsOf('payment_intent.succeeded', INTENT)).toEqual({ ...paid, reference: 'pi_1' });
    const metadata = { reservationId: 'reservation-1', reference: 'pm_1' };
    expect(newsOf('payment_intent.succeeded', { ...INTENT, metadata })).toEqual({ ...paid, reference: 'pm_1' });
  });

  it.each([{}, { reservationId: '' }, { reservationId: '../x' }])(
    'of a payment that is for no stay: %j',
    (metadata) => {
      expect(newsOf('payment_intent.succeeded', { ...INTENT, metadata })).toMatchObject({ reservationId: null });
    },
  );

  it('of refunds, and of money that came back', () => {
    const changed = { kind: 'charge-changed', reference: 'pi_1', chargeId: 'ch_1' };
    expect(newsOf('charge.refunded', CHARGE)).toEqual(changed);
    const refund = { object: 'refund', id: 're_1', amount: 1, currency: 'aed', status: 'failed', metadata: null };
    const ofCharge = { ...refund, charge: 'ch_1', payment_intent: 'pi_1' };
    for (const type of ['refund.created', 'refund.updated', 'refund.failed', 'charge.refund.updated'])
      expect(newsOf(type, ofCharge)).toEqual(changed);
    const metadata = { reference: 'pm_1' };
    expect(newsOf('refund.created', { ...ofCharge, metadata })).toEqual({ ...changed, reference: 'pm_1' });
    expect(newsOf('refund.failed', refund)).toEqual({ kind: 'ignored' });
    const demand = { object: 'dispute', id: 'dp_1', amount: 100_000, currency: 'aed', status: 'lost', created: 1 };
    const dispute = { ...demand, charge: 'ch_1', payment_intent: 'pi_1', balance_transactions: [] };
    for (const what of ['created', 'updated', 'funds_withdrawn', 'funds_reinstated', 'closed'])
      expect(newsOf(`charge.dispute.${what}`, dispute)).toEqual(changed);
    const failed = { kind: 'payout-failed', providerId: 'tr_1', reason: 'TRANSFER_REVERSED' };
    expect(newsOf('transfer.reversed', TRANSFER)).toEqual(failed);
    expect(newsOf('transfer.reversed', { ...TRANSFER, reversed: false })).toEqual({ kind: 'ignored' });
    expect(newsOf('payout.failed', { id: 'po_1', failure_code: 'account_closed' })).toEqual({
      kind: 'payout-failed',
      providerId: 'po_1',
      reason: 'ACCOUNT_CLOSED',
    });
  });

  it('of anything else is none', () => {
    expect(newsOf('customer.created', { object: 'customer' })).toEqual({ kind: 'ignored' });
  });
});
