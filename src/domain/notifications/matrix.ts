import type { Channel, RecipientType } from '../../db/schema.ts';
import type { NotificationEvent, TemplateKey } from './templates.ts';

/** Who gets what (domain.md 12). Pure: a saga turns the list into rows. */

export interface Delivery {
  readonly event: NotificationEvent;
  readonly template: TemplateKey;
  readonly channel: Channel;
  readonly recipientType: RecipientType;
  readonly recipientId: string;
}

export interface StayParties {
  /** Null for a stay of the owner. */
  readonly guestId: string | null;
  readonly guestHasPhone: boolean;
  readonly ownerId: string;
}

/** A confirmed reservation: guest by e-mail and, with a phone, by SMS; owner by e-mail. */
export const confirmationMessages = (stay: StayParties): readonly Delivery[] => [
  ...toGuest(stay, 'RESERVATION_CONFIRMED', 'reservation-confirmed.guest@1'),
  toOwner(stay.ownerId, 'NEW_RESERVATION', 'new-reservation.owner@1'),
];

/** Takes back what was said; made only where `confirmationMessages` had been committed. */
export const rollbackMessages = (stay: StayParties): readonly Delivery[] => [
  ...toGuest(stay, 'RESERVATION_ROLLED_BACK', 'reservation-rolled-back.guest@1'),
  toOwner(stay.ownerId, 'RESERVATION_ROLLED_BACK', 'reservation-rolled-back.owner@1'),
];

/** The row needs `task_id`; it is dropped when the task is no longer this person's. */
export const taskAssignedMessage = (assigneeId: string): Delivery => ({
  event: 'TASK_ASSIGNED',
  template: 'task-assigned.staff@1',
  channel: 'EMAIL',
  recipientType: 'STAFF',
  recipientId: assigneeId,
});

/** Params of its row: `SystemAlertParams`. */
export const systemAlertMessage = (): Delivery => ({
  event: 'SYSTEM_ALERT',
  template: 'system-alert.ops@1',
  channel: 'EMAIL',
  recipientType: 'OPS',
  recipientId: 'ops',
});
export interface SystemAlertParams {
  readonly sagaName: string;
  readonly step: string | null;
  readonly code: string;
  readonly sagaId: string;
}

/** A message to one recipient about one event is one notification, however many channels carry it (T11). */
export const countNotifications = (deliveries: readonly Delivery[]): number =>
  new Set(deliveries.map(({ event, recipientType, recipientId }) => `${event} ${recipientType} ${recipientId}`)).size;

/** `effectKey` is the step's; the result is unique per message of that step and the same on every attempt. */
export const deliveryKey = (effectKey: string, { channel, recipientType }: Delivery): string =>
  `${effectKey}-${channel}-${recipientType}`;

function toGuest(stay: StayParties, event: NotificationEvent, template: TemplateKey): readonly Delivery[] {
  if (stay.guestId === null) return [];
  const message = { event, template, recipientType: 'GUEST', recipientId: stay.guestId } as const;
  const email = { ...message, channel: 'EMAIL' } as const;
  return stay.guestHasPhone ? [email, { ...message, channel: 'SMS' }] : [email];
}

const toOwner = (ownerId: string, event: NotificationEvent, template: TemplateKey): Delivery => ({
  event,
  template,
  channel: 'EMAIL',
  recipientType: 'OWNER',
  recipientId: ownerId,
});
