import { sql } from 'kysely';
import type { Db, Tx } from '../../db/client.ts';
import { RoomyError, required } from '../../kernel/errors.ts';
import { newId } from '../../kernel/ids.ts';
import { toMajor } from '../../kernel/money.ts';
import type { PayoutOrder, PayoutRules } from './payout.ts';
import { isStayHeld } from './payout-hold.ts';
import { LEDGER_TOTALS } from './totals.ts';

/** How much of an owner's payouts can be paid: what there is, what is netted, and what a provider cannot pay yet. */

/** What an owner is owed, and what of it is spoken for. */
export interface Position {
  /** By the ledger, less what other instructions are about to pay, and less what is held for disputes. */
  readonly availableMinor: number;
  /** What refunds after a payout left the owner to give back, less what other instructions net already. */
  readonly debtMinor: number;
}

/** One statement, and so one snapshot: a share that is booked between two would look like a debt. */
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

/** Minor units. What is neither paid nor carried is netted against what the owner owes. */
interface Payable {
  readonly paidMinor: number;
  /** Below what the provider pays: left for the next payout. */
  readonly carriedMinor: number;
}

/**
 * How much goes out for a gross amount. Throws `PAYOUT_EXCEEDS_BALANCE`, and `PAYOUT_NOT_PAYABLE` for less than the
 * provider's least amount.
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
 * Takes the rest that cannot be paid off the newest payouts: one that is no more than it stays as it is, of the next the
 * rest becomes a payout of its own, for the same stay. Answers with what goes out.
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
    const details = JSON.stringify({ carriedFrom: row.id });
    await sql`
      INSERT INTO transaction (id, type, status, reservation_id, owner_id, parent_id, amount_minor, outstanding_minor, currency,
        distribution_version, payment_id, scheduled_for, created_by_saga, details)
      SELECT ${newId('transaction')}, type, 'PENDING', reservation_id, owner_id, parent_id, ${restMinor}, ${restMinor}, currency,
        distribution_version, payment_id, scheduled_for, ${sagaId}, ${details}::jsonb
        FROM transaction WHERE id = ${row.id}`.execute(tx);
  }
  return taken;
}
