import type { Tx } from '../../db/client.ts';
import { acceptWithin } from '../../engine/accept.ts';
import { executeRefund } from './v1.ts';

/** How long an answer waits for the gateway; the refund goes on by itself after that (domain.md 9.5). */
export const REFUND_BUDGET_MS = 1_500;

/** A saga for each refund that has just been booked, in the same commit. `time`: which of several for one refund. */
export async function startRefunds(
  tx: Tx,
  refundIds: readonly string[],
  requestedBy: string,
  time = '',
): Promise<void> {
  for (const refundId of refundIds) {
    await acceptWithin(tx, executeRefund, {
      subjectId: refundId,
      input: { refundId },
      requester: { sub: requestedBy, requestId: null },
      key: `refund-${refundId}${time}`,
    });
  }
}
