import type { Channel } from '../../db/schema.ts';
import { savedZone } from '../../kernel/time-zone.ts';

/**
 * When nobody is to be woken (domain.md 12): 21:00 to 09:00 on the recipient's own clock, SMS only unless the rules say
 * otherwise.
 */

export interface QuietHours {
  /** Local `HH:MM`; the same twice: no hours are quiet. */
  readonly from: string;
  readonly to: string;
  /** When a message goes that would be too late in the morning; before `from`. */
  readonly lastCall: string;
  readonly channels: readonly Channel[];
}

export interface Waking {
  readonly channel: Channel;
  /** IANA zone of the recipient. */
  readonly timeZone: string;
  /** It may not go before this. */
  readonly notBefore: Date;
  /** Worth nothing after this; null: it never is. */
  readonly notAfter: Date | null;
}

/**
 * When a message that is due at `due` goes: then, when the quiet hours end, or at the last call before them where the
 * morning is too late. Null: there is no such time.
 */
export function outsideQuietHours(due: Date, quiet: QuietHours, waking: Waking): Date | null {
  if (!quiet.channels.includes(waking.channel)) return due;
  const local = Temporal.Instant.fromEpochMilliseconds(due.getTime()).toZonedDateTimeISO(savedZone(waking.timeZone));
  const time = local.toPlainTime();
  const from = Temporal.PlainTime.from(quiet.from);
  const to = Temporal.PlainTime.from(quiet.to);
  if (!isWithin(time, from, to)) return due;
  const day = local.toPlainDate();
  const isEvening = Temporal.PlainTime.compare(from, to) > 0 && Temporal.PlainTime.compare(time, from) >= 0;
  const morning = instantOf(isEvening ? day.add({ days: 1 }) : day, to, waking.timeZone);
  if (waking.notAfter === null || morning <= waking.notAfter) return morning;
  const overnight = Temporal.PlainTime.compare(from, to) > 0;
  const lastCall = instantOf(
    overnight && !isEvening ? day.subtract({ days: 1 }) : day,
    Temporal.PlainTime.from(quiet.lastCall),
    waking.timeZone,
  );
  return lastCall >= waking.notBefore && lastCall <= due ? lastCall : null;
}

function isWithin(time: Temporal.PlainTime, from: Temporal.PlainTime, to: Temporal.PlainTime): boolean {
  const { compare } = Temporal.PlainTime;
  if (compare(from, to) <= 0) return compare(time, from) >= 0 && compare(time, to) < 0;
  return compare(time, from) >= 0 || compare(time, to) < 0;
}

/** A time that does not exist on that night moves forward by the gap, one that comes twice is the earlier. */
const instantOf = (day: Temporal.PlainDate, time: Temporal.PlainTime, timeZone: string): Date =>
  new Date(
    day.toPlainDateTime(time).toZonedDateTime(savedZone(timeZone), { disambiguation: 'compatible' }).epochMilliseconds,
  );
