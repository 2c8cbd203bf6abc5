import type { Tx } from '../../db/client.ts';
import { currentLimits } from '../approvals/limits.ts';
import { ask, withdraw } from '../approvals/store.ts';
import type { Author } from '../audit/record.ts';
import { payoutAccountChangedMessage } from '../messages/catalogue/payout-account-changed.ts';
import { raiseAlertOnce } from '../notifications/alerts.ts';
import { enqueueInTransaction } from '../notifications/enqueue.ts';
import { type OwnerChange, type OwnerView, updateOwner } from '../people/owners.ts';
import type { ExpectedVersions } from '../versions.ts';

/**
 * Changes an owner, with its audit row. Another payout account is told to the owner, and payouts to it wait until the time of the
 * settings is over or a second person has approved it (domain.md 8). Throws `NOT_FOUND`, `PRECONDITION_FAILED`.
 */
export async function changeOwner(
  tx: Tx,
  id: string,
  change: OwnerChange,
  expected: ExpectedVersions,
  author: Author,
): Promise<OwnerView> {
  const { accountWaitHours } = await currentLimits(tx);
  const changed = await updateOwner(tx, id, change, expected, { ...author, accountWaitHours });
  const { owner } = changed;
  const subject = { type: 'owner', id } as const;
  if (changed.account === 'removed') await withdraw(tx, { subject, kind: 'PAYOUT_ACCOUNT' }, author);
  if (changed.account !== 'changed') return owner;
  const occasion = String(owner.version);
  const messages = [payoutAccountChangedMessage(id, changed.from.toISOString(), occasion)];
  await enqueueInTransaction(tx, `owner-account-${id}`, messages, { sagaId: null, reservationId: null });
  const question = {
    kind: 'PAYOUT_ACCOUNT',
    subject,
    reservationId: null,
    propertyId: null,
    ownerId: id,
    asked: `Pay owner ${id} out to the account that was changed`,
    money: null,
    barred: [],
    expiresHours: accountWaitHours,
  } as const;
  // A question about the account of before is withdrawn by this one.
  const approvalId = await ask(tx, question, author);
  const alert = { about: 'approval', id: approvalId, source: 'PAYOUT_ACCOUNT', step: 'PAYOUT_ACCOUNT' } as const;
  await raiseAlertOnce(tx, { ...alert, code: 'APPROVAL_REQUIRED', group: approvalId });
  return owner;
}
