import { sql } from 'kysely';
import type { Db } from '../../db/client.ts';
import type { ReservationStatus, StayCheck } from '../../db/schema.ts';
import { RoomyError } from '../../kernel/errors.ts';
import { localDate, meetingInstant } from '../../kernel/local-time.ts';
import { toMajor } from '../../kernel/money.ts';
import { accessEnd } from '../properties/amenities.ts';
import { transitionError } from '../reservations/actions.ts';
import { occupiedBy } from '../reservations/availability.ts';
import { amountOutstandingOf } from '../reservations/payment-status.ts';
import { failedChecks, leavesBeforeArrival, refusedChecks, type VisitState } from '../reservations/refusals.ts';
import { type OfferedAction, refusalOfStatus } from '../reservations/state-machine.ts';
import {
  type PlannedTask,
  planCleaningAfter,
  planStay,
  preArrivalCleaningAt,
  propertyClockOf,
  stayDatesOf,
} from '../reservations/stay-plan.ts';
import { planTurnover } from '../tasks/planned-turnover.ts';

/**
 * Whether a guest may arrive or leave, and the facts that the saga of it decides by (domain.md 2). Early, late, unpaid and
 * not ready are warnings; the property, or the request, may make refusals of some.
 */

export interface VisitRequest {
  readonly reservationId: string;
  /** ISO instant at which it really happened; null: when the request was accepted. */
  readonly actualTime: string | null;
  /** Every check refuses, whatever the property says. */
  readonly strict: boolean;
}

export type VisitFacts = {
  readonly reservationId: string;
  readonly propertyId: string;
  readonly ownerId: string;
  readonly guestId: string;
  readonly guestHasPhone: boolean;
  /** ISO instant. */
  readonly actualAt: string;
  readonly checkOut: Flat<PlannedTask>;
  readonly postDepartureCleaning: Flat<PlannedTask>;
  readonly warnings: readonly string[];
};
/** The output of a step is JSON, which an interface is not assignable to. */
type Flat<T> = { readonly [K in keyof T]: T[K] };
export type ArrivalFacts = VisitFacts & {
  readonly device: string | null;
  /** ISO instant until which the devices serve the guest: the departure as planned, or a day for one who comes after it. */
  readonly until: string;
};
export type DepartureFacts = VisitFacts & {
  /** The local day of the departure, when it is before the booked one. */
  readonly departureDate: string | null;
  /** The key under which that was asked for; null: nothing is known to be on. */
  readonly activationKey: string | null;
};

/** Throws `RESERVATION_NOT_FOUND`, `INVALID_STATE_TRANSITION`, `VALIDATION_FAILED` and, where it is strict, the check's own code. */
export async function assertMayCheckIn(db: Db, request: VisitRequest, requestedAt: Date): Promise<ArrivalFacts> {
  const stay = await readVisit(db, request.reservationId, 'check-in');
  const actualAt = actualTime(request, requestedAt);
  const today = localDate(new Date(actualAt), stay.time_zone);
  const checks = failedChecks(stay, 'check-in', new Date(actualAt));
  assertLenient(stay, checks, request.strict);
  const late = today > stay.check_in_date ? ['CHECK_IN_LATE'] : [];
  const { checkOut, ...own } = ownPlan(stay);
  const { cleaning } = await planTurnover(db, own.postDepartureCleaning, arrivalAfter(stay));
  return {
    ...partiesOf(stay, request, actualAt),
    checkOut,
    postDepartureCleaning: cleaning,
    device: stay.amenity_device,
    until: accessEnd(checkOut.scheduledAt, actualAt),
    warnings: [...checks, ...late],
  };
}

/** Throws as `assertMayCheckIn`. */
export async function assertMayCheckOut(db: Db, request: VisitRequest, requestedAt: Date): Promise<DepartureFacts> {
  const stay = await readVisit(db, request.reservationId, 'check-out');
  const actualAt = actualTime(request, requestedAt);
  if (leavesBeforeArrival(stay, new Date(actualAt))) throw invalid('must not be before the check-in');
  const today = localDate(new Date(actualAt), stay.time_zone);
  const checks = failedChecks(stay, 'check-out', new Date(actualAt));
  assertLenient(stay, checks, request.strict);
  const early = today < stay.check_out_date;
  // A guest who comes and goes before the first night still had the day of arrival.
  const beforeArrival = today < stay.check_in_date;
  const leftOn = beforeArrival ? stay.check_in_date : today;
  // A guest who leaves early leaves the next one's cleaning its own time, unless that has passed by now.
  const next = stay.next_arrival_date;
  const releasesNext = early && next !== null && actualAt <= preArrivalCleaningAt(next, propertyClockOf(stay));
  const nextArrival = releasesNext ? null : arrivalAfter(stay);
  const planned = planCleaningAfter(actualAt, propertyClockOf(stay));
  const { cleaning, isTooShort } = await planTurnover(db, planned, nextArrival);
  return {
    ...partiesOf(stay, request, actualAt),
    checkOut: ownPlan(stay).checkOut,
    postDepartureCleaning: cleaning,
    departureDate: early ? leftOn : null,
    activationKey: stay.activation_key,
    warnings: [
      ...checks,
      ...(early ? ['CHECK_OUT_EARLY'] : []),
      ...(today > stay.check_out_date ? ['CHECK_OUT_LATE'] : []),
      ...(isTooShort ? ['TURNOVER_TOO_SHORT'] : []),
    ],
  };
}

