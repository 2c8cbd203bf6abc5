import type { Tx } from '../../db/client.ts';
import { changesOf } from '../audit/changes.ts';
import { type Author, fieldsOf, recordChange } from '../audit/record.ts';
import { type GuestChange, type GuestView, guestView, lockGuest, updateGuest } from '../people/guests.ts';
import { replanReminders } from '../reservations/store.ts';
import { assertVersion, type ExpectedVersions } from '../versions.ts';

/** With `agentId`, only of a guest that this agent knows. Throws `NOT_FOUND` and `PRECONDITION_FAILED`. Reminders follow a new telephone number or time zone. */
export async function changeGuest(
  tx: Tx,
  id: string,
  change: GuestChange,
  agentId: string | null,
  expected: ExpectedVersions,
  author: Author,
): Promise<GuestView> {
  const before = await lockGuest(tx, id, agentId);
  assertVersion(before.version, expected);
  const row = await updateGuest(tx, id, change, before.version + 1);
  if (change.phone !== undefined || change.timeZone !== undefined) await replanReminders(tx, { guestId: id });
  await recordChange(tx, author, {
    noun: 'guest',
    id,
    event: 'GUEST_UPDATED',
    fields: fieldsOf(change),
    changes: changesOf('guest', before, row),
    version: row.version,
  });
  return guestView(row);
}
