import type { Channel, RecipientType, ReservationStatus } from '../../db/schema.ts';
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
  | 'arrivalTime'
  | 'departureTime'
  | 'address'
  | 'price'
  | 'paid'
  | 'refundTerms'
  | 'contact'
  | 'ownerShare'
  | 'taskTitle'
  | 'taskWork'
  | 'taskId'
  | 'taskStart'
  | 'taskEnd'
  | 'findings'
  | 'amount'
  | 'outstanding'
  | 'refundPercent'
  | 'scheduledFor'
  | 'previousStart'
  | 'accessCode'
  | 'failureReason'
  | 'sagaName'
  | 'step'
  | 'code'
  | 'sagaId'
  | 'receiptId'
  | 'payoutStays'
  | 'payoutDeductions'
  | 'severity'
  | 'calendarImpact'
  | 'estimate'
  | 'approvalUrl'
  | 'acceptBy'
  | 'answerUrl'
  | 'doneTasks'
  | 'doneCount'
  | 'displacedTasks'
  | 'charged';

export type NotificationEvent =
  | 'RESERVATION_CONFIRMED'
  | 'NEW_RESERVATION'
  | 'TASK_ASSIGNED'
  | 'RESERVATION_ROLLED_BACK'
  | 'PAYMENT_CONFIRMED'
  | 'PAYMENT_FAILED'
  | 'PAYOUT_SCHEDULED'
  | 'PAYOUT_PROCESSED'
  | 'PAYOUT_FAILED'
  | 'RESERVATION_CANCELLED'
  | 'TASK_WITHDRAWN'
  | 'TASK_STAY_CANCELLED'
  | 'REFUND_PROCESSED'
  | 'REFUND_AFFECTS_PAYOUT'
  | 'SYSTEM_ALERT'
  | 'TASK_CHANGED'
  | 'WELCOME'
  | 'THANK_YOU'
  | 'MAINTENANCE_ALERT'
  | 'TASK_COMPLETED'
  | 'PROPERTY_READY'
  | 'CHECK_IN_PROMPT'
  | 'CHECK_OUT_PROMPT'
  | 'MAINTENANCE_REQUIRED'
  | 'MAINTENANCE_DONE'
  | 'PROPERTY_INSPECTION'
  | 'CHECK_IN_REMINDER'
  | 'CHECK_OUT_REMINDER'
  | 'PAYMENT_DUE'
  | 'REVIEW_REQUEST';

export interface Template {
  readonly event: NotificationEvent;
  readonly recipientType: RecipientType;
  /** Only for e-mail. */
  readonly subject: TemplateText;
  /** The body of a mail, or all of an SMS. */
  readonly message: TemplateText;
  /** At any other state of the reservation the message is dropped as STALE; null: it is true whatever the state. */
  readonly validWhile: readonly ReservationStatus[] | null;
  /** Too long for an SMS, whatever its event goes by. */
  readonly mailOnly: boolean;
}

