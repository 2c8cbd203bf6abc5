import type { Queue } from 'bullmq';
import { FINANCE_QUEUE, NOTIFICATION_QUEUE, RECURRING_QUEUE, TASK_QUEUE, WEBHOOK_QUEUE } from './names.ts';

/** Job schedulers only wake a sweep; what is due stands in Postgres, so a missed or doubled tick is harmless. */
const SCHEDULES = [
  { id: 'deliver-sweep', queue: NOTIFICATION_QUEUE, job: 'sweep', everyMs: 1_000 },
  // Stays whose reminders are not as they should be; when a reminder is due is in its row, and `deliver-sweep` sends it.
  { id: 'reminder-sweep', queue: NOTIFICATION_QUEUE, job: 'reminders', everyMs: 1_000 },
  { id: 'assign-sweep', queue: TASK_QUEUE, job: 'sweep', everyMs: 2_000 },
  { id: 'payout-sweep', queue: FINANCE_QUEUE, job: 'payouts', everyMs: 10_000 },
  // The night itself stands in Postgres; this only looks whether it has been done.
  { id: 'nightly-look', queue: FINANCE_QUEUE, job: 'night', everyMs: 10 * 60_000 },
  // Which endpoint is due stands in Postgres, as does the event that it gets next.
  { id: 'webhook-sweep', queue: WEBHOOK_QUEUE, job: 'sweep', everyMs: 1_000 },
  { id: 'event-retention', queue: WEBHOOK_QUEUE, job: 'retention', everyMs: 60 * 60_000 },
  // Which rule is due stands in Postgres: each is looked at every ten minutes.
  { id: 'recurring-sweep', queue: RECURRING_QUEUE, job: 'sweep', everyMs: 30_000 },
] as const;

/** Idempotent; called at boot and by the reconciler, because schedulers are lost with Redis. */
export async function upsertSchedules(queue: (name: string) => Queue): Promise<void> {
  for (const { id, queue: name, job, everyMs } of SCHEDULES) {
    await queue(name).upsertJobScheduler(
      id,
      { every: everyMs },
      { name: job, data: {}, opts: { removeOnComplete: { count: 20 }, removeOnFail: { count: 100 } } },
    );
  }
}
