import { Redis } from 'ioredis';
import type { QueueConnection } from './connection.ts';

/**
 * Tells the other processes whose standing has changed, so that they look it up at once instead of within half a minute. A
 * hint: Redis is never needed for it, and nothing waits for it.
 */
export interface StandingNews {
  tell(principals: readonly string[]): void;
  /** `listener` gets null when something may have been missed: at the beginning, and after each interruption. */
  hear(listener: (principals: readonly string[] | null) => void): void;
  close(): void;
}

const RECONNECT_MS = 1_000;

export function connectStandingNews(redisUrl: string, { producer, prefix }: QueueConnection): StandingNews {
  const channel = `${prefix}:standing`;
  const listeners: ((principals: readonly string[] | null) => void)[] = [];
  const subscriber = new Redis(redisUrl, {
    connectionName: 'roomy-standing',
    maxRetriesPerRequest: null,
    retryStrategy: () => RECONNECT_MS,
    lazyConnect: true,
  });
  // The queues' own connection reports the outage.
  subscriber.on('error', () => undefined);
  subscriber.on('ready', () => {
    for (const listener of listeners) listener(null);
  });
  subscriber.on('message', (_channel, text) => {
    const principals = principalsIn(text);
    for (const listener of listeners) listener(principals);
  });
  return {
    tell(principals) {
      producer.publish(channel, JSON.stringify(principals)).catch(() => undefined);
    },
    hear(listener) {
      listeners.push(listener);
      if (listeners.length > 1) return;
      // It is subscribed again by itself after each interruption.
      subscriber.subscribe(channel).catch(() => undefined);
    },
    close: () => subscriber.disconnect(),
  };
}

/** Null for what is no list of ours: then everything is looked up anew. */
function principalsIn(text: string): readonly string[] | null {
  try {
    const value: unknown = JSON.parse(text);
    return Array.isArray(value) ? value.filter((one) => typeof one === 'string') : null;
  } catch {
    return null;
  }
}
