import { type Selectable, sql } from 'kysely';
import type { Db, Tx } from '../../db/client.ts';
import type { StaffLeaveTable } from '../../db/schema.ts';
import { RoomyError } from '../../kernel/errors.ts';
import { newId } from '../../kernel/ids.ts';
import { changesOf } from '../audit/changes.ts';
import { type Author, type ChangedRecord, fieldsOf, recordChange } from '../audit/record.ts';
import { cutPage, exactInstant, isAfter, type Page, type PageRequest } from '../paging.ts';
import { isLedBy } from '../people/reach.ts';
import { countBooking } from '../people/staff.ts';
import { releaseTasks } from '../tasks/store/assign.ts';
import { notifyReleased } from './release.ts';

/** A time in which a person does not work, beside the shifts. */
export interface NewLeave {
  /** ISO instants; the end is not part of it. */
  readonly from: string;
  readonly to: string;
  readonly reason?: string | undefined;
}
export type LeaveView = ReturnType<typeof leaveView>;

const leaveView = (row: Selectable<StaffLeaveTable>) => ({
  id: row.id,
  staffId: row.staff_id,
  from: row.starts_at.toISOString(),
  to: row.ends_at.toISOString(),
  reason: row.reason,
  createdBy: row.created_by,
  createdAt: row.created_at.toISOString(),
});

/**
 * Adds leave. The person's tasks in that time go to others: back to UNASSIGNED, due at once, with a message to the person. A
 * task that is being worked on stays. A plan that was made with this person before does not hold any more. An agent enters the leave
 * that `isLedBy` says; of anybody else throws `NOT_FOUND`.
 */
export async function addLeave(
  tx: Tx,
  staffId: string,
  leave: NewLeave,
  agentId: string | null,
  author: Author,
): Promise<LeaveView & { readonly releasedTaskIds: readonly string[] }> {
  await assertLed(tx, staffId, agentId);
  const counted = await countBooking(tx, staffId);
  if (!counted) throw noStaffMember();
  const row = await tx
    .insertInto('staff_leave')
    .values({
      id: newId('leave'),
      staff_id: staffId,
      starts_at: leave.from,
      ends_at: leave.to,
      reason: leave.reason,
      created_by: author.actor,
    })
    .returningAll()
    .executeTakeFirstOrThrow();
  const { rows } = await sql<{ id: string }>`
    SELECT id FROM task WHERE assignee_id = ${staffId} AND status = 'ASSIGNED'
       AND tstzrange(coalesce(slot_start, scheduled_at), coalesce(slot_end, ends_at), '[)') && tstzrange(${leave.from}::timestamptz, ${leave.to}::timestamptz, '[)')
     ORDER BY id FOR UPDATE`.execute(tx);
  const released = await releaseTasks(
    tx,
    rows.map(({ id }) => id),
  );
  await notifyReleased(tx, released);
  const added = { staffId, event: 'STAFF_LEAVE_ADDED', version: counted.version };
  await recordLeave(tx, author, added, { fields: fieldsOf(leave), changes: changesOf('staff_leave', null, row) });
  return { ...leaveView(row), releasedTaskIds: released.map(({ id }) => id) };
}

/** A person's leave, newest first. Throws `NOT_FOUND` for an unknown person, and for one whose leave is not the agent's to enter. */
export async function listLeave(
  db: Db,
  staffId: string,
  agentId: string | null,
  page: PageRequest,
): Promise<Page<LeaveView>> {
  await assertLed(db, staffId, agentId);
  let query = db
    .selectFrom('staff_leave')
    .selectAll()
    .select(exactInstant('created_at').as('position_at'))
    .where('staff_id', '=', staffId);
  if (page.after) query = query.where(isAfter('created_at', 'id', page.after));
  const rows = await query
    .orderBy('created_at', 'desc')
    .orderBy('id', 'desc')
    .limit(page.limit + 1)
    .execute();
  return cutPage(rows, page.limit, leaveView);
}

/** Removes leave; tasks that went to others stay with them. Throws `NOT_FOUND`. */
export async function removeLeave(
  tx: Tx,
  { staffId, leaveId }: { readonly staffId: string; readonly leaveId: string },
  agentId: string | null,
  author: Author,
): Promise<LeaveView> {
  const row = await tx
    .deleteFrom('staff_leave')
    .where('id', '=', leaveId)
    .where('staff_id', '=', staffId)
    .where((eb) => eb.exists(eb.selectFrom('staff').select('id').where('id', '=', staffId).where(isLedBy(agentId))))
    .returningAll()
    .executeTakeFirst();
  if (!row) throw new RoomyError('NOT_FOUND', { text: 'Leave not found' });
  const { version } = await tx
    .selectFrom('staff')
    .select('version')
    .where('id', '=', staffId)
    .executeTakeFirstOrThrow();
  const removed = { staffId, event: 'STAFF_LEAVE_REMOVED', version };
  await recordLeave(tx, author, removed, { fields: ['from', 'to'], changes: changesOf('staff_leave', row, null) });
  return leaveView(row);
}

/** Throws `NOT_FOUND` for a person who is absent or, with `agentId`, whose leave this agent does not enter. */
async function assertLed(db: Db | Tx, staffId: string, agentId: string | null): Promise<void> {
  const person = await db
    .selectFrom('staff')
    .select('id')
    .where('id', '=', staffId)
    .where(isLedBy(agentId))
    .executeTakeFirst();
  if (!person) throw noStaffMember();
}

const noStaffMember = (): RoomyError => new RoomyError('NOT_FOUND', { text: 'Staff member not found' });

const recordLeave = (
  tx: Tx,
  author: Author,
  { staffId, event, version }: { readonly staffId: string; readonly event: string; readonly version: number },
  what: Pick<ChangedRecord, 'fields' | 'changes'>,
): Promise<void> => recordChange(tx, author, { noun: 'staff', id: staffId, event, version, ...what });