/** The typed catalogue: which variables an event has. */
const STAY = ['reservationId', 'propertyName', 'checkInDate', 'checkInTime', 'checkOutDate', 'checkOutTime'] as const;
export const VARIABLES = {
  RESERVATION_CONFIRMED: [
    'guestName',
    'arrivalTime',
    'departureTime',
    'address',
    'price',
    'paid',
    'outstanding',
    'refundTerms',
    'contact',
    ...STAY,
  ],
  // An owner learns nothing about the guest.
  NEW_RESERVATION: ['recipientName', 'ownerShare', ...STAY],
  TASK_ASSIGNED: [
    'recipientName',
    'propertyName',
    'taskTitle',
    'taskStart',
    'taskEnd',
    'displacedTasks',
    'acceptBy',
    'answerUrl',
  ],
  RESERVATION_ROLLED_BACK: ['recipientName', ...STAY],
  PAYMENT_CONFIRMED: ['guestName', 'amount', 'outstanding', 'receiptId', ...STAY],
  PAYMENT_FAILED: ['guestName', 'amount', 'failureReason', ...STAY],
  PAYOUT_SCHEDULED: ['recipientName', 'amount', 'scheduledFor', ...STAY],
  PAYOUT_PROCESSED: ['recipientName', 'amount', 'payoutStays', 'payoutDeductions'],
  PAYOUT_FAILED: ['recipientName', 'amount'],
  RESERVATION_CANCELLED: ['guestName', 'recipientName', 'amount', 'refundPercent', ...STAY],
  TASK_WITHDRAWN: ['recipientName', 'propertyName', 'taskTitle', 'taskStart', 'taskEnd', 'previousStart'],
  TASK_STAY_CANCELLED: ['recipientName', 'propertyName', 'taskTitle', 'taskStart', 'taskEnd'],
  REFUND_PROCESSED: ['guestName', 'amount', ...STAY],
  REFUND_AFFECTS_PAYOUT: ['recipientName', 'amount', ...STAY],
  SYSTEM_ALERT: ['sagaName', 'step', 'code', 'sagaId'],
  TASK_CHANGED: [
    'recipientName',
    'propertyName',
    'taskTitle',
    'taskStart',
    'taskEnd',
    'previousStart',
    'acceptBy',
    'answerUrl',
  ],
  WELCOME: ['guestName', 'accessCode', ...STAY],
  THANK_YOU: ['guestName', ...STAY],
  MAINTENANCE_ALERT: [
    'propertyName',
    'reservationId',
    'code',
    'sagaId',
    'taskTitle',
    'taskId',
    'taskStart',
    'findings',
    'severity',
    'calendarImpact',
    'estimate',
  ],
  // Of a meeting the title has the guest's name, which is for those who meet.
  TASK_COMPLETED: ['recipientName', 'propertyName', 'taskWork', 'taskId', 'doneTasks', 'doneCount'],
  PROPERTY_READY: ['recipientName', 'propertyName', 'taskStart'],
  CHECK_IN_PROMPT: ['recipientName', 'propertyName', 'reservationId'],
  CHECK_OUT_PROMPT: ['recipientName', 'propertyName', 'reservationId'],
  MAINTENANCE_REQUIRED: ['recipientName', 'propertyName', 'taskTitle', 'taskStart', 'estimate', 'approvalUrl'],
  MAINTENANCE_DONE: ['recipientName', 'propertyName', 'charged'],
  PROPERTY_INSPECTION: ['recipientName', 'propertyName', 'taskTitle', 'taskStart', 'taskEnd', 'findings'],
  CHECK_IN_REMINDER: ['guestName', ...STAY],
  CHECK_OUT_REMINDER: ['guestName', ...STAY],
  PAYMENT_DUE: ['guestName', 'outstanding', ...STAY],
  REVIEW_REQUEST: ['guestName', ...STAY],
} as const satisfies Record<NotificationEvent, readonly VariableName[]>;

const HELD: readonly ReservationStatus[] = ['CONFIRMED', 'CHECKED_IN', 'CHECKED_OUT'];
/** A stay that has been confirmed again meanwhile is not "no longer confirmed". */
const NOT_HELD: readonly ReservationStatus[] = ['PENDING', 'CANCELLED'];

const define = (
  event: NotificationEvent,
  recipientType: RecipientType,
  validWhile: Template['validWhile'],
  source: { readonly subject: string; readonly message: string; readonly mailOnly?: boolean },
): Template => ({
  event,
  recipientType,
  validWhile,
  subject: parseTemplate(source.subject),
  message: parseTemplate(source.message),
  mailOnly: source.mailOnly ?? false,
});

