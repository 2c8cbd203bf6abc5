import { type RawBuilder, type SqlBool, sql } from 'kysely';
import type { Db, Tx } from '../../db/client.ts';
import { literal } from '../../db/literal.ts';
import type { ChecklistItem, RepairApproval, TaskPriority, TaskStatus, TaskType } from '../../db/schema.ts';
import { RoomyError } from '../../kernel/errors.ts';
import { newId } from '../../kernel/ids.ts';
import type { Money } from '../../kernel/money.ts';
import { changesOf } from '../audit/changes.ts';
import { type Author, fieldsOf, recordChange } from '../audit/record.ts';
import { maintenanceOrderedMessage } from '../messages/catalogue/maintenance-required.ts';
import { inspectionMessage } from '../messages/catalogue/property-inspection.ts';
import { enqueueInTransaction } from '../notifications/enqueue.ts';
import { cutPage, exactInstant, isAfter, type Page, type PageRequest } from '../paging.ts';
import { type Holder, newestInPortfolio } from '../properties/portfolio.ts';
import { askOwner, needsApproval } from './approvals.ts';
import { alertOfEmergency, blockCalendar } from './emergency.ts';
import { insertTask } from './store/insert.ts';
import { type TaskView, taskView } from './view.ts';

/** The types that people may plan by hand; sagas make the tasks of a stay. */
export const MANUAL_TASK_TYPES = ['INSPECTION', 'MAINTENANCE', 'EMERGENCY'] as const satisfies readonly TaskType[];
const DEFAULT_MINUTES = 60;

export interface NewTask {
  readonly id?: string | undefined;
  readonly type: (typeof MANUAL_TASK_TYPES)[number];
  readonly title: string;
  readonly propertyId: string;
  readonly scheduledDate: string;
  readonly durationMinutes?: number | undefined;
  readonly priority?: TaskPriority | undefined;
  readonly description?: string | null | undefined;
  readonly checklist?: readonly ChecklistItem[] | undefined;
  readonly requiredSkills?: string[] | undefined;
  /** Nights `[from, to)` that an emergency takes from the calendar. */
  readonly blockCalendar?: { readonly from: string; readonly to: string } | undefined;
  /** The expected cost of a repair. */
  readonly estimate?: Money | undefined;
}
export interface TaskFilter {
  readonly reservationId?: string | undefined;
  readonly propertyId?: string | undefined;
  readonly assigneeId?: string | undefined;
  readonly status?: TaskStatus | undefined;
  readonly type?: TaskType | undefined;
  /** The caller sees no others. */
  readonly onlyType?: TaskType | undefined;
  /** Begins at or after. */
  readonly from?: string | undefined;
  /** Begins before. */
  readonly to?: string | undefined;
  /** The owner's word about a repair that costs more than the limit. */
  readonly approval?: RepairApproval | undefined;
  readonly includeDeleted?: boolean | undefined;
}

/** Throws `RESERVATION_CONFLICT` by the database's constraint when an emergency's nights are taken. */
export async function createTask(tx: Tx, task: NewTask, author: Author): Promise<TaskView> {
  const minutes = task.durationMinutes ?? DEFAULT_MINUTES;
  const urgent = task.type === 'EMERGENCY';
  const { property, isAsked } = await repairAt(tx, task);
  const blockId = task.blockCalendar ? await blockCalendar(tx, task.propertyId, task.blockCalendar, author) : null;
  const row = await insertTask(tx, {
    id: task.id ?? newId('task'),
    type: task.type,
    occurrence: 'MANUAL',
    title: task.title,
    description: task.description,
    property_id: task.propertyId,
    checklist: task.checklist && JSON.stringify(task.checklist),
    required_skills: task.requiredSkills,
    priority: urgent ? 'URGENT' : (task.priority ?? usualPriority(task.scheduledDate)),
    // A time that a person has chosen stays, also when nobody comes in time.
    manual_fields: task.priority === undefined || urgent ? [] : ['priority'],
    block_id: blockId,
    status: 'UNASSIGNED',
    scheduled_at: task.scheduledDate,
    ends_at: endOf(task.scheduledDate, minutes),
    estimate_minor: task.estimate?.amountMinor ?? null,
    estimate_currency: task.estimate?.currency ?? null,
    ...(isAsked && { approval: 'PENDING' as const, next_assign_at: null }),
  });
  if (urgent) await alertOfEmergency(tx, row.id);
  if (isAsked) await askOwner(tx, row.id, property.owner_id);
  else await notifyOwner(tx, row, property.owner_id);
  await recordChange(tx, author, {
    noun: 'task',
    id: row.id,
    event: 'TASK_CREATED',
    fields: fieldsOf(task),
    changes: changesOf('task', null, row),
    version: row.version,
  });
  return taskView(row);
}

/** A task that should have begun already is urgent (domain.md 10). */
const usualPriority = (start: string) =>
  sql<TaskPriority>`CASE WHEN ${start}::timestamptz < now() THEN 'URGENT' ELSE 'NORMAL' END`;

