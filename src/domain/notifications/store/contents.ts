import { sql } from 'kysely';
import type { Db } from '../../../db/client.ts';

/**
 * Deletes what some messages said that are so many days old and on their way no more, the oldest first; answers how many. That they
 * were sent, to whom and when, stays.
 */
export async function pruneContents(db: Db, days: number, limit: number): Promise<number> {
  // Ids grow with time. They are chosen before they are deleted: a statement that locks rows chooses no partitions while it runs.
  const { rows } = await sql<{ id: string }>`
    SELECT c.notification_id AS id FROM (SELECT notification_id FROM notification_content ORDER BY notification_id LIMIT ${limit}::int) c
      JOIN notification n ON n.id = c.notification_id
     WHERE n.created_at < now() - ${days}::int * interval '1 day' AND n.status NOT IN ('QUEUED', 'SENDING')`.execute(
    db,
  );
  const ids = rows.map(({ id }) => id);
  if (ids.length > 0)
    await sql`DELETE FROM notification_content WHERE notification_id = ANY (${ids}::text[])`.execute(db);
  return ids.length;
}
