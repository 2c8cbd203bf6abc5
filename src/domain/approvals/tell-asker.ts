import type { Tx } from '../../db/client.ts';
import { literal } from '../../db/literal.ts';
import {
  type Asker,
  approvalDecidedMessage,
  approvedButUndoneMessage,
} from '../messages/catalogue/approval-decided.ts';
import { enqueueInTransaction } from '../notifications/enqueue.ts';
import { findAccountByPrincipal } from '../people/accounts.ts';
import type { ApprovalRow } from './store.ts';

/** Who asked reads how the question ended; of a person without a record or an account here, and of a machine, operations do. */
export async function tellAsker(tx: Tx, row: ApprovalRow): Promise<void> {
  if (row.status === 'PENDING') return;
  // That an account counts once its wait is over was said when it was changed.
  if (row.kind === 'PAYOUT_ACCOUNT' && row.status === 'EXPIRED') return;
  const message = approvalDecidedMessage(await askerOf(tx, row.asked_by), { ...wordsOf(row), status: row.status });
  await enqueueInTransaction(tx, `${row.id}-decided`, [message], { sagaId: null, reservationId: row.reservation_id });
}

/**
 * For `whenUndone`: what a second person has approved could not be done after all. Who asked and who approved were told that it
 * goes ahead, so both are told that it has not, and why.
 */
export async function tellApprovedUndone({ tx, sagaId, code }: Undone): Promise<void> {
  const row = await tx
    .selectFrom('approval')
    .selectAll()
    .where('saga_id', '=', sagaId)
    .where('status', '=', literal('APPROVED'))
    .orderBy('decided_at', 'desc')
    .limit(1)
    .executeTakeFirst();
  if (!row) return;
  const parties = await Promise.all([row.asked_by, row.decided_by ?? row.asked_by].map((one) => askerOf(tx, one)));
  const [asker, decider] = parties;
  const told = parties.filter((one) => one === asker || (one === decider && one.id !== asker?.id));
  const messages = told.map((one) => approvedButUndoneMessage(one, { ...wordsOf(row), code }));
  await enqueueInTransaction(tx, `${row.id}-undone`, messages, { sagaId: null, reservationId: row.reservation_id });
}
/** As the engine hands it to `whenUndone`. */
interface Undone {
  readonly tx: Tx;
  readonly sagaId: string;
  readonly code: string;
}

const wordsOf = ({ id, kind, amount_minor: amountMinor, currency }: ApprovalRow) => ({
  approvalId: id,
  kind,
  money: amountMinor === null || currency === null ? null : { amountMinor, currency },
});

async function askerOf(tx: Tx, principal: string): Promise<Asker> {
  const staff = await tx.selectFrom('staff').select('id').where('id', '=', principal).executeTakeFirst();
  if (staff) return { type: 'STAFF', id: principal };
  const guest = await tx.selectFrom('guest').select('id').where('id', '=', principal).executeTakeFirst();
  if (guest) return { type: 'GUEST', id: principal };
  const account = await findAccountByPrincipal(tx, principal);
  const isOffice = account?.status === 'ACTIVE' && account.owner_id === null;
  return isOffice ? { type: 'OFFICE', id: account.id, account } : { type: 'OPS', id: 'ops' };
}
