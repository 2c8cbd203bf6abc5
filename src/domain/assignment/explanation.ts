import { sql } from 'kysely';
import type { Db } from '../../db/client.ts';
import type { Json, StaffRole } from '../../db/schema.ts';
import { RoomyError } from '../../kernel/errors.ts';
import { packed, unpacked } from '../../kernel/packed.ts';
import { isStaffOf } from '../people/reach.ts';
import { inPortfolio } from '../properties/portfolio.ts';
import { type Found, OBSTACLES, type Obstacle, ROLES, type Wanted } from './candidates.ts';
import type { Scored } from './score.ts';
import { MAX_EXPLAINED, type Roster } from './staffing.ts';

/**
 * Why this person was chosen: the scores of those who could, and the obstacles of the others. Stored with
 * every assignment, so it is kept short: rows are lists, deflated, and `explanationView` gives the numbers their names.
 */

/** `staffId, workload, proximity, primary, fairness, total, travelKm, bookedMinutes, tasksThatDay` */
type CandidateRow = readonly [string, number, number, number, number, number, number | null, number, number];
interface Explanation {
  readonly at: string;
  readonly startsAt: string;
  /** 2: those who had not answered were asked again. Absent: 1. */
  readonly round?: 2;
  readonly weights: readonly [number, number, number, number];
  readonly chosen: string | null;
  readonly candidates: readonly CandidateRow[];
  /** How many; with their ids where all staff is few. */
  readonly excluded: Readonly<Partial<Record<Obstacle, number | readonly string[]>>>;
}
/** `excluded` is searched (`lookAgainFor`); the rest is `packed`, in base64. Those of before are plain. */
type StoredExplanation = Explanation | (Pick<Explanation, 'excluded'> & { readonly packed: string });

/** The explanation of a choice as it is stored; the first of `ranked` is the chosen one. `round` 2: people were asked once more. */
export function explain(wanted: Wanted, roster: Roster, { startMs, ranked, obstacles }: Found, round: 1 | 2): Json {
  const { rules } = roster;
  const choice: Omit<Explanation, 'excluded'> = {
    at: new Date(roster.nowMs).toISOString(),
    startsAt: new Date(startMs).toISOString(),
    ...(round === 2 && { round }),
    weights: [rules.workloadPercent, rules.proximityPercent, rules.primaryPercent, rules.fairnessPercent],
    chosen: ranked[0]?.staffId ?? null,
    candidates: ranked.slice(0, MAX_EXPLAINED).map(rowOf),
  };
  const stored: StoredExplanation = {
    packed: packed(JSON.stringify(choice)).toString('base64'),
    excluded: excludedFrom(wanted, roster, obstacles),
  };
  return stored as unknown as Json;
}

const rowOf = ({ staffId, score, travelKm, bookedMinutes, tasksThatDay }: Scored): CandidateRow => [
  staffId,
  score.workload,
  score.proximity,
  score.primary,
  score.fairness,
  score.total,
  travelKm === null ? null : Math.round(travelKm * 100) / 100,
  bookedMinutes,
  tasksThatDay,
];

function excludedFrom(
  wanted: Wanted,
  { people, census }: Roster,
  obstacles: Found['obstacles'],
): Explanation['excluded'] {
  const roles = ROLES[wanted.type];
  // A person who was not read has another role, is not active, or works elsewhere.
  const unread = (role: StaffRole, active: boolean): Obstacle =>
    !roles.includes(role) ? 'ROLE' : active ? 'PLACE' : 'INACTIVE';
  if (census.everybody) {
    const read = new Set(people.map(({ id }) => id));
    const named: Partial<Record<Obstacle, string[]>> = {};
    for (const { id, role, active } of census.everybody.toSorted((a, b) => (a.id < b.id ? -1 : 1))) {
      const obstacle = read.has(id) ? obstacles.get(id) : unread(role, active);
      if (obstacle) named[obstacle] = [...(named[obstacle] ?? []), id];
    }
    return named;
  }
  const counts = new Map<Obstacle, number>();
  const add = (obstacle: Obstacle, n: number): void => void counts.set(obstacle, (counts.get(obstacle) ?? 0) + n);
  for (const { role, active, n } of census.counts) add(unread(role, active), n);
  // Those of other roles are read where other tasks of the same sweep want them, and are counted as such above.
  add('PLACE', -people.filter(({ role }) => roles.includes(role)).length);
  for (const obstacle of obstacles.values()) if (obstacle !== 'ROLE') add(obstacle, 1);
  return Object.fromEntries([...counts].filter(([, n]) => n > 0));
}

export interface AssignmentView {
  readonly taskId: string;
  readonly status: string;
  readonly assigneeId: string | null;
  readonly acceptBy: string | null;
  readonly acceptedAt: string | null;
  /** Null: nobody has been looked for yet, or a person has decided. */
  readonly explanation: ReturnType<typeof explanationView> | null;
  /** Of an emergency: the tasks that gave way to it. */
  readonly displacedTaskIds: readonly string[];
  /** The emergency that this gave way to. */
  readonly displacedByTaskId: string | null;
  readonly refusals: readonly {
    readonly staffId: string;
    readonly reason: string;
    readonly times: number;
    readonly at: string;
  }[];
}

/**
 * How a task came to its assignee, or why nobody has it. Times are ISO instants. An agent is shown the people and tasks of the portfolio,
 * and of others how many there are (security.md Z4); `agentId` null: all. Throws `TASK_NOT_FOUND`.
 */
export async function readAssignment(db: Db, taskId: string, agentId: string | null = null): Promise<AssignmentView> {
  const [view] = await readAssignments(db, [taskId], agentId);
  if (!view) throw new RoomyError('TASK_NOT_FOUND');
  return view;
}

