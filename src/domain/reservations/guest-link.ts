import { type RawBuilder, type SqlBool, sql } from 'kysely';
import type { LinkSeal } from '../../kernel/link-seal.ts';
import { isInForce } from '../people/standing.ts';

/** The link by which a guest sees one stay without an account: whose it is, and how long it opens (domain.md 12). */

const KIND = 'guest-stay';
/** Whole days at the property after the day of the departure: as long as a receipt is looked up, or a refund is on its way. */
const DAYS_AFTER = 14;

/** Of a stay `r` at a property `p`: the first instant at which its link does not open any more. */
export const guestLinkEndsAt: RawBuilder<Date> = sql<Date>`((r.check_out_date + ${DAYS_AFTER}::int + 1)::timestamp AT TIME ZONE p.time_zone)`;

/** Whether the link of a stay `r` at a property `p` opens now; whose it is has to be compared besides. */
export const opensToGuest: RawBuilder<SqlBool> = sql<SqlBool>`(r.guest_id IS NOT NULL AND r.status <> 'CANCELLED'
  AND ${guestLinkEndsAt} > now() AND ${isInForce(sql`r.guest_id`)})`;

/** What the address of the page ends with. */
export const guestLinkToken = (links: Pick<LinkSeal, 'sealLasting'>, reservationId: string, guestId: string): string =>
  links.sealLasting(KIND, reservationId, guestId);

/** Which stay, and which guest's link it is. Throws `NOT_FOUND` for what is none of ours. */
export function readGuestLink(
  links: Pick<LinkSeal, 'open'>,
  token: string,
): { readonly reservationId: string; readonly guestId: string } {
  const { id, holder } = links.open(KIND, token);
  return { reservationId: id, guestId: holder };
}

/** Where the page is. `publicUrl`: of the API, as people reach it. */
export const guestLinkAddress = (publicUrl: string, token: string): string => `${publicUrl}/stay/${token}`;
