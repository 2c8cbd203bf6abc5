import type { Db } from '../db/client.ts';
import { escalateEmergencies, sweepRecurrences } from '../domain/tasks/recurring.ts';
import type { JobsOf } from './jobs.ts';
import { untilFewer } from './rounds.ts';

const BATCH = 20;
/** One wake-up looks at this many batches of rules at the most; the next tick goes on. */
const MAX_ROUNDS = 50;

/** The job is only a wake-up: which rule is due, and which emergency waits, stands in Postgres. */
export const recurringJobs = (db: Db, now: () => Date): JobsOf<'recurring'> => ({
  sweep: {
    kind: 'sweep',
    limitMs: 120_000,
    run: async (run) => {
      const escalated = await escalateEmergencies(db, now());
      const looked = await untilFewer(BATCH, MAX_ROUNDS, run, () => sweepRecurrences(db, now(), BATCH));
      return { looked, escalated };
    },
  },
});
