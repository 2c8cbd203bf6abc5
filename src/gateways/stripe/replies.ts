import { z } from 'zod';

/** As much of Stripe's answers as we rely on. Whatever else is in them is dropped. */
const Currency = z
  .string()
  .regex(/^[a-z]{3}$/)
  .transform((code) => code.toUpperCase());
const Metadata = z.record(z.string(), z.string());
const Id = (prefix: string) => z.string().startsWith(prefix).max(255);
/** An id, or the object itself where it was expanded. */
const idOf = z.union([z.string(), z.object({ id: z.string() }).transform(({ id }) => id)]).nullable();

export const BalanceTransaction = z.object({ amount: z.int(), fee: z.int(), currency: Currency });

export const StripeCharge = z.object({
  object: z.literal('charge'),
  id: z.string().min(1),
  amount_captured: z.int(),
  amount_refunded: z.int(),
  disputed: z.boolean(),
  currency: Currency,
  metadata: Metadata,
  payment_intent: idOf,
  /** Null until Stripe has worked out the fee; an id where it was not expanded. */
  balance_transaction: z.union([BalanceTransaction, z.string().transform(() => null)]).nullable(),
});

export const Intent = z.object({
  object: z.literal('payment_intent'),
  id: Id('pi_'),
  status: z.string(),
  amount: z.int(),
  amount_received: z.int(),
  currency: Currency,
  metadata: Metadata,
  latest_charge: z.union([StripeCharge, z.string().transform(() => null)]).nullish(),
  last_payment_error: z.object({ code: z.string().optional(), decline_code: z.string().optional() }).nullish(),
});
export type Intent = z.output<typeof Intent>;
export const EXPAND = ['latest_charge.balance_transaction'];

export const Refund = z.object({
  object: z.literal('refund'),
  id: z.string().min(1),
  amount: z.int(),
  currency: Currency,
  status: z.string().nullable(),
  failure_reason: z.string().nullish(),
  metadata: Metadata.nullable(),
  charge: idOf.optional(),
  payment_intent: idOf.optional(),
});

export type Refund = z.output<typeof Refund>;

export const Dispute = z.object({
  object: z.literal('dispute'),
  id: z.string().min(1),
  amount: z.int(),
  currency: Currency,
  status: z.string(),
  reason: z.string().nullish(),
  charge: idOf,
  payment_intent: idOf.optional(),
  created: z.int(),
  /** Movements of the balance: below zero an amount taken, above one given back; each with its fee. */
  balance_transactions: z.array(BalanceTransaction),
  evidence_details: z.object({ due_by: z.int().nullish() }).nullish(),
});
export type Dispute = z.output<typeof Dispute>;

export const Transfer = z.object({
  object: z.literal('transfer'),
  id: Id('tr_'),
  amount: z.int(),
  currency: Currency,
  destination: idOf,
  reversed: z.boolean(),
  metadata: Metadata,
});

/** One page of a list or search. */
export const Page = <S extends z.ZodType>(item: S) => z.object({ data: z.array(item), has_more: z.boolean() });
