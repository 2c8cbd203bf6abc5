import type { Channel } from '../../db/schema.ts';
import type { SystemAlertParams } from '../notifications/alerts.ts';
import type { MessageParams, OrderedText } from '../notifications/enqueue.ts';
import type { ReminderEvent } from './reminder-plan.ts';
import type { NotificationEvent, TemplateKey } from './templates.ts';

/** Who gets what (domain.md 12). Pure: a saga turns the list into rows. */

/** A row to be ordered whose event and text are of the catalogue. */
export interface Delivery extends OrderedText {
  readonly event: NotificationEvent;
  readonly template: TemplateKey;
}

export interface StayParties {
  /** Null for a stay of the owner. */
  readonly guestId: string | null;
  readonly guestHasPhone: boolean;
  readonly ownerId: string;
}

/** The same by mail with all that a mail has room for. */
const byMail = (deliveries: readonly Delivery[], template: TemplateKey): readonly Delivery[] =>
  deliveries.map((delivery) => (delivery.channel === 'EMAIL' ? { ...delivery, template } : delivery));

/** A confirmed reservation: guest by e-mail and, with a phone, by SMS; owner by e-mail. */
export const confirmationMessages = (stay: StayParties): readonly Delivery[] => [
  ...byMail(
    toGuest(stay, 'RESERVATION_CONFIRMED', 'reservation-confirmed.guest@1'),
    'reservation-confirmed-details.guest@1',
  ),
  toOwner(stay.ownerId, 'NEW_RESERVATION', 'new-reservation.owner@1'),
];

/** Takes back what was said; made only where `confirmationMessages` had been committed. */
export const rollbackMessages = (stay: StayParties): readonly Delivery[] => [
  ...toGuest(stay, 'RESERVATION_ROLLED_BACK', 'reservation-rolled-back.guest@1'),
  toOwner(stay.ownerId, 'RESERVATION_ROLLED_BACK', 'reservation-rolled-back.owner@1'),
];

/** The row needs `task_id`; it is dropped when the task is no longer this person's. */
/** `displaces`: it is an emergency, for which other work of the same person had to go; one message tells of both. */
export const taskAssignedMessage = (assigneeId: string, { displaces = false } = {}): Delivery => ({
  event: 'TASK_ASSIGNED',
  template: displaces ? 'task-assigned-instead.staff@1' : 'task-assigned.staff@1',
  channel: 'EMAIL',
  recipientType: 'STAFF',
  recipientId: assigneeId,
});

interface Amount {
  readonly amountMinor: number;
  readonly currency: string;
}
const paramsOf = ({ amountMinor, currency }: Amount): MessageParams => ({ amountMinor, currency });

/** A receipt by mail; an SMS has no room for one. `receiptId`: of the GUEST_PAYMENT. */
export const paymentConfirmedMessages = (
  stay: StayParties,
  paid: Amount & { readonly outstandingMinor: number; readonly receiptId: string },
): readonly Delivery[] => {
  const { outstandingMinor, receiptId } = paid;
  const short = outstandingMinor === 0 ? 'payment-confirmed-in-full.guest@1' : 'payment-confirmed.guest@1';
  const params = { ...paramsOf(paid), outstandingMinor, receiptId };
  return byMail(toGuest(stay, 'PAYMENT_CONFIRMED', short, params), 'payment-receipt.guest@1');
};

export const payoutScheduledMessage = (ownerId: string, payout: Amount & { readonly scheduledFor: string }): Delivery =>
  toOwner(ownerId, 'PAYOUT_SCHEDULED', 'payout-scheduled.owner@1', {
    ...paramsOf(payout),
    scheduledFor: payout.scheduledFor,
  });

