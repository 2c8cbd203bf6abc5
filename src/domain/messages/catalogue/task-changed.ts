import { sql } from 'kysely';
import type { OrderedText } from '../../notifications/enqueue.ts';
import type { Verdict } from '../delivery-rows.ts';
import { isAboutTask, isAsked, lastStartSent, NAMES_START } from '../variables/task.ts';
import { defineMessage, type Known, MAIL } from './define.ts';
import { mailToStaff } from './deliveries.ts';

/** Another message to the same person about the same task. */
const OTHER = sql`notification b WHERE ${isAboutTask} AND b.recipient_id = n.recipient_id AND b.id <> n.id`;
const LOOK_AGAIN_MS = 5_000;

export const taskChanged = defineMessage({
  event: 'TASK_CHANGED',
  cause: 'when a task of the recipient is moved to another time',
  to: { STAFF: { channels: MAIL, owed: true } },
  variables: [
    'recipientName',
    'propertyName',
    'taskTitle',
    'taskStart',
    'taskEnd',
    'previousStart',
    'acceptBy',
    'answerUrl',
  ],
  example: { previousStart: '2027-05-31T09:00:00Z' },
  namesStart: true,
  loads: {
    toldStart: lastStartSent(sql`true`),
    // Each says how it is when it is sent, so a later change, or the first message, says the same of the task's time.
    isToldOtherwise: sql<boolean>`EXISTS (SELECT FROM ${OTHER} AND b.status IN ('QUEUED', 'SENDING')
     AND (b.event = 'TASK_CHANGED' AND (b.created_at, b.id) > (n.created_at, n.id)
       OR b.event = 'TASK_ASSIGNED' AND b.created_at <= n.created_at AND b.status = 'QUEUED'))`,
    // An earlier one is being sent, with the time of a moment ago perhaps.
    isBeingSent: sql<boolean>`EXISTS (SELECT FROM ${OTHER} AND b.status = 'SENDING'
     AND b.event IN ${NAMES_START} AND (b.created_at, b.id) < (n.created_at, n.id))`,
  },
  stillTrue: isNews,
  texts: {
    'task-changed.staff@1': {
      asking: { first: 'task-changed-offer.staff@1', again: 'task-changed-offer.staff@1' },
      en: {
        subject: 'New time: {taskTitle} - {propertyName}',
        message: `Dear {recipientName},

A task of yours has a new time: {taskTitle}.

Where: {propertyName}
It was to start: {previousStart}
Start: {taskStart}
End: {taskEnd}`,
      },
    },
    'task-changed-offer.staff@1': {
      en: {
        subject: 'New time, do you take it? {taskTitle} - {propertyName}',
        message: `Dear {recipientName},

A task of yours has a new time: {taskTitle}.

Where: {propertyName}
It was to start: {previousStart}
Start: {taskStart}
End: {taskEnd}

Please answer by {acceptBy}, or somebody else is asked. Say yes or no here:

{answerUrl}`,
      },
    },
  },
});

/**
 * A new time that the recipient knows by now is not sent: another message says it, or it is again the one that they knew.
 * A person who is asked anew whether they take the task gets it, and so does one for whom it was sent once more.
 */
function isNews({ facts, conditions: { resendOf, inBulk, now } }: Known): boolean | Verdict {
  if (resendOf !== null && !inBulk) return true;
  const { own, taskStartAt } = facts;
  if (own?.['isToldOtherwise'] === true) return false;
  if (own?.['isBeingSent'] === true) {
    return { status: 'WAIT', until: new Date(now.getTime() + LOOK_AGAIN_MS), reason: 'BEING_TOLD' };
  }
  const before = own?.['toldStart'] ?? null;
  return before === null || before !== taskStartAt?.toISOString() || isAsked(facts);
}

/** To the one who keeps it: at another time now. */
export const taskChangedMessage = (assigneeId: string, taskId: string, wasAt: Date): OrderedText =>
  mailToStaff(taskChanged, 'task-changed.staff@1', assigneeId, {
    taskId,
    params: { previousStart: wasAt.toISOString() },
  });
