import { type RawBuilder, type SqlBool, sql } from 'kysely';
import type { Tx } from '../../db/client.ts';
import { literal, literals } from '../../db/literal.ts';
import type { TaskPriority, TaskStatus, TaskType } from '../../db/schema.ts';
import { newId } from '../../kernel/ids.ts';
import type { Money } from '../../kernel/money.ts';
import { propertyTimesOf, stayDatesOf, stayTimes } from '../reservations/stay-plan.ts';
import { askOwner, needsApproval } from './approvals.ts';
import { insertTaskOnce, insertTaskOrFind } from './store/insert.ts';
import type { WorkItem } from './work.ts';

/** Tasks that come out of another one, under keys of its own, so that each is made once. */

const REPAIR_MINUTES = 60;
const INSPECTION_MINUTES = 30;
/** A finding that is not severe is repaired on the next day at this local time of the property. */
const MORNING = '10:00';
const TITLE_LENGTH = 120;

/** So many findings a completion has at the most, and so far is looked back from a repair to what found it. */
const MAX_FINDINGS = 20;
const MAX_ORIGINS = 20;

export interface Finding {
  readonly description: string;
  readonly severity: 'MINOR' | 'SEVERE';
  readonly estimate?: Money | undefined;
}

/** A repair: at once and URGENT when severe, else on the next morning; after the owner's word where it costs much. */
export async function ensureFollowUp(
  tx: Tx,
  { task, property }: WorkItem,
  n: number,
  finding: Finding,
): Promise<string> {
  const severe = finding.severity === 'SEVERE';
  const estimate = finding.estimate ?? null;
  const isAsked = needsApproval(property, estimate);
  const start = severe
    ? sql<Date>`now()`
    : sql<Date>`(((now() AT TIME ZONE ${property.time_zone})::date + 1)::text || ${` ${MORNING}`})::timestamp AT TIME ZONE ${property.time_zone}`;
  const id = await insertTaskOrFind(tx, {
    id: newId('task'),
    property_id: property.id,
    type: 'MAINTENANCE',
    occurrence: 'FINDING',
    title: finding.description.split('\n', 1)[0]?.slice(0, TITLE_LENGTH) ?? '',
    description: finding.description,
    status: 'UNASSIGNED',
    priority: severe ? 'URGENT' : 'NORMAL',
    scheduled_at: start,
    ends_at: after(start, REPAIR_MINUTES),
    effect_key: `${task.id}-finding-${n}`,
    estimate_minor: estimate?.amountMinor ?? null,
    estimate_currency: estimate?.currency ?? null,
    approval: isAsked ? 'PENDING' : null,
    next_assign_at: isAsked ? null : sql<Date>`now()`,
  });
  if (isAsked) await askOwner(tx, id, property.owner_id);
  return id;
}

/** A cleaned property that must be inspected before its guest comes. Null when that was asked for already. */
export const ensureInspection = (tx: Tx, { task, property }: WorkItem): Promise<string | null> =>
  insertOnce(tx, property.id, {
    type: 'INSPECTION',
    occurrence: 'AFTER_CLEANING',
    title: 'Inspection after cleaning',
    priority: 'HIGH',
    start: sql<Date>`now()`,
    minutes: INSPECTION_MINUTES,
    mustFinishBy: task.must_finish_by?.toISOString() ?? null,
    key: `${task.id}-inspection`,
  });

/**
 * The last open repair of what a failed inspection had found is done: it is inspected again. Null when this was none, or
 * not the last, or an inspection is to come anyway.
 */
export async function ensureInspectionAgain(tx: Tx, { task, property }: WorkItem): Promise<string | null> {
  const inspectionId = await failedInspectionBehind(tx, task.id);
  if (inspectionId === null || (await isRepairOpen(tx, inspectionId))) return null;
  return inspectOnce(tx, property, { title: 'Inspection after repairs', key: `${inspectionId}-again` });
}

/** Unless an inspection is to come anyway. */
async function inspectOnce(
  tx: Tx,
  property: WorkItem['property'],
  { title, key }: Pick<FollowUpTask, 'title' | 'key'>,
): Promise<string | null> {
  const planned = await tx
    .selectFrom('task')
    .select('id')
    .where('property_id', '=', property.id)
    .where('type', '=', literal('INSPECTION'))
    .where('occurrence', 'in', ['AFTER_CLEANING', 'AFTER_REPAIR'])
    .where('status', 'in', literals(OPEN))
    .limit(1)
    .executeTakeFirst();
  if (planned) return null;
  return insertOnce(tx, property.id, {
    type: 'INSPECTION',
    occurrence: 'AFTER_REPAIR',
    title,
    priority: 'HIGH',
    start: sql<Date>`now()`,
    minutes: INSPECTION_MINUTES,
    mustFinishBy: await nextArrival(tx, property),
    key,
  });
}

/**
 * A repair is not done after all. Where it keeps a property from being ready, and no other repair is to come, somebody looks
 * whether it can be let as it is: a passed inspection makes it ready.
 */
export async function inspectInstead(tx: Tx, taskId: string): Promise<void> {
  const property = await tx
    .selectFrom('property')
    .innerJoin('task', 'task.property_id', 'property.id')
    .selectAll('property')
    .where('task.id', '=', taskId)
    .executeTakeFirstOrThrow();
  if (property.readiness !== 'OUT_OF_ORDER' && !property.inspection_required) return;
  const repair = await tx
    .selectFrom('task')
    .select('id')
    .where('property_id', '=', property.id)
    .where('type', 'in', literals(['MAINTENANCE', 'EMERGENCY']))
    .where('status', 'in', literals(OPEN))
    .limit(1)
    .executeTakeFirst();
  if (repair) return;
  await inspectOnce(tx, property, { title: 'Inspection without the repair', key: `${taskId}-declined` });
}

