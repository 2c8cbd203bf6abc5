import type { MoneyOutcome, PayoutRequest, RefundRequest } from '../../domain/ports.ts';
import { RoomyError } from '../../kernel/errors.ts';
import type { Exchange } from './client.ts';
import { MalformedReply, RequestRefused, upperSnake } from './errors.ts';
import { Page, Refund, Transfer } from './replies.ts';
import { toStripe } from './units.ts';

/**
 * Money that leaves. A retry may come when Stripe has forgotten the idempotency key, so each first looks for what was
 * made under it; that look-up is by a list, which does not lag.
 */
export interface Leaving {
  readonly exchange: Exchange;
  readonly listing: Exchange;
}

export async function refund({ exchange, listing }: Leaving, request: RefundRequest): Promise<MoneyOutcome> {
  const { key, reference, chargeId, currency } = request;
  const amount = toStripe(request.amountMinor, currency);
  return orRefusal(async () => {
    const { data } = await listing.read(Page(Refund), (stripe) =>
      stripe.refunds.list({ charge: chargeId, limit: 100 }),
    );
    const made =
      data.find(({ metadata }) => metadata?.['key'] === key) ??
      (await exchange.write(Refund, (stripe) =>
        stripe.refunds.create({ charge: chargeId, amount, metadata: { key, reference } }, { idempotencyKey: key }),
      ));
    assertSame(made, { amount, currency });
    if (made.status !== 'failed' && made.status !== 'canceled') return { done: true, providerId: made.id };
    return { done: false, reason: upperSnake(made.failure_reason ?? `refund_${made.status}`) };
  });
}

export async function payOut({ exchange, listing }: Leaving, request: PayoutRequest): Promise<MoneyOutcome> {
  const { key, account, currency } = request;
  const amount = toStripe(request.amountMinor, currency);
  return orRefusal(async () => {
    const { data } = await listing.read(Page(Transfer), (stripe) =>
      stripe.transfers.list({ transfer_group: key, destination: account, limit: 10 }),
    );
    const made =
      data.find(({ metadata }) => metadata['key'] === key) ??
      (await exchange.write(Transfer, (stripe) =>
        stripe.transfers.create(
          {
            amount,
            currency: currency.toLowerCase(),
            destination: account,
            transfer_group: key,
            metadata: { key },
          },
          { idempotencyKey: key },
        ),
      ));
    assertSame(made, { amount, currency });
    if (made.destination !== account) throw new MalformedReply('the destination is another');
    return made.reversed ? { done: false, reason: 'TRANSFER_REVERSED' } : { done: true, providerId: made.id };
  });
}

interface Sum {
  readonly amount: number;
  readonly currency: string;
}
function assertSame(made: Sum, asked: Sum): void {
  if (made.amount !== asked.amount || made.currency !== asked.currency) {
    throw new MalformedReply('the amount or currency is another');
  }
}

/** A request that Stripe will never carry out, as an answer; a key that was used for something else stays an error. */
async function orRefusal(work: () => Promise<MoneyOutcome>): Promise<MoneyOutcome> {
  try {
    return await work();
  } catch (error) {
    if (error instanceof RequestRefused && error.reason !== 'IDEMPOTENCY_KEY_REUSED') {
      return { done: false, reason: error.reason };
    }
    if (error instanceof RoomyError && error.code === 'PAYMENT_DECLINED') {
      return { done: false, reason: String(error.details?.['gatewayError']) };
    }
    throw error;
  }
}
