export interface RunSlotOptions {
  /** Runs under way at once. */
  readonly max: number;
  /** A run that takes longer gives its slot back: it waits for a lock, say, and must not keep all others waiting. Default: never. */
  readonly slowMs?: number;
  /** Runs without a slot, at the most; the slots of further slow ones stay taken. Default: none. */
  readonly maxSlow?: number;
}

/** Shared by batchers whose runs compete for the same thing, such as the connections of a process. */
export interface RunSlots {
  /** Calls `start` once, on a later turn of the event loop, when there is a slot; it may take one. First come, first served. */
  request(start: () => void): void;
  /** Takes a slot. `onSlow`: the run has lost its slot, and goes on. Answers how to give it back, once. */
  take(onSlow: () => void): () => void;
  /** No slot is taken, nobody waits for one, and no run is slow. */
  isIdle(): boolean;
}

/**
 * Work is gathered for one turn of the event loop before a run starts: what arrives together, or goes on together after a
 * run, travels together.
 */
export function createRunSlots({ max, slowMs, maxSlow = 0 }: RunSlotOptions): RunSlots {
  const waiting = new Set<() => void>();
  /** Runs that are slow, and have their slots still, as too many others were slow. */
  const overdue = new Set<() => void>();
  let taken = 0;
  let slow = 0;
  let isScheduled = false;

  function schedule(): void {
    if (isScheduled || waiting.size === 0 || taken >= max) return;
    isScheduled = true;
    setImmediate(dispatch);
  }
  function dispatch(): void {
    isScheduled = false;
    // Those that ask again meanwhile have their turn after the others.
    for (const start of waiting) {
      if (taken >= max) return;
      waiting.delete(start);
      start();
    }
    schedule();
  }

  return {
    request: (start) => {
      waiting.add(start);
      schedule();
    },
    take: (onSlow) => {
      taken += 1;
      let isSlow = false;
      const becomeSlow = (): void => {
        if (slow >= maxSlow) {
          overdue.add(becomeSlow);
          return;
        }
        overdue.delete(becomeSlow);
        isSlow = true;
        slow += 1;
        taken -= 1;
        onSlow();
        schedule();
      };
      const timer = slowMs === undefined ? undefined : setTimeout(becomeSlow, slowMs);
      return () => {
        clearTimeout(timer);
        overdue.delete(becomeSlow);
        if (isSlow) {
          slow -= 1;
          for (const next of overdue) next();
        } else taken -= 1;
        schedule();
      };
    },
    isIdle: () => taken === 0 && slow === 0 && waiting.size === 0,
  };
}
