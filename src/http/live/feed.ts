import type { Db } from '../../db/client.ts';
import { type EventView, eventView, matching, numberEvents } from '../../domain/events/feed.ts';
import { openIncidentsDigest } from '../../domain/incidents/standing.ts';
import { type MovingStep, movingSteps } from '../../engine/read/moving-steps.ts';
import { pause } from '../../kernel/clock.ts';

/**
 * The feed as it grows, read once for all streams of this process, and not at all while nobody listens. A stream that is further
 * back than this reaches reads the database by itself until it has caught up, so memory is bounded however slow somebody reads.
 */
export interface LiveFeed {
  /** Takes part until `leave`. */
  join(interest: Interest): Listener;
}
/** What is looked at besides the feed, while somebody asks for it. */
export interface Interest {
  readonly steps?: boolean;
  readonly incidents?: boolean;
}
export interface Listener {
  /** The last place of the feed; null before the first look. */
  newest(): number | null;
  /** The events after a place. Null: they are not in memory, as before the first look, and have to be read. */
  after(seq: number): readonly EventView[] | null;
  /** The steps that came into another state since the last call. */
  steps(): readonly MovingStep[];
  /** Whether the open incidents are others than at the last call. */
  incidentsChanged(): boolean;
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
  const asked = { steps: 0, incidents: 0 };
  let incidents: string | null = null;
  let incidentChanges = 0;
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
    const moved = asked.steps > 0 ? book.note(await movingSteps(db, ended)) : false;
    if (asked.steps === 0) book.forget();
    const changed = await lookAtIncidents();
    if (newest !== memory.newest() || moved || changed) for (const wake of listeners) wake();
  }

  async function lookAtIncidents(): Promise<boolean> {
    const before = incidents;
    incidents = asked.incidents > 0 ? await openIncidentsDigest(db) : null;
    const changed = before !== null && incidents !== null && before !== incidents;
    if (changed) incidentChanges += 1;
    return changed;
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
    incidents = null;
  }

  return {
    join(interest) {
      const wanted = (['steps', 'incidents'] as const).filter((what) => interest[what] === true);
      let woken = new AbortController();
      const wake = (): void => woken.abort();
      const resetsBefore = resets;
      let heard = book.last();
      let heardIncidents = incidentChanges;
      listeners.add(wake);
      for (const what of wanted) asked[what] += 1;
      if (!watching) void watch();
      return {
        newest: () => memory.newest(),
        after: (seq) => memory.after(seq),
        steps() {
          if (interest.steps !== true) return [];
          const moved = book.after(heard);
          heard = book.last();
          return moved;
        },
        incidentsChanged() {
          const changed = interest.incidents === true && heardIncidents !== incidentChanges;
          heardIncidents = incidentChanges;
          return changed;
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
          for (const what of wanted) asked[what] -= 1;
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
