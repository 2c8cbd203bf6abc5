import { Worker } from 'bullmq';
import { forgetEvents } from '../domain/events/feed.ts';
import { deliverWebhooks, type WebhookDeps } from '../domain/webhooks/deliver.ts';
import { WEBHOOK_QUEUE } from '../queues/names.ts';
import type { WorkerOptionsBase } from './options.ts';

/** One wake-up serves so many rounds at the most; the next tick goes on. */
const MAX_ROUNDS = 20;

/** Each job is only a wake-up: which endpoint is to be called, and with what, stands in Postgres. */
export function createWebhookWorker(deps: WebhookDeps, retentionDays: number, options: WorkerOptionsBase): Worker {
  const { log } = deps;
  const worker = new Worker(
    WEBHOOK_QUEUE,
    async (job) => {
      if (job.name === 'retention') return { forgotten: await forgetEvents(deps.db, retentionDays) };
      let served = 0;
      for (let round = 0; round < MAX_ROUNDS; round += 1) {
        const some = await deliverWebhooks(deps);
        served += some;
        if (some === 0 || worker.closing) break;
      }
      return { served };
    },
    { ...options, concurrency: 2 },
  );
  worker.on('error', (error) => log.debug({ queue: WEBHOOK_QUEUE, err: error }, 'worker'));
  worker.on('failed', (_job, error) => log.error({ err: error }, 'a webhook sweep failed'));
  return worker;
}
