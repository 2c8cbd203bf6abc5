import { sql } from 'kysely';
import type { Db } from '../../../db/client.ts';

/**
 * Deletes what some messages said that are so many days old and on their way no more, the oldest first; answers how many: less than
 * `limit` when there are no more. That they were sent, to whom and when, stays.
 */
export async function pruneContents(db: Db, days: number, limit: number): Promise<number> {
  const ids: string[] = [];
  // Those that stay however old they are, as they are on their way, stand in nobody's way.
  for (let after: string | null = ''; after !== null && ids.length < limit; ) {
    const slice: readonly Looked[] = await lookAt(db, { after, days, limit });
    ids.push(...slice.filter(({ isOld, isOver }) => isOld && isOver).map(({ id }) => id));
    const last = slice.at(-1);
    // Ids grow with time: behind one that is too young, all are.
    after = last?.isOld === true && slice.length === limit ? last.id : null;
  }
  const some = ids.slice(0, limit);
  if (some.length > 0)
    await sql`DELETE FROM notification_content WHERE notification_id = ANY (${some}::text[])`.execute(db);
  return some.length;
}

interface Looked {
  readonly id: string;
  readonly isOld: boolean;
  readonly isOver: boolean;
}
interface Look {
  readonly after: string;
  readonly days: number;
  readonly limit: number;
}

/** They are chosen before they are deleted: a statement that locks rows chooses no partitions while it runs. */
async function lookAt(db: Db, { after, days, limit }: Look): Promise<readonly Looked[]> {
  const { rows } = await sql<Looked>`
    SELECT c.notification_id AS id, n.created_at < now() - ${days}::int * interval '1 day' AS "isOld", n.status NOT IN ('QUEUED', 'SENDING') AS "isOver"
      FROM (SELECT notification_id FROM notification_content WHERE notification_id > ${after} ORDER BY notification_id LIMIT ${limit}::int) c
      JOIN notification n ON n.id = c.notification_id ORDER BY c.notification_id`.execute(db);
  return rows;
}
