import type { RecipientType } from '../../../db/schema.ts';
import type { OrderedText } from '../../notifications/enqueue.ts';
import type { AccountRow } from '../../people/accounts.ts';
import type { Known, Message } from './define.ts';

/** What a link for an account is ordered with. The mail goes to the account's own address, not to that of its record. */
export interface AccountLink {
  readonly account: Pick<AccountRow, 'id' | 'staff_id' | 'owner_id' | 'guest_id'>;
  /** The link's secret, sealed for the account. */
  readonly sealedLink: string;
  readonly expiresAt: Date;
}

/** As whom the rows of messages know the person; office people have no record, and are operations. */
function recipientOf({ account }: AccountLink): { readonly type: RecipientType; readonly id: string } {
  if (account.staff_id !== null) return { type: 'STAFF', id: account.staff_id };
  if (account.owner_id !== null) return { type: 'OWNER', id: account.owner_id };
  if (account.guest_id !== null) return { type: 'GUEST', id: account.guest_id };
  return { type: 'OPS', id: account.id };
}

/** A mail with the link, in the text of the event for that kind of recipient. */
export function toAccount({ event }: Message, name: string, link: AccountLink): OrderedText {
  const { type, id } = recipientOf(link);
  return {
    event,
    template: `${name}.${type.toLowerCase()}@1`,
    channel: 'EMAIL',
    recipientType: type,
    recipientId: id,
    params: {
      accountId: link.account.id,
      sealedLink: link.sealedLink,
      expiresAt: link.expiresAt.toISOString(),
    },
  };
}

/** A link that ended while its mail waited is not sent. */
export const isLinkOpen = ({ facts, conditions }: Known): boolean => {
  const expiresAt = facts.params['expiresAt'];
  return typeof expiresAt !== 'string' || new Date(expiresAt) > conditions.now;
};