/** A repair may find more to repair, so the inspection may be some repairs back. */
async function failedInspectionBehind(tx: Tx, repairId: string): Promise<string | null> {
  const { rows } = await sql<{ id: string }>`
    WITH RECURSIVE origin AS (
      SELECT t.id, t.type, t.effect_key, t.completion, 0 AS back FROM task t WHERE t.id = ${repairId}
      UNION ALL
      SELECT t.id, t.type, t.effect_key, t.completion, o.back + 1 FROM origin o
        JOIN task t ON t.id = substring(o.effect_key FROM '^(.+)-finding-[0-9]+$') WHERE o.back < ${MAX_ORIGINS}::int)
    SELECT id FROM origin WHERE type = 'INSPECTION' AND completion ->> 'outcome' = 'FAILED' ORDER BY back LIMIT 1`.execute(
    tx,
  );
  return rows[0]?.id ?? null;
}

/** Of what the task has found, and what was found in repairing that. */
async function isRepairOpen(tx: Tx, taskId: string): Promise<boolean> {
  const { rows } = await sql<{ open: boolean }>`
    WITH RECURSIVE found AS (
      SELECT ${taskId}::text AS id, 'COMPLETED' AS status, 0 AS back
      UNION ALL
      SELECT t.id, t.status, f.back + 1 FROM found f CROSS JOIN generate_series(0, ${MAX_FINDINGS - 1}::int) AS n
        JOIN task t ON t.effect_key = f.id || '-finding-' || n WHERE f.back < ${MAX_ORIGINS}::int)
    SELECT bool_or(status = ANY(${OPEN}::text[])) AS open FROM found`.execute(tx);
  return rows[0]?.open === true;
}

/**
 * Rooms in which somebody has repaired something are cleaned, before the next guest comes if one does. Null when a cleaning before that is to come
 * anyway. One for an arrival that has been is not: nobody does that any more.
 */
export async function ensureCleaningAfter(tx: Tx, { task, property }: WorkItem): Promise<string | null> {
  const arrival = await nextArrival(tx, property);
  const { rows } = await sql<{ id: string }>`
    SELECT t.id FROM task t LEFT JOIN reservation r ON r.id = t.reservation_id
     WHERE t.property_id = ${property.id} AND t.type = 'CLEANING' AND t.status IN (${sql.join(literals(OPEN))})
       AND (${arrival}::timestamptz IS NULL OR coalesce(t.slot_start, t.scheduled_at) < ${arrival}::timestamptz)
       AND (t.status = 'IN_PROGRESS' OR t.occurrence <> 'PRE_ARRIVAL' OR r.status = 'CONFIRMED') LIMIT 1`.execute(tx);
  if (rows.length > 0) return null;
  return insertOnce(tx, property.id, {
    type: 'CLEANING',
    occurrence: 'AFTER_REPAIR',
    title: 'Cleaning after a repair',
    priority: arrival === null ? 'NORMAL' : 'HIGH',
    // The next half hour: what is past by the time that somebody is looked for would be urgent.
    start: sql<Date>`to_timestamp(ceil(extract(epoch FROM now()) / 1800) * 1800)`,
    minutes: property.cleaning_minutes,
    mustFinishBy: arrival,
    key: `${task.id}-cleaning`,
  });
}

/** Of stays that do not overlap, no more than two are of today or before. */
const MAX_ARRIVALS = 4;
const OPEN: readonly TaskStatus[] = ['UNASSIGNED', 'ASSIGNED', 'IN_PROGRESS'];

/** When the next confirmed guest is met, an ISO instant; null: nobody is expected. */
async function nextArrival(tx: Tx, property: WorkItem['property']): Promise<string | null> {
  const stays = await tx
    .selectFrom('reservation')
    .select(['check_in_date', 'check_out_date', 'planned_arrival', 'planned_departure', sql<Date>`now()`.as('now')])
    .where('property_id', '=', property.id)
    .where('kind', '<>', 'MAINTENANCE_BLOCK')
    .where('status', '=', literal('CONFIRMED'))
    .where(sql<SqlBool>`check_out_date >= (now() AT TIME ZONE ${property.time_zone})::date`)
    .orderBy('check_in_date')
    .limit(MAX_ARRIVALS)
    .execute();
  const arrivals = stays.map((stay) => {
    const { instant } = stayTimes(
      stayDatesOf({ ...property, ...stay }),
      propertyTimesOf({ ...property, ...stay }),
    ).arrival;
    return { instant, isAhead: Date.parse(instant) > stay.now.getTime() };
  });
  return arrivals.find(({ isAhead }) => isAhead)?.instant ?? null;
}

interface FollowUpTask {
  readonly type: TaskType;
  readonly occurrence: string;
  readonly title: string;
  readonly priority: TaskPriority;
  readonly start: RawBuilder<Date>;
  readonly minutes: number;
  readonly mustFinishBy: string | null;
  readonly key: string;
}
const insertOnce = (tx: Tx, propertyId: string, made: FollowUpTask): Promise<string | null> =>
  insertTaskOnce(tx, {
    id: newId('task'),
    property_id: propertyId,
    type: made.type,
    occurrence: made.occurrence,
    title: made.title,
    status: 'UNASSIGNED',
    priority: made.priority,
    scheduled_at: made.start,
    ends_at: after(made.start, made.minutes),
    must_finish_by: made.mustFinishBy,
    effect_key: made.key,
  });

const after = (start: RawBuilder<Date>, minutes: number) =>
  sql<Date>`(${start} + ${minutes}::int * interval '1 minute')`;