interface VisitRow extends VisitState {
  readonly status: ReservationStatus;
  readonly property_id: string;
  readonly owner_id: string;
  readonly guest_id: string | null;
  readonly guest_has_phone: boolean;
  readonly check_out_date: string;
  readonly planned_arrival: string | null;
  readonly planned_departure: string | null;
  readonly currency: string;
  readonly check_in_time: string;
  readonly check_out_time: string;
  readonly cleaning_minutes: number;
  readonly amenity_device: string | null;
  readonly next_arrival_date: string | null;
  /** Local, as planned or else the property's. */
  readonly next_arrival: string | null;
  readonly activation_key: string | null;
}

async function readVisit(
  db: Db,
  reservationId: string,
  action: OfferedAction,
): Promise<VisitRow & { readonly guest_id: string }> {
  const row = await selectVisit(db, reservationId);
  if (!row || row.guest_id === null) throw new RoomyError('RESERVATION_NOT_FOUND', { details: { id: reservationId } });
  if (refusalOfStatus(row.status, action) !== null) throw await transitionError(db, reservationId, action);
  return { ...row, guest_id: row.guest_id };
}

/** When a stay's tasks are due, as it stands now. Null when there is no such stay. */
export async function readVisitTimes(db: Db, reservationId: string) {
  const row = await selectVisit(db, reservationId);
  if (!row) return null;
  const plan = ownPlan(row);
  const { cleaning, isTooShort } = await planTurnover(db, plan.postDepartureCleaning, arrivalAfter(row));
  return { status: row.status, plan: { ...plan, postDepartureCleaning: cleaning }, isTurnoverTooShort: isTooShort };
}

async function selectVisit(db: Db, reservationId: string): Promise<VisitRow | undefined> {
  const { rows } = await sql<VisitRow>`
    SELECT r.status, r.property_id, p.owner_id, r.guest_id, coalesce(g.phone, '') <> '' AS guest_has_phone, r.check_in_date, r.check_out_date,
           r.planned_arrival, r.planned_departure, r.actual_check_in_at, r.currency, p.time_zone, p.check_in_time, p.check_out_time,
           p.cleaning_minutes, p.amenity_device, p.readiness, p.inspection_required, p.strict_checks,
           ${amountOutstandingOf('r')} AS outstanding_minor, ${occupiedBy('r')} AS occupied_by,
           next.check_in_date AS next_arrival_date, coalesce(next.planned_arrival, p.check_in_time) AS next_arrival,
           a.activation_key
      FROM reservation r JOIN property p ON p.id = r.property_id LEFT JOIN guest g ON g.id = r.guest_id
      LEFT JOIN amenity_grant a ON a.reservation_id = r.id AND a.status = 'ACTIVE'
      LEFT JOIN LATERAL (SELECT n.check_in_date, n.planned_arrival FROM reservation n WHERE n.property_id = r.property_id AND n.id <> r.id
         AND n.check_in_date = r.check_out_date AND n.kind <> 'MAINTENANCE_BLOCK' AND n.status IN ('CONFIRMED', 'CHECKED_IN') LIMIT 1) next ON true
     WHERE r.id = ${reservationId}`.execute(db);
  return rows[0];
}

function actualTime({ actualTime: given }: VisitRequest, requestedAt: Date): string {
  if (given === null) return requestedAt.toISOString();
  const at = new Date(given);
  if (at.getTime() > requestedAt.getTime() + CLOCK_SKEW_MS) throw invalid('must not be in the future');
  return at.toISOString();
}
/** Phones and front desks have clocks of their own. */
const CLOCK_SKEW_MS = 5 * 60_000;

const invalid = (message: string): RoomyError =>
  new RoomyError('VALIDATION_FAILED', { details: { issues: [{ path: 'actualTime', message }] } });

function assertLenient(stay: VisitRow, failed: readonly StayCheck[], strict: boolean): void {
  const refused = refusedChecks(stay, failed, strict);
  const [first] = refused;
  if (first === undefined) return;
  const balance = toMajor({ amountMinor: stay.outstanding_minor, currency: stay.currency });
  throw new RoomyError(first, {
    details: {
      checks: refused,
      ...(refused.includes('BALANCE_DUE') ? { outstanding: balance, currency: stay.currency } : {}),
      ...(refused.includes('PROPERTY_NOT_READY')
        ? { readiness: stay.readiness, ...(stay.occupied_by === null ? {} : { occupiedBy: stay.occupied_by }) }
        : {}),
      ...(refused.includes('CHECK_IN_TOO_EARLY') ? { checkInDate: stay.check_in_date } : {}),
    },
  });
}

const partiesOf = (
  stay: VisitRow & { readonly guest_id: string },
  { reservationId }: VisitRequest,
  actualAt: string,
) => ({
  reservationId,
  propertyId: stay.property_id,
  ownerId: stay.owner_id,
  guestId: stay.guest_id,
  guestHasPhone: stay.guest_has_phone,
  actualAt,
});

/** As if nobody came after it. */
const ownPlan = (stay: VisitRow) => planStay(stayDatesOf(stay), propertyClockOf(stay));

/** When the guest arrives who comes on the day when this one is to leave. */
const arrivalAfter = (stay: VisitRow): string | null =>
  stay.next_arrival_date === null
    ? null
    : meetingInstant(stay.next_arrival_date, stay.next_arrival ?? stay.check_in_time, stay.time_zone);