/** The property, and whether its owner is asked first: never about an emergency. Throws `REFERENCE_NOT_FOUND`. */
async function repairAt(tx: Tx, { propertyId, type, estimate }: NewTask) {
  const property = await tx
    .selectFrom('property')
    .select(['owner_id', 'repair_limit_minor', 'repair_limit_currency'])
    .where('id', '=', propertyId)
    .executeTakeFirst();
  if (!property) throw new RoomyError('REFERENCE_NOT_FOUND', { details: { field: 'propertyId' } });
  return { property, isAsked: type === 'MAINTENANCE' && needsApproval(property, estimate ?? null) };
}

function notifyOwner(tx: Tx, { id, type }: { readonly id: string; readonly type: TaskType }, ownerId: string) {
  const message = type === 'INSPECTION' ? inspectionMessage(ownerId, id) : maintenanceOrderedMessage(ownerId, id);
  return enqueueInTransaction(tx, `${id}-ordered`, [message], { sagaId: null, reservationId: null });
}

/** An agent sees the tasks of a portfolio, and its own wherever they are; an owner those of the owner's properties. */
export async function listTasks(
  db: Db,
  filter: TaskFilter,
  holder: Holder,
  page: PageRequest,
): Promise<Page<TaskView>> {
  const limit = page.limit + 1;
  const listed = (own: RawBuilder<SqlBool>) =>
    matching(db, filter, page)
      .select(['id', 'created_at as at'])
      .where(own)
      .orderBy('created_at', 'desc')
      .orderBy('id', 'desc')
      .limit(limit);
  const rows = await (holder === null
    ? matching(db, filter, page)
    : db.selectFrom('task').where(
        'id',
        '=',
        sql<string>`ANY(${newestInPortfolio({
          holder,
          at: (propertyId) => listed(sql`task.property_id = ${propertyId}`),
          ...('agentId' in holder && { own: listed(sql`task.assignee_id = ${holder.agentId}`) }),
          limit,
        })})`,
      )
  )
    .selectAll()
    .select(exactInstant('created_at').as('position_at'))
    .orderBy('created_at', 'desc')
    .orderBy('id', 'desc')
    .limit(limit)
    .execute();
  return cutPage(rows, page.limit, taskView);
}

function matching(db: Db, filter: TaskFilter, page: PageRequest) {
  let query = db.selectFrom('task');
  if (!filter.includeDeleted) query = query.where('deleted_at', 'is', null);
  if (filter.reservationId !== undefined) query = query.where('reservation_id', '=', filter.reservationId);
  if (filter.propertyId !== undefined) query = query.where('property_id', '=', filter.propertyId);
  if (filter.assigneeId !== undefined) query = query.where('assignee_id', '=', filter.assigneeId);
  if (filter.status !== undefined) query = query.where('status', '=', literal(filter.status));
  // Nobody's to do any more. The tasks of one stay are its whole record.
  else if (filter.reservationId === undefined) query = query.where('status', '<>', literal('OVERTAKEN'));
  if (filter.approval !== undefined) query = query.where('approval', '=', literal(filter.approval));
  if (filter.type !== undefined) query = query.where('type', '=', literal(filter.type));
  if (filter.onlyType !== undefined) query = query.where('type', '=', literal(filter.onlyType));
  if (filter.from !== undefined) query = query.where('scheduled_at', '>=', sql<Date>`${filter.from}::timestamptz`);
  if (filter.to !== undefined) query = query.where('scheduled_at', '<', sql<Date>`${filter.to}::timestamptz`);
  if (page.after) query = query.where(isAfter('created_at', 'id', page.after));
  return query;
}

/** The task as the API shows it, with the property's checklist where it has none of its own. Throws `TASK_NOT_FOUND`. */
export async function getTask(db: Db, id: string): Promise<TaskView> {
  const row = await db
    .selectFrom('task')
    .innerJoin('property', 'property.id', 'task.property_id')
    .selectAll('task')
    .select('property.checklists')
    .where('task.id', '=', id)
    .executeTakeFirst();
  if (!row) throw new RoomyError('TASK_NOT_FOUND');
  const { checklists, ...task } = row;
  return { ...taskView(task), checklist: task.checklist ?? checklists[task.type] ?? null };
}

/** Tasks of one stay that an answer carries, at the most. */
const MAX_OF_RESERVATION = 200;

/** In the order in which they fall due; withdrawn ones are left out. */
export async function tasksOfReservation(db: Db, reservationId: string): Promise<TaskView[]> {
  const rows = await db
    .selectFrom('task')
    .selectAll()
    .where('reservation_id', '=', reservationId)
    .where('deleted_at', 'is', null)
    .orderBy('scheduled_at')
    .orderBy('id')
    .limit(MAX_OF_RESERVATION)
    .execute();
  return rows.map(taskView);
}

const endOf = (start: string, minutes: number): string =>
  new Date(Date.parse(start) + Math.round(minutes * 60_000)).toISOString();
