import { z } from '@hono/zod-openapi';
import { REFUND_STATUSES } from '../../domain/reservations/payment-status.ts';
import { OFFERED_ACTIONS } from '../../domain/reservations/state-machine.ts';
import { filtersBy, refersTo } from '../references.ts';
import {
  Amount,
  CalendarDate,
  CHANGE_NOTHING,
  Currency,
  Id,
  Instant,
  InstantOrDate,
  isChange,
  LocalArrival,
  NewRecordId,
  OnBehalfId,
  pageQuery,
  prose,
} from './common.ts';
import { Notification, Transaction } from './records.ts';
import { Execution } from './sagas.ts';
import { holds, needsAssignment, Task } from './tasks.ts';

const ReservationStatus = z.enum(['PENDING', 'CONFIRMED', 'CHECKED_IN', 'CHECKED_OUT', 'CANCELLED', 'NO_SHOW']);
const PaymentStatus = z
  .enum(['UNPAID', 'PARTIALLY_PAID', 'PAID', 'OVERPAID', 'PARTIALLY_REFUNDED', 'REFUNDED'])
  .openapi({
    description:
      'Derived from the payments, never set: refunds count when they have gone back, `refundStatus` says how far they are',
  });
const GuestCount = z.int().min(1).max(1000);

const stayInOrder = {
  check: (stay: { checkInDate?: string | undefined; checkOutDate?: string | undefined }): boolean =>
    stay.checkInDate === undefined || stay.checkOutDate === undefined || stay.checkInDate < stay.checkOutDate,
  refusal: { path: ['checkOutDate'], message: 'must be after checkInDate' },
};

/** Earns a share of the stay, so no agent names anybody: neither oneself nor a friend. */
const Referrer = refersTo(Id, 'staff', 'use', 'ADMIN_AND_SERVICES');

export const NewReservation = z
  .strictObject({
    id: NewRecordId.optional(),
    propertyId: refersTo(Id, 'property'),
    guestId: refersTo(Id, 'guest'),
    checkInDate: CalendarDate,
    checkOutDate: CalendarDate,
    totalAmount: Amount,
    currency: Currency.default('AED'),
    referringAgentId: Referrer.optional(),
    guestCount: GuestCount.optional(),
    plannedArrival: LocalArrival.optional(),
    plannedDeparture: LocalArrival.optional(),
    notes: prose(2000).optional(),
  })
  .refine(stayInOrder.check, stayInOrder.refusal)
  .openapi('NewReservation');
export const NEW_RESERVATION_EXAMPLE = {
  id: 'reservation-2',
  propertyId: 'property-1',
  guestId: 'guest-1',
  checkInDate: '2024-02-01',
  checkOutDate: '2024-02-03',
  totalAmount: 1000,
  currency: 'AED',
};
export const ReservationChange = z
  .strictObject({
    propertyId: refersTo(Id, 'property').optional(),
    guestId: refersTo(Id, 'guest').optional(),
    checkInDate: CalendarDate.optional(),
    checkOutDate: CalendarDate.optional(),
    totalAmount: Amount.optional(),
    currency: Currency.optional(),
    referringAgentId: Referrer.nullish(),
    guestCount: GuestCount.nullish(),
    plannedArrival: LocalArrival.nullish(),
    plannedDeparture: LocalArrival.nullish(),
    notes: prose(2000).nullish(),
  })
  .refine(isChange, CHANGE_NOTHING)
  .refine(stayInOrder.check, stayInOrder.refusal)
  .refine((change) => change.currency === undefined || change.totalAmount !== undefined, {
    path: ['totalAmount'],
    message: 'is required to change the currency',
  })
  .openapi('ReservationChange');

