import { sql } from 'kysely';
import type { OrderedText } from '../../notifications/enqueue.ts';
import { lastStartSent } from '../variables/task.ts';
import { defineMessage, MAIL } from './define.ts';
import { mailToStaff } from './deliveries.ts';

export const taskWithdrawn = defineMessage({
  event: 'TASK_WITHDRAWN',
  cause: 'when a task is taken from its assignee',
  to: { STAFF: { channels: MAIL, owed: true } },
  variables: ['recipientName', 'propertyName', 'taskTitle', 'taskStart', 'taskEnd', 'previousStart'],
  example: { previousStart: '2027-05-31T09:00:00Z' },
  loads: {
    // The task was moved before it was withdrawn, and that was not sent: the recipient knows the old start.
    toldStart: lastStartSent(sql`b.created_at <= n.created_at`),
  },
  texts: {
    'task-withdrawn.staff@1': {
      en: {
        subject: 'Task withdrawn: {taskTitle} - {propertyName}',
        message: `Dear {recipientName},

You need not do this task any more: {taskTitle}.

Where: {propertyName}
It was to start: {previousStart}`,
      },
    },
  },
});

/** To the one who was to do it. Unlike `TASK_ASSIGNED` it is true whatever has become of the task. */
export const taskWithdrawnMessage = (assigneeId: string, taskId: string): OrderedText =>
  mailToStaff(taskWithdrawn, 'task-withdrawn.staff@1', assigneeId, { taskId });
