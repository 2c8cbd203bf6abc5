import type { OrderedText } from '../../notifications/enqueue.ts';
import { defineMessage, MAIL } from './define.ts';
import { toStaffOrOps } from './deliveries.ts';
import { isUnfinished } from './outlook.ts';

export const propertyReady = defineMessage({
  event: 'PROPERTY_READY',
  cause: 'when the task is completed',
  to: { STAFF: { channels: MAIL }, OPS: { channels: MAIL } },
  variables: ['recipientName', 'propertyName', 'taskStart'],
  forecast: {
    on: 'TASK_COMPLETION',
    // Where there is an inspection, the property is ready after that.
    deliveries: ({ tasks, isInspected }) =>
      tasks
        .filter((task) => task.occurrence === 'PRE_ARRIVAL' && !isInspected && isUnfinished(task))
        .map((task) => ({ channel: 'EMAIL', recipientType: 'STAFF', recipientId: null, task })),
  },
  texts: {
    'property-ready.staff@1': {
      en: {
        subject: 'Ready for the guest: {propertyName}',
        message: `Dear {recipientName},

{propertyName} is ready: a guest who comes early can be let in.

Your meeting: {taskStart}`,
      },
    },
    'property-ready.ops@1': {
      en: {
        subject: 'Ready for the guest: {propertyName}',
        message: '{propertyName} is ready. Nobody has been found yet who meets the guest at {taskStart}.',
      },
    },
  },
});

/** A guest who comes early may be let in. To the one who meets the guest; without one, to operations. */
export const propertyReadyMessages = (assigneeId: string | null, taskId: string): readonly OrderedText[] =>
  toStaffOrOps(
    propertyReady,
    { staff: 'property-ready.staff@1', ops: 'property-ready.ops@1' },
    assigneeId === null ? [] : [assigneeId],
    taskId,
  );