/** E-mail only: an SMS about money that did not move helps nobody. */
export const paymentFailedMessage = (
  { guestId }: { readonly guestId: string },
  failed: Amount & { readonly code: string },
): Delivery => ({
  event: 'PAYMENT_FAILED',
  template: 'payment-failed.guest@1',
  channel: 'EMAIL',
  recipientType: 'GUEST',
  recipientId: guestId,
  params: { ...paramsOf(failed), code: failed.code },
});

/** The guest is told what comes back, to the minor unit that was posted; the owner that the dates are free. */
export interface CancellationRefund {
  /** By the cancellation policy. */
  readonly amountMinor: number;
  readonly percent: number;
  /** What the guest had paid over the balance, and gets back in any case. */
  readonly excessMinor: number;
  readonly currency: string;
}

function cancelledText(refund: CancellationRefund): readonly [TemplateKey, MessageParams?] {
  const { amountMinor, percent, excessMinor, currency } = refund;
  if (amountMinor + excessMinor === 0) return ['reservation-cancelled-no-refund.guest@1'];
  if (excessMinor === 0) return ['reservation-cancelled.guest@1', { amountMinor, currency, percent }];
  return ['reservation-cancelled-with-credit.guest@1', { amountMinor: amountMinor + excessMinor, currency }];
}

export const cancelledMessages = (stay: StayParties, refund: CancellationRefund): readonly Delivery[] => [
  ...toGuest(stay, 'RESERVATION_CANCELLED', ...cancelledText(refund)),
  toOwner(stay.ownerId, 'RESERVATION_CANCELLED', 'reservation-cancelled.owner@1'),
];

/** To the one who was to do it. Unlike `TASK_ASSIGNED` it is true whatever has become of the task. */
export const taskWithdrawnMessage = (assigneeId: string, taskId: string): Delivery => ({
  event: 'TASK_WITHDRAWN',
  template: 'task-withdrawn.staff@1',
  channel: 'EMAIL',
  recipientType: 'STAFF',
  recipientId: assigneeId,
  taskId,
});

/** To the one who keeps it: at another time now. */
export const taskChangedMessage = (assigneeId: string, taskId: string, wasAt: Date): Delivery => ({
  event: 'TASK_CHANGED',
  template: 'task-changed.staff@1',
  channel: 'EMAIL',
  recipientType: 'STAFF',
  recipientId: assigneeId,
  taskId,
  params: { previousStart: wasAt.toISOString() },
});

/** With the code that opens the door, where there is one; the message waits for it rather than go without. */
export const welcomeMessages = (stay: StayParties, hasCode: boolean): readonly Delivery[] =>
  toGuest(stay, 'WELCOME', hasCode ? 'welcome.guest@1' : 'welcome-without-code.guest@1');

const REMINDER_TEMPLATES: Readonly<Record<ReminderEvent, TemplateKey>> = {
  CHECK_IN_REMINDER: 'check-in-reminder.guest@1',
  CHECK_OUT_REMINDER: 'check-out-reminder.guest@1',
  PAYMENT_DUE: 'payment-due.guest@1',
  REVIEW_REQUEST: 'review-request.guest@1',
};
/** Of a stay; when it is due stands in its row. */
export const reminderMessage = (event: ReminderEvent, channel: Channel, guestId: string): Delivery => ({
  event,
  template: REMINDER_TEMPLATES[event],
  channel,
  recipientType: 'GUEST',
  recipientId: guestId,
});

/** E-mail only (orchestrator.md). */
export const thankYouMessages = (stay: StayParties): readonly Delivery[] =>
  toGuest({ ...stay, guestHasPhone: false }, 'THANK_YOU', 'thank-you.guest@1');

/** Something at a property needs hands: its devices did not do as told (features COU-4). */
export const amenitiesAlertMessage = (alert: SystemAlertParams): Delivery => ({
  event: 'MAINTENANCE_ALERT',
  template: 'maintenance-alert-amenities.ops@1',
  channel: 'EMAIL',
  recipientType: 'OPS',
  recipientId: 'ops',
  params: { ...alert, step: alert.step ?? '' },
});

