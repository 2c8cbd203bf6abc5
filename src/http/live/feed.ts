import type { Db } from '../../db/client.ts';
import { type EventView, eventView, matching, numberEvents } from '../../domain/events/feed.ts';
import { type MovingStep, movingSteps } from '../../engine/read/moving-steps.ts';
import { pause } from '../../kernel/clock.ts';

/**
 * The feed as it grows, read once for all streams of this process, and not at all while nobody listens. A stream that is further
 * back than this reaches reads the database by itself until it has caught up, so memory is bounded however slow somebody reads.
 */
export interface LiveFeed {
  /** Takes part until `leave`. `steps`: the steps of executions are looked at too. */
  join(interest: { readonly steps: boolean }): Listener;
}
export interface Listener {
  /** The events after a place. Null: they are not in memory, as before the first look, and have to be read. */
  after(seq: number): readonly EventView[] | null;
  /** The steps that came into another state since the last call. */
  steps(): readonly MovingStep[];
  /** Resolves when the feed has grown, after so long, or when the signal is aborted. */
  wait(ms: number, signal: AbortSignal): Promise<void>;
  /** Whether the feed has become shorter since the beginning: the database was restored. */
  readonly isReset: boolean;
  leave(): void;
}

const LOOK_EVERY_MS = 250;
const READ_AT_ONCE = 1_000;
const KEPT_EVENTS = 2_000;
const KEPT_STEPS = 2_000;
const SEEN_STEPS = 20_000;

/** `every`: how often is looked, in milliseconds. */
export function createLiveFeed(db: Db, every = LOOK_EVERY_MS): LiveFeed {
  const memory = createMemory();
  const book = createStepBook();
  const listeners = new Set<() => void>();
  let forSteps = 0;
  let resets = 0;
  let watching = false;

  async function look(): Promise<void> {
    const last = await numberEvents(db);
    if (last < (memory.newest() ?? 0)) {
      resets += 1;
      memory.clear();
    }
    const newest = memory.newest();
    const rows =
      newest === null || newest === last
        ? []
        : await matching(db, {}, { from: newest + 1, until: last, limit: READ_AT_ONCE });
    const events = rows.map(eventView);
    // Not all that there is, after a burst: the next look goes on.
    const full = rows.length === READ_AT_ONCE;
    memory.add(events, full ? (events.at(-1)?.seq ?? last) : last);
    const ended = events.flatMap(({ resource }) => (resource.type === 'saga' ? [resource.id] : []));
    const moved = forSteps > 0 ? book.note(await movingSteps(db, ended)) : false;
    if (forSteps === 0) book.forget();
    if (newest !== memory.newest() || moved) for (const wake of listeners) wake();
  }

  async function watch(): Promise<void> {
    watching = true;
    while (listeners.size > 0) {
      // An outage of the database is not reported here: who has to read meets it.
      await look().catch(() => undefined);
      await pause(every);
    }
    watching = false;
    memory.clear();
    book.forget();
  }

  return {
    join({ steps }) {
      let woken = new AbortController();
      const wake = (): void => woken.abort();
      const resetsBefore = resets;
      let heard = book.last();
      listeners.add(wake);
      if (steps) forSteps += 1;
      if (!watching) void watch();
      return {
        after: (seq) => memory.after(seq),
        steps() {
          if (!steps) return [];
          const moved = book.after(heard);
          heard = book.last();
          return moved;
        },
        async wait(ms, signal) {
          await pause(ms, AbortSignal.any([woken.signal, signal]));
          if (woken.signal.aborted) woken = new AbortController();
        },
        get isReset() {
          return resets > resetsBefore;
        },
        leave() {
          if (!listeners.delete(wake)) return;
          if (steps) forSteps -= 1;
        },
      };
    },
  };
}

/** The last events, with the places that they cover without a gap. */
function createMemory() {
  let events: EventView[] = [];
  /** Everything after it is here. */
  let floor: number | null = null;
  let newest: number | null = null;
  return {
    newest: () => newest,
    add(more: readonly EventView[], upTo: number) {
      floor ??= upTo;
      events.push(...more);
      newest = upTo;
      const dropped = events.splice(0, Math.max(0, events.length - KEPT_EVENTS));
      floor = dropped.at(-1)?.seq ?? floor;
    },
    after(seq: number): readonly EventView[] | null {
      if (floor === null || seq < floor) return null;
      // Of few listeners is one far behind: the new ones are at the end.
      const first = events.findLastIndex((event) => event.seq <= seq) + 1;
      return events.slice(first);
    },
    clear() {
      events = [];
      floor = null;
      newest = null;
    },
  };
}

/** Which steps were seen in which state, and the changes in their order. */
function createStepBook() {
  const seen = new Map<string, string>();
  let changes: { readonly n: number; readonly step: MovingStep }[] = [];
  let count = 0;
  /** The newest step of the first look, which only says how things stand; null: nobody has looked. */
  let since: string | null = null;
  const keyOf = ({ sagaId, step, direction }: MovingStep): string => `${sagaId} ${step} ${direction}`;
  const stateOf = ({ status, attempt }: MovingStep): string => `${status} ${attempt}`;
  return {
    last: () => count,
    after: (n: number): readonly MovingStep[] => changes.filter((change) => change.n > n).map(({ step }) => step),
    /** `steps`: from the oldest. Answers whether something has changed. */
    note(steps: readonly MovingStep[]): boolean {
      const before = since;
      since ??= steps.at(-1)?.at ?? '';
      const moved = steps.filter((step) => {
        const state = seen.get(keyOf(step));
        seen.set(keyOf(step), stateOf(step));
        if (before === null) return false;
        // An execution that was not looked at until now may have steps from before anybody listened.
        return state === undefined ? step.at > before : state !== stateOf(step);
      });
      for (const step of moved) {
        count += 1;
        changes.push({ n: count, step });
      }
      changes.splice(0, Math.max(0, changes.length - KEPT_STEPS));
      // The oldest go first: a map keeps the order in which its keys came.
      for (const key of seen.keys()) {
        if (seen.size <= SEEN_STEPS) break;
        seen.delete(key);
      }
      return moved.length > 0;
    },
    forget() {
      seen.clear();
      changes = [];
      since = null;
    },
  };
}
