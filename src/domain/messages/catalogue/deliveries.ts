import type { RecipientType } from '../../../db/schema.ts';
import type { MessageParams, OrderedText } from '../../notifications/enqueue.ts';
import type { Message } from './define.ts';

/** Texts for recipients, as a saga or an act orders them. Pure: `notifications/enqueue.ts` turns them into rows. */

type KeyOf<Of> = Of extends Message<string, infer Key> ? Key : never;

export interface StayParties {
  /** Null for a stay of the owner. */
  readonly guestId: string | null;
  readonly guestHasPhone: boolean;
  readonly ownerId: string;
}

export interface Amount {
  readonly amountMinor: number;
  readonly currency: string;
}
/** Nothing else of an object that has more. */
export const amountParams = ({ amountMinor, currency }: Amount): MessageParams => ({ amountMinor, currency });

/** To the guest of a stay by e-mail and, with a phone, by SMS; to nobody for a stay of the owner. */
export function toGuest<Of extends Message>(
  { event }: Of,
  template: KeyOf<Of>,
  stay: StayParties,
  params: MessageParams = {},
): readonly OrderedText[] {
  if (stay.guestId === null) return [];
  const message = { event, template, recipientType: 'GUEST', recipientId: stay.guestId, params } as const;
  const email = { ...message, channel: 'EMAIL' } as const;
  return stay.guestHasPhone ? [email, { ...message, channel: 'SMS' }] : [email];
}

/** The same by mail in a text that only a mail has room for. */
export const byMail = <Of extends Message>(
  _of: Of,
  template: KeyOf<Of>,
  deliveries: readonly OrderedText[],
): readonly OrderedText[] =>
  deliveries.map((delivery) => (delivery.channel === 'EMAIL' ? { ...delivery, template } : delivery));

/** To an owner by e-mail; owners get no SMS. `params` has the values that the text needs and the stay does not have. */
export const toOwner = <Of extends Message>(
  { event }: Of,
  template: KeyOf<Of>,
  ownerId: string,
  params: MessageParams = {},
): OrderedText => ({ event, template, channel: 'EMAIL', recipientType: 'OWNER', recipientId: ownerId, params });

/** By mail to one person of any kind. */
const mailTo =
  (recipientType: RecipientType) =>
  <Of extends Message>(
    { event }: Of,
    template: KeyOf<Of>,
    recipientId: string,
    more: Pick<OrderedText, 'taskId' | 'params'> = {},
  ): OrderedText => ({ event, template, channel: 'EMAIL', recipientType, recipientId, ...more });
export const mailToGuest = mailTo('GUEST');
export const mailToStaff = mailTo('STAFF');

/** To operations by e-mail; their address is a setting (`OPS_EMAIL`). */
export const toOps = <Of extends Message>(
  of: Of,
  template: KeyOf<Of>,
  more: Pick<OrderedText, 'taskId' | 'params'>,
): OrderedText => mailTo('OPS')(of, template, 'ops', more);

/** To each of some staff about a task; to operations where there is nobody. */
export function toStaffOrOps<Of extends Message>(
  { event }: Of,
  templates: { readonly staff: KeyOf<Of>; readonly ops: KeyOf<Of> },
  recipients: readonly string[],
  taskId: string,
): readonly OrderedText[] {
  const message = { event, channel: 'EMAIL', taskId } as const;
  if (recipients.length === 0) {
    return [{ ...message, template: templates.ops, recipientType: 'OPS', recipientId: 'ops' }];
  }
  return recipients.map((recipientId) => ({
    ...message,
    template: templates.staff,
    recipientType: 'STAFF',
    recipientId,
    occasion: recipientId,
  }));
}

/** A message to one recipient about one event is one notification, however many channels carry it (T11). */
export const countNotifications = (deliveries: readonly OrderedText[]): number =>
  new Set(deliveries.map(({ event, recipientType, recipientId }) => `${event} ${recipientType} ${recipientId}`)).size;
