import type { Tx } from '../../db/client.ts';
import type { RecordedDispute } from '../ports.ts';
import { closeFinanceTask, openFinanceTask } from '../tasks/finance-task.ts';
import { alertGateway } from './gateway-events.ts';
import type { PayableStay } from './payable.ts';

const occasionOf = (disputeId: string): string => `dispute-${disputeId}`;

/** Only a person can answer a dispute, at the gateway, and only for so long. */
export async function callForDispute(
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

/** Closes the task that asked a person to see to a dispute. */
export const disputeSeenTo = (tx: Tx, disputeId: string) => closeFinanceTask(tx, occasionOf(disputeId));
