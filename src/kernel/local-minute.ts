/** `2026-11-30 03:12 (Asia/Dubai)`: an ISO instant for people, on the clock of an IANA time zone; what is no instant stays as it is. */
export function localMinute(instant: string, timeZone: string): string {
  const at = new Date(instant);
  if (Number.isNaN(at.getTime())) return instant;
  return `${new Intl.DateTimeFormat('sv-SE', { dateStyle: 'short', timeStyle: 'short', timeZone }).format(at)} (${timeZone})`;
}
