import { sql } from 'kysely';
import type { Db, Tx } from '../../db/client.ts';
import { literal, literals } from '../../db/literal.ts';
import { raiseAlert } from '../notifications/alerts.ts';
import { disputedOf } from '../reservations/payment-status.ts';
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

/** Closes the task that asked a person to send a refund. */
export const refundSeenTo = (db: Db, refundId: string) => closeFinanceTask(db, occasionOf(refundId));

/** Nobody is to send by hand what the gateway has refused of a charge, for now; `seeToRefusedRefunds` asks again. */
export async function refundsWait(tx: Tx, paymentId: string): Promise<void> {
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
  for (const { id } of refunds) await refundSeenTo(tx, id);
}

/** Calls a person for a refund that its gateway has refused for good. */
export async function callForManualRefund(tx: Tx, refundId: string, sagaId: string): Promise<void> {
  await raiseAlert(tx, {
    about: 'refund',
    id: sagaId,
    source: 'executeRefund',
    step: 'refundAtGateway',
    code: 'MANUAL_REQUIRED',
    group: `refund-${refundId}`,
  });
  await askForManualRefund(tx, refundId);
}

/** Refused while more had gone back at the gateway than our books knew of. */
export const markBehind = (tx: Tx, refundId: string) =>
  sql`UPDATE transaction SET details = coalesce(details, '{}') || '{"refusedBehind": true}' WHERE id = ${refundId}`.execute(
    tx,
  );

/** Has the sweep `refunds` start another saga for a refund that was refused because our books did not know yet what had gone back. */
const sendAgain = (tx: Tx, refundId: string) =>
  sql`UPDATE transaction SET status = 'PENDING', error_code = NULL, version = version + 1,
        details = details - 'refusedBehind' || '{"sendAgain": true, "sentAgain": true}' WHERE id = ${refundId}`.execute(
    tx,
  );

/**
 * For each refund of a charge that was refused and that nobody is asked for yet, now that it is known what has gone back:
 * it is sent once more, and only once, where that was the reason and the gateway has so much left; else a person has to
 * send it.
 */
export async function seeToRefusedRefunds(tx: Tx, paymentId: string, leftAtGatewayMinor: number): Promise<void> {
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
    // What is disputed is taken already: whether the guest is still owed anything is decided with the dispute.
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
      await sendAgain(tx, id);
    } else await callForManualRefund(tx, id, created_by_saga ?? id);
  }
}
