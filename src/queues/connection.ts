import { type ConnectionOptions, FlowProducer, Queue } from 'bullmq';
import { Redis } from 'ioredis';
import type { Logger } from '../kernel/log.ts';
import { QUEUE_NAMES } from './names.ts';

export interface QueueConnection {
  /** Refuses at once when Redis is away, instead of keeping callers waiting. */
  readonly producer: Redis;
  readonly flows: FlowProducer;
  readonly queues: readonly Queue[];
  queue(name: string): Queue;
  /** False while Redis is away: what is sent then would wait, or be refused. */
  isReady(): boolean;
  readonly prefix: string;
  close(): Promise<void>;
}

/** All keys share one hash tag, so that a flow's queues live in one slot of a cluster (bullmq.md 7). */
export const keyPrefix = (prefix: string): string => `{${prefix}}`;

const COMMAND_TIMEOUT_MS = 5_000;
/** Small, because nobody reads BullMQ's event streams here. */
const MAX_EVENTS = 100;

export function connectQueues(redisUrl: string, prefix: string, log: Logger): QueueConnection {
  const producer = new Redis(redisUrl, {
    enableOfflineQueue: false,
    maxRetriesPerRequest: 1,
    commandTimeout: COMMAND_TIMEOUT_MS,
    retryStrategy: reconnectDelay,
    connectionName: 'roomy-producer',
  });
  logOutages(producer, log);
  const options = { connection: producer as ConnectionOptions, prefix: keyPrefix(prefix) };
  const flows = new FlowProducer(options);
  flows.on('error', () => undefined);
  const queues = QUEUE_NAMES.map((name) => {
    const queue = new Queue(name, {
      ...options,
      streams: { events: { maxLen: MAX_EVENTS } },
    });
    queue.on('error', () => undefined);
    return queue;
  });
  return {
    producer,
    flows,
    queues,
    queue: (name) => {
      const found = queues.find((queue) => queue.name === name);
      if (!found) throw new RangeError(`no queue ${name}`);
      return found;
    },
    isReady: () => producer.status === 'ready',
    prefix: keyPrefix(prefix),
    close: async () => {
      await Promise.allSettled([flows.close(), ...queues.map((queue) => queue.close())]);
      producer.disconnect();
    },
  };
}

/** For a Worker: BullMQ needs commands to wait for Redis to come back. */
export const workerConnection = (redisUrl: string): ConnectionOptions => ({
  url: redisUrl,
  maxRetriesPerRequest: null,
  retryStrategy: reconnectDelay,
});

const MAX_RECONNECT_MS = 1_000;
function reconnectDelay(attempt: number): number {
  return Math.min(50 * 2 ** Math.min(attempt, 6), MAX_RECONNECT_MS);
}

/** One line when Redis goes and one when it comes back, whatever the number of failed commands between. */
function logOutages(redis: Redis, log: Logger): void {
  let away = false;
  redis.on('error', (error: Error) => {
    if (!away) log.warn({ err: error }, 'redis is away');
    away = true;
  });
  redis.on('ready', () => {
    if (away) log.info('redis is back');
    away = false;
  });
}
