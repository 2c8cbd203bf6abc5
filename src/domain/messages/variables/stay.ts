import { sql } from 'kysely';
import type { ReservationStatus } from '../../../db/schema.ts';
import { guestLinkAddress, opensToGuest } from '../../reservations/guest-link.ts';
import { stayTimes } from '../../reservations/stay-plan.ts';
import type { Facts } from '../delivery-facts.ts';
import { type Uses, type Variable, variable } from './variable.ts';

/** The stay that a message is about: the reservation `r` of a notification `n`. */

export const stayColumns = ({ mayUse }: Uses) =>
  [
    // Whose link to the page of the stay this message may have: the guest's own, as long as the stay is.
    sql<
      string | null
    >`CASE WHEN ${mayUse('stayUrl')} AND n.recipient_type = 'GUEST' AND n.recipient_id = r.guest_id AND ${opensToGuest}
    THEN r.guest_id END`.as('linkedGuestId'),
    sql<string | null>`r.id`.as('reservationId'),
    sql<ReservationStatus | null>`r.status`.as('reservationStatus'),
    sql<string | null>`r.check_in_date`.as('checkInDate'),
    sql<string | null>`r.check_out_date`.as('checkOutDate'),
    sql<string | null>`r.planned_arrival`.as('plannedArrival'),
    sql<string | null>`r.planned_departure`.as('plannedDeparture'),
    sql<number | null>`r.total_minor`.as('totalMinor'),
    sql<string | null>`r.currency`.as('currency'),
  ] as const;

/** The arrival and the departure as agreed with the guest. Null: the message is about no stay. */
export function timesOf(facts: Facts): ReturnType<typeof stayTimes> | null {
  const { checkInDate, checkOutDate, timeZone, checkInTime, checkOutTime } = facts;
  if (checkInDate === null || checkOutDate === null) return null;
  if (timeZone === null || checkInTime === null || checkOutTime === null) return null;
  return stayTimes({ ...facts, checkInDate, checkOutDate }, { timeZone, checkInTime, checkOutTime });
}

export const STAY_VARIABLES = {
  reservationId: variable('id', 'reservation-1', ({ reservationId }) => reservationId),
  checkInDate: variable('date', '1 June 2027', ({ checkInDate }, { day }) => checkInDate && day(checkInDate)),
  // The wall clock at the property, with the name of its zone: a guest reads it far away.
  checkInTime: variable('time', '15:00 (Asia/Dubai)', ({ checkInDate }, { wallClock, times }) =>
    wallClock(times?.arrival, checkInDate),
  ),
  checkOutDate: variable('date', '4 June 2027', ({ checkOutDate }, { day }) => checkOutDate && day(checkOutDate)),
  checkOutTime: variable('time', '11:00 (Asia/Dubai)', ({ checkOutDate }, { wallClock, times }) =>
    wallClock(times?.departure, checkOutDate),
  ),
  arrivalTime: variable('time', '15:00 (Gulf Standard Time)', ({ checkInDate }, { spokenClock, times }) =>
    spokenClock(times?.arrival, checkInDate),
  ),
  departureTime: variable('time', '11:00 (Gulf Standard Time)', ({ checkOutDate }, { spokenClock, times }) =>
    spokenClock(times?.departure, checkOutDate),
  ),
  // Without a link there is still the rest of the text to say.
  stayUrl: variable(
    'url',
    'https://roomy.example/stay/example',
    ({ stayToken }, { publicUrl }) =>
      publicUrl === null || stayToken === undefined ? null : guestLinkAddress(publicUrl, stayToken),
    { optional: true },
  ),
} as const satisfies Readonly<Record<string, Variable>>;

/** Those in which a text names the hour of the departure. */
export const DEPARTURE_VARIABLES: ReadonlySet<string> = new Set(['checkOutTime', 'departureTime']);

/** The variables of nearly every message about a stay. */
export const STAY = [
  'reservationId',
  'propertyName',
  'checkInDate',
  'checkInTime',
  'checkOutDate',
  'checkOutTime',
] as const;