export const TEMPLATES = {
  /** The brief's own words. */
  'reservation-confirmed.guest@1': define('RESERVATION_CONFIRMED', 'GUEST', HELD, {
    subject: 'Reservation Confirmed - {propertyName}',
    message: 'Dear {guestName}, your reservation for {propertyName} is confirmed for {checkInDate}.',
  }),
  /** The brief's sentence, and what a guest wants to look up later. */
  'reservation-confirmed-details.guest@1': define('RESERVATION_CONFIRMED', 'GUEST', HELD, {
    mailOnly: true,
    subject: 'Reservation Confirmed - {propertyName}',
    message: `Dear {guestName}, your reservation for {propertyName} is confirmed for {checkInDate}.

Arrival: {checkInDate}, from {arrivalTime}
Departure: {checkOutDate}, until {departureTime}
Address: {address}

Price: {price}
Paid: {paid}
Still to pay: {outstanding}

If you cancel: {refundTerms}

Questions: {contact|just answer this message}
Reservation: {reservationId}`,
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
  'task-assigned-instead.staff@1': define('TASK_ASSIGNED', 'STAFF', null, {
    subject: 'Emergency, instead of other work: {taskTitle} - {propertyName}',
    message: `Dear {recipientName},

An emergency has been assigned to you, and other work of yours gives way to it: {taskTitle}.

Where: {propertyName}
Start: {taskStart}
End: {taskEnd}

What gives way: {displacedTasks}`,
  }),
  'task-offered-instead.staff@1': define('TASK_ASSIGNED', 'STAFF', null, {
    subject: 'Emergency, instead of other work: do you take it? {taskTitle} - {propertyName}',
    message: `Dear {recipientName},

An emergency has been assigned to you, and other work of yours gives way to it: {taskTitle}.

Where: {propertyName}
Start: {taskStart}
End: {taskEnd}

What gives way: {displacedTasks}

Please answer by {acceptBy}, or somebody else is asked. Say yes or no here:

{answerUrl}`,
  }),
  'task-offered.staff@1': define('TASK_ASSIGNED', 'STAFF', null, {
    subject: 'Do you take this task? {taskTitle} - {propertyName}',
    message: `Dear {recipientName},

A task has been assigned to you: {taskTitle}.

Where: {propertyName}
Start: {taskStart}
End: {taskEnd}

Please answer by {acceptBy}, or somebody else is asked. Say yes or no here:

{answerUrl}`,
  }),
  'task-offered-again.staff@1': define('TASK_ASSIGNED', 'STAFF', null, {
    subject: 'We still need your answer: {taskTitle} - {propertyName}',
    message: `Dear {recipientName},

We asked you about this task before, and have found nobody else: {taskTitle}.

Where: {propertyName}
Start: {taskStart}
End: {taskEnd}

Please answer by {acceptBy}; we do not ask you again. Say yes or no here:

{answerUrl}`,
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
  'payment-confirmed.guest@1': define('PAYMENT_CONFIRMED', 'GUEST', null, {
    subject: 'Payment received - {propertyName}',
    message:
      'Dear {guestName}, we received {amount} for your stay at {propertyName} from {checkInDate}. Still to pay: {outstanding}.',
  }),
  'payment-confirmed-in-full.guest@1': define('PAYMENT_CONFIRMED', 'GUEST', null, {
    subject: 'Payment received - {propertyName}',
    message:
      'Dear {guestName}, we received {amount} for your stay at {propertyName} from {checkInDate}. It is paid in full.',
  }),
  'payment-receipt.guest@1': define('PAYMENT_CONFIRMED', 'GUEST', null, {
    mailOnly: true,
    subject: 'Payment received - {propertyName}',
    message: `Dear {guestName},

We received your payment for {propertyName}. Thank you.

Received: {amount}
Still to pay: {outstanding}
Stay: {checkInDate} to {checkOutDate}
Receipt: {receiptId}

Reservation {reservationId}`,
  }),
  'payment-failed.guest@1': define('PAYMENT_FAILED', 'GUEST', null, {
    subject: 'Your payment did not go through - {propertyName}',
    message: `Dear {guestName},

Your payment of {amount} for {propertyName} from {checkInDate} did not go through: {failureReason}.

Nothing was charged, or what was charged has been given back. You can try again, or use another way to pay.`,
  }),
  'payout-scheduled.owner@1': define('PAYOUT_SCHEDULED', 'OWNER', null, {
    subject: 'Payout scheduled - {propertyName}',
    message: `Dear {recipientName},

A guest has paid for a stay at {propertyName}.

Your payout: {amount}
Scheduled for: {scheduledFor}
Stay: {checkInDate} to {checkOutDate}

Reservation {reservationId}`,
  }),
  'payout-processed.owner@1': define('PAYOUT_PROCESSED', 'OWNER', null, {
    subject: 'Payout processed - {amount}',
    message: `Dear {recipientName},

We have paid {amount} to your account.

For: {payoutStays|your stays}
Kept back for what you owed: {payoutDeductions|nothing}`,
  }),
  'payout-failed.owner@1': define('PAYOUT_FAILED', 'OWNER', null, {
    subject: 'Your payout could not be made',
    message: `Dear {recipientName},

Your bank refused a payout of {amount}. The money stays owed to you; please check your account details with us.`,
  }),
  'reservation-cancelled.guest@1': define('RESERVATION_CANCELLED', 'GUEST', null, {
    subject: 'Reservation cancelled - {propertyName}',
    message:
      'Dear {guestName}, your reservation for {propertyName} from {checkInDate} is cancelled. We refund {amount} ({refundPercent} %).',
  }),
  /** What was paid over the balance comes back as well: the percentage would not explain the amount. */
  'reservation-cancelled-with-credit.guest@1': define('RESERVATION_CANCELLED', 'GUEST', null, {
    subject: 'Reservation cancelled - {propertyName}',
    message:
      'Dear {guestName}, your reservation for {propertyName} from {checkInDate} is cancelled. We refund {amount}, with what you had paid too much.',
  }),
  /** Nothing was paid, or the terms give nothing back. */
  'reservation-cancelled-no-refund.guest@1': define('RESERVATION_CANCELLED', 'GUEST', null, {
    subject: 'Reservation cancelled - {propertyName}',
    message:
      'Dear {guestName}, your reservation for {propertyName} from {checkInDate} is cancelled. Nothing is refunded.',
  }),
  'reservation-cancelled.owner@1': define('RESERVATION_CANCELLED', 'OWNER', null, {
    subject: 'Reservation cancelled - {propertyName}',
    message: `Dear {recipientName},

The reservation for {propertyName} from {checkInDate} to {checkOutDate} has been cancelled. The dates are free again.

Reservation {reservationId}`,
  }),
  'task-withdrawn.staff@1': define('TASK_WITHDRAWN', 'STAFF', null, {
    subject: 'Task withdrawn: {taskTitle} - {propertyName}',
    message: `Dear {recipientName},

You need not do this task any more: {taskTitle}.

Where: {propertyName}
It was to start: {previousStart}`,
  }),
  'task-stay-cancelled.staff@1': define('TASK_STAY_CANCELLED', 'STAFF', null, {
    subject: 'Reservation cancelled during your task: {taskTitle} - {propertyName}',
    message: `Dear {recipientName},

The reservation behind a task that you are working on has been cancelled: {taskTitle}.

Where: {propertyName}
The task stays yours: please complete it, or ask your supervisor.`,
  }),
  'refund-processed.guest@1': define('REFUND_PROCESSED', 'GUEST', null, {
    subject: 'Your refund is on its way - {propertyName}',
    message: `Dear {guestName},

{amount} for your stay at {propertyName} from {checkInDate} went back the way it was paid. Banks may take some days to show it.`,
  }),
  'refund-affects-payout.owner@1': define('REFUND_AFFECTS_PAYOUT', 'OWNER', null, {
    subject: 'A refund changes your payout - {propertyName}',
    message: `Dear {recipientName},

The guest of {propertyName} from {checkInDate} is given money back. Your part of it, {amount}, is taken off this payout or the next ones.

Reservation {reservationId}`,
  }),
  /** About a task; of a saga there is more to say. */
  'task-alert.ops@1': define('SYSTEM_ALERT', 'OPS', null, {
    subject: 'Roomy needs a person: {step} task - {code}',
    message: `A task needs attention: {sagaId}.

Type: {step|not known}
Reason: {code}

GET /api/production/tasks/{sagaId}/assignment tells who was looked at, and why nobody has it.`,
  }),
  'system-alert.ops@1': define('SYSTEM_ALERT', 'OPS', null, {
    subject: 'Roomy needs a person: {sagaName} - {code}',
    message: `{sagaName} stopped and cannot go on by itself.

Step: {step|not known}
Reason: {code}
Saga: {sagaId}

Retry or resolve it through the API or on the ops port.`,
  }),
  'refund-alert.ops@1': define('SYSTEM_ALERT', 'OPS', null, {
    subject: 'A refund must be sent by hand: {code}',
    message: `A gateway refuses a refund for good. The money stays owed to the guest, and a task of type FINANCE waits.

Saga: {sagaId}

Send it another way, and record that with POST /api/production/transactions/<id of the refund>/settlement.`,
  }),
  /** About what is neither a saga nor a task: a message, a webhook endpoint, a channel, a rule. */
  'notice-alert.ops@1': define('SYSTEM_ALERT', 'OPS', null, {
    subject: 'Roomy needs a person: {sagaName} - {code}',
    message: `Something about {sagaName} needs attention.

What: {step|not known}
Reason: {code}
About: {sagaId|not known}

Others of the same kind within the hour are not told again.`,
  }),
  'task-changed.staff@1': define('TASK_CHANGED', 'STAFF', null, {
    subject: 'New time: {taskTitle} - {propertyName}',
    message: `Dear {recipientName},

A task of yours has a new time: {taskTitle}.

Where: {propertyName}
It was to start: {previousStart}
Start: {taskStart}
End: {taskEnd}`,
  }),
  'task-changed-offer.staff@1': define('TASK_CHANGED', 'STAFF', null, {
    subject: 'New time, do you take it? {taskTitle} - {propertyName}',
    message: `Dear {recipientName},

A task of yours has a new time: {taskTitle}.

Where: {propertyName}
It was to start: {previousStart}
Start: {taskStart}
End: {taskEnd}

Please answer by {acceptBy}, or somebody else is asked. Say yes or no here:

{answerUrl}`,
  }),
  'welcome.guest@1': define('WELCOME', 'GUEST', ['CHECKED_IN'], {
    subject: 'Welcome to {propertyName}',
    message:
      'Dear {guestName}, welcome to {propertyName}. Your door code is {accessCode}. It works until you leave: {checkOutDate}, {checkOutTime}.',
  }),
  'welcome-without-code.guest@1': define('WELCOME', 'GUEST', ['CHECKED_IN'], {
    subject: 'Welcome to {propertyName}',
    message:
      'Dear {guestName}, welcome to {propertyName}. We wish you a pleasant stay, until {checkOutDate}, {checkOutTime}.',
  }),
  'thank-you.guest@1': define('THANK_YOU', 'GUEST', ['CHECKED_OUT'], {
    subject: 'Thank you for staying at {propertyName}',
    message: `Dear {guestName},

Thank you for staying at {propertyName}. We hope that you liked it, and that we shall see you again.

Reservation {reservationId}`,
  }),
  'maintenance-alert-amenities.ops@1': define('MAINTENANCE_ALERT', 'OPS', null, {
    subject: 'The devices of {propertyName} do not answer: {code}',
    message: `The devices of {propertyName} could not be switched off after a departure. A code may still open the door.

Stay: {reservationId}
Reason: {code}
Saga: {sagaId}

See to the devices, then press Retry on the saga's job, or resolve it.`,
  }),
  'maintenance-alert-access.ops@1': define('MAINTENANCE_ALERT', 'OPS', null, {
    subject: 'The door of {propertyName} does not follow a departure: {code}',
    message: `A guest who is staying at {propertyName} has another departure, and the door code still ends at the old one. The guest is told of the new time when the code works until then.

Stay: {reservationId}
Reason: {code}
Saga: {sagaId}

See to the device, then press Retry on the saga's job; or let the guest in another way and resolve it.`,
  }),
  'task-completed.staff@1': define('TASK_COMPLETED', 'STAFF', null, {
    subject: 'Done: {taskWork} - {propertyName}',
    message: `Dear {recipientName},

A task at {propertyName} is done: {taskWork}.

Task {taskId}`,
  }),
  'task-digest.staff@1': define('TASK_COMPLETED', 'STAFF', null, {
    subject: 'Done since yesterday: {doneCount} tasks',
    message: `Dear {recipientName},

This was completed at the properties that you look after: {doneTasks}.

Tasks: {doneCount}`,
  }),
  'task-completed.ops@1': define('TASK_COMPLETED', 'OPS', null, {
    subject: 'Done: {taskWork} - {propertyName}',
    message: 'A task at {propertyName} is done: {taskWork}. No agent looks after the property. Task {taskId}',
  }),
  'property-ready.staff@1': define('PROPERTY_READY', 'STAFF', null, {
    subject: 'Ready for the guest: {propertyName}',
    message: `Dear {recipientName},

{propertyName} is ready: a guest who comes early can be let in.

Your meeting: {taskStart}`,
  }),
  'property-ready.ops@1': define('PROPERTY_READY', 'OPS', null, {
    subject: 'Ready for the guest: {propertyName}',
    message: '{propertyName} is ready. Nobody has been found yet who meets the guest at {taskStart}.',
  }),
  'check-in-prompt.staff@1': define('CHECK_IN_PROMPT', 'STAFF', ['CONFIRMED'], {
    subject: 'Please check in: {reservationId} - {propertyName}',
    message: `Dear {recipientName},

The guest of {propertyName} has been met, but is not checked in yet. Please check the reservation in: {reservationId}.`,
  }),
  'check-in-prompt.ops@1': define('CHECK_IN_PROMPT', 'OPS', ['CONFIRMED'], {
    subject: 'Please check in: {reservationId} - {propertyName}',
    message: 'The guest of {propertyName} has been met, but is not checked in yet: {reservationId}.',
  }),
  'check-out-prompt.staff@1': define('CHECK_OUT_PROMPT', 'STAFF', ['CHECKED_IN'], {
    subject: 'Please check out: {reservationId} - {propertyName}',
    message: `Dear {recipientName},

The guest of {propertyName} has left, but is not checked out yet. Please check the reservation out: {reservationId}.`,
  }),
  'check-out-prompt.ops@1': define('CHECK_OUT_PROMPT', 'OPS', ['CHECKED_IN'], {
    subject: 'Please check out: {reservationId} - {propertyName}',
    message: 'The guest of {propertyName} has left, but is not checked out yet: {reservationId}.',
  }),
  'maintenance-required.owner@1': define('MAINTENANCE_REQUIRED', 'OWNER', null, {
    subject: 'Something must be repaired - {propertyName}',
    message: `Dear {recipientName},

Our staff found something at {propertyName} that must be repaired. We are seeing to it, and will tell you when it is done.

Estimated cost: {estimate|not known yet}`,
  }),
  'maintenance-ordered.owner@1': define('MAINTENANCE_REQUIRED', 'OWNER', null, {
    subject: 'Maintenance Required - {propertyName}',
    message: `Dear {recipientName},

Work is needed at {propertyName}: {taskTitle}. We are seeing to it, and will tell you when it is done.

Start: {taskStart}
Estimated cost: {estimate|not known yet}`,
  }),
  'repair-approval.owner@1': define('MAINTENANCE_REQUIRED', 'OWNER', null, {
    subject: 'Your approval is needed - {propertyName}',
    message: `Dear {recipientName},

A repair at {propertyName} would cost more than you let us spend without asking: {taskTitle}.

Estimated cost: {estimate}
Planned for: {taskStart}

Please say whether we may have it done. Nothing is ordered before.

{approvalUrl}`,
  }),
  'repair-approved.ops@1': define('MAINTENANCE_ALERT', 'OPS', null, {
    subject: 'The owner agrees: {taskTitle} - {propertyName}',
    message: `The owner of {propertyName} has approved a repair: {taskTitle}. Somebody is being looked for.

Estimated cost: {estimate|not known}
Task: {taskId}`,
  }),
  'repair-declined.ops@1': define('MAINTENANCE_ALERT', 'OPS', null, {
    subject: 'The owner declines: {taskTitle} - {propertyName}',
    message: `The owner of {propertyName} has declined a repair, and the task is cancelled: {taskTitle}.

Estimated cost: {estimate|not known}
Calendar: {calendarImpact|not known}
Task: {taskId}

Talk to the owner if it cannot stay as it is.`,
  }),
  'maintenance-done.owner@1': define('MAINTENANCE_DONE', 'OWNER', null, {
    subject: 'Repaired - {propertyName}',
    message: `Dear {recipientName},

A repair at {propertyName} is done.

Charged to you: {charged|nothing}`,
  }),
  'maintenance-alert-findings.ops@1': define('MAINTENANCE_ALERT', 'OPS', null, {
    subject: 'Something must be repaired: {propertyName}',
    message: `Something was found at {propertyName} that must be repaired; tasks have been made of it.

What: {findings|see the task}
Severity: {severity|not known}
Calendar: {calendarImpact|not known}
Found in task: {taskId}`,
  }),
  'maintenance-alert-emergency.ops@1': define('MAINTENANCE_ALERT', 'OPS', null, {
    subject: 'Emergency at {propertyName}: {taskTitle}',
    message: `An emergency at {propertyName} needs somebody now: {taskTitle}.

Severity: {severity|not known}
Start: {taskStart}
Calendar: {calendarImpact|not known}`,
  }),
  'maintenance-alert-waiting.ops@1': define('MAINTENANCE_ALERT', 'OPS', null, {
    subject: 'Nobody has begun: {taskTitle} - {propertyName}',
    message: `An emergency at {propertyName} still waits, and nobody has begun with it: {taskTitle}.

Reason: {code}
Start: {taskStart}
Calendar: {calendarImpact|not known}

Call somebody.`,
  }),
  'maintenance-planned.owner@1': define('MAINTENANCE_REQUIRED', 'OWNER', null, {
    subject: 'Maintenance Required - {propertyName}',
    message: `Dear {recipientName},

Regular maintenance is due at {propertyName}: {taskTitle}.

Start: {taskStart}
Estimated cost: {estimate|not known yet}`,
  }),
  'property-inspection.owner@1': define('PROPERTY_INSPECTION', 'OWNER', null, {
    subject: 'Property Inspection - {propertyName}',
    message: `Dear {recipientName},

{propertyName} will be inspected: {taskTitle}.

Start: {taskStart}
End: {taskEnd}`,
  }),
  'property-inspected.owner@1': define('PROPERTY_INSPECTION', 'OWNER', null, {
    subject: 'Property Inspection passed - {propertyName}',
    message: `Dear {recipientName},

{propertyName} has been inspected, and all is well: {taskTitle}.`,
  }),
  'property-inspection-failed.owner@1': define('PROPERTY_INSPECTION', 'OWNER', null, {
    subject: 'Property Inspection: something must be done - {propertyName}',
    message: `Dear {recipientName},

{propertyName} has been inspected, and this was found: {findings}.

What we do about it comes in a message of its own.`,
  }),
  'check-in-reminder.guest@1': define('CHECK_IN_REMINDER', 'GUEST', ['CONFIRMED'], {
    subject: 'Your arrival at {propertyName}: {checkInDate}',
    message:
      'Dear {guestName}, your stay at {propertyName} begins on {checkInDate}. You can check in from {checkInTime}.',
  }),
  // Who arrives in the evening of the only night is not checked in yet when this goes.
  'check-out-reminder.guest@1': define('CHECK_OUT_REMINDER', 'GUEST', ['CONFIRMED', 'CHECKED_IN'], {
    subject: 'Your departure from {propertyName}: {checkOutDate}',
    message:
      'Dear {guestName}, your stay at {propertyName} ends on {checkOutDate}. Please check out by {checkOutTime}.',
  }),
  'payment-due.guest@1': define('PAYMENT_DUE', 'GUEST', ['CONFIRMED'], {
    subject: 'Still to pay for {propertyName}: {outstanding}',
    message: `Dear {guestName},

your stay at {propertyName} begins on {checkInDate}. {outstanding} is still to be paid.

Reservation {reservationId}`,
  }),
  'review-request.guest@1': define('REVIEW_REQUEST', 'GUEST', ['CHECKED_OUT'], {
    subject: 'How was {propertyName}?',
    message: `Dear {guestName},

we hope that you liked {propertyName}. Would you tell us how it was? Just answer this message.

Reservation {reservationId}`,
  }),
} as const satisfies Record<string, Template>;

export type TemplateKey = keyof typeof TEMPLATES;

const BY_KEY: ReadonlyMap<string, Template> = new Map(Object.entries(TEMPLATES));

/** Null for a key of a newer build. */
export const templateOf = (key: string): Template | null => BY_KEY.get(key) ?? null;

/** What goes by SMS instead of a text that only a mail has room for. */
export const SHORT: Readonly<Partial<Record<TemplateKey, TemplateKey>>> = {
  'reservation-confirmed-details.guest@1': 'reservation-confirmed.guest@1',
  'payment-receipt.guest@1': 'payment-confirmed.guest@1',
};
/** The key of the text for a channel; that itself where it has no shorter one. */
export const keyFor = (key: string, channel: Channel): string =>
  channel === 'SMS' && Object.hasOwn(SHORT, key) ? (SHORT[key as TemplateKey] ?? key) : key;
