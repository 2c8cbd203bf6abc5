import type { Tx } from '../../db/client.ts';
import { RoomyError, required } from '../../kernel/errors.ts';
import { toMajor } from '../../kernel/money.ts';
import { currentLimits, type DecidingRole, isOver } from '../approvals/limits.ts';
import { type ApprovalView, approvalView } from '../approvals/resource.ts';
import { type ApprovalRow, lockApproval, type Settlement, settleApproval } from '../approvals/store.ts';
import type { Author } from '../audit/record.ts';
import { givenBeyond } from '../finance/given-beyond.ts';
import { chargeOwner } from '../finance/owner-costs.ts';
import { chargedMessage } from '../messages/catalogue/maintenance-done.ts';
import { payoutAccountRefusedMessage } from '../messages/catalogue/payout-account-changed.ts';
import { enqueueInTransaction } from '../notifications/enqueue.ts';
import { acceptPayoutAccount, dropPayoutAccount } from '../people/owners.ts';
import { isSamePerson } from '../people/same-person.ts';

/** The answer of a second person, and what follows from it: all in one transaction. */

export interface Decision {
  readonly id: string;
  readonly decision: 'APPROVE' | 'DECLINE';
  readonly reason: string;
  readonly role: DecidingRole;
}
/**
 * Lets the saga that waits go on in the same transaction, or be refused. `stale`: it does not wait any more.
 */
export type ResumeSaga = (
  tx: Tx,
  sagaId: string,
  approved: boolean,
  author: Author,
) => Promise<'resumed' | 'stale' | 'needs-approval'>;

/**
 * Decides an open question, once. Throws `NOT_FOUND`, `SECOND_PERSON_REQUIRED` (for who asked, and who did the work that is
 * charged, under whatever name), `APPROVAL_LIMIT_EXCEEDED` (the amount is more than the role may approve), `INVALID_STATE_TRANSITION` (it is decided, or
 * its time is up) and `SAGA_IN_PROGRESS` (something else is at work on the stay; the question stays open).
 */
export async function decideApproval(
  tx: Tx,
  { id, decision, reason, role }: Decision,
  author: Author,
  resume: ResumeSaga,
): Promise<ApprovalView> {
  const row = await lockApproval(tx, id);
  if (await isSamePerson(tx, author.actor, [row.asked_by, ...row.barred])) {
    throw new RoomyError('SECOND_PERSON_REQUIRED', { details: { approvalId: id } });
  }
  if (row.status !== 'PENDING' || row.is_over) {
    const currentStatus = row.status === 'PENDING' ? 'EXPIRED' : row.status;
    throw new RoomyError('INVALID_STATE_TRANSITION', { details: { currentStatus, action: decision } });
  }
  if (decision === 'APPROVE') await assertWithinLimit(tx, row, role);
  const status = decision === 'APPROVE' ? 'APPROVED' : 'DECLINED';
  const settled = await settle(tx, row, { status, reason }, author, resume);
  return approvalView(settled);
}

/** In whose name questions end that nobody has decided. */
const CLOCK: Author = { actor: 'system:approvals', requestId: null };

/** A question whose time is up counts as a no; that about an account only ends, as its wait has ended. False: it is decided. */
export async function expireApproval(tx: Tx, id: string, resume: ResumeSaga): Promise<boolean> {
  const row = await lockApproval(tx, id);
  if (row.status !== 'PENDING' || !row.is_over) return false;
  await settle(tx, row, { status: 'EXPIRED', reason: null }, CLOCK, resume);
  return true;
}

/** Of a refund beyond the policy, together with what was given so before: a role's limit is that of a stay, not of a question. */
async function assertWithinLimit(tx: Tx, row: ApprovalRow, role: DecidingRole): Promise<void> {
  const { id, kind, amount_minor: amountMinor, currency, reservation_id: stayId } = row;
  if (amountMinor === null || currency === null) return;
  const limit = (await currentLimits(tx)).roles[role];
  if (limit === null) return;
  const isGift = (kind === 'GOODWILL' || kind === 'REFUND_OVERRIDE') && stayId !== null;
  const givenMinor = isGift ? await givenBeyond(tx, stayId, currency) : 0;
  if (!isOver(limit, givenMinor + amountMinor, currency)) return;
  const most = toMajor({ amountMinor: limit[currency] ?? 0, currency });
  throw new RoomyError('APPROVAL_LIMIT_EXCEEDED', { details: { approvalId: id, role, limit: most, currency } });
}

async function settle(
  tx: Tx,
  row: ApprovalRow,
  settlement: Settlement,
  author: Author,
  resume: ResumeSaga,
): Promise<ApprovalRow> {
  const settled = await settleApproval(tx, row, settlement, author);
  await follow(tx, settled, author, resume);
  return settled;
}

/** What an answer changes, by the kind of the question. */
async function follow(tx: Tx, row: ApprovalRow, author: Author, resume: ResumeSaga): Promise<void> {
  const approved = row.status === 'APPROVED';
  switch (row.kind) {
    case 'PAYMENT_REVIEW':
    case 'REFUND_OVERRIDE':
    case 'GOODWILL': {
      const outcome = await resume(tx, required(row.saga_id, 'the saga that waits'), approved, author);
      if (outcome === 'resumed' || row.status === 'EXPIRED') return;
      throw new RoomyError('INVALID_STATE_TRANSITION', { details: { currentStatus: 'WITHDRAWN', action: 'APPROVE' } });
    }
    case 'OWNER_CHARGE':
      if (approved) await charge(tx, row, author);
      return;
    case 'PAYOUT_ACCOUNT': {
      const ownerId = required(row.owner_id, 'the owner of an account');
      if (approved) await acceptPayoutAccount(tx, ownerId, author);
      else if (row.status === 'DECLINED') {
        const isBack = await dropPayoutAccount(tx, ownerId, author);
        const message = payoutAccountRefusedMessage(ownerId, isBack, row.id);
        await enqueueInTransaction(tx, `owner-account-${ownerId}`, [message], { sagaId: null, reservationId: null });
      }
    }
  }
}

/** Text, amount, owner and property of the charge are those that were approved. */
async function charge(tx: Tx, row: ApprovalRow, author: Author): Promise<void> {
  const ownerId = required(row.owner_id, 'the owner who is charged');
  const money = {
    amountMinor: required(row.amount_minor, 'the amount of a charge'),
    currency: required(row.currency, 'the currency of a charge'),
  };
  await chargeOwner(tx, money, {
    ownerId,
    taskId: row.subject_id,
    propertyId: required(row.property_id, 'the property of a charge'),
    text: row.asked,
    approvalId: row.id,
    postedBy: author.actor,
  });
  const about = { sagaId: null, reservationId: row.reservation_id };
  await enqueueInTransaction(tx, `${row.id}-charged`, [chargedMessage(ownerId, row.subject_id)], about);
}
