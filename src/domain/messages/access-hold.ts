import type { RecipientType } from '../../db/schema.ts';
import { ACCESS_BEHIND } from '../notifications/held.ts';
import type { Facts } from './delivery-facts.ts';
import type { Verdict } from './delivery-rows.ts';
import { variablesOf } from './render.ts';
import type { Text } from './texts.ts';
import { DEPARTURE_VARIABLES, timesOf } from './variables/stay.ts';

const LOOK_AGAIN_MS = 60_000;

/**
 * A guest in the house reads of no departure at which the door would have locked them out: the text waits until the
 * device serves so long, which wakes it. It needs a person where the device will not; and it goes where a person has
 * closed that saga, having let the guest in another way. Null: it may go.
 */
export function heldForAccess(
  text: Pick<Text, 'subject' | 'message'>,
  recipientType: RecipientType,
  facts: Facts,
  now: Date,
): Verdict | null {
  const { accessUntil, accessChange, reservationStatus } = facts;
  if (recipientType !== 'GUEST' || reservationStatus !== 'CHECKED_IN' || accessUntil === null) return null;
  const namesDeparture = [text.subject, text.message].some((part) =>
    variablesOf(part).some((name) => DEPARTURE_VARIABLES.has(name)),
  );
  const departure = timesOf(facts)?.departure.instant;
  if (!namesDeparture || departure === undefined || departure <= accessUntil.toISOString()) return null;
  if (accessChange === 'resolved') return null;
  // A person may have had the device asked for an earlier time, which nobody asks it to change any more.
  if (accessChange === 'compensated' || accessChange === 'completed')
    return { status: 'BLOCKED', reason: ACCESS_BEHIND };
  return { status: 'WAIT', until: new Date(now.getTime() + LOOK_AGAIN_MS), reason: ACCESS_BEHIND };
}
