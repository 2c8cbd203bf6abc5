import { pause } from '../kernel/clock.ts';

/**
 * How sweeps give way to people who wait for sagas. All sweeps of a process share one pace.
 *
 * The signal is the number of steps of sagas that wait for a worker or are being worked on, in the whole installation: those
 * that people wait for, whichever process has them; one that waits for a provider counts too. It grows with the number of
 * sagas and with the time that each takes, so a machine that gets slower slows the sweeps down by itself. It is asked for
 * between two rounds only: a sweep that finds little costs nothing.
 */
export interface Pace {
  /** How many rows the next round takes of the `most` that it may take: fewer while sagas are at hand. At least 1. */
  readonly sizeOf: (most: number) => number;
  /** Before the next round, after one that took `tookMs`. Resolves at once while no saga is at hand; never rejects. */
  readonly giveWay: (tookMs: number, signal: AbortSignal) => Promise<void>;
}

/** For a process that nobody waits beside, such as a test's. */
export const unhurried: Pace = { sizeOf: (most) => most, giveWay: () => Promise.resolve() };

export interface PaceParts {
  /** Steps of sagas that wait or are being worked on. When it rejects, the last answer stands. */
  readonly stepsAtHand: () => Promise<number>;
  /** Only differences count. */
  readonly nowMs?: () => number;
  readonly wait?: (ms: number, signal: AbortSignal) => Promise<void>;
}

/** A look counts for about this long: between two steps of a saga there may be none at hand. */
const REMEMBERED_MS = 500;
/** A look that is younger is not repeated: lanes that end at once share one. */
const FRESH_MS = 50;
/** Fewer, on the average, is nobody. */
const NOBODY = 0.05;
/**
 * Rest for each millisecond of work and each step at hand, on the average; with more than four of them it grows no more, so
 * that a quarter of the time is left.
 */
const REST_PER_STEP = 0.7;
const MAX_STEPS = 4;
/** Of a round: a longer one has waited for other systems, and not worked. */
const MAX_WORK_MS = 50;
/** However many wait, every sweep goes on this soon. */
const MAX_REST_MS = 250;
/**
 * Of what a round may take, with a step at hand, on the average, or more; with fewer it is more, in quarters. Less in one
 * go: a commit of a saga waits for the log of others that is being written out, and that takes the longer the more they have
 * written. But each round has its own cost, so small rounds are dear where few wait.
 */
const BUSY_SHARE = 0.25;
const BUSY_STEPS = 1;

/**
 * The pace of a process. A round is paid for with rest in proportion to the time that it took and to how many steps are at
 * hand; the debts of all sweeps add up, so that many lanes have no more of the machine than one.
 */
export function createPace({ stepsAtHand, nowMs = () => performance.now(), wait = pause }: PaceParts): Pace {
  let steps = 0;
  let lookedAt = Number.NEGATIVE_INFINITY;
  let restUntil = Number.NEGATIVE_INFINITY;

  let looking: Promise<void> | null = null;
  /** At most one look at a time, and none while the last one is fresh. */
  function keepUp(): Promise<void> {
    if (looking === null && nowMs() - lookedAt < FRESH_MS) return Promise.resolve();
    looking ??= look().finally(() => {
      looking = null;
    });
    return looking;
  }

  async function look(): Promise<void> {
    const found = await stepsAtHand().catch(() => steps);
    const since = nowMs() - lookedAt;
    lookedAt = nowMs();
    steps += (found - steps) * (1 - Math.exp(-since / REMEMBERED_MS));
  }

  return {
    sizeOf: (most) => Math.ceil(most * (steps < NOBODY ? 1 : shareOf(steps))),
    giveWay: async (tookMs, signal) => {
      await keepUp();
      if (steps < NOBODY) return;
      const now = nowMs();
      const rest = Math.min(tookMs, MAX_WORK_MS) * Math.min(steps, MAX_STEPS) * REST_PER_STEP;
      restUntil = Math.min(Math.max(restUntil, now) + rest, now + MAX_REST_MS);
      await wait(restUntil - now, signal);
    },
  };
}

/** In quarters: the size of a batch is in the text of its statement, and each text is planned by each connection. */
const shareOf = (steps: number): number => Math.round(4 * (1 - (1 - BUSY_SHARE) * Math.min(1, steps / BUSY_STEPS))) / 4;
