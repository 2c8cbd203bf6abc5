/** Few queues: fewer connections, and running sagas finish first (queue.md 1). */
export const FORWARD_QUEUE = 'saga-forward';
export const COMPENSATION_QUEUE = 'saga-compensation';
export const NOTIFICATION_QUEUE = 'notifications';
export const TASK_QUEUE = 'tasks';
export const FINANCE_QUEUE = 'finance';
export const RECURRING_QUEUE = 'recurring';
export const WEBHOOK_QUEUE = 'webhooks';
export const QUEUE_NAMES = [
  FORWARD_QUEUE,
  COMPENSATION_QUEUE,
  NOTIFICATION_QUEUE,
  TASK_QUEUE,
  FINANCE_QUEUE,
  RECURRING_QUEUE,
  WEBHOOK_QUEUE,
] as const;
export type QueueName = (typeof QUEUE_NAMES)[number];
