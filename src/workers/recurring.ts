import { Worker } from 'bullmq';
import type { Db } from '../db/client.ts';
import { escalateEmergencies, sweepRecurrences } from '../domain/tasks/recurring.ts';
import type { Logger } from '../kernel/log.ts';
import { RECURRING_QUEUE } from '../queues/names.ts';
import type { WorkerOptionsBase } from './options.ts';

const BATCH = 20;
/** One wake-up looks at this many rules at the most; the next tick goes on. */
const MAX_ROUNDS = 50;

/** Each job is only a wake-up: which rule is due, and which emergency waits, stands in Postgres. */
export function createRecurringWorker(db: Db, now: () => Date, log: Logger, options: WorkerOptionsBase): Worker {
  const worker = new Worker(
    RECURRING_QUEUE,
    async () => {
      const escalated = await escalateEmergencies(db, now());
      let looked = 0;
      for (let round = 0; round < MAX_ROUNDS; round += 1) {
        const batch = await sweepRecurrences(db, now(), BATCH);
        looked += batch;
        if (batch < BATCH) break;
      }
      return { looked, escalated };
    },
    { ...options, concurrency: 1 },
  );
  worker.on('error', (error) => log.debug({ queue: RECURRING_QUEUE, err: error }, 'worker'));
  worker.on('failed', (_job, error) => log.error({ err: error }, 'a sweep of recurring work failed'));
  return worker;
}
