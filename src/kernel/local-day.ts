import { savedZone } from './time-zone.ts';

/** The wall clock of a zone at an instant, as shifts and daily caps need it. */
export interface LocalMoment {
  /** ISO, 1 = Monday. */
  readonly weekday: number;
  /** Of the day's wall clock, 0 to 1439. */
  readonly minute: number;
  readonly date: string;
  /** The calendar day, as instants in milliseconds; 23 to 25 hours. */
  readonly dayStartMs: number;
  readonly dayEndMs: number;
}

const MAX_KNOWN = 20_000;
/** The same half hours are asked for again and again, once for each person; finding out costs a hundred times the look-up. */
const known = new Map<string, LocalMoment>();

export function localMoment(atMs: number, timeZone: string): LocalMoment {
  const key = `${timeZone} ${atMs}`;
  const found = known.get(key);
  if (found) return found;
  const at = Temporal.Instant.fromEpochMilliseconds(atMs).toZonedDateTimeISO(savedZone(timeZone));
  const start = at.startOfDay();
  const moment: LocalMoment = {
    weekday: at.dayOfWeek,
    minute: at.hour * 60 + at.minute,
    date: at.toPlainDate().toString(),
    dayStartMs: start.epochMilliseconds,
    dayEndMs: start.add({ days: 1 }).startOfDay().epochMilliseconds,
  };
  if (known.size >= MAX_KNOWN) known.clear();
  known.set(key, moment);
  return moment;
}
