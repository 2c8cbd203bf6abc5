import { type ExpressionBuilder, type SelectQueryBuilder, sql } from 'kysely';
import { jsonObjectFrom } from 'kysely/helpers/postgres';
import type { Db } from '../../db/client.ts';
import { literal } from '../../db/literal.ts';
import type { Database } from '../../db/schema.ts';
import { CATALOGUE, type ErrorCode, RoomyError } from '../../kernel/errors.ts';
import { areNightsTaken, occupiedBy } from './availability.ts';
import { amountOutstandingOf, capturedOf, refundableOfStay, refundStatusOf } from './payment-status.ts';
import { type ActionFacts, refusalOfAction } from './refusals.ts';
import { OFFERED_ACTIONS, type OfferedAction } from './state-machine.ts';

/** The actions that are possible on a stay now, and why the others are not. The stay's own row has all that decides it. */

export interface ActionView {
  readonly action: OfferedAction;
  readonly allowed: boolean;
  readonly reason: { readonly code: ErrorCode; readonly message: string } | null;
}
/** Every action with an endpoint, and why it would be refused, if it would. */
export const actionsOf = (facts: ActionFacts): ActionView[] =>
  OFFERED_ACTIONS.map((action) => {
    const code = refusalOfAction(action, facts);
    return { action, allowed: code === null, reason: code && { code, message: CATALOGUE[code].text } };
  });

/** The names of the actions that are allowed. */
export const allowedOf = (actions: readonly ActionView[]): OfferedAction[] =>
  actions.filter(({ allowed }) => allowed).map(({ action }) => action);

/** Stays with the saga at work on them and what decides about their actions: each by an index, where the status asks for it. */
export function selectStays(db: Db) {
  return db
    .selectFrom('reservation')
    .selectAll('reservation')
    .select((eb) => [
      eb
        .selectFrom('saga')
        .select('saga.id')
        .where('saga.subject_type', '=', 'reservation')
        .whereRef('saga.subject_id', '=', 'reservation.id')
        .where('saga.finished_at', 'is', null)
        .limit(1)
        .as('active_saga_id'),
      eb
        .exists(
          eb
            .selectFrom('saga')
            .where('saga.subject_type', '=', 'reservation')
            .whereRef('saga.subject_id', '=', 'reservation.id')
            .where('saga.finished_at', 'is', null)
            // One that only waits for an approval holds none.
            .where((held) =>
              held.or([held('saga.holds_state', '=', literal(true)), held('saga.holds_money', '=', literal(true))]),
            ),
        )
        .as('is_busy'),
      eb
        .exists(
          eb
            .selectFrom('saga')
            .where('saga.subject_type', '=', 'reservation')
            .whereRef('saga.subject_id', '=', 'reservation.id')
            .where('saga.finished_at', 'is', null)
            .where('saga.holds_money', '=', literal(true)),
        )
        .as('is_money_busy'),
      capturedOf('reservation.id').as('paid_minor'),
      refundableOfStay('reservation.id').as('refundable_minor'),
      refundStatusOf('reservation.id').as('refund_status'),
      sql<number>`CASE WHEN reservation.status IN ('CONFIRMED', 'CHECKED_IN') THEN ${amountOutstandingOf('reservation')} ELSE 0 END`.as(
        'outstanding_minor',
      ),
      sql<boolean>`reservation.status = 'PENDING' AND ${areNightsTaken('reservation')}`.as('taken'),
      sql<string | null>`CASE WHEN reservation.status = 'CONFIRMED' THEN ${occupiedBy('reservation')} END`.as(
        'occupied_by',
      ),
      propertyOf(eb).as('place'),
      sql<Date>`now()`.as('now'),
    ]);
}
const propertyOf = (eb: ExpressionBuilder<Database, 'reservation'>) =>
  jsonObjectFrom(
    eb
      .selectFrom('property')
      .select(['property.time_zone', 'property.readiness', 'property.inspection_required', 'property.strict_checks'])
      .whereRef('property.id', '=', 'reservation.property_id'),
  ).$notNull();

export type StayRow =
  ReturnType<typeof selectStays> extends SelectQueryBuilder<Database, 'reservation', infer Row> ? Row : never;

/** The facts of a stay's row by which its actions are decided; amounts in minor units. */
export const factsOf = (row: StayRow): ActionFacts => ({
  ...row,
  ...row.place,
  isBusy: Boolean(row.is_busy),
  isMoneyBusy: Boolean(row.is_money_busy),
  isBlock: row.guest_id === null,
  totalMinor: row.total_minor,
  outstandingMinor: row.total_minor - row.paid_minor,
  refundableMinor: row.refundable_minor,
});

/**
 * The details of every refusal of an action: what would be accepted instead, once the saga that is refused is over.
 * Throws `RESERVATION_NOT_FOUND`.
 */
export async function refusalDetails(db: Db, reservationId: string, action: string) {
  const row = await selectStays(db).where('reservation.id', '=', reservationId).executeTakeFirst();
  if (!row) throw new RoomyError('RESERVATION_NOT_FOUND', { details: { id: reservationId } });
  const actions = actionsOf({ ...factsOf(row), isBusy: false, isMoneyBusy: false });
  return { currentStatus: row.status, action, allowedActions: allowedOf(actions), actions };
}

/** How an action that the stay's status does not permit, or that has just lost a race, is refused. */
export const transitionError = async (db: Db, reservationId: string, action: OfferedAction): Promise<RoomyError> =>
  new RoomyError('INVALID_STATE_TRANSITION', { details: await refusalDetails(db, reservationId, action) });
