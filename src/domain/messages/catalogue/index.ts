import { accountEmailChanged } from './account-email-changed.ts';
import { accountInvited } from './account-invited.ts';
import { approvalDecided } from './approval-decided.ts';
import { checkInPrompt } from './check-in-prompt.ts';
import { checkInReminder } from './check-in-reminder.ts';
import { checkOutPrompt } from './check-out-prompt.ts';
import { checkOutReminder } from './check-out-reminder.ts';
import type { Message } from './define.ts';
import { maintenanceAlert } from './maintenance-alert.ts';
import { maintenanceDone } from './maintenance-done.ts';
import { maintenanceRequired } from './maintenance-required.ts';
import { newReservation } from './new-reservation.ts';
import { paymentConfirmed } from './payment-confirmed.ts';
import { paymentDue } from './payment-due.ts';
import { paymentFailed } from './payment-failed.ts';
import { payoutAccountChanged } from './payout-account-changed.ts';
import { payoutFailed } from './payout-failed.ts';
import { payoutProcessed } from './payout-processed.ts';
import { payoutScheduled } from './payout-scheduled.ts';
import { propertyInspection } from './property-inspection.ts';
import { propertyReady } from './property-ready.ts';
import { refundAffectsPayout } from './refund-affects-payout.ts';
import { refundProcessed } from './refund-processed.ts';
import { reservationCancelled } from './reservation-cancelled.ts';
import { reservationConfirmed } from './reservation-confirmed.ts';
import { reservationRolledBack } from './reservation-rolled-back.ts';
import { reviewRequest } from './review-request.ts';
import { secondFactorPaused } from './second-factor-paused.ts';
import { signInLink } from './sign-in-link.ts';
import { systemAlert } from './system-alert.ts';
import { taskAssigned } from './task-assigned.ts';
import { taskChanged } from './task-changed.ts';
import { taskCompleted } from './task-completed.ts';
import { taskStayCancelled } from './task-stay-cancelled.ts';
import { taskWithdrawn } from './task-withdrawn.ts';
import { thankYou } from './thank-you.ts';
import { welcome } from './welcome.ts';

/**
 * Every message that the system sends, in the order in which settings list them. One that is added here is in the matrix,
 * the settings, the list of templates, previews, the forecast and delivery.
 */
export const MESSAGES = [
  reservationConfirmed,
  newReservation,
  reservationRolledBack,
  paymentConfirmed,
  paymentFailed,
  payoutScheduled,
  payoutProcessed,
  payoutFailed,
  payoutAccountChanged,
  paymentDue,
  checkInReminder,
  welcome,
  checkOutReminder,
  thankYou,
  reviewRequest,
  reservationCancelled,
  refundProcessed,
  refundAffectsPayout,
  propertyInspection,
  maintenanceRequired,
  maintenanceDone,
  taskAssigned,
  taskWithdrawn,
  taskChanged,
  taskStayCancelled,
  taskCompleted,
  propertyReady,
  checkInPrompt,
  checkOutPrompt,
  maintenanceAlert,
  approvalDecided,
  systemAlert,
  accountInvited,
  accountEmailChanged,
  secondFactorPaused,
  signInLink,
] as const;

export type NotificationEvent = (typeof MESSAGES)[number]['event'];

const BY_EVENT: ReadonlyMap<string, Message> = new Map(MESSAGES.map((message) => [message.event, message]));

/** Undefined for an event of a newer build. */
export const messageOf = (event: string): Message | undefined => BY_EVENT.get(event);
