import type { QueueConnection } from './connection.ts';
import { COMPENSATION_QUEUE, FORWARD_QUEUE } from './names.ts';

/**
 * Steps of sagas that wait for a worker or are being worked on, in all processes: two commands to Redis. Throws at once while
 * Redis is away.
 */
export async function stepsAtHand({ queue }: Pick<QueueConnection, 'queue'>): Promise<number> {
  const counts = await Promise.all(
    [FORWARD_QUEUE, COMPENSATION_QUEUE].map((name) => queue(name).getJobCountByTypes('wait', 'active')),
  );
  return counts.reduce((all, count) => all + count, 0);
}
