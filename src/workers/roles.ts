import {
  COMPENSATION_QUEUE,
  FINANCE_QUEUE,
  FORWARD_QUEUE,
  NOTIFICATION_QUEUE,
  type QueueName,
  RECURRING_QUEUE,
  TASK_QUEUE,
  WEBHOOK_QUEUE,
} from '../queues/names.ts';

/**
 * What a worker program may be told to do (`ROLES`), and the queues that each role serves. Every queue belongs to one role.
 * Schedulers, relay and reconciler run in every worker, whatever its roles: it does not matter which one starts first.
 */
export const ROLE_QUEUES = {
  sagas: [FORWARD_QUEUE, COMPENSATION_QUEUE],
  messages: [NOTIFICATION_QUEUE],
  tasks: [TASK_QUEUE],
  finance: [FINANCE_QUEUE],
  webhooks: [WEBHOOK_QUEUE],
  recurring: [RECURRING_QUEUE],
} as const satisfies Readonly<Record<string, readonly QueueName[]>>;
export type WorkerRole = keyof typeof ROLE_QUEUES;

export const WORKER_ROLES: readonly WorkerRole[] = ['sagas', 'messages', 'tasks', 'finance', 'webhooks', 'recurring'];
/** The roles whose work no request waits for. In a worker of their own they do not share a thread with the sagas. */
export const BACKGROUND_ROLES: readonly WorkerRole[] = WORKER_ROLES.filter((role) => role !== 'sagas');

export const isWorkerRole = (name: string): name is WorkerRole => Object.hasOwn(ROLE_QUEUES, name);

/** Of all work, the part of these roles. */
export function workOfRoles<Work extends { readonly queue: string }>(
  work: readonly Work[],
  roles: readonly WorkerRole[],
): readonly Work[] {
  const queues = new Set<string>(roles.flatMap((role) => ROLE_QUEUES[role]));
  return work.filter(({ queue }) => queues.has(queue));
}

/**
 * The name of a worker's connections in `pg_stat_activity`: `roomy-worker` with all roles, else
 * `roomy-worker:messages,tasks`. So it can be seen from outside which roles are served.
 */
export const workerName = (roles: readonly WorkerRole[]): string =>
  WORKER_ROLES.every((role) => roles.includes(role)) ? 'roomy-worker' : `roomy-worker:${roles.join(',')}`;
