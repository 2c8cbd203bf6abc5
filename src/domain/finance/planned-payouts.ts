import { sql } from 'kysely';
import type { Db, Tx } from '../../db/client.ts';
import { literal } from '../../db/literal.ts';
import { required } from '../../kernel/errors.ts';
import { propertyTimesOf, stayDatesOf, stayTimes } from '../reservations/stay-plan.ts';
import { payoutDueAt } from './payout-schedule.ts';
import { reducePayout, reschedulePayout } from './store/payouts.ts';
import { readTerms } from './terms.ts';
import { mayMove } from './transitions.ts';

/** Payouts of a stay that have not been paid yet: when they fall due, and their reductions. */

/** The owner's own payout policy, and the instants of arrival and departure from which policies count (domain.md 8). */
export async function payoutMoments(db: Db | Tx, reservationId: string) {
  const row = await db
    .selectFrom('reservation as r')
    .innerJoin('property as p', 'p.id', 'r.property_id')
    .innerJoin('owner as o', 'o.id', 'p.owner_id')
    .select([
      'r.check_in_date',
      'r.check_out_date',
      'r.planned_arrival',
      'r.planned_departure',
      'p.time_zone',
      'p.check_in_time',
      'p.check_out_time',
      sql<string | null>`o.payout_terms ->> 'policy'`.as('policy'),
    ])
    .where('r.id', '=', reservationId)
    .executeTakeFirstOrThrow();
  const { arrival, departure } = stayTimes(stayDatesOf(row), propertyTimesOf(row));
  return {
    policy: row.policy,
    timeZone: row.time_zone,
    checkInAt: new Date(arrival.instant),
    checkOutAt: new Date(departure.instant),
  };
}

/**
 * The arrival or departure has another time: the payouts of the stay's payments that are not paid yet fall due by it, as if
 * the payments were made now (domain.md 8).
 */
export async function reschedulePayouts(tx: Tx, reservationId: string): Promise<void> {
  const open = await tx
    .selectFrom('transaction as t')
    .innerJoin('payment as y', 'y.id', 't.payment_id')
    .innerJoin('saga as s', 's.id', 'y.saga_id')
    // The owner of the payout: the property may have been sold since.
    .innerJoin('owner as o', 'o.id', 't.owner_id')
    .select(['t.id', 't.scheduled_for', 't.distribution_version', 's.requested_at'])
    .select(sql<string | null>`o.payout_terms ->> 'policy'`.as('own_policy'))
    .where('t.reservation_id', '=', reservationId)
    .where('t.type', '=', literal('OWNER_PAYOUT'))
    .where(mayMove('reschedulePayout', sql.ref('t.status')))
    .whereRef('t.created_by_saga', '=', 'y.saga_id')
    .forUpdate('t')
    .execute();
  if (open.length === 0) return;
  const at = await payoutMoments(tx, reservationId);
  for (const { id, scheduled_for, distribution_version, requested_at, own_policy } of open) {
    const policy =
      own_policy ?? (await readTerms(tx, required(distribution_version, 'the terms of a payout'))).payoutPolicy;
    const due = payoutDueAt(policy, { ...at, paidAt: requested_at });
    if (due.getTime() === scheduled_for?.getTime()) continue;
    await reschedulePayout(tx, id, due);
  }
}

/**
 * Takes `amountMinor` (minor units) off the payouts of a stay that are not paid yet, the newest first; one that failed is owed
 * like the others (domain.md 8). Answers the part that is left when there are no more: the owner owes it.
 */
export async function reducePayouts(tx: Tx, reservationId: string, amountMinor: number): Promise<number> {
  const open = await tx
    .selectFrom('transaction')
    .select(['id', 'amount_minor'])
    .where('reservation_id', '=', reservationId)
    .where('type', '=', literal('OWNER_PAYOUT'))
    .where(mayMove('reducePayout'))
    .orderBy('created_at', 'desc')
    .orderBy('id', 'desc')
    .forUpdate()
    .execute();
  let leftMinor = amountMinor;
  for (const payout of open) {
    const takenMinor = Math.min(leftMinor, payout.amount_minor);
    if (takenMinor === 0) break;
    leftMinor -= takenMinor;
    await reducePayout(tx, payout.id, payout.amount_minor - takenMinor);
  }
  return leftMinor;
}
