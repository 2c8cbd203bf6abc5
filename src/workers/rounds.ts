import type { JobRun } from './worker.ts';

/** A sweep's rounds. A job that is to end soon begins no other one: the rest is still due. */

/** The part of its job that a sweep needs. */
export type Rounds = Pick<JobRun, 'signal' | 'isClosing'>;

const goesOn = ({ signal, isClosing }: Rounds): boolean => !signal.aborted && !isClosing();

/** Rounds while they are full, `maxRounds` at the most; answers how much they did in all. */
export async function untilFewer(
  full: number,
  maxRounds: number,
  run: Rounds,
  round: () => Promise<number>,
): Promise<number> {
  let all = 0;
  for (let n = 0; n < maxRounds; n += 1) {
    const some = await round();
    all += some;
    if (some < full || !goesOn(run)) break;
  }
  return all;
}

/** Rounds while they find anything. */
export const untilNothing = (maxRounds: number, run: Rounds, round: () => Promise<number>): Promise<number> =>
  untilFewer(1, maxRounds, run, round);
