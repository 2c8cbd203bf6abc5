import type { Queue } from 'bullmq';
import type { QueueState, ScheduleState, SystemReader } from '../domain/incidents/overview.ts';
import { type Sample, sample } from '../kernel/telemetry/measure.ts';
import type { QueueConnection } from './connection.ts';

const STATES = ['wait', 'active', 'delayed', 'waiting-children', 'failed'] as const;

interface Depth {
  readonly counts: Readonly<Record<string, number>>;
  readonly isPaused: boolean;
  /** Of the oldest job that could be taken; null: there is none. */
  readonly oldestSeconds: number | null;
}

async function depthOf(queue: Queue): Promise<Depth> {
  const [counts, isPaused, [oldest]] = await Promise.all([
    queue.getJobCounts(...STATES),
    queue.isPaused(),
    queue.getJobs(['wait'], 0, 0, true),
  ]);
  const ageMs = oldest === undefined ? 0 : Date.now() - oldest.timestamp - (oldest.delay ?? 0);
  return { counts, isPaused, oldestSeconds: oldest === undefined ? null : Math.max(0, ageMs / 1_000) };
}

/** How many jobs each queue has, and since when the oldest that could be taken waits: a few commands a queue. */
export async function queueDepths({ queues }: Pick<QueueConnection, 'queues'>): Promise<readonly Sample[]> {
  const all = await Promise.all(
    queues.map(async (queue) => {
      const { counts, isPaused, oldestSeconds } = await depthOf(queue);
      return [
        ...STATES.map((state) => sample('roomy_queue_jobs', counts[state] ?? 0, { queue: queue.name, state })),
        sample('roomy_queue_oldest_seconds', oldestSeconds ?? 0, { queue: queue.name }),
        sample('roomy_queue_paused', isPaused ? 1 : 0, { queue: queue.name }),
      ];
    }),
  );
  return all.flat();
}

/** More schedulers of a queue are not listed. */
const MAX_SCHEDULES = 100;

/** The same for people, with what each queue has planned. Null while Redis is away. */
export const queuesReader =
  (connection: Pick<QueueConnection, 'queues' | 'isReady'>): SystemReader['queues'] =>
  async () => {
    if (!connection.isReady()) return null;
    const all = await Promise.all(
      connection.queues.map(async (queue) => [await stateOf(queue), await plansOf(queue)] as const),
    );
    return { queues: all.map(([state]) => state), schedules: all.flatMap(([, plans]) => plans) };
  };

async function stateOf(queue: Queue): Promise<QueueState> {
  const { counts, isPaused, oldestSeconds } = await depthOf(queue);
  const count = (state: (typeof STATES)[number]): number => counts[state] ?? 0;
  return {
    name: queue.name,
    isPaused,
    waiting: count('wait'),
    active: count('active'),
    delayed: count('delayed') + count('waiting-children'),
    failed: count('failed'),
    oldestSeconds,
  };
}

async function plansOf(queue: Queue): Promise<readonly ScheduleState[]> {
  const schedulers = await queue.getJobSchedulers(0, MAX_SCHEDULES - 1, true);
  return schedulers.map(({ name, every, next }) => ({
    queue: queue.name,
    job: name,
    everyMs: every ?? null,
    nextAt: next === undefined ? null : new Date(next),
  }));
}
