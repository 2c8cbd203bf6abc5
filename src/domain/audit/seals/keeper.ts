import { type BrokenSeal, compareSeals, type SealParts } from './compare.ts';
import { secondsOfFirstAfter, settledBound } from './rows.ts';
import { createSealing } from './sealing.ts';
import { createSealWalk } from './walk.ts';

/**
 * Seals the audit trail once a minute, keeps the copy outside, and compares the trail with the copy for ever: what was sealed of
 * late in each round, everything else in its turn. The copy is what counts; the seals in the database are only what it is
 * made from, and must say the same.
 */
export interface SealKeeper {
  /** Takes into the copy what other processes have sealed. For every process, so that whoever takes the watch over knows what there was. */
  keepUp(): Promise<void>;
  /** One round of the process that keeps the watch. Throws when the copy cannot be read or written. */
  round(): Promise<SealsSeen>;
}
export interface SealsSeen {
  /** Whatever was not as it was sealed when it was last compared, one of each seal. */
  readonly broken: readonly BrokenSeal[];
  /** When the newest of them was found. */
  readonly newest: Date | null;
  /** False until everything has been compared once. */
  readonly isWhole: boolean;
  /** How long nothing could be sealed, or the oldest row that is not sealed has waited; in seconds, `Infinity` where nobody can tell. */
  readonly unsealedSeconds: number;
}

/** A quarter of an hour, while much happens. */
const LATE_SEALS = 15;
/** Of what a round repeats; the watchdog waits for a look for 3 s. */
const ROUND_MS = 1_000;
/** Of the seals that did not agree, so many are looked at again in each round. */
const AGAIN_A_ROUND = 5;

/** For one process; its rounds follow one another. The first walk over old seals takes as many rounds as it needs. */
export function createSealKeeper(parts: SealParts, now: () => Date = () => new Date()): SealKeeper {
  const { db, copy } = parts;
  const sealing = createSealing(parts);
  const late = createSealWalk(parts, (last) => Math.max(1, last - LATE_SEALS + 1));
  const all = createSealWalk(parts, () => 1);
  const broken = new Map<number, { readonly seal: BrokenSeal; readonly foundAt: Date }>();

  function note(seals: readonly BrokenSeal[]): void {
    for (const seal of seals) broken.set(seal.no, { seal, foundAt: broken.get(seal.no)?.foundAt ?? now() });
  }
  /** True: the copy has all that the database has. */
  async function copyMissing(until: number): Promise<boolean> {
    const { isAll, forged } = await sealing.copyMissing(until);
    const last = await copy.last();
    if (forged !== null) note([{ no: forged, reason: 'FORGED' }]);
    else for (const no of broken.keys()) if (no > last) broken.delete(no);
    return isAll;
  }

  async function lookAgain(last: number): Promise<void> {
    const some = [...broken.keys()].filter((no) => no <= last).slice(0, AGAIN_A_ROUND);
    for (const no of some) {
      const known = broken.get(no);
      const [still] = (await compareSeals(parts, no, no, last)).broken;
      broken.delete(no);
      // Behind the others, so that each has its turn.
      if (known && still) broken.set(no, { seal: still, foundAt: known.foundAt });
    }
  }

  async function look(): Promise<SealsSeen> {
    const until = performance.now() + ROUND_MS;
    const isAll = await copyMissing(until);
    const bound = await settledBound(db);
    while (isAll && bound && (await sealing.sealNext(bound.at)) && performance.now() < until);
    const last = await copy.last();
    await lookAgain(last);
    const before = late.walks();
    do note(await late.go(last));
    while (late.walks() === before && performance.now() < until);
    note(await all.go(last));
    const found = [...broken.values()];
    return {
      broken: found.map(({ seal }) => seal),
      newest: found.reduce<Date | null>((max, { foundAt }) => (max && max >= foundAt ? max : foundAt), null),
      isWhole: all.walks() > 0,
      unsealedSeconds: Math.max(
        bound?.seconds ?? Number.POSITIVE_INFINITY,
        (await secondsOfFirstAfter(db, sealing.sealedUpTo())) ?? 0,
      ),
    };
  }

  const alone = createTurns();
  const looking = createShared(() => alone(look));
  const keeping = createShared(() => alone(async () => void (await copyMissing(performance.now() + ROUND_MS))));
  return { keepUp: keeping, round: looking };
}

/** At most one run at a time: a call during a run gets the result of that run. */
function createShared<T>(work: () => Promise<T>): () => Promise<T> {
  let underWay: Promise<T> | null = null;
  return () => {
    underWay ??= work().finally(() => {
      underWay = null;
    });
    return underWay;
  };
}

/** One work at a time: a look that the watchdog no longer waits for may be under way still. */
function createTurns(): <T>(work: () => Promise<T>) => Promise<T> {
  let before: Promise<unknown> = Promise.resolve();
  return (work) => {
    const mine = before.then(work);
    before = mine.catch(() => undefined);
    return mine;
  };
}
