import { createHmac } from 'node:crypto';
import { z } from 'zod';
import type { GatewayMovement, PaymentGateway } from '../../src/domain/ports.ts';
import { paymentProvider } from '../../src/gateways/payment-provider.ts';
import { RoomyError } from '../../src/kernel/errors.ts';

/** A payment provider that the source does not know, made by docs/add-a-gateway.md alone: all in one file, kept in memory. */

const Event = z.object({ id: z.string(), reference: z.string(), reservationId: z.string(), amountMinor: z.int() });
export const signatureOf = (body: string, secret: string): string =>
  createHmac('sha256', secret).update(body).digest('hex');

/** The provider's record, for tests to look into. */
export const HARBOUR_RECORD: GatewayMovement[] = [];
const keys = new Map<string, GatewayMovement>();

function act(key: string, movement: Omit<GatewayMovement, 'providerId' | 'at' | 'feeMinor' | 'settled' | 'failed'>) {
  const known = keys.get(key);
  if (known) return known;
  const providerId = `hb_${HARBOUR_RECORD.length + 1}`;
  const done = { ...movement, providerId, at: new Date(), feeMinor: 0, settled: true, failed: false };
  keys.set(key, done);
  HARBOUR_RECORD.push(done);
  return done;
}

const gateway: PaymentGateway = {
  async charge({ key, reference, amountMinor, currency }) {
    const { providerId } = act(key, { kind: 'CHARGE', reference, amountMinor, currency });
    return { providerId, amountMinor, currency, feeMinor: 0 };
  },
  async undoCharge({ key, chargeKey }) {
    const charge = keys.get(chargeKey);
    if (!charge) return { outcome: 'nothing' };
    const { reference, amountMinor, currency, providerId: chargeId } = charge;
    act(key, { kind: 'REFUND', reference, amountMinor, currency, chargeId });
    return { outcome: 'refunded' };
  },
  async refund({ key, reference, chargeId, amountMinor, currency }) {
    const { providerId } = act(key, { kind: 'REFUND', reference, amountMinor, currency, chargeId });
    return { done: true, providerId };
  },
  async payOut({ key, account, amountMinor, currency }) {
    const { providerId } = act(key, { kind: 'PAYOUT', reference: account, amountMinor, currency });
    return { done: true, providerId };
  },
  cardOf: async () => null,
  recordOf: async ({ chargeId }) => ({
    refunds: HARBOUR_RECORD.filter((one) => one.kind === 'REFUND' && one.chargeId === chargeId).map(
      ({ providerId, amountMinor, currency }) => ({ providerId, amountMinor, currency, cameBack: null }),
    ),
    disputes: [],
  }),
  disputes: async () => [],
  movements: async (_gatewayId, from, to, limit) =>
    HARBOUR_RECORD.filter(({ at }) => at >= from && at < to).slice(0, limit),
};

export const harbourPayments = paymentProvider({
  id: 'harbour',
  neededVariable: 'HARBOUR_SECRET',
  environment: () => z.object({ HARBOUR_SECRET: z.string().min(8).optional().describe('Signs its calls') }),
  settings: ({ HARBOUR_SECRET }) => ({ secret: HARBOUR_SECRET ?? '' }),
  create: ({ secret }) => ({
    gateway,
    gatewayIds: ['harbour'],
    accepts: (account) => account.startsWith('hb-'),
    webhook: {
      signatureHeader: 'harbour-signature',
      maxKib: 64,
      receive(rawBody, signature) {
        const body = rawBody.toString('utf8');
        if (signature !== signatureOf(body, secret)) throw new RoomyError('INVALID_SIGNATURE');
        const { id, ...event } = Event.parse(JSON.parse(body));
        return {
          payment: {
            gatewayId: 'harbour',
            eventId: id,
            type: 'captured',
            event: { kind: 'charge-succeeded', currency: 'AED', ...event },
          },
        };
      },
    },
  }),
});
