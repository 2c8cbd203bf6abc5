import { sql } from 'kysely';
import type { Facts } from '../delivery-facts.ts';
import type { Printer } from '../print.ts';
import { type Uses, type Variable, variable } from './variable.ts';

/** The property `p` of the stay or of the task `t` that a notification is about. */

interface Contact {
  readonly name: string;
  readonly phone: string | null;
  readonly email: string | null;
}
interface CalendarFacts {
  readonly from: string | null;
  readonly to: string | null;
  readonly nextArrival: string | null;
}

/** Columns of the facts. Times of day are local `HH:MM` at the property. */
export const propertyColumns = ({ mayUse }: Uses) =>
  [
    sql<string | null>`p.name`.as('propertyName'),
    sql<boolean | null>`p.require_translation`.as('requireTranslation'),
    sql<string | null>`p.time_zone`.as('timeZone'),
    sql<string | null>`p.check_in_time`.as('checkInTime'),
    sql<string | null>`p.check_out_time`.as('checkOutTime'),
    sql<string | null>`p.address`.as('address'),
    // The first of the agents who look after the property.
    sql<Contact | null>`CASE WHEN ${mayUse('contact')} THEN (
    SELECT json_build_object('name', c.name, 'phone', c.phone, 'email', c.email) FROM staff c
     WHERE c.id = ANY(p.agent_ids) AND c.active ORDER BY array_position(p.agent_ids, c.id) LIMIT 1) END`.as('contact'),
    // The consequences for guests: nights that are taken, and the next arrival.
    sql<CalendarFacts | null>`CASE WHEN ${mayUse('calendarImpact')} AND t.id IS NOT NULL THEN (
  SELECT json_build_object(
    'from', (SELECT b.check_in_date::text FROM reservation b WHERE b.id = t.block_id),
    'to', (SELECT b.check_out_date::text FROM reservation b WHERE b.id = t.block_id),
    'nextArrival', (SELECT min(c.check_in_date)::text FROM reservation c WHERE c.property_id = p.id AND c.kind <> 'MAINTENANCE_BLOCK'
       AND c.status = 'CONFIRMED' AND c.check_in_date >= (now() AT TIME ZONE p.time_zone)::date))) END`.as('calendar'),
  ] as const;

export const PROPERTY = {
  propertyName: variable('text', 'Marina View 1204', ({ propertyName }) => propertyName),
  address: variable('text', 'Marina Walk 12, apartment 1204, Dubai', ({ address }) => address, { optional: true }),
  contact: variable('text', 'Sara Malik, +971 50 000 0020, sara@staff.example', contactOf, { optional: true }),
  calendarImpact: variable(
    'text',
    'nights are taken from 1 June 2027 to 3 June 2027; the next guest arrives on 5 June 2027',
    calendarImpact,
  ),
} as const satisfies Readonly<Record<string, Variable>>;

function contactOf({ contact }: Facts): string | null {
  return (
    contact && [contact.name, contact.phone, contact.email].filter((part) => part !== null && part !== '').join(', ')
  );
}

function calendarImpact({ calendar }: Facts, { day }: Printer): string | null {
  if (calendar === null) return null;
  const { from, to, nextArrival } = calendar;
  return [
    ...(from !== null && to !== null ? [`nights are taken from ${day(from)} to ${day(to)}`] : []),
    nextArrival === null ? 'nobody is expected' : `the next guest arrives on ${day(nextArrival)}`,
  ].join('; ');
}
