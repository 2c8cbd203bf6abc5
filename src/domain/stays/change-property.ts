import type { Tx } from '../../db/client.ts';
import { releaseTasksElsewhere } from '../assignment/lost-tasks.ts';
import { changesOf } from '../audit/changes.ts';
import { type Author, fieldsOf, recordChange } from '../audit/record.ts';
import type { Holder } from '../properties/portfolio.ts';
import {
  lockProperty,
  type PropertyChange,
  type PropertyFields,
  type PropertyView,
  propertyView,
  updateProperty,
} from '../properties/resource.ts';
import { replanReminders } from '../reservations/store.ts';
import { moveQuestions } from '../tasks/approvals.ts';
import { assertVersion, type ExpectedVersions } from '../versions.ts';
import { retimeStaysOf } from './retime.ts';

/** Of a property that the holder has. Throws `NOT_FOUND` and `PRECONDITION_FAILED`. Stays, tasks, reminders, questions and payouts ahead follow the change. */
export async function changeProperty(
  tx: Tx,
  id: string,
  change: PropertyChange,
  holder: Holder,
  expected: ExpectedVersions,
  author: Author,
): Promise<PropertyView> {
  const before = await lockProperty(tx, id, holder);
  assertVersion(before.version, expected);
  // First the stays, then what was granted for them, as a change of a stay locks them.
  if (MOVES_REMINDERS.some((field) => change[field] !== undefined)) await replanReminders(tx, { propertyId: id });
  const row = await updateProperty(tx, id, change, before.version + 1);
  if (change.ownerId !== undefined) await moveQuestions(tx, id, change.ownerId);
  if (MOVES_TASKS.some((field) => change[field] !== undefined)) await retimeStaysOf(tx, id);
  if (before.region !== null && before.region !== row.region) await releaseTasksElsewhere(tx, id, before.region);
  await recordChange(tx, author, {
    noun: 'property',
    id,
    event: 'PROPERTY_UPDATED',
    fields: fieldsOf(change),
    changes: changesOf('property', before, row),
    version: row.version,
  });
  return propertyView(row);
}

const MOVES_TASKS = ['timeZone', 'checkInTime', 'checkOutTime', 'cleaningMinutes'] as const;
const MOVES_REMINDERS = [
  'timeZone',
  'checkInTime',
  'checkOutTime',
  'checkInReminderTime',
  'checkOutReminderTime',
  'paymentDueDays',
] as const satisfies readonly (keyof PropertyFields)[];
