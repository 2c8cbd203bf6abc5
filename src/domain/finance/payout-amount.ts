import { sql } from 'kysely';
import type { Db, Tx } from '../../db/client.ts';
import { RoomyError, required } from '../../kernel/errors.ts';
import { toMajor } from '../../kernel/money.ts';
import type { PayoutOrder, PayoutRules } from './payout.ts';
import { isStayHeld } from './payout-hold.ts';
import { splitPayout } from './store/payouts.ts';
import { LEDGER_TOTALS } from './totals.ts';

/** How much of an owner's payouts can be paid: the balance, the part that is netted, and the part that a provider cannot pay yet. */

/** An owner's balance in one currency, in minor units. */
export interface Position {
  /** The ledger's balance, less the sums that other instructions are about to pay and that are held for disputes. */
  readonly availableMinor: number;
  /** The owner's debt, from refunds after a payout, less the part that other instructions net already. */
  readonly debtMinor: number;
}

/**
 * Reads an owner's position. In one statement, and so one snapshot: a share that is booked between two would look like a debt.
 */
export async function positionOf(
  db: Db | Tx,
  { ownerId, currency }: Pick<PayoutOrder, 'ownerId' | 'currency'>,
): Promise<Position> {
  const { rows } = await sql<{ owed: number; open: number; reserved: number; netted: number }>`
    SELECT (SELECT coalesce(-sum(amount), 0) FROM ${LEDGER_TOTALS} t WHERE account_kind = 'OWNER_PAYABLE' AND party_id = ${ownerId} AND t.currency = ${currency})::bigint AS owed,
           coalesce(sum(amount_minor), 0)::bigint AS open,
           coalesce(sum(settled_minor) FILTER (WHERE status = 'PROCESSING'), 0)::bigint
             + coalesce(sum(amount_minor) FILTER (WHERE status IN ('PENDING', 'FAILED') AND ${isStayHeld(sql`t.reservation_id`)}), 0)::bigint AS reserved,
           coalesce(sum(amount_minor - settled_minor) FILTER (WHERE status = 'PROCESSING'), 0)::bigint AS netted
      FROM transaction t
     WHERE owner_id = ${ownerId} AND currency = ${currency} AND type = 'OWNER_PAYOUT' AND status IN ('PENDING', 'PROCESSING', 'FAILED')`.execute(
    db,
  );
  const { owed: owedMinor, open, reserved, netted } = required(rows[0], 'the sums of a position');
  return { availableMinor: owedMinor - reserved, debtMinor: Math.max(0, open - owedMinor - netted) };
}

/** Minor units. The part that is neither paid nor carried is netted against the owner's debt. */
interface Payable {
  readonly paidMinor: number;
  /** Smaller than the provider's step: left for the next payout. */
  readonly carriedMinor: number;
}

/**
 * How much is paid for a gross amount, in minor units (domain.md 8). Throws `PAYOUT_EXCEEDS_BALANCE`, and `PAYOUT_NOT_PAYABLE`
 * for less than the provider's least amount. Pure.
 */
export function payableOf(
  { availableMinor, debtMinor }: Position,
  grossMinor: number,
  { netting, keepMinor = 0 }: Pick<PayoutRules, 'netting' | 'keepMinor'>,
  { currency, stepMinor = 1 }: Pick<PayoutOrder, 'currency' | 'stepMinor'>,
): Payable {
  const spendableMinor = availableMinor - keepMinor;
  const netMinor = netting ? Math.min(grossMinor, spendableMinor) : grossMinor;
  // Netting takes no more than the owner's debt: anything above it would be lost to the owner.
  if (netMinor <= 0 || netMinor > spendableMinor || grossMinor - netMinor > debtMinor) {
    const major = (amountMinor: number) => toMajor({ amountMinor, currency });
    throw new RoomyError('PAYOUT_EXCEEDS_BALANCE', {
      details: { amount: major(grossMinor), available: major(Math.max(0, spendableMinor)), currency },
    });
  }
  const carriedMinor = netMinor % stepMinor;
  if (carriedMinor === netMinor) {
    throw new RoomyError('PAYOUT_NOT_PAYABLE', {
      details: { reason: 'BELOW_LEAST_AMOUNT', least: toMajor({ amountMinor: stepMinor, currency }), currency },
    });
  }
  return { paidMinor: netMinor - carriedMinor, carriedMinor };
}

interface OpenPayout {
  readonly id: string;
  readonly amount_minor: number;
}

/**
 * Takes the rest that cannot be paid off the newest payouts: one that is not larger than the rest stays as it is, and the rest
 * of the next becomes a payout of its own, for the same stay. Answers the payouts that are paid, with their amounts.
 */
export async function carryOver(
  tx: Tx,
  sagaId: string,
  rows: readonly OpenPayout[],
  carriedMinor: number,
): Promise<readonly OpenPayout[]> {
  const taken: OpenPayout[] = [];
  let leftMinor = carriedMinor;
  for (const row of rows.toReversed()) {
    const restMinor = Math.min(leftMinor, row.amount_minor);
    leftMinor -= restMinor;
    if (restMinor === row.amount_minor) continue;
    taken.unshift({ id: row.id, amount_minor: row.amount_minor - restMinor });
    if (restMinor === 0) continue;
    await splitPayout(tx, row.id, restMinor, sagaId);
  }
  return taken;
}
