import { z } from '@hono/zod-openapi';
import { MANUAL_TASK_TYPES } from '../../domain/tasks/resource.ts';
import { CHANGE_NOTHING, Flag, Id, Instant, InstantOrDate, isChange, line, pageQuery, prose } from './common.ts';

export const TaskType = z.enum([
  'CLEANING',
  'CHECK_IN',
  'CHECK_OUT',
  'INSPECTION',
  'MAINTENANCE',
  'EMERGENCY',
  'FINANCE',
]);
const TaskStatus = z.enum(['UNASSIGNED', 'ASSIGNED', 'IN_PROGRESS', 'COMPLETED', 'CANCELLED', 'MERGED']);
const Priority = z.enum(['LOW', 'NORMAL', 'HIGH', 'URGENT']);
const Duration = z.int().min(1).max(1440);

const Item = z.strictObject({ id: Id, label: line(200), required: z.boolean().default(false) });
/** Each item once. */
export const Checklist = z
  .array(Item)
  .max(100)
  .refine((items) => new Set(items.map((item) => item.id)).size === items.length, 'must name each item once');

export const NewTask = z
  .strictObject({
    id: Id.optional(),
    type: z.enum(MANUAL_TASK_TYPES),
    title: line(200),
    propertyId: Id,
    scheduledDate: Instant,
    durationMinutes: Duration.default(60),
    priority: Priority.default('NORMAL'),
    description: prose(2000).optional(),
    checklist: Checklist.optional(),
  })
  .openapi('NewTask');
export const TaskChange = z
  .strictObject({
    title: line(200).optional(),
    description: prose(2000).nullish(),
    priority: Priority.optional(),
    scheduledDate: Instant.optional(),
    durationMinutes: Duration.optional(),
    assigneeId: Id.nullish(),
  })
  .refine(isChange, CHANGE_NOTHING)
  .openapi('TaskChange');
export const Task = z
  .object({
    id: z.string(),
    type: TaskType,
    occurrence: z.string(),
    title: z.string(),
    description: z.string().nullable(),
    status: TaskStatus,
    priority: Priority,
    assigneeId: z.string().nullable(),
    scheduledDate: z.iso.datetime(),
    endsAt: z.iso.datetime(),
    mustFinishBy: z.iso.datetime().nullable(),
    mergedIntoTaskId: z.string().nullable(),
    reservationId: z.string().nullable(),
    propertyId: z.string(),
    manualFields: z.array(z.string()),
    createdBySaga: z.string().nullable(),
    deletedAt: z.iso.datetime().nullable(),
    version: z.int(),
    createdAt: z.iso.datetime(),
    blockId: z.string().nullable().openapi({ description: 'The block in the calendar that lasts until it is done' }),
    checklist: z.array(z.object({ id: z.string(), label: z.string(), required: z.boolean() })).nullable(),
    startedAt: z.iso.datetime().nullable(),
    completedAt: z.iso.datetime().nullable(),
    completedBy: z.string().nullable(),
    completion: z.looseObject({}).nullable().openapi({ description: 'As it was told; its cost in minor units' }),
  })
  .openapi('Task');
export const TaskQuery = z.strictObject({
  reservationId: Id.optional(),
  propertyId: Id.optional(),
  assigneeId: Id.optional(),
  status: TaskStatus.optional(),
  type: TaskType.optional(),
  from: InstantOrDate.optional(),
  to: InstantOrDate.optional(),
  includeDeleted: Flag.optional(),
  ...pageQuery,
});
