import { isTimeZone } from './time-zone.ts';

/** `2026-11-30 03:12 (Asia/Dubai)`: an ISO instant for people, on the clock of an IANA time zone; what is no instant stays as it is, and a zone that is none is UTC. */
export function localMinute(instant: string, timeZone: string): string {
  const at = new Date(instant);
  if (Number.isNaN(at.getTime())) return instant;
  const zone = isTimeZone(timeZone) ? timeZone : 'UTC';
  return `${new Intl.DateTimeFormat('sv-SE', { dateStyle: 'short', timeStyle: 'short', timeZone: zone }).format(at)} (${zone})`;
}
