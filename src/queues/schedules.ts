import type { Queue } from 'bullmq';
import { NOTIFICATION_QUEUE, TASK_QUEUE } from './names.ts';

/** Job schedulers only wake a sweep; what is due stands in Postgres, so a missed or doubled tick is harmless. */
const SCHEDULES = [
  { id: 'deliver-sweep', queue: NOTIFICATION_QUEUE, everyMs: 1_000 },
  { id: 'assign-sweep', queue: TASK_QUEUE, everyMs: 2_000 },
] as const;

/** Idempotent; called at boot and by the reconciler, because schedulers are lost with Redis. */
export async function upsertSchedules(queue: (name: string) => Queue): Promise<void> {
  for (const { id, queue: name, everyMs } of SCHEDULES) {
    await queue(name).upsertJobScheduler(
      id,
      { every: everyMs },
      { name: 'sweep', data: {}, opts: { removeOnComplete: { count: 20 }, removeOnFail: { count: 100 } } },
    );
  }
}
