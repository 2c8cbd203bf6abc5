import type { LinkSeal } from '../../kernel/link-seal.ts';
import { guestLinkToken } from '../reservations/guest-link.ts';
import type { Facts } from './delivery-facts.ts';

/** A mail to the guest of a stay has the link to the page of that stay, where its text names it. */
export function withStayLink(facts: Facts | undefined, links: Pick<LinkSeal, 'sealLasting'>): Facts | undefined {
  if (!facts || facts.reservationId === null || facts.linkedGuestId === null) return facts;
  return { ...facts, stayToken: guestLinkToken(links, facts.reservationId, facts.linkedGuestId) };
}
