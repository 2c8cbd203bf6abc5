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

/** Local `HH:MM` of one clock; the same twice: no hours are quiet. */
export type QuietSpan = Pick<QuietHours, 'from' | 'to'>;

/**
 * The instant until which so many minutes have passed since `start`, of which those in the quiet hours of `timeZone` do
 * not count. It never falls into them: what would end as they begin, ends then. Nights on which the clock is changed
 * are as long as they are.
 */
export function afterMinutesAwake(start: Date, minutes: number, { from, to }: QuietSpan, timeZone: string): Date {
  let leftMs = minutes * 60_000;
  if (from === to) return new Date(start.getTime() + leftMs);
  const [begins, ends] = [Temporal.PlainTime.from(from), Temporal.PlainTime.from(to)];
  const overnight = Temporal.PlainTime.compare(begins, ends) > 0;
  let at = start.getTime();
  // The day before: its night may not be over.
  let day = Temporal.Instant.fromEpochMilliseconds(at)
    .toZonedDateTimeISO(savedZone(timeZone))
    .toPlainDate()
    .subtract({ days: 1 });
  for (;;) {
    const quietMs = instantOf(day, begins, timeZone).getTime();
    const awakeMs = instantOf(overnight ? day.add({ days: 1 }) : day, ends, timeZone).getTime();
    if (leftMs <= quietMs - at) return new Date(at + leftMs);
    // Nothing is left of hours that the clock leaps over.
    if (at < awakeMs && quietMs < awakeMs) {
      leftMs -= Math.max(0, quietMs - at);
      at = awakeMs;
    }
    day = day.add({ days: 1 });
  }
}

/** A time that does not exist on that night moves forward by the gap, one that comes twice is the earlier. */
const instantOf = (day: Temporal.PlainDate, time: Temporal.PlainTime, timeZone: string): Date =>
  new Date(
    day.toPlainDateTime(time).toZonedDateTime(savedZone(timeZone), { disambiguation: 'compatible' }).epochMilliseconds,
  );
