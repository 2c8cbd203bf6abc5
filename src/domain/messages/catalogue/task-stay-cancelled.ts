import type { OrderedText } from '../../notifications/enqueue.ts';
import { defineMessage, MAIL } from './define.ts';
import { mailToStaff } from './deliveries.ts';

export const taskStayCancelled = defineMessage({
  event: 'TASK_STAY_CANCELLED',
  cause: 'when the reservation is cancelled while its task is being done',
  to: { STAFF: { channels: MAIL, owed: true } },
  variables: ['recipientName', 'propertyName', 'taskTitle', 'taskStart', 'taskEnd'],
  texts: {
    'task-stay-cancelled.staff@1': {
      en: {
        subject: 'Reservation cancelled during your task: {taskTitle} - {propertyName}',
        message: `Dear {recipientName},

The reservation behind a task that you are working on has been cancelled: {taskTitle}.

Where: {propertyName}
The task stays yours: please complete it, or ask your supervisor.`,
      },
    },
  },
});

/** To the one who is at work on it: the task is not taken away under their hands. */
export const taskStayCancelledMessage = (assigneeId: string, taskId: string): OrderedText =>
  mailToStaff(taskStayCancelled, 'task-stay-cancelled.staff@1', assigneeId, { taskId });
