import type { Db, Tx } from '../../db/client.ts';
import { RoomyError } from '../../kernel/errors.ts';
import { firstFeasible } from './candidates.ts';
import { type OpenTask, wantedOf } from './open-task.ts';
import { type Roster, readRoster, spanAround } from './staffing.ts';
import { alternativeSlots, lastChoice, SEARCH_DAYS } from './window.ts';

/** Other times at which a task could be done, for a request that requires an assignee (domain.md 11). */
export interface Alternative {
  /** ISO instant. */
  readonly start: string;
  /** One who can then; who gets it is decided when it is asked for. */
  readonly assigneeId: string;
  /** Later than the task may be finished. */
  readonly outsideWindow: boolean;
}

const MAX_ALTERNATIVES = 3;
const DAY_MS = 86_400_000;

export interface Search {
  readonly alternatives: readonly Alternative[];
  /** With which they were found. */
  readonly roster: Roster;
  readonly durationMs: number;
}

/**
 * At the most three starts, ascending: the legal window's first because they come first, then up to a week on. Each is
 * feasible for somebody by the same filters as an assignment, and may be chosen (`chosen-times.ts`): a search that begins
 * at a chosen start ends where the choice from the rule's own does.
 */
export async function findAlternatives(
  db: Db | Tx,
  task: OpenTask,
  { nowMs, ownHold }: { readonly nowMs: number; readonly ownHold: string | null },
): Promise<Search> {
  const wanted = wantedOf(task, nowMs, true);
  const { window, place } = wanted;
  const span = spanAround(place, window.firstMs, window.firstMs + SEARCH_DAYS * DAY_MS, window.durationMs);
  const roster = await readRoster(db, { wanted: [wanted], spans: [span], ownHold });
  const asking = { ...wanted, refusedBy: roster.refusals.get(task.id) ?? wanted.refusedBy };
  const alternatives: Alternative[] = [];
  for (const startMs of alternativeSlots(window, lastChoice(task.scheduled_at.getTime(), nowMs))) {
    if (alternatives.length === MAX_ALTERNATIVES) break;
    const best = firstFeasible(roster.people, asking, { fromMs: startMs, toMs: startMs }, roster).ranked[0];
    if (!best) continue;
    const endMs = startMs + window.durationMs;
    alternatives.push({
      start: new Date(startMs).toISOString(),
      assigneeId: best.staffId,
      outsideWindow: window.deadlineMs !== null && endMs > window.deadlineMs,
    });
  }
  return { alternatives, roster, durationMs: window.durationMs };
}

export interface HeldTimes {
  readonly holdId: string;
  /** ISO instant. */
  readonly heldUntil: string;
}

/** The brief's body, and ours beside it. */
export function noStaff(task: OpenTask, alternatives: readonly Alternative[], held?: HeldTimes): RoomyError {
  const asked = task.manual_fields.includes('scheduledDate')
    ? (task.slot_start ?? task.scheduled_at)
    : task.scheduled_at;
  return new RoomyError('NO_STAFF_AVAILABLE', {
    details: {
      taskType: task.type,
      scheduledDate: asked.toISOString(),
      suggestedAlternatives: alternatives.map(({ start }) => start),
      occurrence: task.occurrence,
      alternatives,
      ...held,
    },
  });
}
