import { sql } from 'kysely';
import type { Tx } from '../../db/client.ts';
import { newId } from '../../kernel/ids.ts';
import type { RecordedDispute } from '../ports.ts';
import type { CapturedCharge } from './charge-record.ts';
import { type Dispute, postedFor, takenOf } from './dispute-row.ts';
import { reducePayouts } from './distribution.ts';
import { financialService } from './financial-service.ts';
import { accounts, credit, debit, post } from './ledger.ts';
import type { PayableStay } from './payable.ts';
import { readTerms } from './terms.ts';

/**
 * What a dispute costs beside the disputed money: what the gateway keeps for it, and what it took that had been refunded
 * before. Borne like the gateway's other fees. Cumulative, as a fee may be given back when a dispute is won: books the
 * difference to what is booked. False: there is none.
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
  const id = newId('transaction');
  const effectKey = `${dispute.key}-cost-${times + 1}`;
  await tx
    .insertInto('transaction')
    .values({
      id,
      type: 'GATEWAY_FEE',
      status: 'COMPLETED',
      reservation_id: stay.reservationId,
      owner_id: stay.ownerId,
      parent_id: dispute.id,
      amount_minor: costMinor,
      settled_minor: costMinor,
      outstanding_minor: 0,
      currency: stay.currency,
      distribution_version: stay.termsVersion,
      payment_id: charge.paymentId,
      beneficiary_id: stay.referringAgentId,
      effect_key: effectKey,
      completed_at: sql<Date>`now()`,
      details: JSON.stringify({ origin: 'DISPUTE' }),
    })
    .execute();
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

/** What the gateway has taken and is neither held, nor the guest's, nor back: refunded before, or given back in part only. */
function takenBeside(recorded: RecordedDispute, { status, settled_minor }: Dispute): number {
  const takenMinor = takenOf(recorded);
  if (status === 'PROCESSING' || status === 'COMPLETED') return Math.max(0, takenMinor - settled_minor);
  // Won, and nothing is said of what has come back: it is on its way.
  if (status !== 'REVERSED' || !recorded.returnedMinor) return 0;
  return Math.max(0, takenMinor - recorded.returnedMinor);
}

/** What an owner had borne and is given back is owed anew, at once. */
const payBack = (tx: Tx, charge: CapturedCharge, stay: PayableStay, effectKey: string, amountMinor: number) =>
  tx
    .insertInto('transaction')
    .values({
      id: newId('transaction'),
      type: 'OWNER_PAYOUT',
      status: 'PENDING',
      reservation_id: stay.reservationId,
      owner_id: stay.ownerId,
      amount_minor: amountMinor,
      outstanding_minor: amountMinor,
      currency: stay.currency,
      distribution_version: stay.termsVersion,
      payment_id: charge.paymentId,
      scheduled_for: sql<Date>`now()`,
      effect_key: `${effectKey}-payout`,
    })
    .execute();

/** Signed: what is given back is shared as it was borne. */
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
