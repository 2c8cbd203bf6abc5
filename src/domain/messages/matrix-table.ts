import type { Channel, RecipientType } from '../../db/schema.ts';
import { MAIL } from './catalogue/define.ts';
import { MESSAGES, type NotificationEvent } from './catalogue/index.ts';
import type { Template } from './templates.ts';

/** The matrix of domain.md 12: which message goes to whom over which channel, and which of it may be left out. */

export interface MatrixEntry {
  readonly event: NotificationEvent;
  readonly recipientType: RecipientType;
  readonly channels: readonly Channel[];
  /** The brief names it: it cannot be switched off. */
  readonly isBriefs: boolean;
  /** Its e-mail is owed: the recipient cannot decline it. An SMS can always be declined. */
  readonly isOwed: boolean;
}

const RECIPIENT_TYPES: readonly RecipientType[] = ['GUEST', 'OWNER', 'STAFF', 'OPS'];

/** By recipient, and then as the catalogue lists them. */
export const MATRIX: readonly MatrixEntry[] = RECIPIENT_TYPES.flatMap((recipientType) =>
  MESSAGES.flatMap(({ event, to }) => {
    const recipient = to[recipientType];
    if (recipient === undefined) return [];
    const { channels, required = false, owed = false } = recipient;
    return [{ event, recipientType, channels, isBriefs: required, isOwed: owed }];
  }),
);

/** The row of the matrix for an event and a kind of recipient; undefined when there is no such message. */
export const entryOf = (event: string, recipientType: RecipientType): MatrixEntry | undefined =>
  MATRIX.find((known) => known.event === event && known.recipientType === recipientType);

/** Over which channels a message with this text may go. */
export const channelsOf = ({ event, recipientType, mailOnly }: Template): readonly Channel[] =>
  mailOnly ? MAIL : (entryOf(event, recipientType)?.channels ?? MAIL);

/** Whether a recipient who does not want it does not get it. */
export const mayDecline = (event: string, recipientType: RecipientType, channel: Channel): boolean =>
  channel === 'SMS' || entryOf(event, recipientType)?.isOwed !== true;
