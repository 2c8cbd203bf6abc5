import { z } from '@hono/zod-openapi';
import { filtersBy, refersTo } from '../references.ts';
import {
  CalendarDate,
  CHANGE_NOTHING,
  Flag,
  Id,
  isChange,
  LocalTime,
  line,
  NewRecordId,
  pageQuery,
  prose,
} from './common.ts';

const Type = z.enum(['INSPECTION', 'MAINTENANCE']);
const Every = z
  .union([
    z.enum(['MONTHLY', 'QUARTERLY']),
    z.strictObject({ days: z.int().min(1).max(366) }),
    z.strictObject({ stays: z.int().min(1).max(1_000) }),
    z.strictObject({ nights: z.int().min(1).max(10_000) }),
  ])
  .openapi({ example: 'MONTHLY' });
const fields = {
  title: line(200),
  description: prose(2000),
  checklist: z.array(line(200)).min(1).max(50),
  localTime: LocalTime,
  durationMinutes: z.int().min(1).max(1440),
};

export const NewRecurrence = z
  .strictObject({
    id: NewRecordId.optional(),
    propertyId: refersTo(Id, 'property'),
    type: Type,
    title: fields.title,
    description: fields.description.optional(),
    checklist: fields.checklist.optional(),
    every: Every,
    anchorDate: CalendarDate,
    localTime: fields.localTime.default('11:00'),
    durationMinutes: fields.durationMinutes.default(60),
  })
  .openapi('NewRecurrence');
export const RecurrenceChange = z
  .strictObject({
    title: fields.title.optional(),
    description: fields.description.nullish(),
    checklist: fields.checklist.nullish(),
    localTime: fields.localTime.optional(),
    durationMinutes: fields.durationMinutes.optional(),
    active: z.boolean().optional(),
  })
  .refine(isChange, CHANGE_NOTHING)
  .openapi('RecurrenceChange');
export const Recurrence = z
  .object({
    id: Id,
    propertyId: z.string(),
    type: Type,
    title: z.string(),
    description: z.string().nullable(),
    checklist: z.array(z.string()).nullable(),
    every: Every,
    anchorDate: CalendarDate,
    localTime: z.string(),
    durationMinutes: z.int(),
    active: z.boolean(),
    nextPeriod: z.int(),
    version: z.int(),
    createdAt: z.iso.datetime(),
  })
  .openapi('Recurrence');
export const RecurrenceQuery = z.strictObject({
  propertyId: filtersBy(Id, 'property').optional(),
  type: Type.optional(),
  active: Flag.optional(),
  ...pageQuery,
});