const stay = {
  id: Id,
  kind: z.enum(['STAY', 'OWNER_STAY', 'MAINTENANCE_BLOCK']),
  propertyId: z.string(),
  guestId: z.string().nullable(),
  checkInDate: z.iso.date(),
  checkOutDate: z.iso.date(),
  totalAmount: z.number().openapi({ description: 'Major units' }),
  currency: z.string(),
  referringAgentId: z.string().nullable(),
  guestCount: z.int().nullable(),
  plannedArrival: z.string().nullable(),
  plannedDeparture: z.string().nullable(),
  notes: z.string().nullable(),
  status: ReservationStatus,
  allowedActions: z.array(z.enum(OFFERED_ACTIONS)).openapi({ description: 'Those of `actions` that are allowed' }),
  actions: z
    .array(
      z.object({
        action: z.enum(OFFERED_ACTIONS),
        allowed: z.boolean(),
        reason: z.object({ code: z.string(), message: z.string() }).nullable(),
      }),
    )
    .openapi({
      description:
        'What can be done with it now, asked without options, and with which code the rest would be refused: by its status, the saga at work on it, taken nights, the strict checks of its property or what is left to pay',
    }),
  paymentStatus: PaymentStatus,
  refundStatus: z.enum(REFUND_STATUSES).openapi({
    description:
      'Of all refunds of the stay: `PENDING` is on its way, `MANUAL_REQUIRED` waits for a person to send the money',
  }),
  confirmedAt: z.iso.datetime().nullable(),
  actualCheckInAt: z.iso.datetime().nullable(),
  actualCheckOutAt: z.iso.datetime().nullable(),
  departureDate: z.iso
    .date()
    .nullable()
    .openapi({ description: 'The day on which the guest left, if earlier than booked' }),
  cancelledAt: z.iso.datetime().nullable(),
  cancelReason: z.string().nullable(),
  version: z.int(),
  createdBy: z.string(),
  createdAt: z.iso.datetime(),
};
export const Reservation = z
  .object({
    ...stay,
    activeSagaId: z.string().nullable(),
  })
  .openapi('Reservation');
export const ChangedReservation = Reservation.extend({
  warnings: z.array(z.string()).openapi({ example: ['TASK_TIME_KEPT'] }),
}).openapi('ChangedReservation');
export const INCLUDES = ['tasks', 'transactions', 'notifications', 'sagas'] as const;
export const ReservationWithIncludes = Reservation.extend({
  tasks: z.array(Task).optional(),
  transactions: z.array(Transaction).optional(),
  notifications: z.array(Notification).optional(),
  sagas: z.array(Execution).optional(),
}).openapi('ReservationWithIncludes');
export const IncludeQuery = z.strictObject({
  include: z
    .string()
    .max(100)
    .transform((text) => text.split(','))
    .pipe(z.array(z.enum(INCLUDES)))
    .optional()
    .openapi({ type: 'string', description: `Any of ${INCLUDES.join(', ')}, with commas between` }),
});
export const ReservationQuery = z.strictObject({
  status: ReservationStatus.optional(),
  propertyId: filtersBy(Id, 'property').optional(),
  guestId: filtersBy(Id, 'guest').optional(),
  from: InstantOrDate.optional().openapi({
    description: 'Stays with a day on or after it; of an instant, the day at the property',
  }),
  to: InstantOrDate.optional().openapi({ description: 'Stays with a day on or before it, or before the instant' }),
  ...pageQuery,
});

export const ConfirmBody = z
  .strictObject({
    confirmedBy: OnBehalfId.optional().openapi({ description: 'For whom; who acts is the token’s subject' }),
    notes: prose(2000).optional(),
    requireAssignment: z.boolean().optional().openapi({
      description: 'Refuse and undo when nobody can take a task; otherwise such tasks wait unassigned',
    }),
    taskTimes: z
      .strictObject({
        PRE_ARRIVAL: Instant.optional(),
        ARRIVAL: Instant.optional(),
        DEPARTURE: Instant.optional(),
        POST_DEPARTURE: Instant.optional(),
      })
      .optional()
      .openapi({ description: 'Starts that were chosen, such as those that a refusal suggested' }),
    ...holds,
  })
  .refine(needsAssignment.check, needsAssignment.refusal)
  .openapi('ConfirmReservation');
export const CONFIRM_EXAMPLE = { confirmedBy: 'agent-1', notes: 'Confirmed after availability check' };

/** All four tasks come back; the brief's example is an excerpt (domain.md T1), so little is required here. */
export const ConfirmedReservation = z
  .object({
    reservation: z.looseObject({ ...z.object(stay).partial().shape, id: Id, status: ReservationStatus }),
    tasks: z.array(Task.partial().required({ id: true, type: true, title: true })),
    transaction: Transaction.partial()
      .required({ id: true, type: true })
      .nullable()
      .openapi({ description: 'What the guest owes; null: the stay costs nothing' }),
    warnings: z.array(z.string()).optional(),
  })
  .loose()
  .openapi('ConfirmedReservation');
export const CONFIRMED_EXAMPLE = {
  success: true,
  data: {
    reservation: { id: 'reservation-1', status: 'CONFIRMED' },
    tasks: [
      { id: 'task-1', type: 'CLEANING', title: 'Pre-arrival cleaning' },
      { id: 'task-2', type: 'CHECK_IN', title: 'Check-in for John Doe' },
    ],
    transaction: { id: 'transaction-1', type: 'GUEST_PAYMENT' },
  },
  message: 'Reservation confirmed successfully',
};
