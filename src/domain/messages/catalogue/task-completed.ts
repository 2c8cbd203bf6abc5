import type { OrderedText } from '../../notifications/enqueue.ts';
import { defineMessage, MAIL } from './define.ts';
import { toStaffOrOps } from './deliveries.ts';
import { type ExpectedDelivery, isUnfinished, type OutlookTask } from './outlook.ts';

/** Completed tasks in one mail a day. */
export const DIGEST = 'task-digest.staff@1';

/** It names the kind of work: the title of a meeting has the name of the guest, which is for those who meet. */
export const taskCompleted = defineMessage({
  event: 'TASK_COMPLETED',
  cause: 'when the task is completed',
  to: { STAFF: { channels: MAIL, required: true }, OPS: { channels: MAIL, required: true } },
  variables: ['recipientName', 'propertyName', 'taskWork', 'taskId', 'doneTasks', 'doneCount'],
  digest: DIGEST,
  // A digest in which nothing is left to say.
  stillTrue: ({ template, facts: { doneTasks } }) => template !== DIGEST || doneTasks !== null,
  forecast: {
    on: 'TASK_COMPLETION',
    deliveries: ({ tasks, agentIds }) => tasks.filter(isUnfinished).flatMap((task) => expectedOf(task, agentIds)),
  },
  texts: {
    'task-completed.staff@1': {
      en: {
        subject: 'Done: {taskWork} - {propertyName}',
        message: `Dear {recipientName},

A task at {propertyName} is done: {taskWork}.

Task {taskId}`,
      },
    },
    'task-digest.staff@1': {
      en: {
        subject: 'Done since yesterday: {doneCount} tasks',
        message: `Dear {recipientName},

This was completed at the properties that you look after: {doneTasks}.

Tasks: {doneCount}`,
      },
    },
    'task-completed.ops@1': {
      en: {
        subject: 'Done: {taskWork} - {propertyName}',
        message: 'A task at {propertyName} is done: {taskWork}. No agent looks after the property. Task {taskId}',
      },
    },
  },
});

const expectedOf = (task: OutlookTask, agentIds: readonly string[]): readonly ExpectedDelivery[] =>
  agentIds.length === 0
    ? [{ channel: 'EMAIL', recipientType: 'OPS', recipientId: 'ops', task }]
    : agentIds.map((recipientId) => ({ channel: 'EMAIL', recipientType: 'STAFF', recipientId, task }));

/** To the agents of the property, who supervise its work; without any, to operations. */
export const taskCompletedMessages = (supervisors: readonly string[], taskId: string): readonly OrderedText[] =>
  toStaffOrOps(taskCompleted, { staff: 'task-completed.staff@1', ops: 'task-completed.ops@1' }, supervisors, taskId);
