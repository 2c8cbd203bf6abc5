import type { JobRun } from './worker.ts';

/**
 * A sweep's rounds. A job that is to end soon begins no other one: the rest is still due. Between two rounds a sweep gives
 * way to sagas (`pacing.ts`).
 */

/** The part of its job that a sweep needs. */
export type Rounds = Pick<JobRun, 'signal' | 'isClosing' | 'pace'>;

/** False: the job is to end, and begins no other round. */
export const goesOn = ({ signal, isClosing }: Rounds): boolean => !signal.aborted && !isClosing();

/**
 * Rounds while they are full, `maxRounds` at the most; answers how much they did in all. A round is given how much it may
 * take: `most`, or less while sagas are at hand.
 */
export async function untilFewer(
  most: number,
  maxRounds: number,
  run: Rounds,
  round: (limit: number) => Promise<number>,
): Promise<number> {
  let all = 0;
  for (let n = 0; n < maxRounds; n += 1) {
    const limit = run.pace.sizeOf(most);
    const startedAt = performance.now();
    const some = await round(limit);
    all += some;
    if (some < limit || !goesOn(run)) break;
    await run.pace.giveWay(performance.now() - startedAt, run.signal);
    if (!goesOn(run)) break;
  }
  return all;
}

/** Rounds while they find anything. */
export const untilNothing = (maxRounds: number, run: Rounds, round: () => Promise<number>): Promise<number> =>
  untilFewer(1, maxRounds, run, round);
