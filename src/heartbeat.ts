import type { Db } from './db/client.ts';
import { type Beat, beat, leave } from './domain/incidents/processes.ts';
import { createAlarm, type Wait } from './kernel/alarm.ts';
import { createFailuresInARow } from './kernel/failures.ts';
import type { Logger } from './kernel/log.ts';
import { VERSION } from './kernel/version.ts';

/** A process says every few seconds that it is alive, and which other systems it cannot reach (`watchdog/signs/workers.ts`). */
export interface Heartbeat {
  start(): void;
  /** Says that it is gone. */
  stop(): Promise<void>;
}
export interface HeartbeatParts extends Pick<Beat, 'id' | 'program' | 'roles'> {
  readonly db: Db;
  readonly log: Logger;
  /** By circuit: whether it lets anything through. */
  readonly circuits: () => Iterable<readonly [string, 'closed' | 'open' | 'half-open']>;
  /** Between two beats. */
  readonly wait?: Wait;
}

const BEAT_MS = 5_000;

export function createHeartbeat({ db, log, circuits, wait, ...own }: HeartbeatParts): Heartbeat {
  const stopping = new AbortController();
  const alarm = createAlarm(wait);
  const failures = createFailuresInARow(log, {
    begins: 'the process could not say that it is alive',
    ends: 'the process says again that it is alive',
    level: 'warn',
  });
  let openSince: Readonly<Record<string, string>> = {};
  let loop: Promise<void> = Promise.resolve();

  async function run(): Promise<void> {
    while (!stopping.signal.aborted) {
      const now = new Date().toISOString();
      const open = [...circuits()].filter(([, status]) => status === 'open');
      openSince = Object.fromEntries(open.map(([name]) => [name, openSince[name] ?? now]));
      try {
        await beat(db, { ...own, version: VERSION, circuits: openSince });
        failures.succeeded();
      } catch (error) {
        failures.failed(error);
      }
      await alarm.sleep(BEAT_MS, stopping.signal);
    }
    await leave(db, own.id).catch(() => undefined);
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
