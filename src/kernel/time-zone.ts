import { RoomyError } from './errors.ts';

/**
 * Names of time zones, judged by `Temporal`, which computes with them, and by `Intl`, which writes them out. `Intl` alone
 * takes more: `IST` and `ACT`, of which Postgres thinks differently and Temporal nothing at all. Names that both take, Postgres
 * knows too (test/integration/shared-values.test.ts).
 */

/** An offset such as `+04:00` is no name: it knows no summer time. */
const NAME = /^[A-Za-z][A-Za-z0-9_+/-]{0,63}$/;

const known = new Map<string, string | null>();
const MAX_KNOWN = 2_000;

/** `asia/dubai` is `Asia/Dubai`; null for what is no IANA zone. */
export function canonicalTimeZone(name: string): string | null {
  const found = known.get(name);
  if (found !== undefined) return found;
  const canonical = NAME.test(name) ? lookUp(name) : null;
  if (known.size < MAX_KNOWN) known.set(name, canonical);
  return canonical;
}

export const isTimeZone = (name: string): boolean => canonicalTimeZone(name) !== null;

function lookUp(name: string): string | null {
  try {
    const { timeZoneId } = Temporal.Instant.fromEpochMilliseconds(0).toZonedDateTimeISO(name);
    return new Intl.DateTimeFormat('en', { timeZone: timeZoneId }) && timeZoneId;
  } catch {
    return null;
  }
}

const usable = new Map<string, boolean>();

/**
 * A zone that was saved, as `Temporal` needs it. Rows from before zones were judged as they are now may hold one that does
 * not exist: a request about such a row is refused with that reason, and no other request is. Throws `TIME_ZONE_UNKNOWN`.
 */
export function savedZone(name: string): string {
  const found = usable.get(name);
  const isUsable = found ?? lookUp(name) !== null;
  if (found === undefined && usable.size < MAX_KNOWN) usable.set(name, isUsable);
  if (isUsable) return name;
  const shown = name.slice(0, MAX_SHOWN);
  throw new RoomyError('TIME_ZONE_UNKNOWN', {
    text: `The time zone that is saved does not exist: ${shown}`,
    details: { timeZone: shown },
  });
}
const MAX_SHOWN = 64;
