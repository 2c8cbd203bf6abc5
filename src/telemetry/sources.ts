import { monitorEventLoopDelay } from 'node:perf_hooks';
import type pg from 'pg';
import type { Db } from '../db/client.ts';
import type { Logger } from '../kernel/log.ts';
import { logFailure } from '../kernel/outages.ts';
import { type Sample, sample } from '../kernel/telemetry/measure.ts';
import { withTimeout } from '../kernel/time-limit.ts';
import { rowsDue } from './rows-due.ts';
import { moneyInFlight, openSagas, plansAndBooks, retryingSagas, workers } from './standing.ts';

/** Where the gauges of a process come from. */
export interface Sources {
  readonly db: Db;
  /** Of the same database. */
  readonly pool: Pick<pg.Pool, 'totalCount' | 'idleCount' | 'waitingCount' | 'options'>;
  /** Of all queues, read in Redis. */
  readonly queueDepths: () => Promise<readonly Sample[]>;
  /** By kind and circuit. */
  readonly circuits: () => Readonly<Record<string, ReadonlyMap<string, 'closed' | 'open' | 'half-open'>>>;
  /** When the relay came through for the last time, in `performance.now()` milliseconds. */
  readonly relayDrainedAt: () => number;
  readonly roles: readonly string[];
  readonly log: Logger;
  /** How long a reading of a store is kept. Default: five seconds, as several processes and readers may ask at the same time. */
  readonly keptMs?: number;
}

const KEPT_MS = 5_000;
const READ_WITHIN_MS = 4_000;

/** Makes the function that reads all gauges; a store that is away leaves its own out. `stop` ends the watch on the event loop. */
export function createSources(sources: Sources): { readonly read: () => Promise<readonly Sample[]>; stop(): void } {
  const { db, log } = sources;
  const delay = monitorEventLoopDelay({ resolution: 20 });
  delay.enable();
  const keptMs = sources.keptMs ?? KEPT_MS;
  const postgres = keptShortly(keptMs, async () => {
    // One connection is enough for all of them: nobody waits for a scrape.
    const samples: Sample[] = [];
    for (const read of [rowsDue, openSagas, retryingSagas, moneyInFlight, plansAndBooks])
      samples.push(...(await read(db)));
    return [...samples, ...(await workers(db, sources.roles))];
  });
  const redis = keptShortly(keptMs, sources.queueDepths);
  const ask = async (dependency: string, read: () => Promise<readonly Sample[]>): Promise<readonly Sample[]> => {
    try {
      return [...(await read()), sample('roomy_dependency_up', 1, { dependency })];
    } catch (error) {
      logFailure(log, error, 'metrics could not be read', { dependency });
      return [sample('roomy_dependency_up', 0, { dependency })];
    }
  };
  return {
    read: async () => {
      const stores = await Promise.all([ask('postgres', postgres), ask('redis', redis)]);
      const own = ownSamples(sources, delay);
      delay.reset();
      return [...own, ...stores.flat()];
    },
    stop: () => {
      delay.disable();
    },
  };
}

/** Who asks while it is being read waits for the same answer. */
function keptShortly(keptMs: number, read: () => Promise<readonly Sample[]>): () => Promise<readonly Sample[]> {
  let kept: { readonly atMs: number; readonly samples: Promise<readonly Sample[]> } | null = null;
  return () => {
    const atMs = performance.now();
    if (kept && atMs - kept.atMs < keptMs) return kept.samples;
    const tooLate = (cause: unknown): Error => new Error('no answer in time', { cause });
    const samples = withTimeout({ timeoutMs: READ_WITHIN_MS, error: tooLate }, read);
    const mine = { atMs, samples };
    kept = mine;
    samples.catch(() => {
      if (kept === mine) kept = null;
    });
    return samples;
  };
}

const NANOSECONDS = 1e9;

function ownSamples(sources: Sources, delay: ReturnType<typeof monitorEventLoopDelay>): readonly Sample[] {
  const { pool } = sources;
  const quantile = (nanoseconds: number): number => (Number.isFinite(nanoseconds) ? nanoseconds / NANOSECONDS : 0);
  const { rss, heapUsed, external } = process.memoryUsage();
  const circuits = Object.entries(sources.circuits()).flatMap(([kind, all]) => {
    const states = [...all.values()];
    return (['closed', 'open', 'half-open'] as const).map((state) =>
      sample('roomy_circuits', states.filter((one) => one === state).length, { kind, state }),
    );
  });
  return [
    ...circuits,
    sample('roomy_relay_lag_seconds', (performance.now() - sources.relayDrainedAt()) / 1_000, {}),
    sample('roomy_database_connections', pool.idleCount, { state: 'idle' }),
    sample('roomy_database_connections', pool.totalCount - pool.idleCount, { state: 'busy' }),
    sample('roomy_database_connections', pool.waitingCount, { state: 'wanted' }),
    sample('roomy_database_connections', pool.options.max, { state: 'max' }),
    sample('roomy_event_loop_delay_seconds', quantile(delay.percentile(50)), { quantile: '0.5' }),
    sample('roomy_event_loop_delay_seconds', quantile(delay.percentile(99)), { quantile: '0.99' }),
    sample('roomy_event_loop_delay_seconds', quantile(delay.max), { quantile: '1' }),
    sample('roomy_process_memory_bytes', rss, { kind: 'rss' }),
    sample('roomy_process_memory_bytes', heapUsed, { kind: 'heap' }),
    sample('roomy_process_memory_bytes', external, { kind: 'external' }),
  ];
}
