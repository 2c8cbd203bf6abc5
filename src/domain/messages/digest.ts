import type { Db } from '../../db/client.ts';
import { putIntoDigests } from '../notifications/store/order.ts';
import { DIGEST, taskCompleted } from './catalogue/task-completed.ts';

/**
 * Completed tasks in one mail a day. A message that would have been a mail of its own is put into
 * the next digest of its recipient and skipped; the digest is a message like any other, whose lines are read when it is sent.
 */
export async function digestCompleted(db: Db, notificationIds: readonly string[]): Promise<void> {
  if (notificationIds.length === 0) return;
  await putIntoDigests(db, notificationIds, { event: taskCompleted.event, template: DIGEST });
}
