import type { OrderedText } from '../../notifications/enqueue.ts';
import { defineMessage, MAIL } from './define.ts';
import { mailToStaff } from './deliveries.ts';

export const taskAssigned = defineMessage({
  event: 'TASK_ASSIGNED',
  cause: 'when somebody is given the task',
  to: { STAFF: { channels: MAIL, required: true, owed: true } },
  variables: [
    'recipientName',
    'propertyName',
    'taskTitle',
    'taskStart',
    'taskEnd',
    'displacedTasks',
    'acceptBy',
    'answerUrl',
  ],
  namesStart: true,
  // Nobody reads of a task that is no longer theirs.
  stillTrue: ({ facts: { taskStatus, taskAssigneeId }, recipientId }) =>
    taskStatus === null ||
    (taskAssigneeId === recipientId && (taskStatus === 'ASSIGNED' || taskStatus === 'IN_PROGRESS')),
  forecast: {
    on: 'ASSIGN',
    // Tasks that nobody has yet are still to be given to somebody.
    deliveries: ({ tasks }) =>
      tasks
        .filter(({ status }) => status === 'EXPECTED' || status === 'UNASSIGNED')
        .map((task) => ({ channel: 'EMAIL', recipientType: 'STAFF', recipientId: null, task })),
  },
  texts: {
    'task-assigned.staff@1': {
      asking: { first: 'task-offered.staff@1', again: 'task-offered-again.staff@1' },
      en: {
        subject: 'New task: {taskTitle} - {propertyName}',
        message: `Dear {recipientName},

A task has been assigned to you: {taskTitle}.

Where: {propertyName}
Start: {taskStart}
End: {taskEnd}`,
      },
    },
    'task-assigned-instead.staff@1': {
      asking: { first: 'task-offered-instead.staff@1', again: 'task-offered-instead.staff@1' },
      en: {
        subject: 'Emergency, instead of other work: {taskTitle} - {propertyName}',
        message: `Dear {recipientName},

An emergency has been assigned to you, and other work of yours gives way to it: {taskTitle}.

Where: {propertyName}
Start: {taskStart}
End: {taskEnd}

What gives way: {displacedTasks}`,
      },
    },
    'task-offered-instead.staff@1': {
      en: {
        subject: 'Emergency, instead of other work: do you take it? {taskTitle} - {propertyName}',
        message: `Dear {recipientName},

An emergency has been assigned to you, and other work of yours gives way to it: {taskTitle}.

Where: {propertyName}
Start: {taskStart}
End: {taskEnd}

What gives way: {displacedTasks}

Please answer by {acceptBy}, or somebody else is asked. Say yes or no here:

{answerUrl}`,
      },
    },
    'task-offered.staff@1': {
      en: {
        subject: 'Do you take this task? {taskTitle} - {propertyName}',
        message: `Dear {recipientName},

A task has been assigned to you: {taskTitle}.

Where: {propertyName}
Start: {taskStart}
End: {taskEnd}

Please answer by {acceptBy}, or somebody else is asked. Say yes or no here:

{answerUrl}`,
      },
    },
    'task-offered-again.staff@1': {
      en: {
        subject: 'We still need your answer: {taskTitle} - {propertyName}',
        message: `Dear {recipientName},

We asked you about this task before, and have found nobody else: {taskTitle}.

Where: {propertyName}
Start: {taskStart}
End: {taskEnd}

Please answer by {acceptBy}; we do not ask you again. Say yes or no here:

{answerUrl}`,
      },
    },
  },
});

/**
 * The row needs `task_id`. `displaces`: it is an emergency, for which other work of the same person had to go; one
 * message names both.
 */
export const taskAssignedMessage = (assigneeId: string, { displaces = false } = {}): OrderedText =>
  mailToStaff(taskAssigned, displaces ? 'task-assigned-instead.staff@1' : 'task-assigned.staff@1', assigneeId);
