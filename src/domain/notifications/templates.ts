import type { RecipientType, ReservationStatus } from '../../db/schema.ts';
import { parseTemplate, type TemplateText } from './render.ts';

/**
 * What each message says. A template's key is stored in `notification.template` and names its version, so a wording
 * that changes gets a new key and the old one stays until no row names it.
 */

/** Everything a template may say; `delivery-facts.ts` gives each its value at the time of sending. */
export type VariableName =
  | 'guestName'
  | 'recipientName'
  | 'reservationId'
  | 'propertyName'
  | 'checkInDate'
  | 'checkInTime'
  | 'checkOutDate'
  | 'checkOutTime'
  | 'ownerShare'
  | 'taskTitle'
  | 'taskStart'
  | 'taskEnd'
  | 'sagaName'
  | 'step'
  | 'code'
  | 'sagaId';

export type NotificationEvent =
  | 'RESERVATION_CONFIRMED'
  | 'NEW_RESERVATION'
  | 'TASK_ASSIGNED'
  | 'RESERVATION_ROLLED_BACK'
  | 'SYSTEM_ALERT';

export interface Template {
  readonly event: NotificationEvent;
  readonly recipientType: RecipientType;
  /** Only for e-mail. */
  readonly subject: TemplateText;
  /** The body of a mail, or all of an SMS. */
  readonly message: TemplateText;
  /** At any other state of the reservation the message is dropped as STALE; null: it is true whatever the state. */
  readonly validWhile: readonly ReservationStatus[] | null;
}

/** The typed catalogue: which variables an event has. */
const STAY = ['reservationId', 'propertyName', 'checkInDate', 'checkInTime', 'checkOutDate', 'checkOutTime'] as const;
export const VARIABLES = {
  RESERVATION_CONFIRMED: ['guestName', ...STAY],
  // An owner learns nothing about the guest.
  NEW_RESERVATION: ['recipientName', 'ownerShare', ...STAY],
  TASK_ASSIGNED: ['recipientName', 'propertyName', 'taskTitle', 'taskStart', 'taskEnd'],
  RESERVATION_ROLLED_BACK: ['recipientName', ...STAY],
  SYSTEM_ALERT: ['sagaName', 'step', 'code', 'sagaId'],
} as const satisfies Record<NotificationEvent, readonly VariableName[]>;

const HELD: readonly ReservationStatus[] = ['CONFIRMED', 'CHECKED_IN', 'CHECKED_OUT'];
/** A stay that has been confirmed again meanwhile is not "no longer confirmed". */
const NOT_HELD: readonly ReservationStatus[] = ['PENDING', 'CANCELLED'];

const define = (
  event: NotificationEvent,
  recipientType: RecipientType,
  validWhile: Template['validWhile'],
  source: { readonly subject: string; readonly message: string },
): Template => ({
  event,
  recipientType,
  validWhile,
  subject: parseTemplate(source.subject),
  message: parseTemplate(source.message),
});

export const TEMPLATES = {
  /** The brief's own words. */
  'reservation-confirmed.guest@1': define('RESERVATION_CONFIRMED', 'GUEST', HELD, {
    subject: 'Reservation Confirmed - {propertyName}',
    message: 'Dear {guestName}, your reservation for {propertyName} is confirmed for {checkInDate}.',
  }),
  'new-reservation.owner@1': define('NEW_RESERVATION', 'OWNER', HELD, {
    subject: 'New reservation - {propertyName}',
    message: `Dear {recipientName},

{propertyName} has a new confirmed reservation.

Arrival: {checkInDate}, from {checkInTime}
Departure: {checkOutDate}, until {checkOutTime}
Your expected share: {ownerShare|will follow}

Reservation {reservationId}`,
  }),
  'task-assigned.staff@1': define('TASK_ASSIGNED', 'STAFF', null, {
    subject: 'New task: {taskTitle} - {propertyName}',
    message: `Dear {recipientName},

A task has been assigned to you: {taskTitle}.

Where: {propertyName}
Start: {taskStart}
End: {taskEnd}`,
  }),
  'reservation-rolled-back.guest@1': define('RESERVATION_ROLLED_BACK', 'GUEST', NOT_HELD, {
    subject: 'Your reservation is not confirmed - {propertyName}',
    message:
      'Dear {recipientName|Guest}, we told you that your reservation for {propertyName} from {checkInDate} is confirmed. ' +
      'It is not confirmed any more, and we are sorry. We will contact you about what happens next.',
  }),
  'reservation-rolled-back.owner@1': define('RESERVATION_ROLLED_BACK', 'OWNER', NOT_HELD, {
    subject: 'Reservation withdrawn - {propertyName}',
    message: `Dear {recipientName},

The reservation for {propertyName} from {checkInDate} to {checkOutDate}, which we announced to you, is not confirmed any more. The dates are free again.

Reservation {reservationId}`,
  }),
  'system-alert.ops@1': define('SYSTEM_ALERT', 'OPS', null, {
    subject: 'Roomy needs a person: {sagaName} - {code}',
    message: `{sagaName} stopped and cannot go on by itself.

Step: {step|not known}
Reason: {code}
Saga: {sagaId}

Retry or resolve it through the API or on the ops port.`,
  }),
} as const satisfies Record<string, Template>;

export type TemplateKey = keyof typeof TEMPLATES;

const BY_KEY: ReadonlyMap<string, Template> = new Map(Object.entries(TEMPLATES));

/** Null for a key of a newer build. */
export const templateOf = (key: string): Template | null => BY_KEY.get(key) ?? null;
