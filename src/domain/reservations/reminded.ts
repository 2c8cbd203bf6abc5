import { sql } from 'kysely';
import type { Tx } from '../../db/client.ts';
import { literals } from '../../db/literal.ts';

/** For which version of a stay its reminders are planned; the plan itself is in `notifications/reminders.ts`. */

export async function markReminded(tx: Tx, ids: readonly string[]): Promise<void> {
  await sql`UPDATE reservation SET reminded_version = version WHERE id = ANY(${ids}::text[])`.execute(tx);
}

/** Asks for the reminders of these stays, or of all, to be planned anew. */
export async function replanReminders(
  tx: Tx,
  of: { readonly propertyId?: string; readonly guestId?: string },
): Promise<void> {
  let stays = tx
    .updateTable('reservation')
    .set({ reminded_version: null })
    .where('status', 'in', literals(['CONFIRMED', 'CHECKED_IN']));
  if (of.propertyId !== undefined) stays = stays.where('property_id', '=', of.propertyId);
  if (of.guestId !== undefined) stays = stays.where('guest_id', '=', of.guestId);
  await stays.execute();
}
