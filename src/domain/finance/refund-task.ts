import { sql } from 'kysely';
import type { Db, Tx } from '../../db/client.ts';
import { literal, literals } from '../../db/literal.ts';
import { raiseAlert } from '../notifications/alerts.ts';
import { disputedOf } from '../reservations/payment-status.ts';
import { closeFinanceTask, openFinanceTask } from '../tasks/finance-task.ts';
import { resendRefund } from './store/refunds.ts';

const occasionOf = (refundId: string): string => `refund-${refundId}`;

/** Opens the task of sending a refund by hand: its money stays owed until a person has sent it (domain.md 9.5). */
async function openRefundTask(db: Db, refundId: string): Promise<void> {
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

/** Closes the task of sending a refund by hand; without one, nothing changes. */
export const closeRefundTask = (db: Db, refundId: string) => closeFinanceTask(db, occasionOf(refundId));

/** Closes the tasks of sending refused refunds of a charge by hand, for now; `resumeRefusedRefunds` opens them again. */
export async function suspendRefundTasks(tx: Tx, paymentId: string): Promise<void> {
  const refunds = await tx
    .selectFrom('transaction as t')
    .innerJoin('payment as y', (join) =>
      join.onRef('y.id', '=', 't.payment_id').onRef('y.reservation_id', '=', 't.reservation_id'),
    )
    .select('t.id')
    .where('y.id', '=', paymentId)
    .where('t.type', '=', literal('REFUND'))
    .where('t.status', '=', literal('MANUAL_REQUIRED'))
    .execute();
  for (const { id } of refunds) await closeRefundTask(tx, id);
}

/** Alerts a person to a refund that its gateway has refused for good, and opens the task of sending it by hand. */
export async function requestManualRefund(tx: Tx, refundId: string, sagaId: string): Promise<void> {
  await raiseAlert(tx, {
    about: 'refund',
    id: sagaId,
    source: 'executeRefund',
    step: 'refundAtGateway',
    code: 'MANUAL_REQUIRED',
    group: `refund-${refundId}`,
  });
  await openRefundTask(tx, refundId);
}

/**
 * Decides on the refused refunds of a charge that no task asks a person for, once our books hold all that has gone back. A refund
 * that was refused because they did not is sent once more, and only once, if the gateway has so much left of the charge; a person
 * has to send each other one. `leftAtGatewayMinor`: minor units.
 */
export async function resumeRefusedRefunds(tx: Tx, paymentId: string, leftAtGatewayMinor: number): Promise<void> {
  const refunds = await tx
    .selectFrom('transaction as t')
    .innerJoin('payment as y', (join) => join.onRef('y.reservation_id', '=', 't.reservation_id'))
    .select([
      't.id',
      't.created_by_saga',
      't.amount_minor',
      sql<boolean>`coalesce(t.details ? 'refusedBehind' AND NOT t.details ? 'sentAgain', false)`.as('refused_behind'),
    ])
    .where('y.id', '=', paymentId)
    .whereRef('t.payment_id', '=', 'y.id')
    .where('t.type', '=', literal('REFUND'))
    .where('t.status', '=', literal('MANUAL_REQUIRED'))
    // Disputed money is taken already: the dispute decides whether the guest is still owed anything.
    .where(sql<boolean>`${disputedOf('y')} = 0`)
    .where((eb) =>
      eb.not(
        eb.exists(
          eb
            .selectFrom('task as k')
            .select('k.id')
            .where('k.effect_key', '=', sql<string>`'finance-refund-' || t.id`)
            .where('k.status', 'not in', literals(['COMPLETED', 'CANCELLED'])),
        ),
      ),
    )
    .orderBy('t.created_at')
    .orderBy('t.id')
    .execute();
  let leftMinor = leftAtGatewayMinor;
  for (const { id, created_by_saga, amount_minor, refused_behind } of refunds) {
    if (refused_behind && amount_minor <= leftMinor) {
      leftMinor -= amount_minor;
      await resendRefund(tx, id);
    } else await requestManualRefund(tx, id, created_by_saga ?? id);
  }
}
