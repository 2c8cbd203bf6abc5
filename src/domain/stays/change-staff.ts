import type { Tx } from '../../db/client.ts';
import { literal } from '../../db/literal.ts';
import { readHeldTasks, releaseLostTasks } from '../assignment/lost-tasks.ts';
import { notifyReleased } from '../assignment/release.ts';
import { changesOf } from '../audit/changes.ts';
import { type Author, fieldsOf, recordChange } from '../audit/record.ts';
import { followStaff } from '../people/administer.ts';
import { lockStaff, type StaffChange, type StaffView, staffView, updateStaff } from '../people/staff.ts';
import { releaseTasks } from '../tasks/store/assign.ts';
import { assertVersion, type ExpectedVersions } from '../versions.ts';
import { endAddresses } from './change-account.ts';

/** The fields that decide which tasks somebody can do. */
const ABILITIES = ['skills', 'propertyIds', 'region', 'shifts', 'maxMinutesPerDay'] as const;

/** Throws `NOT_FOUND` and `PRECONDITION_FAILED`. Tasks that this person cannot do any more go to others at once. */
export async function changeStaff(
  tx: Tx,
  id: string,
  change: StaffChange,
  expected: ExpectedVersions,
  author: Author,
): Promise<StaffView> {
  const before = await lockStaff(tx, id);
  assertVersion(before.version, expected);
  const held = ABILITIES.some((field) => change[field] !== undefined) ? await readHeldTasks(tx, id) : null;
  const row = await updateStaff(tx, id, change, before.version + 1);
  // A person who has left, or has another role, loses all tasks: somebody else is looked for at once.
  const isOtherRole = change.role !== undefined && change.role !== before.role;
  if (change.active === false || isOtherRole) await releaseAll(tx, id);
  else if (held !== null) await releaseLostTasks(tx, held, row);
  if (change.active === false || change.role !== undefined) await followStaff(tx, id, change, author);
  if (isOtherRole) await endAddresses(tx, id, author);
  await recordChange(tx, author, {
    noun: 'staff',
    id,
    event: 'STAFF_UPDATED',
    fields: fieldsOf(change),
    changes: changesOf('staff', before, row),
    version: row.version,
  });
  return staffView(row);
}

async function releaseAll(tx: Tx, staffId: string): Promise<void> {
  const tasks = await tx
    .selectFrom('task')
    .select('id')
    .where('assignee_id', '=', staffId)
    .where('status', '=', literal('ASSIGNED'))
    .orderBy('id')
    .forUpdate()
    .execute();
  const released = await releaseTasks(
    tx,
    tasks.map(({ id }) => id),
  );
  await notifyReleased(tx, released);
}
