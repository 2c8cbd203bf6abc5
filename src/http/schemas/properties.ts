import { z } from '@hono/zod-openapi';
import { filtersBy, refersTo } from '../references.ts';
import {
  CHANGE_NOTHING,
  GeoPoint,
  Id,
  isChange,
  LocalTime,
  label,
  line,
  MoneyIn,
  NewRecordId,
  pageQuery,
  reference,
  TimeZone,
} from './common.ts';
import { Checklist, TaskType } from './tasks.ts';

const fields = {
  name: line(200),
  timeZone: TimeZone,
  checkInTime: LocalTime,
  checkOutTime: LocalTime,
  cleaningMinutes: z.int().min(1).max(1440),
  // Who looks after it is not for those who look after it.
  agentIds: z.array(refersTo(Id, 'staff', 'use', 'ADMIN')).max(100),
};
const Readiness = z.enum(['DIRTY', 'CLEANING', 'CLEAN', 'INSPECTED', 'OUT_OF_ORDER']);
const StayChecks = z.array(z.enum(['CHECK_IN_TOO_EARLY', 'BALANCE_DUE', 'PROPERTY_NOT_READY'])).max(3);
const work = {
  readiness: Readiness.optional(),
  inspectionRequired: z.boolean().optional().openapi({ description: 'Clean is ready only once it was inspected' }),
  strictChecks: StayChecks.optional().openapi({ description: 'These refuse a check-in or check-out; others warn' }),
  autoCheckIn: z.boolean().optional().openapi({ description: 'A completed meeting checks in by itself' }),
  autoCheckOut: z.boolean().optional(),
  checklists: z.partialRecord(TaskType, Checklist).optional().openapi({ description: 'By type of task' }),
};
const staffing = {
  primaryStaffIds: z
    .array(refersTo(Id, 'staff'))
    .max(100)
    .openapi({ description: 'Who knows it best: preferred for its tasks' }),
  acceptMinutes: z.int().min(1).max(10_080).openapi({
    description: 'An assignee is to accept within so many minutes, those of the night not counted (`acceptQuietFrom`)',
  }),
};
const reminders = {
  checkInReminderTime: LocalTime.optional().openapi({ description: 'Local, on the day before the arrival' }),
  checkOutReminderTime: LocalTime.optional().openapi({ description: 'Local, on the eve of the departure' }),
  paymentDueDays: z
    .int()
    .min(1)
    .max(365)
    .nullish()
    .openapi({ description: 'Who still has to pay is reminded so many days before; null: never' }),
  requireTranslation: z.boolean().optional().openapi({ description: 'A message is not sent in another language' }),
};
const limits = {
  repairApprovalLimit: MoneyIn.nullish().openapi({
    description: 'A repair that is estimated at more waits for the owner’s word; null: none does',
  }),
};
const options = {
  region: label(100),
  address: line(300).openapi({ description: 'As guests are told it when their stay is confirmed' }),
  location: GeoPoint,
  // A lock opens for the guests of one property, and an administrator says of which.
  amenityDevice: refersTo(reference(100), 'device', 'use', 'ADMIN'),
};

export const NewProperty = z
  .strictObject({
    id: NewRecordId.optional(),
    name: fields.name,
    ownerId: refersTo(Id, 'owner'),
    region: options.region.optional(),
    address: options.address.optional(),
    timeZone: fields.timeZone.default('Asia/Dubai'),
    checkInTime: fields.checkInTime.default('15:00'),
    checkOutTime: fields.checkOutTime.default('11:00'),
    location: options.location.optional(),
    cleaningMinutes: fields.cleaningMinutes.default(120),
    agentIds: fields.agentIds.optional().openapi({ description: 'The agents whose portfolio it is in' }),
    amenityDevice: options.amenityDevice.optional(),
    ...work,
    primaryStaffIds: staffing.primaryStaffIds.optional(),
    acceptMinutes: staffing.acceptMinutes.optional(),
    ...reminders,
    ...limits,
  })
  .openapi('NewProperty');
export const PropertyChange = z
  .strictObject({
    name: fields.name.optional(),
    ownerId: refersTo(Id, 'owner', 'use', 'ADMIN_AND_SERVICES').optional(),
    region: options.region.nullish(),
    address: options.address.nullish(),
    timeZone: fields.timeZone.optional(),
    checkInTime: fields.checkInTime.optional(),
    checkOutTime: fields.checkOutTime.optional(),
    location: options.location.nullish(),
    cleaningMinutes: fields.cleaningMinutes.optional(),
    agentIds: fields.agentIds.optional(),
    amenityDevice: options.amenityDevice.nullish(),
    ...work,
    primaryStaffIds: staffing.primaryStaffIds.optional(),
    acceptMinutes: staffing.acceptMinutes.nullish(),
    ...reminders,
    ...limits,
  })
  .refine(isChange, CHANGE_NOTHING)
  .openapi('PropertyChange');
export const Property = z
  .object({
    id: Id,
    name: z.string(),
    ownerId: z.string(),
    region: z.string().nullable(),
    address: z.string().nullable(),
    timeZone: z.string(),
    checkInTime: z.string(),
    checkOutTime: z.string(),
    location: GeoPoint.nullable(),
    cleaningMinutes: z.int(),
    agentIds: z.array(z.string()),
    amenityDevice: z.string().nullable(),
    amenityStatus: z.enum(['INACTIVE', 'ACTIVE']),
    readiness: Readiness,
    inspectionRequired: z.boolean(),
    strictChecks: StayChecks,
    autoCheckIn: z.boolean(),
    autoCheckOut: z.boolean(),
    checklists: z.partialRecord(TaskType, Checklist),
    primaryStaffIds: z.array(z.string()),
    acceptMinutes: z.int().nullable(),
    checkInReminderTime: z.string(),
    checkOutReminderTime: z.string(),
    paymentDueDays: z.int().nullable(),
    requireTranslation: z.boolean(),
    repairApprovalLimit: z.object({ amount: z.number(), currency: z.string() }).nullable(),
    version: z.int(),
    createdAt: z.iso.datetime(),
  })
  .openapi('Property');

export const PropertyQuery = z.strictObject({
  ownerId: filtersBy(Id, 'owner').optional(),
  region: label(100).optional(),
  ...pageQuery,
});
