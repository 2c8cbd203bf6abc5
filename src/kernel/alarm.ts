import { pause } from './clock.ts';

/** Sleep that can be cut short. A ring while nobody sleeps is kept: the next sleep ends at once. */
export interface Alarm {
  ring(): void;
  /** Resolves after `ms`, at a ring, or as soon as the signal is aborted; never rejects. One sleeper at a time. */
  sleep(ms: number, signal: AbortSignal): Promise<void>;
}

/** How a loop waits: resolves after `ms`, or as soon as the signal is aborted; never rejects. */
export type Wait = (ms: number, signal: AbortSignal) => Promise<void>;

/** An alarm that nobody sleeps by yet. `wait` is how it sleeps, by default by the clock of the process. */
export function createAlarm(wait: Wait = pause): Alarm {
  let isRung = false;
  let wake = (): void => undefined;
  return {
    ring: () => {
      isRung = true;
      wake();
    },
    async sleep(ms, signal) {
      const sleep = new AbortController();
      wake = () => sleep.abort();
      if (isRung || signal.aborted) wake();
      signal.addEventListener('abort', wake, { once: true });
      await wait(ms, sleep.signal);
      signal.removeEventListener('abort', wake);
      isRung = false;
    },
  };
}
