import { sql } from 'kysely';
import type { Db } from '../../db/client.ts';
import { DIGEST, taskCompleted } from './catalogue/task-completed.ts';

/**
 * Completed tasks in one mail a day (features NTF-S2, TSK-15). What would have been a mail of its own is put into the next
 * digest of its recipient and skipped; the digest is a message like any other, whose lines are read when it is sent.
 */

/** What comes closer to a digest than this goes into the one after: that one may be on its way. */
const MARGIN = sql`interval '1 minute'`;

/** Safe to run again: a digest is one by its recipient and its hour. */
export async function putIntoDigests(db: Db, notificationIds: readonly string[]): Promise<void> {
  if (notificationIds.length === 0) return;
  await sql`
    WITH item AS (
      SELECT n.id, n.recipient_id, (SELECT min(at) FROM (
               SELECT ((now() + ${MARGIN}) AT TIME ZONE p.time_zone)::date + day + rule.digest_time::time AS local FROM generate_series(0, 1) day) d,
               LATERAL (SELECT d.local AT TIME ZONE p.time_zone AS at) a WHERE a.at > now() + ${MARGIN}) AS due
        FROM notification n JOIN task t ON t.id = n.task_id JOIN property p ON p.id = t.property_id, message_rule rule
       WHERE n.id = ANY(${notificationIds}::text[])),
    digest AS (
      INSERT INTO notification (id, effect_key, event, template, channel, recipient_type, recipient_id, due_at)
      SELECT DISTINCT ON (key) 'notification-' || gen_random_uuid(), key, ${taskCompleted.event}, ${DIGEST}, 'EMAIL', 'STAFF', recipient_id, due
        FROM (SELECT *, 'digest-' || recipient_id || '-' || extract(epoch FROM due)::bigint AS key FROM item) i
      -- So that one which is there already is returned as well.
      ON CONFLICT (effect_key) DO UPDATE SET due_at = notification.due_at
      RETURNING id, effect_key)
    UPDATE notification n SET digest_id = digest.id FROM item JOIN digest
        ON digest.effect_key = 'digest-' || item.recipient_id || '-' || extract(epoch FROM item.due)::bigint
     WHERE n.id = item.id`.execute(db);
}
