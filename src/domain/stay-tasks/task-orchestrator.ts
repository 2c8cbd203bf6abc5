import { sql } from 'kysely';
import type { Db, Tx } from '../../db/client.ts';
import { unlessRefused } from '../../db/savepoint.ts';
import type { TaskStatus, TaskType } from '../../db/schema.ts';
import { RoomyError } from '../../kernel/errors.ts';
import { findAlternatives, noStaff } from '../assignment/alternatives.ts';
import { book } from '../assignment/book.ts';
import { displaceFor } from '../assignment/displace.ts';
import { holdAlternatives, useHold } from '../assignment/holds.ts';
import { OPEN_TASK, type OpenTask, wantedOf } from '../assignment/open-task.ts';
import { type Asked, type Planned, planTasks } from '../assignment/plan.ts';
import { notifyReleased } from '../assignment/release.ts';
import { readRoster, spanAround } from '../assignment/staffing.ts';
import { settleAround } from '../assignment/turnovers.ts';
import { releaseTasks } from '../tasks/store/assign.ts';
import { ensureTaskIn, type TaskValues } from '../tasks/store/ensure.ts';
import { chooseStart } from '../tasks/store/retime.ts';
import { afterDeparture } from '../tasks/turnover.ts';

/** For a task that somebody must be found for at once. */
export interface StaffRequirement {
  /** The clock that decides what is overdue: when the request was accepted. */
  readonly nowMs: number;
  readonly holdId: string | null;
  /** Whether the assignee gets a message at once; a saga sends it in a step of its own. */
  readonly notifies: boolean;
}

const MAX_TRIES = 10;

/**
 * Gives an UNASSIGNED task to the best of those who can do it at its own time, or refuses with the brief's body. In the
 * same transaction as the task itself, so that a refusal leaves nothing behind.
 */
async function assignNow(tx: Tx, task: OpenTask, { nowMs, holdId, notifies }: StaffRequirement): Promise<Planned> {
  const wanted = wantedOf(task, nowMs, true);
  const { window, place } = wanted;
  const span = spanAround(place, window.firstMs, window.lastMs, window.durationMs);
  for (let attempt = 1; attempt <= MAX_TRIES; attempt += 1) {
    const roster = await readRoster(tx, { wanted: [wanted], spans: [span], ownHold: holdId });
    const [planned] = planTasks([{ task, wanted, untilMs: window.lastMs }], roster).planned;
    if (!planned) break;
    let isBooked = false;
    const isFree = await unlessRefused(tx, 'no_double_shift', async () => {
      isBooked = (await book(tx, [planned], { notifies })).has(task.id);
    });
    if (!isFree || !isBooked) continue;
    if (holdId !== null) await useHold(tx, holdId, task.occurrence, task.id);
    return planned;
  }
  const planned = await instead(tx, { task, wanted, untilMs: window.lastMs }, { notifies, ownHold: holdId });
  if (planned) return planned;
  const { alternatives } = await findAlternatives(tx, task, { nowMs, ownHold: holdId });
  throw noStaff(task, alternatives);
}

/** An emergency takes the time of routine work before it is refused. */
async function instead(
  tx: Tx,
  asked: Asked,
  options: { readonly notifies: boolean; readonly ownHold: string | null },
): Promise<Planned | null> {
  for (let attempt = 1; attempt <= MAX_TRIES; attempt += 1) {
    const displacement = await displaceFor(tx, asked, options);
    if (displacement.kind === 'booked') return displacement.planned;
    if (displacement.kind === 'free') return null;
  }
  return null;
}

export interface StayTask extends TaskValues {
  readonly propertyId: string;
  /** ISO instant: a person has chosen this start over the rule's. */
  readonly chosenStart: string | null;
}
interface StaySaga {
  readonly sagaId: string;
  readonly subjectId: string;
  readonly key: string;
  readonly requestedAt: Date;
}

/**
 * The task of a confirmation that requires staff. It is made by the same statement as any stay's task, and the turnovers
 * around the stay are settled; then, as a second act, it is assigned, unless another cleaning is also done for it. Throws
 * `NO_STAFF_AVAILABLE` with the brief's body. Answers the task's id, which is another one where an
 * earlier confirmation has left the task, its status and its assignee.
 */
