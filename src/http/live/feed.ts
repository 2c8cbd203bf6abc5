import type { Db } from '../../db/client.ts';
import { type EventView, eventView, matching, numberEvents } from '../../domain/events/feed.ts';
import { openIncidentsDigest } from '../../domain/incidents/standing.ts';
import { type MovingStep, movingSteps } from '../../engine/read/moving-steps.ts';
import { pause } from '../../kernel/clock.ts';
import { createMemory, createStepBook } from './memory.ts';

/**
 * The feed as it grows, read once for all streams of this process, and not at all while nobody listens. A stream that is further
 * back than this reaches reads the database by itself until it has caught up, so memory is bounded however slow somebody reads.
 */
export interface LiveFeed {
  /** Takes part until `leave`. */
  join(interest: Interest): Listener;
}
/** Beside events a stream may ask for steps of sagas, or for changes of incidents; they are read only while one does. */
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

type Extra = keyof Interest;

/** `every`: how often is looked, in milliseconds. */
export function createLiveFeed(db: Db, every = LOOK_EVERY_MS): LiveFeed {
  const view = createView(db);
  const listeners = new Set<() => void>();
  const asked: Record<Extra, number> = { steps: 0, incidents: 0 };
  let watching = false;

  async function watch(): Promise<void> {
    watching = true;
    while (listeners.size > 0) {
      // An outage of the database is not reported here: who has to read meets it.
      const isNews = await view.look(asked).catch(() => false);
      if (isNews) for (const wake of listeners) wake();
      await pause(every);
    }
    watching = false;
    view.forget();
  }

  return {
    join(interest) {
      const wanted = (['steps', 'incidents'] as const).filter((what) => interest[what] === true);
      let woken = new AbortController();
      const wake = (): void => woken.abort();
      const before = view.resets();
      let heard = view.steps.last();
      let incidents = view.incidentChanges();
      listeners.add(wake);
      for (const what of wanted) asked[what] += 1;
      if (!watching) void watch();
      return {
        newest: view.events.newest,
        after: view.events.after,
        steps() {
          if (interest.steps !== true) return [];
          const moved = view.steps.after(heard);
          heard = view.steps.last();
          return moved;
        },
        incidentsChanged() {
          const changed = interest.incidents === true && incidents !== view.incidentChanges();
          incidents = view.incidentChanges();
          return changed;
        },
        async wait(ms, signal) {
          await pause(ms, AbortSignal.any([woken.signal, signal]));
          if (woken.signal.aborted) woken = new AbortController();
        },
        get isReset() {
          return view.resets() > before;
        },
        leave() {
          if (!listeners.delete(wake)) return;
          for (const what of wanted) asked[what] -= 1;
        },
      };
    },
  };
}

/** What the last look at the database has found, shared by all streams. */
function createView(db: Db) {
  const events = createMemory();
  const steps = createStepBook();
  let incidents: string | null = null;
  let incidentChanges = 0;
  let resets = 0;

  /** Answers the events that are new. */
  async function lookAtEvents(): Promise<readonly EventView[]> {
    const last = await numberEvents(db);
    if (last < (events.newest() ?? 0)) {
      resets += 1;
      events.clear();
    }
    const newest = events.newest();
    const rows =
      newest === null || newest === last
        ? []
        : await matching(db, {}, { from: newest + 1, until: last, limit: READ_AT_ONCE });
    const views = rows.map(eventView);
    // Not all that there is, after a burst: the next look goes on.
    events.add(views, rows.length === READ_AT_ONCE ? (views.at(-1)?.seq ?? last) : last);
    return views;
  }

  async function lookAtIncidents(isAsked: boolean): Promise<boolean> {
    const before = incidents;
    incidents = isAsked ? await openIncidentsDigest(db) : null;
    const changed = before !== null && incidents !== null && before !== incidents;
    if (changed) incidentChanges += 1;
    return changed;
  }

  return {
    events,
    steps,
    resets: () => resets,
    incidentChanges: () => incidentChanges,
    /** Answers whether there is something new. */
    async look(asked: Readonly<Record<Extra, number>>): Promise<boolean> {
      const newest = events.newest();
      const come = await lookAtEvents();
      const ended = come.flatMap(({ resource }) => (resource.type === 'saga' ? [resource.id] : []));
      const moved = asked.steps > 0 && steps.note(await movingSteps(db, ended));
      if (asked.steps === 0) steps.forget();
      const changed = await lookAtIncidents(asked.incidents > 0);
      return newest !== events.newest() || moved || changed;
    },
    forget() {
      events.clear();
      steps.forget();
      incidents = null;
    },
  };
}
