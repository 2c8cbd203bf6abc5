import type { Db, Tx } from '../../db/client.ts';
import { literal } from '../../db/literal.ts';
import type { ApprovalKind, ApprovalStatus } from '../../db/schema.ts';
import { toMajor } from '../../kernel/money.ts';
import { cutPage, exactInstant, isAfter, type Page, type PageRequest } from '../paging.ts';
import { type ApprovalRow, approvalNotFound } from './store.ts';

/** What waits for a second person, and what was decided, as the API shows it. */

export type ApprovalView = ReturnType<typeof approvalView>;

/** The public form of a question; the amount in major units. */
export const approvalView = (row: ApprovalRow) => ({
  id: row.id,
  kind: row.kind,
  status: row.status,
  asked: row.asked,
  amount:
    row.amount_minor === null || row.currency === null
      ? null
      : toMajor({ amountMinor: row.amount_minor, currency: row.currency }),
  currency: row.currency,
  subjectType: row.subject_type,
  subjectId: row.subject_id,
  sagaExecutionId: row.saga_id,
  reservationId: row.reservation_id,
  propertyId: row.property_id,
  ownerId: row.owner_id,
  askedBy: row.asked_by,
  askedAt: row.asked_at.toISOString(),
  expiresAt: row.expires_at.toISOString(),
  decidedBy: row.decided_by,
  decidedAt: row.decided_at?.toISOString() ?? null,
  reason: row.reason,
  version: row.version,
});

export interface ApprovalFilter {
  readonly status?: ApprovalStatus | undefined;
  readonly kind?: ApprovalKind | undefined;
  readonly sagaExecutionId?: string | undefined;
  readonly propertyId?: string | undefined;
}

/** A page of questions, newest first. */
export async function listApprovals(db: Db, filter: ApprovalFilter, page: PageRequest): Promise<Page<ApprovalView>> {
  let query = db.selectFrom('approval').selectAll().select(exactInstant('asked_at').as('position_at'));
  if (filter.status !== undefined) query = query.where('status', '=', literal(filter.status));
  if (filter.kind !== undefined) query = query.where('kind', '=', filter.kind);
  if (filter.sagaExecutionId !== undefined) query = query.where('saga_id', '=', filter.sagaExecutionId);
  if (filter.propertyId !== undefined) query = query.where('property_id', '=', filter.propertyId);
  if (page.after) query = query.where(isAfter('asked_at', 'id', page.after));
  const rows = await query
    .orderBy('asked_at', 'desc')
    .orderBy('id', 'desc')
    .limit(page.limit + 1)
    .execute();
  return cutPage(rows, page.limit, approvalView);
}

/** The question. Throws `NOT_FOUND`. */
export async function getApproval(db: Db | Tx, id: string): Promise<ApprovalView> {
  const row = await db.selectFrom('approval').selectAll().where('id', '=', id).executeTakeFirst();
  if (!row) throw approvalNotFound();
  return approvalView(row);
}
