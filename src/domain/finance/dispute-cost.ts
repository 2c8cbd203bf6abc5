import { sql } from 'kysely';
import type { Tx } from '../../db/client.ts';
import type { RecordedDispute } from '../ports.ts';
import type { CapturedCharge } from './charge-record.ts';
import { type Dispute, postedFor, takenOf } from './dispute-row.ts';
import { financialService } from './financial-service.ts';
import { accounts, credit, debit, post } from './ledger.ts';
import type { PayableStay } from './payable.ts';
import { reducePayouts } from './planned-payouts.ts';
import { insertBooked } from './store/booked.ts';
import { insertPayout } from './store/payouts.ts';
import { readTerms } from './terms.ts';

/**
 * Books the cost of a dispute beside the disputed money: the gateway's fee for it, and money that it took although it had been
 * refunded before. It is borne like the gateway's other fees (domain.md 9.4). Cumulative, as a fee may be given back when a
 * dispute is won: books the difference to the cost that is booked already. False: there is none.
 */
export async function bookDisputeCost(
  tx: Tx,
  charge: CapturedCharge,
  stay: PayableStay,
  recorded: RecordedDispute,
  dispute: Dispute,
): Promise<boolean> {
  const targetMinor = recorded.feeMinor + takenBeside(recorded, dispute);
  const { bookedMinor, times } = await bookedCosts(tx, dispute);
  const costMinor = targetMinor - bookedMinor;
  if (costMinor === 0) return false;
  const effectKey = `${dispute.key}-cost-${times + 1}`;
  const id = await insertBooked(tx, {
    type: 'GATEWAY_FEE',
    reservation_id: stay.reservationId,
    owner_id: stay.ownerId,
    parent_id: dispute.id,
    amount_minor: costMinor,
    currency: stay.currency,
    distribution_version: stay.termsVersion,
    payment_id: charge.paymentId,
    beneficiary_id: stay.referringAgentId,
    effect_key: effectKey,
    details: JSON.stringify({ origin: 'DISPUTE' }),
  });
  const shares = await sharesOf(tx, stay, costMinor);
  await post(tx, {
    ...postedFor(charge, stay, { id }),
    effectKey,
    kind: 'DISPUTE_FEE',
    purpose: 'FEE',
    lines: [
      debit(accounts.gatewayFee(stay.currency), shares.agencyMinor),
      debit(accounts.ownerPayable(stay.ownerId, stay.currency), shares.ownerMinor),
      debit(accounts.referral(stay.referringAgentId, stay.currency), shares.referralMinor),
      credit(accounts.gatewayClearing(charge.gatewayId, stay.currency), costMinor),
    ],
  });
  if (shares.ownerMinor > 0) await reducePayouts(tx, stay.reservationId, shares.ownerMinor);
  if (shares.ownerMinor < 0) await payBack(tx, charge, stay, effectKey, -shares.ownerMinor);
  return true;
}

/**
 * The money that the gateway has taken and that is neither held, nor the guest's, nor returned, in minor units: it had been
 * refunded before, or only a part of it was returned.
 */
function takenBeside(recorded: RecordedDispute, { status, settled_minor }: Dispute): number {
  const takenMinor = takenOf(recorded);
  if (status === 'PROCESSING' || status === 'COMPLETED') return Math.max(0, takenMinor - settled_minor);
  // Won, and the record shows no return yet: it is on its way.
  if (status !== 'REVERSED' || !recorded.returnedMinor) return 0;
  return Math.max(0, takenMinor - recorded.returnedMinor);
}

/** The part of the cost that an owner had borne and that is given back becomes a payout, due at once. */
const payBack = (tx: Tx, charge: CapturedCharge, stay: PayableStay, effectKey: string, amountMinor: number) =>
  insertPayout(tx, {
    reservation_id: stay.reservationId,
    owner_id: stay.ownerId,
    amount_minor: amountMinor,
    currency: stay.currency,
    distribution_version: stay.termsVersion,
    payment_id: charge.paymentId,
    scheduled_for: sql<Date>`now()`,
    effect_key: `${effectKey}-payout`,
  });

/** Signed minor units: a cost that is given back is shared as it was borne. */
async function sharesOf(tx: Tx, { termsVersion, referringAgentId }: PayableStay, costMinor: number) {
  const terms = await readTerms(tx, termsVersion);
  const shares = financialService.shareGatewayFee(terms, Math.abs(costMinor), referringAgentId !== null);
  const signed = (minor: number): number => (costMinor < 0 ? 0 - minor : minor);
  return {
    agencyMinor: signed(shares.agencyMinor),
    ownerMinor: signed(shares.ownerMinor),
    referralMinor: signed(shares.referralMinor),
  };
}

async function bookedCosts(tx: Tx, { id }: Dispute) {
  const { rows } = await sql<{ bookedMinor: number; times: number }>`
    SELECT coalesce(sum(amount_minor), 0)::bigint AS "bookedMinor", count(*)::int AS times
      FROM transaction WHERE parent_id = ${id} AND type = 'GATEWAY_FEE'`.execute(tx);
  return rows[0] ?? { bookedMinor: 0, times: 0 };
}
