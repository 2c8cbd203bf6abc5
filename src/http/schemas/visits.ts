import { z } from '@hono/zod-openapi';
import { secret } from '../secrets.ts';
import { Id, Instant, OnBehalfId, prose } from './common.ts';
import { Task } from './tasks.ts';

const actualTime = Instant.optional().openapi({
  description: 'When it really happened; without it, now. Not in the future',
});
const notes = prose(2000).optional();
const onBehalf = OnBehalfId.optional().openapi({ description: 'For whom; who acts is the token’s subject' });
const strict = z.boolean().optional();

export const CheckInBody = z
  .strictObject({
    checkedInBy: onBehalf,
    actualTime,
    notes,
    strict: strict.openapi({
      description: 'Refuse a guest who is early, has not paid, or whose property is not ready, instead of warning',
    }),
  })
  .openapi('CheckInReservation');
export const CHECK_IN_EXAMPLE = { checkedInBy: 'agent-1', notes: 'Passport seen' };
export const CheckOutBody = z
  .strictObject({
    checkedOutBy: onBehalf,
    actualTime,
    notes,
    strict: strict.openapi({ description: 'Refuse while a balance is due, instead of warning' }),
  })
  .openapi('CheckOutReservation');
export const CHECK_OUT_EXAMPLE = { checkedOutBy: 'agent-1', notes: 'Keys returned' };

const instant = z.iso.datetime().nullable();
const visit = {
  reservation: z.looseObject({
    id: Id,
    status: z.string(),
    actualCheckInAt: instant,
    actualCheckOutAt: instant,
    departureDate: z.iso.date().nullable().openapi({
      description: 'The day on which the guest left, if earlier than booked',
    }),
    paymentStatus: z.string(),
  }),
  tasks: z.array(Task.partial().required({ id: true, type: true, title: true })),
  property: z.object({ id: Id, readiness: z.string() }),
  amenities: z.object({
    status: z.enum(['NONE', 'ACTIVE', 'REVOKED']),
    byHand: z.boolean().optional().openapi({
      description: 'A person has seen to the code, and no device was asked; the step of the saga says who and why',
    }),
    device: z.string().nullable(),
    validUntil: instant,
  }),
  warnings: z.array(z.string()).openapi({ example: ['CHECK_IN_LATE', 'BALANCE_DUE'] }),
};
export const CheckedInReservation = z.object(visit).loose().openapi('CheckedInReservation');

const ReportedTask = z.object({
  id: z.string(),
  type: z.string(),
  occurrence: z.string(),
  status: z.string(),
  scheduledDate: z.iso.datetime(),
});
const major = z.number().openapi({ description: 'Major units' });
export const ReportLink = z.object({ url: secret(z.url()), expiresAt: z.iso.datetime() }).openapi('CheckOutReportLink');
export const CheckOutReport = z
  .object({
    id: z.string(),
    createdAt: z.iso.datetime(),
    sha256: z.string().openapi({ description: 'Of the canonical JSON (RFC 8785) of `report`, in hex' }),
    report: z.object({
      reservationId: Id,
      propertyId: Id,
      guestId: Id,
      nights: z.object({ booked: z.int(), stayed: z.int(), unused: z.int() }),
      times: z.object({
        timeZone: z.string(),
        checkInDate: z.iso.date(),
        checkOutDate: z.iso.date(),
        checkedInAt: instant,
        checkedInLocal: z.string().nullable(),
        checkedOutAt: instant,
        checkedOutLocal: z.string().nullable(),
      }),
      money: z
        .object({
          total: major,
          balanceDue: major,
          paymentStatus: z.string(),
          currency: z.string(),
          received: major,
          refunded: major,
          ownerShare: major,
          agencyFee: major,
          referral: z.object({ agents: major, retained: major }),
          gatewayFees: major,
          guestCredit: major,
        })
        .nullable()
        .openapi({ description: 'Null for services without `finance:read`, and then not what `sha256` is of' }),
      payments: z
        .array(z.object({ transactionId: z.string(), amount: major, status: z.string(), completedAt: instant }))
        .nullable(),
      tasks: z.array(ReportedTask),
      incidents: z.array(ReportedTask),
      deposit: z.object({ held: major, state: z.enum(['NONE', 'HELD']) }),
      amenities: z.object({ status: z.string() }),
      warnings: z.array(z.string()),
    }),
  })
  .openapi('CheckOutReport');
export const CheckedOutReservation = z
  .object({ ...visit, report: CheckOutReport })
  .loose()
  .openapi('CheckedOutReservation');
