import type { Db } from '../../db/client.ts';
import { closeFinanceTask, openFinanceTask } from '../tasks/finance-task.ts';

const occasionOf = (refundId: string): string => `refund-${refundId}`;

/** A gateway has refused it for good: the money stays owed until a person has sent it (domain.md 9.5). */
export async function askForManualRefund(db: Db, refundId: string): Promise<void> {
  const { property_id, reservation_id } = await db
    .selectFrom('transaction as t')
    .innerJoin('reservation as r', 'r.id', 't.reservation_id')
    .select(['r.property_id', 'r.id as reservation_id'])
    .where('t.id', '=', refundId)
    .executeTakeFirstOrThrow();
  await openFinanceTask(db, {
    occasion: occasionOf(refundId),
    propertyId: property_id,
    reservationId: reservation_id,
    title: 'Refund a guest by hand',
    description: `The gateway refused refund ${refundId}. Send the money another way, then record it as settled.`,
  });
}

export const refundSeenTo = (db: Db, refundId: string) => closeFinanceTask(db, occasionOf(refundId));
