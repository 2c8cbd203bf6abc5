import type { Channel, RecipientType } from '../../db/schema.ts';
import type { NotificationEvent, Template } from './templates.ts';

/** The matrix of domain.md 12 as data: what can be sent to whom over which channel, and what of it may be left out. */

export interface MatrixEntry {
  readonly event: NotificationEvent;
  readonly recipientType: RecipientType;
  readonly channels: readonly Channel[];
  /** The brief names it: it cannot be switched off. */
  readonly isBriefs: boolean;
  /** Its e-mail is owed: the recipient cannot decline it. An SMS can always be declined. */
  readonly isOwed: boolean;
}

const BOTH = ['EMAIL', 'SMS'] as const;
const MAIL = ['EMAIL'] as const;

type Marks = '' | 'brief' | 'owed' | 'brief owed';
const entry = (
  event: NotificationEvent,
  recipientType: RecipientType,
  channels: readonly Channel[],
  marks: Marks,
): MatrixEntry => ({
  event,
  recipientType,
  channels,
  isBriefs: marks.includes('brief'),
  isOwed: marks.includes('owed'),
});

export const MATRIX: readonly MatrixEntry[] = [
  entry('RESERVATION_CONFIRMED', 'GUEST', BOTH, 'brief owed'),
  entry('RESERVATION_ROLLED_BACK', 'GUEST', BOTH, 'owed'),
  entry('PAYMENT_CONFIRMED', 'GUEST', BOTH, 'brief owed'),
  entry('PAYMENT_FAILED', 'GUEST', MAIL, 'owed'),
  entry('PAYMENT_DUE', 'GUEST', MAIL, ''),
  entry('CHECK_IN_REMINDER', 'GUEST', BOTH, 'brief'),
  entry('WELCOME', 'GUEST', BOTH, 'owed'),
  entry('CHECK_OUT_REMINDER', 'GUEST', BOTH, 'brief'),
  entry('THANK_YOU', 'GUEST', MAIL, 'brief'),
  entry('REVIEW_REQUEST', 'GUEST', MAIL, ''),
  entry('RESERVATION_CANCELLED', 'GUEST', BOTH, 'owed'),
  entry('REFUND_PROCESSED', 'GUEST', MAIL, 'owed'),

  entry('NEW_RESERVATION', 'OWNER', MAIL, 'brief'),
  entry('RESERVATION_ROLLED_BACK', 'OWNER', MAIL, ''),
  entry('PAYOUT_SCHEDULED', 'OWNER', MAIL, ''),
  entry('PAYOUT_PROCESSED', 'OWNER', MAIL, 'brief owed'),
  entry('PAYOUT_FAILED', 'OWNER', MAIL, 'owed'),
  entry('RESERVATION_CANCELLED', 'OWNER', MAIL, ''),
  entry('REFUND_AFFECTS_PAYOUT', 'OWNER', MAIL, 'owed'),
  entry('PROPERTY_INSPECTION', 'OWNER', MAIL, 'brief'),
  entry('MAINTENANCE_REQUIRED', 'OWNER', MAIL, 'brief'),
  entry('MAINTENANCE_DONE', 'OWNER', MAIL, ''),

  entry('TASK_ASSIGNED', 'STAFF', MAIL, 'brief owed'),
  entry('TASK_WITHDRAWN', 'STAFF', MAIL, 'owed'),
  entry('TASK_CHANGED', 'STAFF', MAIL, 'owed'),
  entry('TASK_STAY_CANCELLED', 'STAFF', MAIL, 'owed'),
  entry('TASK_COMPLETED', 'STAFF', MAIL, 'brief'),
  entry('PROPERTY_READY', 'STAFF', MAIL, ''),
  entry('CHECK_IN_PROMPT', 'STAFF', MAIL, ''),
  entry('CHECK_OUT_PROMPT', 'STAFF', MAIL, ''),

  entry('TASK_COMPLETED', 'OPS', MAIL, 'brief'),
  entry('PROPERTY_READY', 'OPS', MAIL, ''),
  entry('CHECK_IN_PROMPT', 'OPS', MAIL, ''),
  entry('CHECK_OUT_PROMPT', 'OPS', MAIL, ''),
  entry('MAINTENANCE_ALERT', 'OPS', MAIL, 'brief'),
  entry('SYSTEM_ALERT', 'OPS', MAIL, 'brief'),
];

export const entryOf = (event: string, recipientType: RecipientType): MatrixEntry | undefined =>
  MATRIX.find((known) => known.event === event && known.recipientType === recipientType);

/** Over what a message with this text may go. */
export const channelsOf = ({ event, recipientType, mailOnly }: Template): readonly Channel[] =>
  mailOnly ? MAIL : (entryOf(event, recipientType)?.channels ?? MAIL);

/** Whether a recipient who does not want it is left alone. */
export const mayDecline = (event: string, recipientType: RecipientType, channel: Channel): boolean =>
  channel === 'SMS' || entryOf(event, recipientType)?.isOwed !== true;
