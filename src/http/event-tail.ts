import type { Db } from '../db/client.ts';
import { numberEvents } from '../domain/events/feed.ts';
import { pause } from '../kernel/clock.ts';

/** Wakes the streams of this process when the feed has grown. One look at a time, and none while nobody listens. */
export interface EventTail {
  /** Resolves as soon as there is something after `seq`, or after so long, or when the signal is aborted. */
  waitBeyond(seq: number, ms: number, signal: AbortSignal): Promise<void>;
}

const LOOK_EVERY_MS = 250;

export function createEventTail(db: Db): EventTail {
  let last = 0;
  let watching = false;
  let listeners = 0;

  async function watch(): Promise<void> {
    watching = true;
    while (listeners > 0) {
      // An outage of the database is not reported here: the streams meet it when they read.
      // It may go back: a database that was restored has a shorter feed.
      last = await numberEvents(db).catch(() => last);
      await pause(LOOK_EVERY_MS);
    }
    watching = false;
  }

  return {
    async waitBeyond(seq, ms, signal) {
      listeners += 1;
      if (!watching) void watch();
      try {
        const until = performance.now() + ms;
        while (last <= seq && performance.now() < until && !signal.aborted) await pause(LOOK_EVERY_MS / 2, signal);
      } finally {
        listeners -= 1;
      }
    },
  };
}
