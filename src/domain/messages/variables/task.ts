import { type RawBuilder, sql } from 'kysely';
import type { TaskType } from '../../../db/schema.ts';
import type { Facts } from '../delivery-facts.ts';
import { formatMoment, type Printer } from '../print.ts';
import { param, type Uses, type Variable, variable } from './variable.ts';

/**
 * The task `t` that a notification `n` is about, the owner's `repair_approval` `ra` and the recipient's `task_offer` `f`
 * for it.
 */

interface DisplacedTask {
  readonly title: string;
  readonly property: string;
  readonly timeZone: string;
  /** ISO instant of its new start; null: it is no longer the recipient's. */
  readonly startsAt: string | null;
}

/** Columns of the facts. Amounts in minor units; the findings as one text. */
export const taskColumns = ({ names, mayUse }: Uses) =>
  [
    // What is booked: a cost that waits for a second person is not charged yet, and may be another one then.
    sql<{ readonly minor: number; readonly currency: string } | null>`CASE WHEN ${mayUse('charged')} THEN (
          SELECT json_build_object('minor', -c.amount_minor, 'currency', c.currency) FROM transaction c WHERE c.effect_key = n.task_id || '-cost') END`.as(
      'charge',
    ),
    // The findings of an inspection, in the order in which it was written down.
    sql<string | null>`(SELECT string_agg(f.value ->> 'description', '; ' ORDER BY f.ordinality)
          FROM jsonb_array_elements(t.completion -> 'findings') WITH ORDINALITY AS f)`.as('findings'),
    // As agreed with the assignee, where that differs from the rule.
    sql<Date | null>`coalesce(t.slot_start, t.scheduled_at)`.as('taskStartAt'),
    sql<Date | null>`coalesce(t.slot_end, t.ends_at)`.as('taskEndAt'),
    // All findings of one visit; a repair's own otherwise.
    sql<number | null>`coalesce(t.estimate_minor, (SELECT sum((f.value -> 'estimate' ->> 'amountMinor')::bigint)::bigint
          FROM jsonb_array_elements(t.completion -> 'findings') AS f(value) HAVING count(DISTINCT f.value -> 'estimate' ->> 'currency') = 1))`.as(
      'estimateMinor',
    ),
    sql<string | null>`coalesce(t.estimate_currency, (SELECT max(f.value -> 'estimate' ->> 'currency')
          FROM jsonb_array_elements(t.completion -> 'findings') AS f(value)))`.as('estimateCurrency'),
    sql<boolean>`EXISTS (SELECT FROM task_refusal u WHERE u.task_id = n.task_id AND u.staff_id = n.recipient_id
          AND u.reason = 'NO_ANSWER')`.as('askedBefore'),
    // Of a digest, in the order in which they were completed.
    sql<
      readonly { readonly property: string; readonly type: TaskType }[] | null
    >`CASE WHEN ${names('doneTasks', 'doneCount')} THEN (
  SELECT json_agg(json_build_object('property', dp.name, 'type', d.type) ORDER BY d.completed_at, d.id)
    FROM notification i JOIN task d ON d.id = i.task_id JOIN property dp ON dp.id = d.property_id WHERE i.digest_id = n.id) END`.as(
      'doneTasks',
    ),
    // Work that gives way to an emergency, with its new start where it is still the recipient's.
    sql<readonly DisplacedTask[] | null>`CASE WHEN ${names('displacedTasks')} THEN (
  SELECT json_agg(json_build_object('title', d.title, 'property', dp.name, 'timeZone', dp.time_zone,
           'startsAt', CASE WHEN d.assignee_id = n.recipient_id AND d.status IN ('ASSIGNED','IN_PROGRESS') THEN coalesce(d.slot_start, d.scheduled_at) END)
           ORDER BY d.scheduled_at, d.id)
    FROM task d JOIN property dp ON dp.id = d.property_id WHERE d.displaced_by = n.task_id) END`.as('displacedTasks'),
  ] as const;

/** Messages that name the start of a task: their row keeps the start that the recipient read, as `params.toldStart`. */
export const NAMES_START = sql`('TASK_ASSIGNED', 'TASK_CHANGED')`;

