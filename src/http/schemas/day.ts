import { z } from '@hono/zod-openapi';
import { DAY_WARNINGS } from '../../domain/stays/day.ts';
import { filtersBy } from '../references.ts';
import { CalendarDate, Id } from './common.ts';

export const DayQuery = z.strictObject({
  date: CalendarDate.optional().openapi({ description: 'At each property its own day; today on the agency’s clock' }),
  propertyId: filtersBy(Id, 'property').optional(),
  properties: z
    .string()
    .regex(/^(?:[1-9]\d?|[1-4]\d\d|500)$/, 'must be a whole number from 1 to 500')
    .transform(Number)
    .optional()
    .openapi({
      type: 'integer',
      minimum: 1,
      maximum: 500,
      description: 'So many properties; without it all. The counts are of all of them in either case',
    }),
  after: filtersBy(Id, 'property').optional().openapi({ description: 'Goes on behind this property: `nextAfter`' }),
});

const DayTask = z.object({
  id: z.string(),
  type: z.string(),
  occurrence: z.string(),
  status: z.string(),
  startsAt: z.iso.datetime(),
  endsAt: z.iso.datetime(),
  assigneeId: z.string().nullable(),
  assigneeName: z.string().nullable(),
  mergedIntoTaskId: z
    .string()
    .nullable()
    .openapi({ description: 'The task that does its work as well; status, person and times are those of it' }),
  isLate: z.boolean(),
});
const DayStay = z.object({
  reservationId: z.string(),
  parts: z.array(z.enum(['ARRIVAL', 'DEPARTURE', 'IN_HOUSE'])),
  status: z.string().openapi({ description: 'PENDING: it arrives that day, and is to be confirmed' }),
  arrivesAt: z.iso.datetime().openapi({ description: 'When it is expected, or when it happened' }),
  leavesAt: z.iso.datetime(),
  checkInDate: z.string(),
  checkOutDate: z.string(),
  guestId: z.string().nullable(),
  guestName: z.string().nullable().openapi({ description: 'null: not for the caller' }),
  guestCount: z.int().nullable(),
  paymentStatus: z.string(),
  balanceDue: z.number().nullable().openapi({ description: 'Major units; null: not for the caller' }),
  currency: z.string(),
  isCleaned: z.boolean().nullable().openapi({
    description:
      'Whether the cleaning before the arrival is done; null: there is none, or tasks are not for the caller',
  }),
  tasks: z.array(DayTask),
  warnings: z
    .array(z.enum(DAY_WARNINGS))
    .openapi({ description: 'By now: a time that has passed, a task past its end, a task that nobody has' }),
});
export const Day = z
  .object({
    date: z.string(),
    counts: z.object({
      arrivals: z.int(),
      departures: z.int(),
      inHouse: z.int(),
      turnovers: z.int().openapi({ description: 'Properties' }),
      toConfirm: z.int(),
      late: z.int().openapi({ description: 'Of tasks only those that the caller may see' }),
      unassigned: z.int().nullable().openapi({ description: 'null: tasks are not for the caller' }),
      notReady: z.int(),
    }),
    complete: z.boolean().openapi({ description: 'false: more stays than one answer has; ask property by property' }),
    nextAfter: z.string().nullable().openapi({ description: 'Null: there are no more properties' }),
    properties: z.array(
      z.object({
        propertyId: z.string(),
        name: z.string(),
        timeZone: z.string(),
        readiness: z.string().openapi({ description: 'As it is now' }),
        isReady: z.boolean(),
        isTurnover: z.boolean(),
        stays: z.array(DayStay),
      }),
    ),
  })
  .openapi('Day');
