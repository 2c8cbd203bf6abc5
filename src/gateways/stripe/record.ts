import type {
  ChargeRecord,
  DisputedCharge,
  RecordedDispute,
  RecordedRefund,
  RecordRequest,
} from '../../domain/ports.ts';
import { InvariantError } from '../../kernel/errors.ts';
import type { Exchange } from './client.ts';
import { MalformedReply, upperSnake } from './errors.ts';
import { Dispute, Page, Refund } from './replies.ts';
import { feeFromStripe, fromStripe } from './units.ts';

const PAGE = 100;
/** Stripe itself takes fewer refunds of one charge than these are. */
const MAX_PAGES = 20;

/** All refunds and disputes of a charge, from lists, which do not lag. */
export async function recordOf(listing: Exchange, { chargeId }: RecordRequest): Promise<ChargeRecord> {
  const refunds = await refundsOf(listing, chargeId);
  // Stripe allows few disputes of one charge; a page holds them.
  const { data } = await listing.read(Page(Dispute), (stripe) =>
    stripe.disputes.list({ charge: chargeId, limit: PAGE }),
  );
  return { refunds, disputes: data.map(recordedDispute).toReversed() };
}

async function refundsOf(listing: Exchange, charge: string): Promise<readonly RecordedRefund[]> {
  const found: RecordedRefund[] = [];
  let after: string | undefined;
  for (let page = 0; page < MAX_PAGES; page += 1) {
    const starting = after === undefined ? {} : { starting_after: after };
    const { data, has_more } = await listing.read(Page(Refund), (stripe) =>
      stripe.refunds.list({ charge, limit: PAGE, ...starting }),
    );
    found.push(...data.map(recordedRefund));
    after = data.at(-1)?.id;
    // Newest first.
    if (!has_more || after === undefined) return found.toReversed();
  }
  throw new InvariantError(`charge ${charge} has more than ${MAX_PAGES * PAGE} refunds`);
}

/** Opened within the time, whatever has become of them. */
export async function disputes(
  listing: Exchange,
  { from, to, limit }: { readonly from: Date; readonly to: Date; readonly limit: number },
): Promise<readonly DisputedCharge[]> {
  const created = { gte: Math.ceil(from.getTime() / 1000), lt: Math.ceil(to.getTime() / 1000) };
  const found: DisputedCharge[] = [];
  let after: string | undefined;
  while (found.length < limit) {
    const starting = after === undefined ? {} : { starting_after: after };
    const { data, has_more } = await listing.read(Page(Dispute), (stripe) =>
      stripe.disputes.list({ created, limit: PAGE, ...starting }),
    );
    found.push(...data.flatMap(({ id, charge }) => (charge === null ? [] : [{ providerId: id, chargeId: charge }])));
    after = data.at(-1)?.id;
    if (!has_more || after === undefined) break;
  }
  return found.slice(0, limit);
}

/** docs.stripe.com/api/disputes/object: an inquiry (`warning_`) takes no money. */
const STATUSES: Readonly<Record<string, RecordedDispute['status']>> = {
  won: 'WON',
  lost: 'LOST',
  warning_closed: 'CLOSED',
  charge_refunded: 'CLOSED',
  prevented: 'CLOSED',
};

/**
 * Of the charge in its own currency. Its movements are in the currency that Stripe settles in, and so are its fees: these are
 * converted by the two amounts of the same money, as those of a charge are.
 */
function recordedDispute(dispute: Dispute): RecordedDispute {
  const { id, amount, currency, reason, balance_transactions: lines } = dispute;
  const amountMinor = whole(amount, currency);
  const status = STATUSES[dispute.status] ?? 'OPEN';
  const feeMinor = lines.reduce((sum, line) => {
    const of = {
      chargeAmount: amount,
      chargeCurrency: currency,
      amount: Math.abs(line.amount),
      currency: line.currency,
    };
    const fee = feeFromStripe({ ...of, fee: Math.abs(line.fee) });
    return sum + (line.fee < 0 ? -fee : fee);
  }, 0);
  // Less than is demanded, where some of the charge had gone back before; in another currency that is not known.
  const ofOwn = lines.every((line) => line.currency === currency) ? lines : [];
  const taken = ofOwn.filter((line) => line.amount < 0).reduce((sum, line) => sum - line.amount, 0);
  const returned = ofOwn.filter((line) => line.amount > 0).reduce((sum, line) => sum + line.amount, 0);
  const due = status === 'OPEN' ? (dispute.evidence_details?.due_by ?? null) : null;
  return {
    providerId: id,
    amountMinor,
    currency,
    status,
    withdrawn: lines.reduce((sum, line) => sum + line.amount, 0) < 0,
    ...(taken > 0 && { takenMinor: whole(taken, currency), returnedMinor: whole(returned, currency) }),
    feeMinor,
    reason: reason ? upperSnake(reason) : null,
    respondBy: due === null ? null : new Date(due * 1000),
  };
}

function recordedRefund({ id, amount, currency, status, failure_reason }: Refund): RecordedRefund {
  const amountMinor = whole(amount, currency);
  const isBack = status === 'failed' || status === 'canceled';
  const cameBack = isBack ? upperSnake(failure_reason ?? `refund_${status}`) : null;
  return { providerId: id, amountMinor, currency, cameBack };
}

function whole(amount: number, currency: string): number {
  const amountMinor = fromStripe(amount, currency);
  if (amountMinor === null) throw new MalformedReply(`${currency} ${amount} is no whole amount`);
  return amountMinor;
}
