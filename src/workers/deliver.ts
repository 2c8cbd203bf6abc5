import type { JobsOf } from './jobs.ts';
import { untilNothing } from './rounds.ts';

export interface DeliveryWork {
  /** Sends what is due and returns how many messages it took: `deliverDue`. */
  readonly deliver: () => Promise<number>;
  /** Plans reminders and returns of how many stays: `planDueReminders`. */
  readonly plan: () => Promise<number>;
}

/** While one batch is sent, others are claimed, rendered and recorded: the connections never wait for the database. */
export const DELIVERY_LANES = 3;

export const inLanes = <T>(lanes: number, work: () => Promise<T>): Promise<T[]> =>
  Promise.all(Array.from({ length: lanes }, work));

/** With 100 messages a round: far more than a second's worth; the next wake-up goes on. */
const MAX_ROUNDS = 100;

const sum = (counts: readonly number[]): number => counts.reduce((all, count) => all + count, 0);

/**
 * Jobs are only wake-ups: what is due stands in Postgres, so a lost, doubled or edited job changes nothing. One job at a
 * time per process; more processes share the rows.
 */
export const deliveryJobs = ({ deliver, plan }: DeliveryWork): JobsOf<'notifications'> => ({
  sweep: {
    kind: 'sweep',
    limitMs: 10 * 60_000,
    run: async (run) => ({
      messages: sum(await inLanes(DELIVERY_LANES, () => untilNothing(MAX_ROUNDS, run, deliver))),
    }),
  },
  reminders: {
    kind: 'sweep',
    limitMs: 120_000,
    run: async (run) => ({ stays: await untilNothing(MAX_ROUNDS, run, plan) }),
  },
});