export const TASK = {
  taskTitle: variable('text', 'Pre-arrival cleaning', ({ taskTitle }) => taskTitle),
  taskWork: variable('text', 'cleaning', ({ taskType }, { phrases }) => taskType && phrases.work[taskType]),
  taskId: variable('id', 'task-1', ({ taskId }) => taskId),
  taskStart: variable('instant', 'Monday 31 May 2027 at 15:00 (Asia/Dubai)', ({ taskStartAt }, { moment }) =>
    moment(taskStartAt),
  ),
  taskEnd: variable('instant', 'Monday 31 May 2027 at 17:00 (Asia/Dubai)', ({ taskEndAt }, { moment }) =>
    moment(taskEndAt),
  ),
  findings: variable('text', 'Window broken; Lamp flickers', ({ findings }) => findings),
  previousStart: variable('instant', 'Monday 31 May 2027 at 13:00 (Asia/Dubai)', (facts, { moment }) =>
    moment(previousStart(facts)),
  ),
  estimate: variable('money', 'AED 750.00', ({ estimateMinor, estimateCurrency }, { money }) =>
    money(estimateMinor, estimateCurrency),
  ),
  approvalUrl: variable('url', 'https://roomy.example/approvals/example', ({ approvalToken }, { publicUrl }) =>
    publicUrl === null || approvalToken === null ? null : `${publicUrl}/approvals/${approvalToken}`,
  ),
  acceptBy: variable('instant', 'Monday 31 May 2027 at 09:30 (Asia/Dubai)', ({ acceptBy }, { moment }) =>
    moment(acceptBy),
  ),
  answerUrl: variable('url', 'https://roomy.example/offers/example', ({ offerToken }, { publicUrl }) =>
    publicUrl === null || offerToken === null ? null : `${publicUrl}/offers/${offerToken}`,
  ),
  doneTasks: variable('text', 'Marina View 1204: cleaning; Palm 7: inspection', doneLines),
  doneCount: variable('text', '2', ({ doneTasks }) => doneTasks && String(doneTasks.length)),
  displacedTasks: variable('text', 'Filter check, Palm 7: it is no longer yours', displacedLines),
  charged: variable('money', 'AED 120.50', ({ charge }, { money }) => charge && money(charge.minor, charge.currency)),
  severity: variable('text', 'severe', severityOf),
} as const satisfies Readonly<Record<string, Variable>>;

/** The start that the recipient knows: the last that was sent, else the one before the change, else the present one. */
export function notifiedStart({ own }: Facts): Date | null {
  const start = own?.['toldStart'];
  return typeof start === 'string' ? new Date(start) : null;
}
function previousStart(facts: Facts): Date | null {
  const before = param(facts, 'previousStart');
  return notifiedStart(facts) ?? (before === null ? facts.taskStartAt : new Date(before));
}

function displacedLines({ displacedTasks }: Facts, { phrases, locale }: Printer): string | null {
  const lines = displacedTasks?.map(({ title, property, timeZone, startsAt }) => {
    const at = startsAt && `${phrases.newTime} ${formatMoment(new Date(startsAt), locale, timeZone)} (${timeZone})`;
    return `${title}, ${property}: ${at ?? phrases.notYours}`;
  });
  return lines === undefined || lines.length === 0 ? null : lines.join('; ');
}

const MAX_DIGEST_LINES = 100;
function doneLines({ doneTasks }: Facts, { phrases }: Printer): string | null {
  if (!doneTasks) return null;
  const lines = doneTasks.slice(0, MAX_DIGEST_LINES).map(({ property, type }) => `${property}: ${phrases.work[type]}`);
  const more = doneTasks.length - lines.length;
  return [...lines, ...(more > 0 ? [`+${more}`] : [])].join('; ');
}

/** In English: only operations read it. */
function severityOf({ taskType, completion }: Facts): string | null {
  const findings = completion?.findings ?? [];
  if (findings.length === 0) return taskType === 'EMERGENCY' ? 'emergency' : null;
  return findings.some(({ severity }) => severity === 'SEVERE') ? 'severe' : 'minor';
}

/**
 * Whether a message `b` is about the task `t` of the message `n`. Those about a stay's task are found among all of that stay; `n` itself
 * may be of another one, whose arrival has ended the task.
 */
export const isAboutTask = sql<boolean>`(b.task_id = n.task_id AND b.reservation_id = t.reservation_id OR b.task_id = n.task_id AND b.reservation_id IS NULL)`;

/** The start that the recipient was last sent, among the messages `b` for which `which` holds; an ISO instant. */
export const lastStartSent = (which: RawBuilder<unknown>) => sql<string | null>`(
  SELECT b.params ->> 'toldStart' FROM notification b WHERE ${isAboutTask} AND b.recipient_id = n.recipient_id AND b.status = 'SENT'
     AND b.event IN ${NAMES_START} AND ${which}
   ORDER BY b.sent_at DESC, b.created_at DESC LIMIT 1)`;

/** Whether the recipient has still to say if they take the task. */
export const isAsked = ({
  taskStatus,
  offerToken,
  acceptedAt,
}: Pick<Facts, 'taskStatus' | 'offerToken' | 'acceptedAt'>): boolean =>
  taskStatus === 'ASSIGNED' && offerToken !== null && acceptedAt === null;
