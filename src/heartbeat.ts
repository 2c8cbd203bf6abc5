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
/** A circuit that lets a call through again is well once a call has succeeded; or when nobody has called for so long. */
const UNTRIED_MS = 15 * 60_000;

export function createHeartbeat({ db, log, circuits, wait, ...own }: HeartbeatParts): Heartbeat {
  const stopping = new AbortController();
  const alarm = createAlarm(wait);
  const failures = createFailuresInARow(log, {
    begins: 'the process could not say that it is alive',
    ends: 'the process says again that it is alive',
    level: 'warn',
  });
  const open = new Map<string, { readonly since: string; seenMs: number }>();
  let loop: Promise<void> = Promise.resolve();

  async function run(): Promise<void> {
    while (!stopping.signal.aborted) {
      noteCircuits(open, circuits());
      try {
        await beat(db, {
          ...own,
          version: VERSION,
          circuits: Object.fromEntries([...open].map(([name, { since }]) => [name, since])),
        });
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

/** Keeps since when each circuit has been open; one that is half open is not yet well. */
function noteCircuits(
  open: Map<string, { readonly since: string; seenMs: number }>,
  circuits: ReturnType<HeartbeatParts['circuits']>,
): void {
  const nowMs = performance.now();
  for (const [name, status] of circuits) {
    const known = open.get(name);
    if (status === 'open') open.set(name, { since: known?.since ?? new Date().toISOString(), seenMs: nowMs });
    else if (known && (status === 'closed' || nowMs - known.seenMs > UNTRIED_MS)) open.delete(name);
  }
}
