import type { RecipientType } from '../../../db/schema.ts';
import type { MessageParams, OrderedText } from '../../notifications/enqueue.ts';
import type { AccountRow } from '../../people/accounts.ts';
import type { Known, Message } from './define.ts';

export type AccountOf = Pick<AccountRow, 'id' | 'staff_id' | 'owner_id' | 'guest_id'>;
/** What a link for an account is ordered with. */
export interface AccountLink {
  readonly account: AccountOf;
  /** The link's secret, sealed for the account. */
  readonly sealedLink: string;
  readonly expiresAt: Date;
}

/** As whom the rows of messages know the person; office people have no record, and are operations. */
function recipientOf(account: AccountOf): { readonly type: RecipientType; readonly id: string } {
  if (account.staff_id !== null) return { type: 'STAFF', id: account.staff_id };
  if (account.owner_id !== null) return { type: 'OWNER', id: account.owner_id };
  if (account.guest_id !== null) return { type: 'GUEST', id: account.guest_id };
  return { type: 'OPS', id: account.id };
}

/** A mail in the text of the event for that kind of recipient. It goes to the account's own address, not to that of its record. */
export function toAccount({ event }: Message, name: string, account: AccountOf, params: MessageParams): OrderedText {
  const { type, id } = recipientOf(account);
  return {
    event,
    template: `${name}.${type.toLowerCase()}@1`,
    channel: 'EMAIL',
    recipientType: type,
    recipientId: id,
    params: { accountId: account.id, ...params },
  };
}

/** For `params`. */
export const linkParams = ({ sealedLink, expiresAt }: AccountLink): MessageParams => ({
  sealedLink,
  expiresAt: expiresAt.toISOString(),
});

/** A link that ended while its mail waited is not sent. */
export const isLinkOpen = ({ facts, conditions }: Known): boolean => {
  const expiresAt = facts.params['expiresAt'];
  return typeof expiresAt !== 'string' || new Date(expiresAt) > conditions.now;
};
