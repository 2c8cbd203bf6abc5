import type { LinkSeal } from '../../kernel/link-seal.ts';
import { guestLinkToken } from '../reservations/guest-link.ts';
import type { Facts } from './delivery-facts.ts';

/** What makes the links of mails. */
export type LinkMaker = Pick<LinkSeal, 'sealLasting' | 'sealName'>;

/**
 * The links that a mail may have: to the page of the stay, for its guest, and to the question that its recipient is asked. They are made
 * here and kept nowhere.
 */
export function withLinks(facts: Facts | undefined, links: LinkMaker): Facts | undefined {
  if (!facts) return facts;
  const { reservationId, linkedGuestId, offerToken, approvalToken } = facts;
  return {
    ...facts,
    offerToken: offerToken && links.sealName('offer', offerToken),
    approvalToken: approvalToken && links.sealName('approval', approvalToken),
    ...(reservationId === null || linkedGuestId === null
      ? {}
      : { stayToken: guestLinkToken(links, reservationId, linkedGuestId) }),
  };
}
