import type { Db, Tx } from '../../db/client.ts';
import { literal } from '../../db/literal.ts';
import type { Json, RefundBearer } from '../../db/schema.ts';
import { disputedOf } from '../reservations/payment-status.ts';
import { rederivePaymentStatus } from '../reservations/store.ts';
import { financialService } from './financial-service.ts';
import { accounts, credit, debit, post, postedShares } from './ledger.ts';
import type { PayableStay } from './payable.ts';
import { reducePayouts } from './planned-payouts.ts';
import { receiptsOf } from './receipts.ts';
import { addRefunded } from './store/payments.ts';
import { insertRefund } from './store/refunds.ts';
import { readTerms } from './terms.ts';

/** A captured charge, in minor units: its excess over the balance is the guest's own, and is refunded first. */
export interface Charge {
  readonly id: string;
  readonly amount_minor: number;
  readonly refunded_minor: number;
  readonly excess_minor: number;
  /** Taken by its gateway for disputes that are not decided yet. */
  readonly disputed_minor: number;
}
/** The refundable part of a charge. The sum is below zero when money that is owed to the guest already is disputed as well. */
const leftOf = ({ amount_minor, refunded_minor, disputed_minor }: Charge): number =>
  Math.max(0, amount_minor - refunded_minor - disputed_minor);
/** The part of a refund that goes back to one charge, in minor units; `distributedMinor` of it had been divided. */
export interface RefundPart<C extends Charge> {
  readonly charge: C;
  readonly amountMinor: number;
  readonly distributedMinor: number;
}

/** Minor units that charges can still give back together. Pure. */
export const refundableOf = (charges: readonly Charge[]): number =>
  charges.reduce((sum, charge) => sum + leftOf(charge), 0);

/**
 * Which charges an amount goes back to: the excess of all of them first, as `receiptsOf` counts, then the rest in the
 * order given. Takes no more than there is. Pure.
 */
export function planRefund<C extends Charge>(charges: readonly C[], amountMinor: number): readonly RefundPart<C>[] {
  let leftMinor = amountMinor;
  const take = (thereMinor: number): number => {
    const takenMinor = Math.min(leftMinor, thereMinor);
    leftMinor -= takenMinor;
    return takenMinor;
  };
  const excessOf = (charge: C): number =>
    Math.min(leftOf(charge), Math.max(0, charge.excess_minor - charge.refunded_minor));
  return charges
    .map((charge) => ({ charge, excessMinor: take(excessOf(charge)) }))
    .map(({ charge, excessMinor }) => {
      const distributedMinor = take(leftOf(charge) - excessOf(charge));
      return { charge, amountMinor: excessMinor + distributedMinor, distributedMinor };
    })
    .filter((part) => part.amountMinor > 0);
}

/** The captured charges of a stay, the newest first. */
export const chargesOf = (db: Db | Tx, reservationId: string) =>
  db
    .selectFrom('payment')
    .select(['id', 'gateway_id', 'gateway_reference', 'amount_minor', 'refunded_minor', 'excess_minor'])
    .select(disputedOf('payment').as('disputed_minor'))
    .where('reservation_id', '=', reservationId)
    .where('status', '=', literal('COMPLETED'))
    .orderBy('created_at', 'desc')
    .orderBy('id', 'desc');

export interface BookingStep {
  /** Null: booked from a gateway's record, and by no saga. */
  readonly sagaId: string | null;
  readonly key: string;
  readonly requestedBy: string;
}
export type RefundedStay = Pick<
  PayableStay,
  'reservationId' | 'ownerId' | 'guestId' | 'referringAgentId' | 'currency' | 'termsVersion'
>;
export interface RefundToBook {
  /** Minor units, of all charges together; no more than `refundableOf`. */
  readonly amountMinor: number;
  /** Null: by the terms of a cancellation, which is the split. */
  readonly bearer: RefundBearer | null;
  readonly details: Readonly<Record<string, Json>>;
  /** Of this charge alone; default: of all charges of the stay. */
  readonly paymentId?: string;
}
export type BookedRefunds = {
  readonly refundIds: readonly string[];
  /** The owner's part, in minor units: taken off the payouts to come, or owed from now on. */
  readonly ownerMinor: number;
  readonly owedByOwnerMinor: number;
};

/**
 * Books a refund: one REFUND for each charge that it goes back to, each with its own journal; the owner's part is taken off the
 * payouts to come (domain.md 9). Only within a saga of the stay, or under the lock of a stay that has none open: either keeps
 * every other booking out.
 */
export async function bookRefunds(
  tx: Tx,
  step: BookingStep,
  stay: RefundedStay,
  refund: RefundToBook,
): Promise<BookedRefunds> {
  const all = await chargesOf(tx, stay.reservationId).forUpdate().execute();
  const charges = all.filter(({ id }) => refund.paymentId === undefined || refund.paymentId === id);
  const before = await postedShares(tx, stay.reservationId);
  const refundIds: string[] = [];
  for (const part of planRefund(charges, refund.amountMinor)) {
    refundIds.push(await bookRefund(tx, { ...step, key: `${step.key}-${refundIds.length + 1}` }, stay, refund, part));
  }
  const after = await postedShares(tx, stay.reservationId);
  const ownerMinor = before.ownerMinor - after.ownerMinor;
  const owedByOwnerMinor = ownerMinor > 0 ? await reducePayouts(tx, stay.reservationId, ownerMinor) : 0;
  await rederivePaymentStatus(tx, stay.reservationId);
  return { refundIds, ownerMinor, owedByOwnerMinor };
}

type ChargeRow = Charge & { readonly gateway_id: string; readonly gateway_reference: string };

async function bookRefund(
  tx: Tx,
  step: BookingStep,
  stay: RefundedStay,
  { bearer, details }: RefundToBook,
  { charge, amountMinor, distributedMinor }: RefundPart<ChargeRow>,
): Promise<string> {
  await addRefunded(tx, charge.id, amountMinor);
  const id = await insertRefund(tx, {
    reservation_id: stay.reservationId,
    owner_id: stay.ownerId,
    amount_minor: amountMinor,
    currency: stay.currency,
    payment_id: charge.id,
    gateway_id: charge.gateway_id,
    gateway_reference: charge.gateway_reference,
    distribution_version: stay.termsVersion,
    borne_by: bearer,
    borne_minor: bearer === null ? 0 : distributedMinor,
    created_by_saga: step.sagaId,
    effect_key: step.key,
    details: JSON.stringify(details),
  });
  // Cumulative, like every payment: each party's share of the receipts, less its share that is posted.
  const terms = await readTerms(tx, stay.termsVersion);
  const receipts = await receiptsOf(tx, stay.reservationId);
  const target = financialService.distribute(terms, { ...receipts, hasAgent: stay.referringAgentId !== null });
  const posted = await postedShares(tx, stay.reservationId);
  await post(tx, {
    sagaId: step.sagaId,
    postedBy: step.requestedBy,
    effectKey: step.key,
    kind: 'REFUND',
    purpose: 'DISTRIBUTION',
    currency: stay.currency,
    transactionId: id,
    reservationId: stay.reservationId,
    paymentId: charge.id,
    lines: [
      debit(accounts.ownerPayable(stay.ownerId, stay.currency), posted.ownerMinor - target.ownerMinor),
      debit(accounts.agencyFee(stay.currency), posted.agencyMinor - target.agencyMinor),
      debit(accounts.referral(stay.referringAgentId, stay.currency), posted.referralMinor - target.referralMinor),
      credit(accounts.guestCredit(stay.guestId, stay.currency), distributedMinor),
    ],
  });
  return id;
}
