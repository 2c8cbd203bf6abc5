import { z } from 'zod';

/** What the data of an event holds, by the record that it is about: ids, codes, times and amounts; nothing that a person wrote. */

const id = z.string();
const nullableId = z.string().nullable();
const version = z.int();
const instant = z.iso.datetime({ offset: true });
const party = { version };

export const EVENT_DATA = {
  reservation: z.strictObject({
    status: z.enum(['PENDING', 'CONFIRMED', 'CHECKED_IN', 'CHECKED_OUT', 'CANCELLED', 'NO_SHOW']),
    paymentStatus: z.enum(['UNPAID', 'PARTIALLY_PAID', 'PAID', 'OVERPAID', 'PARTIALLY_REFUNDED', 'REFUNDED']),
    propertyId: id,
    checkInDate: z.iso.date(),
    checkOutDate: z.iso.date(),
    version,
  }),
  task: z.strictObject({
    status: z.enum(['UNASSIGNED', 'ASSIGNED', 'IN_PROGRESS', 'COMPLETED', 'CANCELLED', 'MERGED', 'OVERTAKEN']),
    type: z.string(),
    occurrence: z.string(),
    propertyId: id,
    assigneeId: nullableId,
    startsAt: instant,
    endsAt: instant,
    version,
  }),
  transaction: z.strictObject({
    status: z.enum(['PENDING', 'PROCESSING', 'COMPLETED', 'FAILED', 'CANCELLED', 'REVERSED', 'MANUAL_REQUIRED']),
    type: z.string(),
    amountMinor: z.int(),
    // Events of before have none.
    amountDueMinor: z.int().nullable().optional(),
    outstandingMinor: z.int(),
    currency: z.string(),
    version,
  }),
  payment: z.strictObject({
    status: z.enum(['PROCESSING', 'COMPLETED', 'FAILED', 'CANCELLED', 'REVERSED']),
    amountMinor: z.int(),
    currency: z.string(),
    errorCode: z.string().nullable(),
  }),
  dispute: z.strictObject({
    status: z.enum(['PENDING', 'PROCESSING', 'COMPLETED', 'REVERSED', 'CANCELLED']),
    paymentId: id,
    providerId: id,
    amountMinor: z.int(),
    currency: z.string(),
    reason: z.string().nullable(),
    respondBy: instant.nullable(),
    version,
  }),
  property: z.strictObject({
    readiness: z.enum(['DIRTY', 'CLEANING', 'CLEAN', 'INSPECTED', 'OUT_OF_ORDER']),
    version,
  }),
  saga: z.strictObject({
    status: z.enum(['pending', 'running', 'compensating', 'parked', 'completed', 'compensated', 'resolved']),
    name: z.string(),
    subjectType: z.enum(['reservation', 'transaction', 'amenity_grant']),
    subjectId: id,
    errorCode: z.string().nullable(),
  }),
  notification: z.strictObject({
    status: z.enum(['QUEUED', 'SENDING', 'SENT', 'DELIVERED', 'FAILED', 'SKIPPED', 'BLOCKED']),
    event: z.string(),
    channel: z.enum(['EMAIL', 'SMS']),
    recipientType: z.enum(['GUEST', 'OWNER', 'STAFF', 'OPS']),
    recipientId: id,
    reason: z.string().nullable(),
    taskId: nullableId,
  }),
  difference: z.strictObject({
    status: z.enum(['OPEN', 'EXPLAINED', 'RESOLVED']),
    kind: z.string(),
    movement: z.enum(['CHARGE', 'REFUND', 'PAYOUT']),
    gatewayId: id,
    transactionId: nullableId,
    currency: z.string(),
    version,
  }),
  guest: z.strictObject(party),
  owner: z.strictObject(party),
  staff: z.strictObject({ ...party, role: z.string(), active: z.boolean() }),
} as const;

export type EventResource = keyof typeof EVENT_DATA;
export type EventDataOf<R extends EventResource> = z.output<(typeof EVENT_DATA)[R]>;

/** One record of each kind, in the story of the brief's examples. */
export const EXAMPLE_DATA: {
  readonly [R in EventResource]: {
    readonly id: string;
    readonly reservationId: string | null;
    readonly data: EventDataOf<R>;
  };
} = {
  reservation: {
    id: 'reservation-1',
    reservationId: 'reservation-1',
    data: {
      status: 'CONFIRMED',
      paymentStatus: 'PAID',
      propertyId: 'property-1',
      checkInDate: '2024-02-01',
      checkOutDate: '2024-02-03',
      version: 2,
    },
  },
  task: {
    id: 'task-1',
    reservationId: 'reservation-1',
    data: {
      status: 'ASSIGNED',
      type: 'CLEANING',
      occurrence: 'PRE_ARRIVAL',
      propertyId: 'property-1',
      assigneeId: 'cleaner-1',
      startsAt: '2024-01-31T11:00:00+00:00',
      endsAt: '2024-01-31T13:00:00+00:00',
      version: 2,
    },
  },
  transaction: {
    id: 'transaction-1',
    reservationId: 'reservation-1',
    data: {
      status: 'PENDING',
      type: 'GUEST_PAYMENT',
      amountMinor: 100_000,
      amountDueMinor: 100_000,
      outstandingMinor: 100_000,
      currency: 'AED',
      version: 1,
    },
  },
  payment: {
    id: 'payment-1',
    reservationId: 'reservation-1',
    data: { status: 'COMPLETED', amountMinor: 100_000, currency: 'AED', errorCode: null },
  },
  dispute: {
    id: 'transaction-9',
    reservationId: 'reservation-1',
    data: {
      status: 'PENDING',
      paymentId: 'payment-1',
      providerId: 'dp_1',
      amountMinor: 100_000,
      currency: 'AED',
      reason: 'FRAUDULENT',
      respondBy: '2024-02-20T23:59:59.000Z',
      version: 1,
    },
  },
  property: { id: 'property-1', reservationId: null, data: { readiness: 'CLEAN', version: 1 } },
  saga: {
    id: 'saga-1',
    reservationId: 'reservation-1',
    data: {
      status: 'completed',
      name: 'confirmReservation',
      subjectType: 'reservation',
      subjectId: 'reservation-1',
      errorCode: null,
    },
  },
  notification: {
    id: 'notification-1',
    reservationId: 'reservation-1',
    data: {
      status: 'SENT',
      event: 'RESERVATION_CONFIRMED',
      channel: 'EMAIL',
      recipientType: 'GUEST',
      recipientId: 'guest-1',
      reason: null,
      taskId: null,
    },
  },
  difference: {
    id: 'difference-1',
    reservationId: 'reservation-1',
    data: {
      status: 'OPEN',
      kind: 'FEE_MISMATCH',
      movement: 'CHARGE',
      gatewayId: 'gateway-123',
      transactionId: 'transaction-1',
      currency: 'AED',
      version: 1,
    },
  },
  guest: { id: 'guest-1', reservationId: null, data: { version: 1 } },
  owner: { id: 'owner-1', reservationId: null, data: { version: 1 } },
  staff: { id: 'cleaner-1', reservationId: null, data: { version: 1, role: 'CLEANER', active: true } },
};
