import { z } from '@hono/zod-openapi';
import { OBSTACLES } from '../../domain/assignment/candidates.ts';
import { MANUAL_TASK_TYPES } from '../../domain/tasks/resource.ts';
import { filtersBy, noReference, refersTo } from '../references.ts';
import {
  CalendarDate,
  CHANGE_NOTHING,
  Flag,
  Id,
  Instant,
  isChange,
  LocalTime,
  label,
  line,
  MoneyIn,
  NewRecordId,
  pageQuery,
  prose,
} from './common.ts';
import { periodFields } from './period.ts';

export const TaskType = z.enum([
  'CLEANING',
  'CHECK_IN',
  'CHECK_OUT',
  'INSPECTION',
  'MAINTENANCE',
  'EMERGENCY',
  'FINANCE',
]);
export const TaskStatus = z.enum([
  'UNASSIGNED',
  'ASSIGNED',
  'IN_PROGRESS',
  'COMPLETED',
  'CANCELLED',
  'MERGED',
  'OVERTAKEN',
]);
const Priority = z.enum(['LOW', 'NORMAL', 'HIGH', 'URGENT']);
const Duration = z.int().min(1).max(1440);

/** Of an item within its own list. */
export const ItemId = noReference(Id, 'names an item of the list that it stands in');
const Item = z.strictObject({ id: ItemId, label: line(200), required: z.boolean().default(false) });
/** Each item once. */
export const Checklist = z
  .array(Item)
  .max(100)
  .refine((items) => new Set(items.map((item) => item.id)).size === items.length, 'must name each item once');
/** The expected cost of a repair; over the limit of its property the owner is asked. */
export const Estimate = MoneyIn.openapi({
  description: 'What it is going to cost; over the property’s `repairApprovalLimit` the owner is asked',
});
const Skills = z.array(label(64)).max(50);

/** Of requests that require an assignee. */
export const holds = {
  holdAlternatives: z.boolean().optional().openapi({
    description:
      'A refusal keeps the times that it suggests free for some minutes, for whoever posts back its `holdId`',
  }),
  holdId: noReference(Id, 'known only to whom the refusal was sent: it cannot be guessed')
    .optional()
    .openapi({ description: 'Of an earlier refusal: its times are free for this request' }),
};
export const needsAssignment = {
  check: (body: {
    requireAssignment?: boolean | undefined;
    holdAlternatives?: boolean | undefined;
    holdId?: string | undefined;
    taskTimes?: unknown;
  }): boolean =>
    body.requireAssignment === true ||
    (body.holdAlternatives === undefined && body.holdId === undefined && body.taskTimes === undefined),
  refusal: { path: ['requireAssignment'], message: 'must be true for taskTimes, holdAlternatives and holdId' },
};

export const NewTask = z
  .strictObject({
    id: NewRecordId.optional(),
    type: z.enum(MANUAL_TASK_TYPES),
    title: line(200),
    propertyId: refersTo(Id, 'property'),
    scheduledDate: Instant,
    durationMinutes: Duration.default(60),
    priority: Priority.optional().openapi({ description: 'Else NORMAL, or URGENT when it should have begun already' }),
    description: prose(2000).optional(),
    checklist: Checklist.optional(),
    requiredSkills: Skills.optional(),
    requireAssignment: z.boolean().optional().openapi({ description: 'Refuse when nobody can take it at that time' }),
    ...holds,
    estimate: Estimate.optional(),
    blockCalendar: z
      .strictObject({ from: CalendarDate, to: CalendarDate })
      .refine(({ from, to }) => from < to, { path: ['to'], message: 'must be after from' })
      .optional()
      .openapi({ description: 'The nights that an emergency takes from the calendar; the property is out of order' }),
  })
  .refine((task) => task.blockCalendar === undefined || task.type === 'EMERGENCY', {
    path: ['blockCalendar'],
    message: 'is for emergencies only',
  })
  .refine((task) => task.estimate === undefined || task.type !== 'INSPECTION', {
    path: ['estimate'],
    message: 'is for maintenance and emergencies',
  })
  .refine(needsAssignment.check, needsAssignment.refusal)
  .openapi('NewTask');
