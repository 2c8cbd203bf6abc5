import type { WorkerOptions } from 'bullmq';
import { keyPrefix, workerConnection } from '../queues/connection.ts';

export type WorkerOptionsBase = Pick<
  WorkerOptions,
  'connection' | 'prefix' | 'lockDuration' | 'stalledInterval' | 'maxStalledCount'
>;

/** A worker that dies is noticed within a few seconds (queue.md 4). */
export const workerOptions = (redisUrl: string, prefix: string): WorkerOptionsBase => ({
  connection: workerConnection(redisUrl),
  prefix: keyPrefix(prefix),
  lockDuration: 3_000,
  stalledInterval: 1_000,
  maxStalledCount: 5,
});
