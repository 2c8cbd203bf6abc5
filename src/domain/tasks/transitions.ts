import { literals } from '../../db/literal.ts';
import type { TaskStatus } from '../../db/schema.ts';

/**
 * The acts on a task: in which status each is possible, and the status after it (domain.md 10, 11, 14). Every statement of `store/`
 * takes the statuses in which it changes a row from here, so that an act that is not listed here
 * does not happen, by whichever function.
 */
export const TASK_ACTIONS = [
  /** Somebody is given it, by the rules. */
  'assign',
  /** The assignee says yes to an offer. */
  'accept',
  /** Another start is agreed with the assignee. */
  'agree',
  /** It gives way to an emergency, and is released. */
  'displace',
  /** The assignee loses it, and somebody else is looked for. */
  'release',
  /** When somebody is looked for next; also when an owner approves it. */
  'schedule',
  /** Its own time follows the stay's. */
  'retime',
  /** Recurring work gives way to a stay: another time, and nobody's. */
  'reschedule',
  /** A meeting took place sooner than planned. */
  'record',
  /** A person changes its text, its time or its assignee. */
  'change',
  /** By when it must be done, and how urgent that makes it. */
  'settle',
  /** The cleaning before it on the same day does for it as well. */
  'merge',
  /** That is over: it stands on its own again. */
  'part',
  'start',
  'complete',
  'cancel',
  /** The step that made it is undone. */
  'withdraw',
  /** An arrival or a departure ends it: it has no assignee any more, and may still be reported as done. */
  'overtake',
  /** An arrival is undone: a task that it had overtaken is as it was. */
  'resume',
  /** A cancellation is undone: it is as it was. */
  'reopen',
  /** The office's work is needed again. */
  'repeat',
] as const;
export type TaskAction = (typeof TASK_ACTIONS)[number];

/** By status, the action's outcome; several where it depends on the task. */
type Transitions = Readonly<Partial<Record<TaskAction, readonly [TaskStatus, ...TaskStatus[]]>>>;

export const TASK_TRANSITIONS: Readonly<Record<TaskStatus, Transitions>> = {
  UNASSIGNED: {
    assign: ['ASSIGNED'],
    schedule: ['UNASSIGNED'],
    retime: ['UNASSIGNED'],
    reschedule: ['UNASSIGNED'],
    record: ['UNASSIGNED'],
    change: ['UNASSIGNED', 'ASSIGNED'],
    settle: ['UNASSIGNED'],
    merge: ['MERGED'],
    complete: ['COMPLETED'],
    cancel: ['CANCELLED'],
    withdraw: ['CANCELLED'],
    overtake: ['OVERTAKEN'],
    // Of a check-in that began before there was OVERTAKEN.
    resume: ['UNASSIGNED', 'ASSIGNED'],
  },
  ASSIGNED: {
    accept: ['ASSIGNED'],
    agree: ['ASSIGNED'],
    displace: ['ASSIGNED'],
    release: ['UNASSIGNED'],
    retime: ['ASSIGNED'],
    reschedule: ['UNASSIGNED'],
    change: ['ASSIGNED', 'UNASSIGNED'],
    settle: ['ASSIGNED'],
    merge: ['MERGED'],
    start: ['IN_PROGRESS'],
    complete: ['COMPLETED'],
    cancel: ['CANCELLED'],
    withdraw: ['CANCELLED'],
    overtake: ['OVERTAKEN'],
  },
  IN_PROGRESS: { complete: ['COMPLETED'], withdraw: ['CANCELLED'] },
  MERGED: { retime: ['MERGED'], part: ['UNASSIGNED'], cancel: ['CANCELLED'], withdraw: ['CANCELLED'] },
  OVERTAKEN: {
    record: ['OVERTAKEN'],
    complete: ['COMPLETED'],
    withdraw: ['CANCELLED'],
    resume: ['UNASSIGNED', 'ASSIGNED'],
  },
  COMPLETED: { repeat: ['UNASSIGNED'] },
  CANCELLED: { reopen: ['UNASSIGNED', 'ASSIGNED', 'MERGED'], repeat: ['UNASSIGNED'] },
};

const TASK_STATUSES = [
  'UNASSIGNED',
  'ASSIGNED',
  'IN_PROGRESS',
  'MERGED',
  'OVERTAKEN',
  'COMPLETED',
  'CANCELLED',
] as const satisfies readonly TaskStatus[];

/** The statuses in which a task may be acted on so. */
export const statusesFor = (action: TaskAction): readonly TaskStatus[] =>
  TASK_STATUSES.filter((status) => TASK_TRANSITIONS[status][action] !== undefined);

/** Whether a task that was read, and is locked, may be acted on so. */
export const mayBe = (status: TaskStatus, action: TaskAction): boolean =>
  TASK_TRANSITIONS[status][action] !== undefined;

/** The same as constants of a statement, for `in` (`db/literal.ts` says why they are no parameters). */
export const statusLiterals = (action: TaskAction) => literals(statusesFor(action));
