import type { Queue } from 'bullmq';
import type { NamedSchedule, SchedulesByHand } from '../domain/incidents/overview.ts';
import { isRedisAway, type QueueConnection } from './connection.ts';

/** One kind of job that is made by the clock. Due work is in Postgres, so a missed or doubled tick is harmless. */
export interface Schedule {
  /** The id of its job scheduler in Redis. */
  readonly scheduler: string;
  readonly everyMs: number;
}
/** By queue, then by the job's name: the table of `workers/jobs.ts`. */
export type Schedules = Readonly<Record<string, { readonly jobs: Readonly<Record<string, Schedule>> }>>;

/** Of each scheduler, so many jobs that have ended can be seen in Bull Board. */
const KEPT = { removeOnComplete: { count: 20 }, removeOnFail: { count: 100 } };

/** Idempotent; called at boot and by the reconciler, because schedulers are lost with Redis. */
export async function upsertSchedules(queue: (name: string) => Queue, schedules: Schedules): Promise<void> {
  for (const [name, { jobs }] of Object.entries(schedules)) {
    for (const [job, { scheduler, everyMs }] of Object.entries(jobs)) {
      await queue(name).upsertJobScheduler(scheduler, { every: everyMs }, { name: job, data: {}, opts: KEPT });
    }
  }
}

/** Has a job run as soon as a worker takes it, beside those of its scheduler. Nothing happens while one that was asked for so waits. */
export async function runNow(queue: Queue, job: string, { scheduler }: Pick<Schedule, 'scheduler'>): Promise<void> {
  await queue.add(job, {}, { ...KEPT, deduplication: { id: scheduler } });
}

/** Each schedule by the name of its scheduler. */
const namedSchedules = (schedules: Schedules): readonly NamedSchedule[] =>
  Object.entries(schedules).flatMap(([queue, { jobs }]) =>
    Object.entries(jobs).map(([job, { scheduler, everyMs }]) => ({ name: scheduler, queue, job, everyMs })),
  );

/** What people run by hand is the very job that the clock makes, with the same name and the same handler. */
export function schedulesByHand(
  { queue, isReady }: Pick<QueueConnection, 'queue' | 'isReady'>,
  schedules: Schedules,
): SchedulesByHand {
  const all = namedSchedules(schedules);
  return {
    all,
    run: async (name) => {
      const found = all.find((schedule) => schedule.name === name);
      if (!found) throw new RangeError(`there is no schedule ${name}`);
      if (!isReady()) return false;
      try {
        await runNow(queue(found.queue), found.job, { scheduler: found.name });
        return true;
      } catch (error) {
        if (isRedisAway(error)) return false;
        throw error;
      }
    },
  };
}