/** The same of several tasks, in statements whose number does not depend on theirs; absent ones are left out. */
export async function readAssignments(
  db: Db,
  taskIds: readonly string[],
  agentId: string | null,
): Promise<readonly AssignmentView[]> {
  if (taskIds.length === 0) return [];
  const ids = [...taskIds];
  const tasks = await db
    .selectFrom('task')
    .select(['id', 'status', 'assignee_id', 'accept_by', 'accepted_at', 'assignment_explanation', 'displaced_by'])
    .where('id', '=', sql<string>`ANY(${ids}::text[])`)
    .orderBy('id')
    .execute();
  const refusals = await db
    .selectFrom('task_refusal')
    .select(['task_id', 'staff_id', 'reason', 'times', 'at'])
    .where('task_id', '=', sql<string>`ANY(${ids}::text[])`)
    .orderBy('at')
    .orderBy('staff_id')
    .execute();
  const displaced = await db
    .selectFrom('task')
    .select(['id', 'displaced_by'])
    .where('displaced_by', '=', sql<string>`ANY(${ids}::text[])`)
    .orderBy('id')
    .execute();
  const views = tasks.map((task) => ({
    taskId: task.id,
    status: task.status,
    assigneeId: task.assignee_id,
    acceptBy: task.accept_by?.toISOString() ?? null,
    acceptedAt: task.accepted_at?.toISOString() ?? null,
    // Written by `explain` alone.
    explanation:
      task.assignment_explanation === null
        ? null
        : explanationView(task.assignment_explanation as unknown as StoredExplanation, task.assignee_id),
    displacedTaskIds: displaced.filter((other) => other.displaced_by === task.id).map(({ id }) => id),
    displacedByTaskId: task.displaced_by,
    refusals: refusals
      .filter(({ task_id }) => task_id === task.id)
      .map(({ staff_id, reason, times, at }) => ({ staffId: staff_id, reason, times, at: at.toISOString() })),
  }));
  return agentId === null ? views : ofPortfolio(db, views, agentId);
}

async function ofPortfolio(
  db: Db,
  views: readonly AssignmentView[],
  agentId: string,
): Promise<readonly AssignmentView[]> {
  const people = views.flatMap(({ explanation, refusals }) => [
    ...refusals.map(({ staffId }) => staffId),
    ...(explanation?.candidates ?? []).map(({ staffId }) => staffId),
    ...(explanation?.excluded ?? []).flatMap(({ staffIds }) => staffIds ?? []),
  ]);
  const tasks = views.flatMap(({ displacedTaskIds, displacedByTaskId }) => [
    ...displacedTaskIds,
    displacedByTaskId ?? '',
  ]);
  const { rows } = await sql<{ id: string }>`
    SELECT staff.id FROM staff WHERE staff.id = ANY(${[...new Set(people)]}::text[]) AND ${isStaffOf(agentId)}
     UNION SELECT t.id FROM task t WHERE t.id = ANY(${tasks}::text[])
       AND ${inPortfolio(sql.ref('t.property_id'), agentId)}`.execute(db);
  const reached = new Set(rows.map(({ id }) => id));
  return views.map((view) => shownOf(view, reached));
}

function shownOf(view: AssignmentView, reached: ReadonlySet<string>): AssignmentView {
  const { explanation, refusals, displacedTaskIds, displacedByTaskId } = view;
  // The assignee is on the task itself.
  const isShown = (id: string): boolean => reached.has(id) || id === view.assigneeId;
  return {
    ...view,
    explanation: explanation && {
      ...explanation,
      candidates: explanation.candidates.filter(({ staffId }) => isShown(staffId)),
      excluded: explanation.excluded.map(({ staffIds, ...one }) => ({
        ...one,
        staffIds: staffIds?.filter(isShown) ?? null,
      })),
    },
    refusals: refusals.filter(({ staffId }) => isShown(staffId)),
    displacedTaskIds: displacedTaskIds.filter((id) => reached.has(id)),
    displacedByTaskId: displacedByTaskId !== null && reached.has(displacedByTaskId) ? displacedByTaskId : null,
  };
}

const choiceOf = ({ excluded, packed: rest }: { readonly packed: string } & Pick<Explanation, 'excluded'>) => ({
  ...(JSON.parse(String(unpacked(Buffer.from(rest, 'base64')))) as Omit<Explanation, 'excluded'>),
  excluded,
});

/** It is kept after the person it chose has lost the task: it still says who could do it, but nobody is chosen by it any more. */
const explanationView = (kept: StoredExplanation, assigneeId: string | null) => {
  const stored = 'packed' in kept ? choiceOf(kept) : kept;
  const [workload, proximity, primary, fairness] = stored.weights;
  return {
    decidedAt: stored.at,
    startsAt: stored.startsAt,
    round: stored.round ?? 1,
    weights: { workload, proximity, primary, fairness },
    chosen: stored.chosen === assigneeId ? stored.chosen : null,
    candidates: stored.candidates.map(([staffId, ...row]) => ({
      staffId,
      workload: row[0],
      proximity: row[1],
      primary: row[2],
      fairness: row[3],
      total: row[4],
      travelKm: row[5],
      bookedMinutes: row[6],
      tasksThatDay: row[7],
    })),
    excluded: OBSTACLES.flatMap((reason) => {
      const who = stored.excluded[reason];
      if (who === undefined) return [];
      const count = typeof who === 'number' ? who : who.length;
      return [{ reason, count, staffIds: typeof who === 'number' ? null : who }];
    }),
  };
};
