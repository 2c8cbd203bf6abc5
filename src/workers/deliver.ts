import { Worker } from 'bullmq';
import { messageOf } from '../kernel/errors.ts';
import type { Logger } from '../kernel/log.ts';
import type { WorkerOptionsBase } from './options.ts';

export interface DeliveryWorkerOptions {
  readonly queue: string;
  readonly worker: WorkerOptionsBase;
  /** Sends what is due and returns how many messages it took: `deliverDue`. */
  readonly deliver: () => Promise<number>;
  /** Plans reminders and returns of how many stays: `planDueReminders`. */
  readonly plan: () => Promise<number>;
  readonly log: Logger;
}

/** While one batch is sent, others are claimed, rendered and recorded: the connections never wait for the database. */
export const DELIVERY_LANES = 3;

export const inLanes = <T>(lanes: number, work: () => Promise<T>): Promise<T[]> =>
  Promise.all(Array.from({ length: lanes }, work));

/** With 100 messages a round: far more than a second's worth; the next wake-up goes on. */
const MAX_ROUNDS = 100;

const sum = (counts: readonly number[]): number => counts.reduce((all, count) => all + count, 0);

/**
 * Jobs of this queue are only wake-ups: what is due stands in Postgres, so a lost, doubled or edited job changes
 * nothing. One job at a time per process; more processes share the rows.
 */
export function createDeliveryWorker(options: DeliveryWorkerOptions): Worker {
  const { deliver, plan, log } = options;
  const untilDone = async (take: () => Promise<number>): Promise<number> => {
    let all = 0;
    for (let round = 0; round < MAX_ROUNDS; round += 1) {
      const taken = await take();
      all += taken;
      // A closing worker waits for its job: finish this one early, the rest is still due.
      if (taken === 0 || worker.closing) break;
    }
    return all;
  };
  const worker = new Worker(
    options.queue,
    async (job) =>
      job.name === 'reminders'
        ? { stays: await untilDone(plan) }
        : { messages: sum(await inLanes(DELIVERY_LANES, () => untilDone(deliver))) },
    {
      ...options.worker,
      concurrency: 1,
      removeOnComplete: { age: 3_600, count: 200 },
      removeOnFail: { age: 86_400, count: 1_000 },
    },
  );
  worker.on('error', (error) => log.debug({ reason: messageOf(error) }, 'delivery worker'));
  worker.on('failed', (_job, error) => log.error({ err: error }, 'a delivery sweep failed'));
  return worker;
}
