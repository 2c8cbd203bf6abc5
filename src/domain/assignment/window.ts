/** When a task may start (domain.md 10 and 11). Pure; all instants in milliseconds. */

const MINUTE_MS = 60_000;
const SLOT_MS = 30 * MINUTE_MS;
const DAY_MS = 24 * 60 * MINUTE_MS;
/** No slot is looked for later than so long after the first. */
export const SEARCH_DAYS = 7;

export interface TaskTimes {
  /** By rule, or as a person has set it. */
  readonly startMs: number;
  readonly durationMs: number;
  readonly mustFinishByMs: number | null;
  /** A time that a person has set is not moved to another one by itself. */
  readonly isManual: boolean;
}

export interface StartWindow {
  readonly firstMs: number;
  /** The last start within the legal window; never before the first. */
  readonly lastMs: number;
  readonly durationMs: number;
  /** When the work has to be over; null: there is no such time. */
  readonly deadlineMs: number | null;
  /** Its start has passed: it is urgent, and may start from now on. */
  readonly isOverdue: boolean;
}

/**
 * Half-hour slots from `firstMs` on. `exact`: only the task's own time will do, unless that has passed; the sweep takes
 * the earliest slot of the whole window instead.
 */
export function windowOf(times: TaskTimes, nowMs: number, exact: boolean): StartWindow {
  const { startMs, durationMs, mustFinishByMs } = times;
  if (startMs < nowMs) {
    const firstMs = startMs + Math.ceil((nowMs - startMs) / SLOT_MS) * SLOT_MS;
    const deadlineMs = Math.max(mustFinishByMs ?? 0, nowMs + DAY_MS);
    return { firstMs, lastMs: lastStart(firstMs, deadlineMs - durationMs), durationMs, deadlineMs, isOverdue: true };
  }
  const lastMs =
    exact || times.isManual || mustFinishByMs === null ? startMs : lastStart(startMs, mustFinishByMs - durationMs);
  return { firstMs: startMs, lastMs, durationMs, deadlineMs: mustFinishByMs, isOverdue: false };
}

const lastStart = (firstMs: number, latestMs: number): number =>
  Math.max(firstMs, Math.min(latestMs, firstMs + SEARCH_DAYS * DAY_MS));

/** Starts from `fromMs` to `toMs`, both included, half an hour apart. */
export function* slotsBetween(fromMs: number, toMs: number): Generator<number> {
  for (let at = fromMs; at <= toMs; at += SLOT_MS) yield at;
}

/** The last start that a person may choose for a task whose rule says `ruleMs`, and so the last that may be suggested. */
export const lastChoice = (ruleMs: number, nowMs: number): number =>
  Math.max(ruleMs, nowMs) + (SEARCH_DAYS + 1) * DAY_MS;

/** Where to look when the task's own time will not do: the rest of the legal window, and a week beyond, until `lastMs`. */
export const alternativeSlots = (window: StartWindow, lastMs: number): Generator<number> =>
  slotsBetween(window.firstMs + SLOT_MS, Math.min(window.firstMs + SEARCH_DAYS * DAY_MS, lastMs));
