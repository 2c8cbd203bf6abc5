import type { Db } from '../db/client.ts';
import { assignDueTasks } from '../domain/assignment/assign-sweep.ts';
import { forgetHolds } from '../domain/assignment/holds.ts';
import { reassignUnanswered } from '../domain/assignment/offers.ts';
import { advanceLateCleanings } from '../domain/stay-tasks/late-turnovers.ts';
import { followDepartures } from '../domain/stays/access.ts';
import { startAccessChange } from '../sagas/change-access.ts';
import type { JobsOf } from './jobs.ts';
import { untilFewer } from './rounds.ts';

const BATCH = 50;
/** One wake-up looks at this many batches of tasks at the most; the next tick goes on. */
const MAX_ROUNDS = 20;

/** The job is only a wake-up: moves on what nobody answered or must be done sooner, and assigns what Postgres says is due. */
export const taskJobs = (db: Db): JobsOf<'tasks'> => ({
  sweep: {
    kind: 'sweep',
    limitMs: 120_000,
    run: async (run) => {
      const unanswered = await reassignUnanswered(db, BATCH);
      await forgetHolds(db);
      const hurried = await advanceLateCleanings(db, BATCH);
      const looked = await untilFewer(BATCH, MAX_ROUNDS, run, () => assignDueTasks(db, BATCH));
      return { looked, unanswered, hurried };
    },
  },
  access: {
    kind: 'sweep',
    limitMs: 120_000,
    run: async (run) => ({
      looked: await untilFewer(BATCH, MAX_ROUNDS, run, () => followDepartures(db, startAccessChange, BATCH)),
    }),
  },
});
