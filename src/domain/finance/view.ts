import type { Selectable } from 'kysely';
import type { TransactionTable } from '../../db/schema.ts';
import { toMajor } from '../../kernel/money.ts';

export interface TransactionRow extends Selectable<TransactionTable> {
  /** The requester of the saga that made it. */
  readonly actor: string | null;
}
export type TransactionView = ReturnType<typeof transactionView>;

/**
 * The amount of a transaction, in minor units: of a completed payment the received sum, so that the completed payments of a stay
 * add up; of every other row its own amount. The last of several payments settles the row of the whole amount due.
 */
export const amountOf = (row: Pick<TransactionRow, 'type' | 'status' | 'amount_minor' | 'settled_minor'>): number =>
  row.type === 'GUEST_PAYMENT' && row.status === 'COMPLETED' ? row.settled_minor : row.amount_minor;
/** The amount that was due from a guest, in minor units; null: it is no payment of a guest. */
export const amountDueOf = (row: Pick<TransactionRow, 'type' | 'amount_minor'>): number | null =>
  row.type === 'GUEST_PAYMENT' ? row.amount_minor : null;
const majorOrNull = (amountMinor: number | null, currency: string): number | null =>
  amountMinor === null ? null : toMajor({ amountMinor, currency });

/** A transaction as the API shows it: money in major units. */
export const transactionView = (row: TransactionRow) => ({
  id: row.id,
  type: row.type,
  status: row.status,
  amount: toMajor({ amountMinor: amountOf(row), currency: row.currency }),
  amountDue: majorOrNull(amountDueOf(row), row.currency),
  amountOutstanding: toMajor({ amountMinor: row.outstanding_minor, currency: row.currency }),
  amountSettled: toMajor({ amountMinor: row.settled_minor, currency: row.currency }),
  currency: row.currency,
  reservationId: row.reservation_id,
  ownerId: row.owner_id,
  parentId: row.parent_id,
  paymentId: row.payment_id,
  beneficiary: row.beneficiary_id,
  retainedBy: row.retained_by,
  gatewayId: row.gateway_id,
  gatewayReference: row.gateway_reference,
  paymentMethod: row.payment_method,
  providerId: row.provider_id,
  errorCode: row.error_code,
  details: row.details,
  scheduledFor: row.scheduled_for?.toISOString() ?? null,
  createdBySaga: row.created_by_saga,
  payoutSaga: row.payout_saga,
  actor: row.actor,
  completedAt: row.completed_at?.toISOString() ?? null,
  cancelledAt: row.cancelled_at?.toISOString() ?? null,
  version: row.version,
  createdAt: row.created_at.toISOString(),
});
