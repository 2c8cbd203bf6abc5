import type { Selectable } from 'kysely';
import type { TransactionTable } from '../../db/schema.ts';
import { toMajor } from '../../kernel/money.ts';

export type TransactionView = ReturnType<typeof transactionView>;

/** A transaction as the API shows it: money in major units. */
export const transactionView = (row: Selectable<TransactionTable>) => ({
  id: row.id,
  type: row.type,
  status: row.status,
  amount: toMajor({ amountMinor: row.amount_minor, currency: row.currency }),
  amountOutstanding: toMajor({ amountMinor: row.outstanding_minor, currency: row.currency }),
  currency: row.currency,
  reservationId: row.reservation_id,
  ownerId: row.owner_id,
  parentId: row.parent_id,
  createdBySaga: row.created_by_saga,
  completedAt: row.completed_at?.toISOString() ?? null,
  cancelledAt: row.cancelled_at?.toISOString() ?? null,
  version: row.version,
  createdAt: row.created_at.toISOString(),
});
