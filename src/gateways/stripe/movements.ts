import { z } from 'zod';
import { type GatewayMovement, PAYOUT_BANK } from '../../domain/ports.ts';
import { InvariantError } from '../../kernel/errors.ts';
import type { Exchange } from './client.ts';
import { BalanceTransaction, Page, Refund, StripeCharge, Transfer } from './replies.ts';
import { feeFromStripe, fromStripe } from './units.ts';

const Source = z.discriminatedUnion('object', [StripeCharge, Refund, Transfer]);
/** Stripe's balance in order of time: each line says what it is about. Fees, disputes and our own payouts are not asked for. */
const Line = BalanceTransaction.extend({
  id: z.string(),
  type: z.string(),
  created: z.int(),
  /** `available` once it can be paid out; until then `pending`. */
  status: z.string(),
  source: z.unknown(),
});
type Line = z.output<typeof Line>;

const PAGE = 100;
const CHARGES = new Set(['charge', 'payment']);
const REFUNDS = new Set(['refund', 'payment_refund']);

/** Transfers to owners belong to the bank's record, all else to Stripe's. */
export async function movements(
  listing: Exchange,
  { gatewayId, from, to, limit }: { gatewayId: string; from: Date; to: Date; limit: number },
): Promise<readonly GatewayMovement[]> {
  const ofBank = gatewayId === PAYOUT_BANK;
  const created = { gte: Math.ceil(from.getTime() / 1000), lt: Math.ceil(to.getTime() / 1000) };
  const found: GatewayMovement[] = [];
  let after: string | null = null;
  for (let page = 0; page <= limit / PAGE + MAX_IDLE_PAGES; page += 1) {
    const starting: { starting_after?: string } = after === null ? {} : { starting_after: after };
    const lines = await listing.read(Page(Line), (stripe) =>
      stripe.balanceTransactions.list({
        created,
        limit: PAGE,
        expand: ['data.source'],
        ...(ofBank ? { type: 'transfer' } : {}),
        ...starting,
      }),
    );
    found.push(...lines.data.map((line) => movementOf(line, ofBank)).filter((movement) => movement !== null));
    after = lines.data.at(-1)?.id ?? null;
    // Newest first; with a limit below the number there is, the caller gets that many, and knows that there may be more.
    if (!lines.has_more || after === null || found.length >= limit) return found.slice(0, limit).toReversed();
  }
  throw new InvariantError(`more than ${limit} lines of other kinds between the movements`);
}

/** For lines of kinds that we do not ask for. */
const MAX_IDLE_PAGES = 1_000;

function movementOf(line: Line, ofBank: boolean): GatewayMovement | null {
  const wanted = ofBank ? line.type === 'transfer' : CHARGES.has(line.type) || REFUNDS.has(line.type);
  if (!wanted) return null;
  const at = new Date(line.created * 1000);
  const state = { settled: line.status === 'available', failed: false };
  const source = Source.parse(line.source);
  if (source.object === 'charge') {
    const { id, amount_captured: amount, currency } = source;
    const feeMinor = feeFromStripe({ ...line, chargeAmount: amount, chargeCurrency: currency });
    const reference = source.metadata['reference'] ?? source.payment_intent ?? id;
    return {
      kind: 'CHARGE',
      reference,
      providerId: id,
      amountMinor: minor(amount, currency),
      feeMinor,
      currency,
      at,
      ...state,
    };
  }
  const { id, currency } = source;
  const amountMinor = minor(source.amount, currency);
  if (source.object === 'transfer') {
    const failed = source.reversed;
    return { kind: 'PAYOUT', reference: id, providerId: id, amountMinor, feeMinor: 0, currency, at, ...state, failed };
  }
  const failed = source.status === 'failed' || source.status === 'canceled';
  const reference = source.metadata?.['reference'] ?? source.payment_intent ?? source.charge ?? id;
  const chargeId = source.charge ?? undefined;
  return {
    ...{ kind: 'REFUND', reference, providerId: id, amountMinor, feeMinor: 0, currency, at, ...state, failed },
    ...(chargeId && { chargeId }),
  };
}

function minor(amount: number, currency: string): number {
  const amountMinor = fromStripe(amount, currency);
  if (amountMinor === null) throw new InvariantError(`${currency} ${amount} is no whole amount`);
  return amountMinor;
}