/** The code of a guest in the house ends at another time than the guest is to be told. */
export const accessAlertMessage = (alert: SystemAlertParams): Delivery => ({
  ...amenitiesAlertMessage(alert),
  template: 'maintenance-alert-access.ops@1',
});

const toStaff = (
  recipients: readonly string[],
  event: NotificationEvent,
  templates: { readonly staff: TemplateKey; readonly ops: TemplateKey },
  taskId: string,
): readonly Delivery[] => {
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
};

/** To the agents of the property, who supervise its work; without any, to operations. */
export const taskCompletedMessages = (supervisors: readonly string[], taskId: string): readonly Delivery[] =>
  toStaff(supervisors, 'TASK_COMPLETED', { staff: 'task-completed.staff@1', ops: 'task-completed.ops@1' }, taskId);

/** A guest who comes early may be let in. To whoever meets the guest. */
export const propertyReadyMessages = (assigneeId: string | null, taskId: string): readonly Delivery[] =>
  toStaff(
    assigneeId === null ? [] : [assigneeId],
    'PROPERTY_READY',
    { staff: 'property-ready.staff@1', ops: 'property-ready.ops@1' },
    taskId,
  );

/** A meeting has taken place, and nobody has said so of the stay. */
export const meetingPromptMessages = (
  saga: 'checkIn' | 'checkOut',
  agents: readonly string[],
  taskId: string,
): readonly Delivery[] =>
  saga === 'checkIn'
    ? toStaff(agents, 'CHECK_IN_PROMPT', { staff: 'check-in-prompt.staff@1', ops: 'check-in-prompt.ops@1' }, taskId)
    : toStaff(agents, 'CHECK_OUT_PROMPT', { staff: 'check-out-prompt.staff@1', ops: 'check-out-prompt.ops@1' }, taskId);

/** What was found at a property, to whom it belongs. */
export const maintenanceRequiredMessage = (ownerId: string, taskId: string): Delivery => ({
  ...toOwner(ownerId, 'MAINTENANCE_REQUIRED', 'maintenance-required.owner@1'),
  taskId,
});

/** Asked for by hand, or an emergency: not found by anybody at work. */
export const maintenanceOrderedMessage = (ownerId: string, taskId: string): Delivery => ({
  ...toOwner(ownerId, 'MAINTENANCE_REQUIRED', 'maintenance-ordered.owner@1'),
  taskId,
});

/** A repair that costs more than the limit: the owner is to say yes or no. */
export const repairApprovalMessage = (ownerId: string, taskId: string): Delivery => ({
  ...toOwner(ownerId, 'MAINTENANCE_REQUIRED', 'repair-approval.owner@1'),
  taskId,
});

export const repairDecidedMessage = (taskId: string, decision: 'APPROVED' | 'DECLINED'): Delivery => ({
  event: 'MAINTENANCE_ALERT',
  template: decision === 'APPROVED' ? 'repair-approved.ops@1' : 'repair-declined.ops@1',
  channel: 'EMAIL',
  recipientType: 'OPS',
  recipientId: 'ops',
  taskId,
});

export const maintenanceAlertMessages = (taskId: string): readonly Delivery[] => [
  {
    event: 'MAINTENANCE_ALERT',
    template: 'maintenance-alert-findings.ops@1',
    channel: 'EMAIL',
    recipientType: 'OPS',
    recipientId: 'ops',
    taskId,
  },
];

export const maintenanceDoneMessage = (ownerId: string, taskId: string): Delivery => ({
  ...toOwner(ownerId, 'MAINTENANCE_DONE', 'maintenance-done.owner@1'),
  taskId,
});

/** To the owner; again when it has moved. */
export const inspectionMessage = (ownerId: string, taskId: string): Delivery => ({
  ...toOwner(ownerId, 'PROPERTY_INSPECTION', 'property-inspection.owner@1'),
  taskId,
});

