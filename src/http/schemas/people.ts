import { z } from '@hono/zod-openapi';
import { refersTo } from '../references.ts';
import { secret } from '../secrets.ts';
import {
  CHANGE_NOTHING,
  Email,
  Flag,
  GeoPoint,
  hasPhone,
  Id,
  isChange,
  Locale,
  LocalTime,
  label,
  line,
  NewRecordId,
  Phone,
  PhoneOfLocale,
  pageQuery,
  reference,
  TimeZone,
  withSavedPhone,
} from './common.ts';
import { OwnerPayoutTerms, ShownPayoutTerms } from './finance-terms.ts';
import { requiredPeriod } from './period.ts';

const shown = { version: z.int(), createdAt: z.iso.datetime() };

export const NewOwner = z
  .strictObject({
    id: NewRecordId.optional(),
    name: line(200),
    email: Email,
    phone: PhoneOfLocale.optional(),
    locale: Locale.optional(),
    payoutAccount: reference(100).optional(),
    payoutTerms: OwnerPayoutTerms.optional(),
  })
  .refine(...hasPhone)
  .overwrite(withSavedPhone)
  .openapi('NewOwner');
export const OwnerChange = z
  .strictObject({
    name: line(200).optional(),
    email: Email.optional(),
    phone: PhoneOfLocale.nullish(),
    locale: Locale.nullish(),
    payoutAccount: reference(100).nullish(),
    payoutTerms: OwnerPayoutTerms.nullish().openapi({ description: 'As a whole; null: like everybody’s' }),
  })
  .refine(isChange, CHANGE_NOTHING)
  .refine(...hasPhone)
  .overwrite(withSavedPhone)
  .openapi('OwnerChange');
export const Owner = z
  .object({
    id: Id,
    name: z.string(),
    email: z.string(),
    phone: z.string().nullable(),
    locale: z.string().nullable(),
    payoutAccount: secret(z.string()).nullable().optional().openapi({ description: 'Shown to ADMIN and FINANCE only' }),
    payoutTerms: ShownPayoutTerms.nullable()
      .optional()
      .openapi({ description: 'Shown to ADMIN and FINANCE only; null: the terms of the income distribution' }),
    ...shown,
  })
  .openapi('Owner');

export const NewGuest = z
  .strictObject({
    id: NewRecordId.optional(),
    name: line(200),
    email: Email,
    phone: PhoneOfLocale.optional(),
    locale: Locale.optional(),
    timeZone: TimeZone.optional(),
  })
  .refine(...hasPhone)
  .overwrite(withSavedPhone)
  .openapi('NewGuest');
export const GuestChange = z
  .strictObject({
    name: line(200).optional(),
    email: Email.optional(),
    phone: PhoneOfLocale.nullish(),
    locale: Locale.nullish(),
    timeZone: TimeZone.nullish(),
  })
  .refine(isChange, CHANGE_NOTHING)
  .refine(...hasPhone)
  .overwrite(withSavedPhone)
  .openapi('GuestChange');
export const Guest = z
  .object({
    id: Id,
    name: z.string(),
    email: z.string(),
    phone: z.string().nullable(),
    locale: z.string().nullable(),
    timeZone: z.string().nullable(),
    ...shown,
  })
  .openapi('Guest');

const StaffRole = z.enum(['CLEANER', 'AGENT', 'MAINTENANCE_STAFF']);
const Shift = z
  .strictObject({
    weekday: z.int().min(1).max(7).openapi({ description: 'ISO: 1 is Monday' }),
    from: LocalTime,
    to: z.union([LocalTime, z.literal('24:00')]).openapi({ description: '24:00: to the end of the day' }),
    zone: TimeZone.default('Asia/Dubai'),
  })
  .refine((shift) => shift.from < shift.to, { path: ['to'], message: 'must be after from' });
const staffFields = {
  name: line(200),
  email: Email,
  role: StaffRole,
  skills: z.array(label(64)).max(50),
  active: z.boolean(),
};
const staffOptions = {
  phone: Phone,
  homeLocation: GeoPoint,
  propertyIds: z.array(refersTo(Id, 'property')).max(500),
  region: label(100),
  shifts: z.array(Shift).max(50),
  maxMinutesPerDay: z.int().min(1).max(1440),
};
export const NewStaff = z
  .strictObject({
    id: NewRecordId.optional(),
    ...staffFields,
    skills: staffFields.skills.optional(),
    active: staffFields.active.optional(),
    phone: staffOptions.phone.optional(),
    homeLocation: staffOptions.homeLocation.optional(),
    propertyIds: staffOptions.propertyIds.optional(),
    region: staffOptions.region.optional(),
    shifts: staffOptions.shifts.optional(),
    maxMinutesPerDay: staffOptions.maxMinutesPerDay.optional(),
  })
  .openapi('NewStaff');
export const StaffChange = z
  .strictObject({
    name: staffFields.name.optional(),
    email: staffFields.email.optional(),
    role: staffFields.role.optional(),
    skills: staffFields.skills.optional(),
    active: staffFields.active.optional(),
    phone: staffOptions.phone.nullish(),
    homeLocation: staffOptions.homeLocation.nullish(),
    propertyIds: staffOptions.propertyIds.nullish(),
    region: staffOptions.region.nullish(),
    shifts: staffOptions.shifts.nullish(),
    maxMinutesPerDay: staffOptions.maxMinutesPerDay.nullish(),
  })
  .refine(isChange, CHANGE_NOTHING)
  .openapi('StaffChange');
export const Staff = z
  .object({
    id: Id,
    name: z.string(),
    email: z.string(),
    phone: z.string().nullable(),
    role: StaffRole,
    skills: z.array(z.string()),
    homeLocation: GeoPoint.nullable(),
    propertyIds: z.array(z.string()).nullable(),
    region: z.string().nullable(),
    shifts: z.array(Shift).nullable(),
    maxMinutesPerDay: z.int().nullable(),
    active: z.boolean(),
    ...shown,
  })
  .openapi('Staff');

export const NewLeave = z.strictObject({ ...requiredPeriod, reason: line(500).optional() }).openapi('NewLeave');
export const Leave = z
  .object({
    id: Id,
    staffId: Id,
    from: z.iso.datetime(),
    to: z.iso.datetime(),
    reason: z.string().nullable(),
    createdBy: z.string(),
    createdAt: z.iso.datetime(),
    releasedTaskIds: z
      .array(z.string())
      .optional()
      .openapi({ description: 'For which somebody else is looked for now' }),
  })
  .openapi('Leave');
export const LeaveParams = z.strictObject({ id: Id, leaveId: Id });

export const PeopleQuery = z.strictObject(pageQuery);
export const StaffQuery = z.strictObject({
  role: StaffRole.optional(),
  active: Flag.optional(),
  ...pageQuery,
});
