import { z } from 'zod';
import { isIntent, isPaymentMethod } from './charge.ts';
import type { Exchange } from './client.ts';
import { RequestRefused } from './errors.ts';

/** Of a PaymentMethod: only cards have a fingerprint. */
const Method = z.object({ card: z.object({ fingerprint: z.string().min(1).max(255).nullish() }).nullish() });
/** A PaymentIntent that was declined has no method any more; its last error has it. */
const IntentWithMethod = z.object({
  payment_method: z.union([Method, z.string().transform(() => null)]).nullish(),
  last_payment_error: z.object({ payment_method: Method.nullish() }).nullish(),
});

/**
 * Stripe's `card.fingerprint` of a PaymentMethod, or of the one on a PaymentIntent: the same for the same card number
 * over all customers of the account (docs.stripe.com/api/payment_methods/object). Null for what Stripe does not know.
 */
export async function cardOf(exchange: Exchange, reference: string): Promise<string | null> {
  try {
    return (await methodOf(exchange, reference))?.card?.fingerprint ?? null;
  } catch (error) {
    // A reference that is not one is the charge's to refuse; Stripe is well.
    if (error instanceof RequestRefused) return null;
    throw error;
  }
}

async function methodOf(exchange: Exchange, reference: string): Promise<z.output<typeof Method> | null> {
  if (isPaymentMethod(reference)) {
    return exchange.read(Method, (stripe) => stripe.paymentMethods.retrieve(reference));
  }
  if (!isIntent(reference)) return null;
  const intent = await exchange.read(IntentWithMethod, (stripe) =>
    stripe.paymentIntents.retrieve(reference, { expand: ['payment_method'] }),
  );
  return intent.payment_method ?? intent.last_payment_error?.payment_method ?? null;
}
