import type { Tx } from '../../db/client.ts';
import { endOfferLinks } from '../assignment/offer-link.ts';
import type { Author } from '../audit/record.ts';
import { type AccountChange, type Changed, changeAccount as changeRow } from '../people/administer.ts';
import { endQuestionLinks } from '../tasks/approvals.ts';
import { closeFeed } from '../tasks/calendar-feed.ts';
import type { ExpectedVersions } from '../versions.ts';

/**
 * Changes name, role or record of an account of an expected version. With another role or record all sessions end, and so does
 * what opens without one. Throws `NOT_FOUND`, `PRECONDITION_FAILED`, `VALIDATION_FAILED` and `LAST_ADMIN`.
 */
export async function changeAccount(
  tx: Tx,
  id: string,
  change: AccountChange,
  expected: ExpectedVersions,
  author: Author,
): Promise<Changed> {
  const changed = await changeRow(tx, id, change, expected, author);
  if (changed.isOther) for (const principal of new Set(changed.principals)) await endAddresses(tx, principal, author);
  return changed;
}

/** Who had an address that opens without signing in had it by a role that is another's now (security.md Z12). */
export async function endAddresses(tx: Tx, principal: string, author: Author): Promise<void> {
  await closeFeed(tx, principal, author);
  await endOfferLinks(tx, principal);
  await endQuestionLinks(tx, principal);
}
