import { Worker } from 'bullmq';
import type { Db } from '../db/client.ts';
import { assignDueTasks } from '../domain/tasks/assign-sweep.ts';
import { forgetHolds } from '../domain/tasks/holds.ts';
import { hurryLateTurnovers } from '../domain/tasks/late-turnovers.ts';
import { reassignUnanswered } from '../domain/tasks/offers.ts';
import type { Logger } from '../kernel/log.ts';
import { TASK_QUEUE } from '../queues/names.ts';
import type { WorkerOptionsBase } from './options.ts';

const BATCH = 50;
/** One wake-up looks at this many tasks at the most; the next tick goes on. */
const MAX_ROUNDS = 20;

/** Each job is only a wake-up: moves on what nobody answered or must be done sooner, and assigns what Postgres says is due. */
export function createAssignWorker(db: Db, log: Logger, options: WorkerOptionsBase): Worker {
  const worker = new Worker(
    TASK_QUEUE,
    async () => {
      const unanswered = await reassignUnanswered(db, BATCH);
      await forgetHolds(db);
      const hurried = await hurryLateTurnovers(db, BATCH);
      let looked = 0;
      for (let round = 0; round < MAX_ROUNDS; round += 1) {
        const batch = await assignDueTasks(db, BATCH);
        looked += batch;
        if (batch < BATCH) break;
      }
      return { looked, unanswered, hurried };
    },
    { ...options, concurrency: 1 },
  );
  worker.on('error', (error) => log.debug({ queue: TASK_QUEUE, err: error }, 'worker'));
  return worker;
}
