import { Worker } from 'bullmq';
import { expect } from 'vitest';
import type { Harness } from './harness.ts';

type SagaQueue = 'saga-forward' | 'saga-compensation' | 'tasks';

let failures = 0;
/** Jobs of these sagas that a worker has finally failed; answers their ids. */
export async function failedJobs(ops: Harness, queue: SagaQueue, sagaIds: readonly unknown[]): Promise<string[]> {
  const target = ops.queue(queue);
  failures += 1;
  const jobs = await target.addBulk(
    sagaIds.map((sagaId, n) => ({
      name: 'confirmReservation.createCleaningTask',
      data: { sagaId, step: 3, direction: 'F', generation: 1 },
      opts: { jobId: `f${failures}-${n}` },
    })),
  );
  const { connection, prefix } = ops;
  const worker = new Worker(queue, () => Promise.reject(new Error('<script>alert(1)</script>')), {
    connection,
    prefix,
    concurrency: 50,
  });
  await expect.poll(() => target.getFailedCount(), { timeout: 20_000 }).toBeGreaterThanOrEqual(sagaIds.length);
  await worker.close();
  return jobs.map((job) => job.id ?? '');
}
