import type { ChargeRecord, RecordedRefund, RecordRequest } from '../../domain/ports.ts';
import { InvariantError } from '../../kernel/errors.ts';
import type { Exchange } from './client.ts';
import { MalformedReply, upperSnake } from './errors.ts';
import { Page, Refund } from './replies.ts';
import { fromStripe } from './units.ts';

const PAGE = 100;
/** Stripe itself takes fewer refunds of one charge than these are. */
const MAX_PAGES = 20;

/** All refunds of a charge, from lists, which do not lag. */
export async function recordOf(listing: Exchange, { chargeId }: RecordRequest): Promise<ChargeRecord> {
  return { refunds: await refundsOf(listing, chargeId) };
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

function recordedRefund({ id, amount, currency, status, failure_reason }: Refund): RecordedRefund {
  const amountMinor = fromStripe(amount, currency);
  if (amountMinor === null) throw new MalformedReply(`${currency} ${amount} is no whole amount`);
  const isBack = status === 'failed' || status === 'canceled';
  const cameBack = isBack ? upperSnake(failure_reason ?? `refund_${status}`) : null;
  return { providerId: id, amountMinor, currency, cameBack };
}
