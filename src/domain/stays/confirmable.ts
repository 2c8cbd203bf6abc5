import { type RawBuilder, sql } from 'kysely';
import type { Db } from '../../db/client.ts';
import { compiledOnce } from '../../db/compiled-once.ts';
import { isUnreachable } from '../../db/errors.ts';
import { createBatcher } from '../../kernel/batcher.ts';
import { RoomyError } from '../../kernel/errors.ts';
import { localDate, meetingInstant } from '../../kernel/local-time.ts';
import { transitionError } from '../reservations/actions.ts';
import { areNightsTaken, findConflict } from '../reservations/availability.ts';
import { boundTermsOf } from '../reservations/bound-terms.ts';
import { refusalOfConfirm } from '../reservations/refusals.ts';
import { planStay, propertyClockOf, type StayPlan, stayDatesOf } from '../reservations/stay-plan.ts';
import { planTurnover } from '../tasks/planned-turnover.ts';
import { isTimedByHand, leavesBefore } from '../tasks/turnover.ts';

/** The facts that a confirmation decides by: ids, dates and flags, never a name or an address. */
export type StayFacts = {
  readonly propertyId: string;
  readonly ownerId: string;
  readonly guestId: string;
  readonly guestHasPhone: boolean;
  readonly currency: string;
  readonly amountMinor: number;
  /** The income split in force when the request was accepted. */
  readonly distributionVersion: number;
  readonly plan: {
    readonly [Task in keyof StayPlan]: { readonly [Field in keyof StayPlan[Task]]: StayPlan[Task][Field] };
  };
  readonly warnings: readonly string[];
};

interface StayRequest {
  readonly db: Db;
  readonly reservationId: string;
  readonly requestedAt: Date;
}

/**
 * Refuses early what cannot be confirmed. A courtesy: the guarantee is the exclusion constraint that the status change
 * meets. Past dates are warnings, never errors (domain.md T9).
 */
export async function assertConfirmable({ db, reservationId, requestedAt }: StayRequest): Promise<StayFacts> {
  const row = await loaderOf(db)({ reservationId, requestedAt: requestedAt.toISOString() });
  if (!row || row.guest_id === null) throw new RoomyError('RESERVATION_NOT_FOUND', { details: { id: reservationId } });
  const refusal = refusalOfConfirm(row);
  if (refusal === 'RESERVATION_CONFLICT') throw await conflictError(db, reservationId);
  if (refusal !== null) throw await transitionError(db, reservationId, 'confirm');
  const plan = planStay(stayDatesOf(row), propertyClockOf(row));
  // The next guest's arrival, if another confirmed stay begins on the day this one ends.
  const nextArrival =
    row.next_arrival === null ? null : meetingInstant(row.check_out_date, row.next_arrival, row.time_zone);
  const { cleaning: postDepartureCleaning, isTooShort } = await planTurnover(
    db,
    plan.postDepartureCleaning,
    nextArrival,
  );
  return {
    propertyId: row.property_id,
    ownerId: row.owner_id,
    guestId: row.guest_id,
    guestHasPhone: row.guest_has_phone,
    currency: row.currency,
    amountMinor: row.total_minor,
    distributionVersion: row.distribution_version,
    plan: { ...plan, postDepartureCleaning },
    warnings: warningsOf(
      row.check_in_date,
      localDate(requestedAt, row.time_zone),
      isTooShort ||
        (row.previous_cleaning_ends !== null &&
          row.previous_cleaning_ends > new Date(plan.preArrivalCleaning.mustFinishBy ?? 0)),
    ),
  };
}

function warningsOf(checkInDate: string, today: string, isTurnoverTooShort: boolean): string[] {
  const warnings: string[] = [];
  if (checkInDate < today) warnings.push('CHECK_IN_IN_PAST');
  if (isTurnoverTooShort) warnings.push('TURNOVER_TOO_SHORT');
  return warnings;
}

/** The refusal when other nights of the property are in the way, with the brief's body: the stay and dates in conflict. */
export async function conflictError(db: Db, reservationId: string): Promise<RoomyError> {
  const conflict = await findConflict(db, reservationId);
  return new RoomyError('RESERVATION_CONFLICT', conflict ? { details: conflict } : {});
}

type StayLoader = ReturnType<typeof createStayLoader>;
const loaders = new WeakMap<Db, StayLoader>();

/** One loader a database, so that stays asked for at once are read together. */
function loaderOf(db: Db): StayLoader {
  const known = loaders.get(db) ?? createStayLoader(db);
  loaders.set(db, known);
  return known;
}

function createStayLoader(db: Db) {
  return createBatcher(
    async (requests: readonly { readonly reservationId: string; readonly requestedAt: string }[]) => {
      const rows = await selectStays(db, JSON.stringify(requests));
      const byId = new Map(rows.map((row) => [row.id, row]));
      return requests.map(({ reservationId }) => byId.get(reservationId) ?? null);
    },
    { maxBatch: 32, maxInFlight: 2, failTogether: isUnreachable },
  );
}

/** The stays of a JSON array of `reservationId` and `requestedAt`. */
const selectStays = compiledOnce((db, requests: RawBuilder<string>) => {
  const asked = sql<{ reservation_id: string; requested_at: Date }>`(SELECT i ->> 'reservationId' AS reservation_id,
    (i ->> 'requestedAt')::timestamptz AS requested_at FROM few_items(${requests}::jsonb) AS i)`;
  return db
    .selectFrom(asked.as('asked'))
    .innerJoin('reservation as r', 'r.id', 'asked.reservation_id')
    .innerJoin('property as p', 'p.id', 'r.property_id')
    .leftJoin('guest as g', 'g.id', 'r.guest_id')
    .select([
      'r.id',
      'r.status',
      'r.property_id',
      'r.guest_id',
      'r.check_in_date',
      'r.check_out_date',
      'r.planned_arrival',
      'r.planned_departure',
      'r.currency',
      'r.total_minor',
      'p.owner_id',
      'p.time_zone',
      'p.check_in_time',
      'p.check_out_time',
      'p.cleaning_minutes',
    ])
    .select((eb) => [
      sql<boolean>`coalesce(g.phone, '') <> ''`.as('guest_has_phone'),
      areNightsTaken('r').as('taken'),
      eb
        .selectFrom('reservation as o')
        .select(sql<string>`coalesce(o.planned_arrival, p.check_in_time)`.as('at'))
        .whereRef('o.property_id', '=', 'r.property_id')
        .whereRef('o.check_in_date', '=', 'r.check_out_date')
        // Nobody moves in with a repair.
        .where('o.kind', '<>', 'MAINTENANCE_BLOCK')
        .where(sql<boolean>`o.status IN ('CONFIRMED', 'CHECKED_IN')`)
        .limit(1)
        .as('next_arrival'),
      // Of the stay that leaves on the day when this one arrives.
      sql<Date | null>`(SELECT CASE WHEN ${isTimedByHand('t')} THEN coalesce(t.slot_end, t.ends_at) ELSE t.ends_at END
         FROM reservation o JOIN task t ON t.reservation_id = o.id WHERE ${leavesBefore('o', 'r')}
           AND t.occurrence = 'POST_DEPARTURE' AND t.status IN ('UNASSIGNED', 'ASSIGNED') ORDER BY o.id LIMIT 1)`.as(
        'previous_cleaning_ends',
      ),
      boundTermsOf(sql`asked.requested_at`).as('distribution_version'),
    ])
    .compile();
});
