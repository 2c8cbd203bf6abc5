import { driveRedrives, type RedriveParts } from '../engine/redrive.ts';
import { createAlarm, type Wait } from '../kernel/alarm.ts';
import { createFailuresInARow } from '../kernel/failures.ts';
import type { Logger } from '../kernel/log.ts';

/** Moves on, once a second, what people have had tried again together. Every worker has one; which redrive is whose, Postgres says. */
export interface Redriver {
  start(): void;
  stop(): Promise<void>;
}
export interface RedriverParts extends RedriveParts {
  readonly log: Logger;
  /** Between two rounds. */
  readonly wait?: Wait;
}

const ROUND_MS = 1_000;

export function createRedriver({ log, wait, ...parts }: RedriverParts): Redriver {
  const stopping = new AbortController();
  const alarm = createAlarm(wait);
  const failures = createFailuresInARow(log, {
    begins: 'redrives do not come on',
    ends: 'redrives come on again',
    level: 'warn',
  });
  let loop: Promise<void> = Promise.resolve();

  async function run(): Promise<void> {
    while (!stopping.signal.aborted) {
      try {
        await driveRedrives(parts, stopping.signal);
        failures.succeeded();
      } catch (error) {
        failures.failed(error);
      }
      await alarm.sleep(ROUND_MS, stopping.signal);
    }
  }

  return {
    start: () => {
      loop = run();
    },
    stop: async () => {
      stopping.abort();
      await loop;
    },
  };
}
