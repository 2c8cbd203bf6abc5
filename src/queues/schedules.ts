import type { Queue } from 'bullmq';
import type { QueueName } from './names.ts';

/** One kind of job that is made by the clock. */
interface Schedule {
  /** The id of its job scheduler in Redis. */
  readonly scheduler: string;
  readonly everyMs: number;
}

/**
 * Queue x job name x interval of everything that the clock wakes; `workers/jobs.ts` has a handler for each, which the
 * compiler checks. What is due stands in Postgres, so a missed or doubled tick is harmless.
 */
export const SCHEDULES = {
  notifications: {
    sweep: { scheduler: 'deliver-sweep', everyMs: 1_000 },
    // Stays whose reminders are not as they should be; when a reminder is due is in its row, and `sweep` sends it.
    reminders: { scheduler: 'reminder-sweep', everyMs: 1_000 },
  },
  tasks: {
    sweep: { scheduler: 'assign-sweep', everyMs: 2_000 },
    // Departures that what opens the door has not followed yet; which they are stands in Postgres.
    access: { scheduler: 'access-sweep', everyMs: 1_000 },
  },
  finance: {
    payouts: { scheduler: 'payout-sweep', everyMs: 10_000 },
    // What a gateway has told stands in Postgres, and waits there until its stay is at rest.
    news: { scheduler: 'gateway-news-sweep', everyMs: 2_000 },
    // What was posted stands in Postgres and is in every sum; this only keeps it from being added anew each time.
    totals: { scheduler: 'ledger-totals', everyMs: 10_000 },
    // What has changed is marked in Postgres; this looks at it, and once a day at all of the money.
    integrity: { scheduler: 'integrity-look', everyMs: 60_000 },
    // The night itself stands in Postgres; this only looks whether it has been done.
    night: { scheduler: 'nightly-look', everyMs: 10 * 60_000 },
  },
  webhooks: {
    // Which endpoint is due stands in Postgres, as does the event that it gets next.
    sweep: { scheduler: 'webhook-sweep', everyMs: 1_000 },
    retention: { scheduler: 'event-retention', everyMs: 60 * 60_000 },
  },
  recurring: {
    // Which rule is due stands in Postgres: each is looked at every ten minutes.
    sweep: { scheduler: 'recurring-sweep', everyMs: 30_000 },
  },
} as const satisfies Partial<Record<QueueName, Readonly<Record<string, Schedule>>>>;

/** Idempotent; called at boot and by the reconciler, because schedulers are lost with Redis. */
export async function upsertSchedules(queue: (name: string) => Queue): Promise<void> {
  for (const [name, jobs] of Object.entries<Readonly<Record<string, Schedule>>>(SCHEDULES)) {
    for (const [job, { scheduler, everyMs }] of Object.entries(jobs)) {
      await queue(name).upsertJobScheduler(
        scheduler,
        { every: everyMs },
        { name: job, data: {}, opts: { removeOnComplete: { count: 20 }, removeOnFail: { count: 100 } } },
      );
    }
  }
}
