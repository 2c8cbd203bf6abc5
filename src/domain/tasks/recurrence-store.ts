import { type InsertObject, type RawBuilder, type SqlBool, sql, type Updateable } from 'kysely';
import type { Tx } from '../../db/client.ts';
import type { Database, RecurrenceEvery, RecurrenceTable } from '../../db/schema.ts';

/** The only statements that write `recurrence`. */

export const insertRecurrence = (tx: Tx, row: InsertObject<Database, 'recurrence'>) =>
  tx.insertInto('recurrence').values(row).returningAll().executeTakeFirstOrThrow();

/** The row must be locked; the change holds its new version. */
export const updateRecurrence = (
  tx: Tx,
  id: string,
  change: Updateable<RecurrenceTable> & { readonly version: number },
) => tx.updateTable('recurrence').set(change).where('id', '=', id).returningAll().executeTakeFirstOrThrow();

/** A rule with what its property says. */
export interface Rule {
  readonly id: string;
  readonly property_id: string;
  readonly owner_id: string;
  readonly type: 'INSPECTION' | 'MAINTENANCE';
  readonly title: string;
  readonly description: string | null;
  readonly checklist: readonly string[] | null;
  readonly every: RecurrenceEvery;
  readonly anchor_date: string;
  readonly local_time: string;
  readonly duration_minutes: number;
  readonly next_period: number;
  readonly time_zone: string;
}

const LOOK_EVERY_MINUTES = 10;

/** Takes those of `which`, a condition on `r`, that no other sweep has taken; each is due again after ten minutes. */
export async function takeRecurrences(
  tx: Tx,
  now: Date,
  which: RawBuilder<SqlBool>,
  limit: number,
): Promise<readonly Rule[]> {
  const { rows } = await sql<Rule>`
    UPDATE recurrence r SET next_look_at = ${now}::timestamptz + ${LOOK_EVERY_MINUTES}::int * interval '1 minute'
      FROM (SELECT r.id FROM recurrence r WHERE ${which}
             ORDER BY r.next_look_at LIMIT ${limit}::int FOR UPDATE SKIP LOCKED) AS due, property p
     WHERE r.id = due.id AND p.id = r.property_id
    RETURNING r.id, r.property_id, p.owner_id, r.type, r.title, r.description, r.checklist, r.every, r.anchor_date, r.local_time,
              r.duration_minutes, r.next_period, p.time_zone`.execute(tx);
  return rows;
}

/** Periods before this one are made, or skipped. */
export const setNextPeriod = (tx: Tx, id: string, period: number) =>
  tx.updateTable('recurrence').set({ next_period: period }).where('id', '=', id).execute();