export const TaskChange = z
  .strictObject({
    title: line(200).optional(),
    description: prose(2000).nullish(),
    priority: Priority.optional(),
    scheduledDate: Instant.optional(),
    durationMinutes: Duration.optional(),
    assigneeId: refersTo(Id, 'staff').nullish(),
    requiredSkills: Skills.optional(),
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
    startsAt: z.iso.datetime().openapi({ description: 'As agreed with the assignee; `scheduledDate` is by rule' }),
    endsAt: z.iso.datetime().openapi({ description: 'As agreed with the assignee' }),
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
    requiredSkills: z.array(z.string()),
    acceptBy: z.iso.datetime().nullable().openapi({
      description: 'The assignee is to accept by then, nights at the property not counted; null: need not',
    }),
    acceptedAt: z.iso.datetime().nullable(),
    estimate: z.object({ amount: z.number(), currency: z.string() }).nullable(),
    approval: z
      .enum(['PENDING', 'APPROVED', 'DECLINED'])
      .nullable()
      .openapi({ description: 'The owner’s word about a repair that costs more than the limit' }),
  })
  .openapi('Task');
export const TaskQuery = z.strictObject({
  reservationId: filtersBy(Id, 'reservation').optional(),
  propertyId: filtersBy(Id, 'property').optional(),
  assigneeId: filtersBy(Id, 'staff').optional(),
  status: TaskStatus.optional(),
  type: TaskType.optional(),
  ...periodFields('Planned to begin'),
  approval: z.enum(['PENDING', 'APPROVED', 'DECLINED']).optional(),
  includeDeleted: Flag.optional(),
  ...pageQuery,
});

export const ApprovalBody = z
  .strictObject({ decision: z.enum(['APPROVED', 'DECLINED']), note: prose(500).optional() })
  .openapi('RepairDecision');
export const Decline = z.strictObject({ reason: line(500) }).openapi('DeclineTask');
export const Assignment = z
  .object({
    taskId: z.string(),
    status: TaskStatus,
    assigneeId: z.string().nullable(),
    acceptBy: z.iso.datetime().nullable(),
    acceptedAt: z.iso.datetime().nullable(),
    explanation: z
      .object({
        decidedAt: z.iso.datetime(),
        startsAt: z.iso.datetime(),
        round: z
          .int()
          .openapi({ description: '2: nobody else was left, so those who had not answered were asked again' }),
        weights: z
          .object({ workload: z.int(), proximity: z.int(), primary: z.int(), fairness: z.int() })
          .openapi({ description: 'Percent' }),
        chosen: z.string().nullable(),
        candidates: z.array(
          z.object({
            staffId: z.string(),
            workload: z.number(),
            proximity: z.number(),
            primary: z.number(),
            fairness: z.number(),
            total: z.number(),
            travelKm: z.number().nullable(),
            bookedMinutes: z.number(),
            tasksThatDay: z.int(),
          }),
        ),
        excluded: z.array(
          z.object({ reason: z.enum(OBSTACLES), count: z.int(), staffIds: z.array(z.string()).nullable() }),
        ),
      })
      .nullable(),
    displacedTaskIds: z
      .array(z.string())
      .openapi({ description: 'Of an emergency: the routine tasks whose time was taken for it' }),
    displacedByTaskId: z
      .string()
      .nullable()
      .openapi({ description: 'The emergency that this task had to give way to; it gives way once' }),
    refusals: z.array(
      z.object({
        staffId: z.string(),
        reason: z.enum(['DECLINED', 'NO_ANSWER']),
        times: z.int().openapi({ description: 'After no answer a person is asked once more, and then no more' }),
        at: z.iso.datetime(),
      }),
    ),
  })
  .openapi('Assignment');

const Percent = z.int().min(0).max(100);
const rules = {
  workloadPercent: Percent.openapi({ description: 'The four weights sum to 100' }),
  proximityPercent: Percent,
  primaryPercent: Percent,
  fairnessPercent: Percent,
  maxKm: z.number().positive().max(20_000).openapi({ description: 'From here on a way is as far as can be' }),
  speedKmh: z.number().positive().max(1_000).openapi({ description: 'Between two tasks, as the crow flies' }),
  dayMinutes: z.int().min(1).max(1440).openapi({ description: 'A full day of those who have no cap' }),
  fairnessHours: z.int().min(1).max(8760).openapi({ description: 'Who was given nothing for so long comes first' }),
  holdMinutes: z.int().min(1).max(60),
  emergencyAcceptMinutes: z.int().min(1).max(1440).openapi({ description: 'By day and by night' }),
  acceptQuietFrom: LocalTime.openapi({
    description: 'Local time of the property: from then to `acceptQuietTo` minutes do not count for `acceptMinutes`',
    example: '21:00',
  }),
  acceptQuietTo: LocalTime.openapi({
    description: 'The same as `acceptQuietFrom`: all minutes count',
    example: '07:00',
  }),
};
export const AssignmentRules = z.object(rules).openapi('AssignmentRules');
export const AssignmentRuleChange = z
  .strictObject(rules)
  .partial()
  .refine(isChange, CHANGE_NOTHING)
  .openapi('AssignmentRuleChange');
