import type { Tx } from '../../db/client.ts';
import type { RecordedDispute } from '../ports.ts';
import { closeFinanceTask, openFinanceTask } from '../tasks/finance-task.ts';
import { alertGateway } from './gateway-events.ts';
import type { PayableStay } from './payable.ts';

const occasionOf = (disputeId: string): string => `dispute-${disputeId}`;

/** Alerts a person to a dispute and opens the task of answering it: only a person can, at the gateway, and only for a time. */
export async function openDisputeTask(
  tx: Tx,
  stay: PayableStay,
  disputeId: string,
  { providerId, respondBy }: RecordedDispute,
): Promise<void> {
  await alertGateway(tx, providerId, 'DISPUTE_OPENED', disputeId);
  const until = respondBy === null ? '' : ` until ${respondBy.toISOString()}`;
  await openFinanceTask(tx, {
    occasion: occasionOf(disputeId),
    propertyId: stay.propertyId,
    reservationId: stay.reservationId,
    title: 'Answer a dispute',
    description: `The guest’s bank disputes a payment of this stay (${providerId}). Send your evidence in the gateway’s dashboard${until}, or accept it there. The payout of the stay is held until it is decided.`,
  });
}

/** Closes the task of answering a dispute; without one, nothing changes. */
export const closeDisputeTask = (tx: Tx, disputeId: string) => closeFinanceTask(tx, occasionOf(disputeId));
