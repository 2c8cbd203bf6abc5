import { sql } from 'kysely';
import type { Tx } from '../../db/client.ts';
import { overtakeUnassigned } from '../tasks/store/finish.ts';
import type { OpenTask } from './open-task.ts';

/**
 * Ends those among tasks without an assignee whose guest has arrived or left meanwhile (they were declined, released or parted
 * from another cleaning since). Not while a saga of the stay may still be undone. Answers their ids.
 */
export async function overtake(tx: Tx, due: readonly OpenTask[]): Promise<ReadonlySet<string>> {
  const ids = due.flatMap(({ id, reservation_id }) => (reservation_id === null ? [] : [id]));
  if (ids.length === 0) return new Set();
  return overtakeUnassigned(
    tx,
    ids,
    sql`CASE t.occurrence
         WHEN 'PRE_ARRIVAL' THEN r.status IN ('CHECKED_IN', 'CHECKED_OUT')
         WHEN 'ARRIVAL' THEN r.status IN ('CHECKED_IN', 'CHECKED_OUT')
         WHEN 'DEPARTURE' THEN r.status = 'CHECKED_OUT'
         WHEN 'POST_DEPARTURE' THEN r.status = 'CHECKED_OUT' AND EXISTS (
           SELECT FROM reservation n WHERE n.property_id = r.property_id AND n.check_in_date >= coalesce(r.departure_date, r.check_out_date)
              AND n.status IN ('CHECKED_IN', 'CHECKED_OUT') AND n.id <> r.id AND ${isSettled('n')})
         ELSE false END
       AND ${isSettled('r')}`,
  );
}

const isSettled = (stay: 'r' | 'n') =>
  sql<boolean>`NOT EXISTS (SELECT FROM saga s WHERE s.subject_type = 'reservation' AND s.subject_id = ${sql.ref(`${stay}.id`)}
    AND s.status NOT IN ('completed', 'compensated', 'resolved'))`;
