import { type ConnectionOptions, FlowProducer, Queue } from 'bullmq';
import { Redis } from 'ioredis';
import { type Outages, outageOf } from '../kernel/outages.ts';
import { QUEUE_NAMES } from './names.ts';

export interface QueueConnection {
  /** Refuses at once when Redis is away, instead of keeping callers waiting. */
  readonly producer: Redis;
  readonly flows: FlowProducer;
  readonly queues: readonly Queue[];
  queue(name: string): Queue;
  /** False while Redis is away: what is sent then would wait, or be refused. */
  isReady(): boolean;
  /** Calls `listener` whenever Redis is there, again or for the first time. */
  onReady(listener: () => void): void;
  /** To be asked about every error of a command: whether Redis is away, or refuses everything. */
  noteFailure(error: unknown): void;
  /** A command came through. */
  noteAnswer(): void;
  readonly prefix: string;
  close(): Promise<void>;
}

/** All keys share one hash tag, so that a flow's queues live in one slot of a cluster (queue.md 6). */
export const keyPrefix = (prefix: string): string => `{${prefix}}`;

const COMMAND_TIMEOUT_MS = 5_000;
/** Small, because nobody reads BullMQ's event streams here. */
const MAX_EVENTS = 100;

export function connectQueues(redisUrl: string, prefix: string, outages: Outages): QueueConnection {
  const producer = new Redis(redisUrl, {
    enableOfflineQueue: false,
    maxRetriesPerRequest: 1,
    commandTimeout: COMMAND_TIMEOUT_MS,
    retryStrategy: reconnectDelay,
    connectionName: 'roomy-producer',
  });
  producer.on('error', (error) => outages.failed(REDIS, error));
  producer.on('ready', () => outages.recovered(REDIS));
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
    onReady: (listener) => {
      producer.on('ready', listener);
    },
    noteFailure: (error) => {
      if (isRedisAway(error)) outages.failed(REDIS, error);
    },
    noteAnswer: () => outages.answered(REDIS),
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
export function reconnectDelay(attempt: number): number {
  return Math.min(50 * 2 ** Math.min(attempt, 6), MAX_RECONNECT_MS);
}

/** Its name in the log. */
const REDIS = 'redis';
/** Errors of ioredis without a connection, and of a server that answers nothing else for the time being. */
const AWAY =
  /^(?:Connection is closed|Stream isn't writeable|Command timed out|Reached the max retries|LOADING|READONLY|MASTERDOWN|CLUSTERDOWN|OOM|MISCONF|NOAUTH|WRONGPASS)|connect E|ECONNRE|ETIMEDOUT|EPIPE|ENOTFOUND|EAI_AGAIN/;

export class RedisAwayError extends Error {
  override readonly name = 'RedisAwayError';
}

/** Whether an error means that Redis is away; false for one that is known to be another dependency's, with the same text. */
export const isRedisAway = (error: unknown): boolean =>
  error instanceof RedisAwayError ||
  (error instanceof Error && AWAY.test(error.message) && (outageOf(error) ?? REDIS) === REDIS);
