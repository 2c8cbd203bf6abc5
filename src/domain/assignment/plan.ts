import type { Json } from '../../db/schema.ts';
import { required } from '../../kernel/errors.ts';
import { answerDeadline } from './answer-deadline.ts';
import { type Found, firstFeasible, type Wanted } from './candidates.ts';
import { explain } from './explanation.ts';
import type { OpenTask } from './open-task.ts';
import type { Roster } from './staffing.ts';

/** Plans which people get which tasks, one task after the other; `book.ts` carries the plan out. Pure, except that it adds bookings to the roster. */

export interface Planned {
  readonly task: OpenTask;
  readonly wanted: Wanted;
  readonly staffId: string;
  /** The person's counter when this was planned. */
  readonly counted: number;
  readonly startMs: number;
  readonly endMs: number;
  /** ISO instant; null: nobody is asked. */
  readonly acceptBy: string | null;
  readonly explanation: Json;
  /** Other work of this person had to go for it, which the message names (`displace.ts`). */
  readonly displaces?: boolean;
  /** The message about another task covers this one as well. */
  readonly isInOtherMessage?: boolean;
}
export interface Unplanned {
  readonly task: OpenTask;
  readonly wanted: Wanted;
  /** The obstacles of everybody at the first possible start. */
  readonly explanation: Json;
  /** Somebody was asked and has not answered. */
  readonly isSilence: boolean;
  /** And may be asked once more. */
  readonly mayAskAgain: boolean;
}
export interface Asked {
  readonly task: OpenTask;
  readonly wanted: Wanted;
  /** No later start is looked at. */
  readonly untilMs: number;
  /** Those who have not answered are asked once more. */
  readonly again?: boolean;
}

/** Most urgent first, then in the order in which they begin. */
export function inOrder(asked: readonly Asked[]): readonly Asked[] {
  const urgency = ({ task, wanted }: Asked): number =>
    task.type === 'EMERGENCY' ? 0 : wanted.window.isOverdue || task.priority === 'URGENT' ? 1 : 2;
  return asked.toSorted(
    (a, b) =>
      urgency(a) - urgency(b) || a.wanted.window.firstMs - b.wanted.window.firstMs || (a.task.id < b.task.id ? -1 : 1),
  );
}

/**
 * Plans the tasks, most urgent first, each with the best person who can do it at the earliest start until its `untilMs`. Its
 * bookings are added to the roster, so that later tasks see them. `unplanned`: nobody can do these.
 */
export function planTasks(asked: readonly Asked[], roster: Roster): { planned: Planned[]; unplanned: Unplanned[] } {
  const planned: Planned[] = [];
  const unplanned: Unplanned[] = [];
  for (const { task, wanted, untilMs, again = false } of inOrder(asked)) {
    const span = { fromMs: wanted.window.firstMs, toMs: untilMs };
    const refusedBy = (again ? roster.lastRefusals : roster.refusals).get(task.id) ?? NOBODY;
    const asking = { ...wanted, refusedBy };
    const found = firstFeasible(roster.people, asking, span, roster);
    const explanation = explain(asking, roster, found, again ? 2 : 1);
    if (found.ranked.length > 0) {
      planned.push(give({ task, wanted: asking, explanation }, found, roster));
      continue;
    }
    const sizeOf = (refusals: Roster['refusals']): number => refusals.get(task.id)?.size ?? 0;
    unplanned.push({
      task,
      wanted: asking,
      explanation,
      isSilence: roster.unanswered.has(task.id),
      mayAskAgain: sizeOf(roster.refusals) > sizeOf(roster.lastRefusals),
    });
  }
  return { planned, unplanned };
}

const NOBODY: ReadonlySet<string> = new Set();

function give(
  { task, wanted, explanation }: Pick<Unplanned, 'task' | 'wanted' | 'explanation'>,
  { startMs, ranked }: Found,
  roster: Roster,
): Planned {
  const person = required(
    roster.people.find(({ id }) => id === ranked[0]?.staffId),
    'the best candidate',
  );
  const endMs = startMs + wanted.window.durationMs;
  person.bookings.push({ startMs, endMs, location: wanted.place.location });
  person.lastJobMs = roster.nowMs;
  const acceptBy = answerDeadline({
    askedMs: roster.nowMs,
    type: task.type,
    startMs,
    timeZone: task.time_zone,
    acceptMinutes: task.accept_minutes,
    emergencyAcceptMinutes: roster.rules.emergencyAcceptMinutes,
    quiet: roster.rules.acceptQuiet,
  });
  return { task, wanted, staffId: person.id, counted: person.counted, startMs, endMs, acceptBy, explanation };
}
