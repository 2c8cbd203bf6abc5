/** By its IANA name, as `Temporal` knows it, which works with it: `Intl` also takes abbreviations. An offset knows no summer time. */
export function isTimeZone(zone: string): boolean {
  try {
    return /^[A-Za-z]/.test(zone) && Temporal.Instant.fromEpochMilliseconds(0).toZonedDateTimeISO(zone) !== undefined;
  } catch {
    return false;
  }
}
