import { type Sample, sample } from '../kernel/telemetry/measure.ts';
import type { QueueConnection } from './connection.ts';

const STATES = ['wait', 'active', 'delayed', 'waiting-children', 'failed'] as const;

/** How many jobs each queue has, and since when the oldest that could be taken waits: a few commands a queue. */
export async function queueDepths({ queues }: Pick<QueueConnection, 'queues'>): Promise<readonly Sample[]> {
  const all = await Promise.all(
    queues.map(async (queue) => {
      const [counts, isPaused, [oldest]] = await Promise.all([
        queue.getJobCounts(...STATES),
        queue.isPaused(),
        queue.getJobs(['wait'], 0, 0, true),
      ]);
      const ageMs = oldest === undefined ? 0 : Date.now() - oldest.timestamp - (oldest.delay ?? 0);
      return [
        ...STATES.map((state) => sample('roomy_queue_jobs', counts[state] ?? 0, { queue: queue.name, state })),
        sample('roomy_queue_oldest_seconds', Math.max(0, ageMs / 1_000), { queue: queue.name }),
        sample('roomy_queue_paused', isPaused ? 1 : 0, { queue: queue.name }),
      ];
    }),
  );
  return all.flat();
}