/** What came of it; the same message is one event with the announcement, and another text. */
export const inspectionResultMessage = (ownerId: string, taskId: string, outcome: 'PASSED' | 'FAILED'): Delivery => ({
  ...toOwner(
    ownerId,
    'PROPERTY_INSPECTION',
    outcome === 'PASSED' ? 'property-inspected.owner@1' : 'property-inspection-failed.owner@1',
  ),
  taskId,
});

/** Work that a rule asks for: nothing is broken. */
export const maintenancePlannedMessage = (ownerId: string, taskId: string): Delivery => ({
  ...toOwner(ownerId, 'MAINTENANCE_REQUIRED', 'maintenance-planned.owner@1'),
  taskId,
});

/** Ops hear of an emergency at once, and again while nobody has begun with it (features TSK-7). */
export const emergencyAlertMessage = (taskId: string, waitedMinutes: number): Delivery => ({
  event: 'MAINTENANCE_ALERT',
  template: waitedMinutes === 0 ? 'maintenance-alert-emergency.ops@1' : 'maintenance-alert-waiting.ops@1',
  channel: 'EMAIL',
  recipientType: 'OPS',
  recipientId: 'ops',
  taskId,
  params: { code: `NOT_BEGUN_AFTER_${waitedMinutes}_MINUTES` },
});

/** To the one who is at work on it: the task is not taken away under their hands (features CAN-2). */
export const taskStayCancelledMessage = (assigneeId: string, taskId: string): Delivery => ({
  event: 'TASK_STAY_CANCELLED',
  template: 'task-stay-cancelled.staff@1',
  channel: 'EMAIL',
  recipientType: 'STAFF',
  recipientId: assigneeId,
  taskId,
});

export const refundProcessedMessage = ({ guestId }: { readonly guestId: string }, refund: Amount): Delivery => ({
  event: 'REFUND_PROCESSED',
  template: 'refund-processed.guest@1',
  channel: 'EMAIL',
  recipientType: 'GUEST',
  recipientId: guestId,
  params: paramsOf(refund),
});

/** A message of its own beside the cancellation's, so its key says what it is about. */
export const refundAffectsPayoutMessage = (ownerId: string, refund: Amount): Delivery => ({
  ...toOwner(ownerId, 'REFUND_AFFECTS_PAYOUT', 'refund-affects-payout.owner@1', paramsOf(refund)),
  occasion: 'payout',
});

/** `sagaId`: of the bank instruction, whose stays the message lists. */
export const payoutProcessedMessage = (ownerId: string, payout: Amount & { readonly sagaId: string }): Delivery =>
  toOwner(ownerId, 'PAYOUT_PROCESSED', 'payout-processed.owner@1', { ...paramsOf(payout), sagaId: payout.sagaId });

export const payoutFailedMessage = (ownerId: string, payout: Amount): Delivery =>
  toOwner(ownerId, 'PAYOUT_FAILED', 'payout-failed.owner@1', paramsOf(payout));

/** A message to one recipient about one event is one notification, however many channels carry it (T11). */
export const countNotifications = (deliveries: readonly Delivery[]): number =>
  new Set(deliveries.map(({ event, recipientType, recipientId }) => `${event} ${recipientType} ${recipientId}`)).size;

function toGuest(
  stay: StayParties,
  event: NotificationEvent,
  template: TemplateKey,
  params: MessageParams = {},
): readonly Delivery[] {
  if (stay.guestId === null) return [];
  const message = { event, template, recipientType: 'GUEST', recipientId: stay.guestId, params } as const;
  const email = { ...message, channel: 'EMAIL' } as const;
  return stay.guestHasPhone ? [email, { ...message, channel: 'SMS' }] : [email];
}

const toOwner = (
  ownerId: string,
  event: NotificationEvent,
  template: TemplateKey,
  params: MessageParams = {},
): Delivery => ({ event, template, channel: 'EMAIL', recipientType: 'OWNER', recipientId: ownerId, params });
