import { type RawBuilder, sql } from 'kysely';
import type { Tx } from '../../db/client.ts';
import { compiledOver } from '../../db/compiled-once.ts';
import { NOTIFICATION, newId } from '../../kernel/ids.ts';
import { taskAssignedMessage } from '../messages/catalogue/task-assigned.ts';
import { taskChangedMessage } from '../messages/catalogue/task-changed.ts';
import { assignmentMessages, firstMessages } from '../notifications/store/assigned.ts';
import { WITHDRAWN } from '../notifications/store/order.ts';
import { type AssignmentValues, assignments, type PlannedAssignment } from '../tasks/store/assign.ts';
import type { Planned } from './plan.ts';

/** The statement that carries out a plan, and its messages. */

/**
 * Assigns the tasks of a plan. A person whose counter has moved since the roster was read has got other work meanwhile, and
 * gets nothing of this plan. People are locked in one order, before their tasks.
 * Answers the tasks that were assigned. `notifies`: each assignee gets a mail, keyed by the task's version, as the same person
 * may be given a task, and lose it, more than once.
 */
export async function book(
  tx: Tx,
  planned: readonly Planned[],
  { notifies }: { readonly notifies: boolean },
): Promise<ReadonlySet<string>> {
  if (planned.length === 0) return new Set();
  const counted = Object.fromEntries(planned.map(({ staffId, counted }) => [staffId, counted]));
  const items = planned.map(
    ({ task, staffId, startMs, endMs, wanted, acceptBy, explanation, ...one }): PlannedAssignment => ({
      id: task.id,
      instead: one.displaces ?? false,
      quiet: one.isInOtherMessage ?? false,
      who: staffId,
      from: new Date(startMs).toISOString(),
      to: new Date(endMs).toISOString(),
      overdue: wanted.window.isOverdue,
      replyBy: acceptBy,
      why: explanation,
      message: newId(NOTIFICATION),
    }),
  );
  const areNew = planned.every(({ task }) => task.version === FIRST_VERSION);
  const run = notifies ? (areNew ? bookFirst : bookWithMessages) : bookSilently;
  const rows = await run(tx, {
    items: JSON.stringify(items),
    people: Object.keys(counted),
    counts: JSON.stringify(counted),
  });
  return new Set(rows.map(({ id }) => id));
}

const statement = (messages: RawBuilder<unknown>) =>
  compiledOver<AssignmentValues, { readonly id: string }>(
    (value) => sql`WITH ${assignments(value)}${messages} SELECT id FROM given`,
  );
const bookSilently = statement(sql``);
const { event, template, channel, recipientType } = taskAssignedMessage('');
const texts = {
  channel,
  recipientType,
  assigned: { event, template },
  instead: taskAssignedMessage('', { displaces: true }),
};
const bookWithMessages = statement(
  assignmentMessages({ ...texts, withdrawn: WITHDRAWN, moved: taskChangedMessage('', '', new Date(0)) }),
);
/** A task that was taken from somebody has another version since. */
const FIRST_VERSION = 1;
const bookFirst = statement(firstMessages(texts));