async function ensureAssignedTask(
  tx: Tx,
  made: StayTask,
  saga: StaySaga,
  requirement: StaffRequirement,
): Promise<{ taskId: string; status: TaskStatus; assignee: string | null }> {
  const { chosenStart, propertyId: _, ...values } = made;
  const { taskId, status, assignee } = await ensureTaskIn(tx, { ...saga, reservationId: saga.subjectId }, values);
  if (status !== 'UNASSIGNED') return { taskId, status, assignee };
  if (chosenStart !== null) await chooseStart(tx, taskId, chosenStart);
  if (made.type === 'CLEANING') await settleAround(tx, saga.subjectId);
  const task = await readOpenTask(tx, taskId);
  if (task === null) return { taskId, status: 'MERGED', assignee: null };
  // Chosen by a person for a time that is too late for the next guest.
  const isApart = made.mustFinishBy !== null && task.must_finish_by === null;
  if (isApart) await releaseNextCleaning(tx, saga.subjectId);
  const { staffId } = await assignNow(tx, task, requirement);
  return { taskId, status: 'ASSIGNED', assignee: staffId };
}

/** Null when nobody is looked for. */
async function readOpenTask(tx: Tx, taskId: string): Promise<OpenTask | null> {
  const { rows } = await sql<OpenTask>`
    SELECT ${OPEN_TASK} FROM task t JOIN property p ON p.id = t.property_id WHERE t.id = ${taskId} AND t.status = 'UNASSIGNED'`.execute(
    tx,
  );
  return rows[0] ?? null;
}

/** The refusal of `ensureAssignedTask` with its times held; after that step was rolled back. */
const holdForStay = async (
  db: Db,
  made: StayTask,
  { nowMs, holdId, reservationId }: { readonly nowMs: number; readonly holdId: string; readonly reservationId: string },
): Promise<RoomyError> => holdAlternatives(db, await openTaskOf(db, made, reservationId), { nowMs, holdId });

async function openTaskOf(db: Db | Tx, made: StayTask, reservationId: string): Promise<OpenTask> {
  const place = await placeOf(db, made.propertyId);
  const notBefore = made.occurrence === 'PRE_ARRIVAL' ? await departureBefore(db, made, reservationId) : null;
  const durationMs = Date.parse(made.endsAt) - Date.parse(made.scheduledAt);
  const chosen = made.chosenStart === null ? null : new Date(made.chosenStart);
  return {
    id: made.taskId,
    // The plan of a stay names no other.
    type: made.type as TaskType,
    reservation_id: null,
    occurrence: made.occurrence,
    scheduled_at: new Date(made.scheduledAt),
    ends_at: new Date(made.endsAt),
    must_finish_by: made.mustFinishBy === null ? null : new Date(made.mustFinishBy),
    not_before: notBefore,
    slot_start: chosen,
    slot_end: chosen && new Date(chosen.getTime() + durationMs),
    manual_fields: chosen ? ['scheduledDate'] : [],
    required_skills: [],
    priority: 'NORMAL',
    assign_attempts: 0,
    alert_level: 0,
    ...place,
  };
}

async function departureBefore(db: Db | Tx, made: StayTask, reservationId: string): Promise<Date | null> {
  const at = afterDeparture(sql`${reservationId}::text`, {
    mustFinishBy: sql`${made.mustFinishBy}::timestamptz`,
    duration: sql`(${made.endsAt}::timestamptz - ${made.scheduledAt}::timestamptz)`,
  });
  const { rows } = await sql<{ at: Date | null }>`SELECT ${at} AS at`.execute(db);
  return rows[0]?.at ?? null;
}

/** The place and rules of a property, as a task there has them. Throws `REFERENCE_NOT_FOUND`. */
export async function placeOf(db: Db | Tx, propertyId: string) {
  const row = await db
    .selectFrom('property')
    .select(['id as property_id', 'region', 'time_zone', 'location', 'primary_staff_ids', 'accept_minutes'])
    .where('id', '=', propertyId)
    .executeTakeFirst();
  if (!row) throw new RoomyError('REFERENCE_NOT_FOUND', { details: { field: 'propertyId' } });
  return row;
}

/** Takes the next guest's cleaning from a cleaner who would find this guest still there, and notifies the cleaner. */
async function releaseNextCleaning(tx: Tx, reservationId: string): Promise<void> {
  const { rows } = await sql<{ id: string }>`
    SELECT t.id FROM reservation r JOIN reservation n ON n.property_id = r.property_id AND n.check_in_date = r.check_out_date
      JOIN task t ON t.reservation_id = n.id
     WHERE r.id = ${reservationId} AND n.status IN ('CONFIRMED', 'CHECKED_IN') AND t.type = 'CLEANING' AND t.occurrence = 'PRE_ARRIVAL'
       AND t.status IN ('UNASSIGNED', 'ASSIGNED') ORDER BY t.id FOR UPDATE OF t`.execute(tx);
  const released = await releaseTasks(
    tx,
    rows.map(({ id }) => id),
  );
  await notifyReleased(tx, released);
}

/**
 * The brief's TaskOrchestrator: makes the tasks of a stay that must have an assignee, and finds people for tasks within the
 * request that makes them. `assignment/assign-sweep.ts` finds people afterwards.
 */
export const taskOrchestrator = { assignNow, ensureAssignedTask, holdForStay };
