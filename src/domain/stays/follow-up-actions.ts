import type { Tx } from '../../db/client.ts';
import { literal, literals } from '../../db/literal.ts';
import type { Completion, Readiness } from '../../db/schema.ts';
import type { Author } from '../audit/record.ts';
import { checkInPromptMessages } from '../messages/catalogue/check-in-prompt.ts';
import { checkOutPromptMessages } from '../messages/catalogue/check-out-prompt.ts';
import { maintenanceAlertMessages } from '../messages/catalogue/maintenance-alert.ts';
import { maintenanceDoneMessage } from '../messages/catalogue/maintenance-done.ts';
import { maintenanceRequiredMessage } from '../messages/catalogue/maintenance-required.ts';
import { inspectionResultMessage } from '../messages/catalogue/property-inspection.ts';
import { propertyReadyMessages } from '../messages/catalogue/property-ready.ts';
import { taskCompletedMessages } from '../messages/catalogue/task-completed.ts';
import { enqueueInTransaction } from '../notifications/enqueue.ts';
import { setReadiness } from '../properties/store.ts';
import { releaseBlock } from '../reservations/store.ts';
import { needsApproval } from '../tasks/approvals.ts';
import { ensureCleaningAfter, ensureFollowUp, ensureInspection, ensureInspectionAgain } from '../tasks/follow-ups.ts';
import { lookForCleanerNow } from '../tasks/store/assign.ts';
import type { WorkItem } from '../tasks/work.ts';
import { chargeRepair } from './charge-repair.ts';

/** The follow-up actions of a completed task, `nextActions` in its answer (domain.md 14): each once, in the commit of the completion. */
export type ActionName =
  | 'PROPERTY_CLEAN'
  | 'PROPERTY_INSPECTED'
  | 'PROPERTY_OUT_OF_ORDER'
  | 'PROPERTY_BACK_IN_ORDER'
  | 'INSPECTION_CREATED'
  | 'CLEANING_CREATED'
  | 'STAFF_TOLD_PROPERTY_READY'
  | 'CHECK_IN_STARTED'
  | 'CHECK_IN_PROMPTED'
  | 'CHECK_OUT_STARTED'
  | 'CHECK_OUT_PROMPTED'
  | 'CLEANING_UNLOCKED'
  | 'MERGED_CLEANING_SATISFIED'
  | 'MAINTENANCE_CREATED'
  | 'OWNER_TOLD'
  | 'STAFF_ALERTED'
  | 'DEPOSIT_HOLD_KEPT'
  | 'CALENDAR_UNBLOCKED'
  | 'OWNER_ASKED'
  | 'OWNER_CHARGED'
  | 'CHARGE_NEEDS_APPROVAL'
  | 'SUPERVISOR_TOLD';
export interface NextAction {
  readonly action: ActionName;
  /** Of the task, property, saga or person that it was done to. */
  readonly subjectId: string;
}

/** Starts a saga in the same transaction; null when another one is at work on the stay. */
export type StartVisit = (
  tx: Tx,
  saga: 'checkIn' | 'checkOut',
  visit: { readonly reservationId: string; readonly actualTime: string; readonly key: string },
) => Promise<string | null>;

export interface Completed extends WorkItem {
  readonly completion: Completion;
  readonly completedAt: Date;
  readonly startVisit: StartVisit;
  /** Who completed it. */
  readonly author: Author;
}

/** Does the follow-up actions of a task whose row is COMPLETED, records them in `task_action`, and answers them in their order. */
export async function followUp(tx: Tx, done: Completed): Promise<readonly NextAction[]> {
  const actions = [...(await ownActions(tx, done)), ...(await notifySupervisor(tx, done))];
  if (actions.length > 0) {
    await tx
      .insertInto('task_action')
      .values(actions.map(({ action, subjectId }) => ({ task_id: done.task.id, action, subject_id: subjectId })))
      .execute();
  }
  return actions;
}

async function ownActions(tx: Tx, done: Completed): Promise<readonly NextAction[]> {
  const { type, occurrence } = done.task;
  switch (type) {
    case 'CLEANING':
      return [
        // First: a severe finding keeps the property from being called ready.
        ...(await findingsReported(tx, done)),
        ...(await propertyCleaned(tx, done)),
        ...(occurrence === 'POST_DEPARTURE' ? await mergedSatisfied(tx, done) : []),
      ];
    case 'CHECK_IN':
      return [...(await visit(tx, done, 'checkIn')), ...(await findingsReported(tx, done))];
    case 'CHECK_OUT':
      return [
        ...(await visit(tx, done, 'checkOut')),
        ...(await unlockCleaning(tx, done)),
        ...(await findingsReported(tx, done)),
      ];
    case 'INSPECTION':
      return [...(await findingsReported(tx, done)), ...(await inspected(tx, done))];
    case 'MAINTENANCE':
    case 'EMERGENCY':
      return [...(await findingsReported(tx, done)), ...(await repaired(tx, done))];
    case 'FINANCE':
      return [];
  }
}

const isSevere = ({ completion }: Completed): boolean =>
  (completion.findings ?? []).some(({ severity }) => severity === 'SEVERE');
const keyOf = ({ task }: WorkItem, action: string): string => `${task.id}-${action}`;
const about = ({ task }: WorkItem) => ({ sagaId: null, reservationId: task.reservation_id });
/** The recipients of messages about a property: the agents of its portfolio, else operations. */
const agentsOf = ({ property }: WorkItem): readonly string[] => property.agent_ids;

async function propertyCleaned(tx: Tx, done: Completed): Promise<readonly NextAction[]> {
  const { property, task } = done;
  if (isOvertaken(done)) return [];
  const actions: NextAction[] = [];
  if (await setReadiness(tx, property.id, 'CLEAN')) actions.push({ action: 'PROPERTY_CLEAN', subjectId: property.id });
  if (property.inspection_required) {
    const inspectionId = await ensureInspection(tx, done);
    return inspectionId === null ? actions : [...actions, { action: 'INSPECTION_CREATED', subjectId: inspectionId }];
  }
  if (property.readiness === 'OUT_OF_ORDER' || isSevere(done)) return actions;
  const meeting = await tx
    .selectFrom('task as meeting')
    .innerJoin('reservation as stay', 'stay.id', 'meeting.reservation_id')
    .where('stay.status', '=', literal('CONFIRMED'))
    .select(['meeting.id', 'meeting.assignee_id'])
    .where('meeting.reservation_id', 'in', nextStays(tx, task))
    .where('meeting.occurrence', '=', 'ARRIVAL')
    .where('meeting.status', 'in', literals(['UNASSIGNED', 'ASSIGNED']))
    .executeTakeFirst();
  if (!meeting) return actions;
  const messages = propertyReadyMessages(meeting.assignee_id, meeting.id);
  await enqueueInTransaction(tx, keyOf(done, 'ready'), messages, about(done));
  return [...actions, { action: 'STAFF_TOLD_PROPERTY_READY', subjectId: meeting.assignee_id ?? 'ops' }];
}

/** The guest for whom it was cleaned has moved in since, or left: the completion says nothing about the state of the rooms now. */
const isOvertaken = ({ task, reservationStatus }: Completed): boolean =>
  task.occurrence === 'PRE_ARRIVAL' &&
  (reservationStatus === 'CHECKED_OUT' || (reservationStatus === 'CHECKED_IN' && task.started_at === null));

/** Whose arrival a cleaning was for: its own stay's, or that of the stay whose cleaning was merged into it. */
const nextStays = (tx: Tx, task: Completed['task']) =>
  tx
    .selectFrom('task as cleaning')
    .select('cleaning.reservation_id')
    .where('cleaning.occurrence', '=', 'PRE_ARRIVAL')
    .where((eb) => eb.or([eb('cleaning.id', '=', task.id), eb('cleaning.merged_into_task_id', '=', task.id)]));

async function mergedSatisfied(tx: Tx, { task }: Completed): Promise<readonly NextAction[]> {
  const rows = await tx
    .selectFrom('task')
    .select('id')
    .where('merged_into_task_id', '=', task.id)
    .orderBy('id')
    .execute();
  return rows.map(({ id }) => ({ action: 'MERGED_CLEANING_SATISFIED', subjectId: id }));
}

async function visit(tx: Tx, done: Completed, saga: 'checkIn' | 'checkOut'): Promise<readonly NextAction[]> {
  const { task, property, reservationStatus, completedAt } = done;
  const due = saga === 'checkIn' ? 'CONFIRMED' : 'CHECKED_IN';
  if (task.reservation_id === null || reservationStatus !== due) return [];
  const isAutomatic = saga === 'checkIn' ? property.auto_check_in : property.auto_check_out;
  const started = isAutomatic
    ? await done.startVisit(tx, saga, {
        reservationId: task.reservation_id,
        actualTime: completedAt.toISOString(),
        key: keyOf(done, saga),
      })
    : null;
  if (started !== null) {
    return [{ action: saga === 'checkIn' ? 'CHECK_IN_STARTED' : 'CHECK_OUT_STARTED', subjectId: started }];
  }
  const messages = (saga === 'checkIn' ? checkInPromptMessages : checkOutPromptMessages)(agentsOf(done), task.id);
  await enqueueInTransaction(tx, keyOf(done, 'prompt'), messages, about(done));
  return [{ action: saga === 'checkIn' ? 'CHECK_IN_PROMPTED' : 'CHECK_OUT_PROMPTED', subjectId: task.reservation_id }];
}

/** A cleaner may be looked for now; one who has the task already may begin. */
async function unlockCleaning(tx: Tx, { task }: Completed): Promise<readonly NextAction[]> {
  if (task.reservation_id === null) return [];
  await lookForCleanerNow(tx, task.reservation_id);
  const rows = await tx
    .selectFrom('task')
    .select('id')
    .where('reservation_id', '=', task.reservation_id)
    .where('occurrence', '=', 'POST_DEPARTURE')
    .where('status', 'in', literals(['UNASSIGNED', 'ASSIGNED']))
    .execute();
  return rows.map(({ id }) => ({ action: 'CLEANING_UNLOCKED', subjectId: id }));
}

/** Damage and other findings: a task for each, messages to the owner and the staff, and the deposit is kept. */
async function findingsReported(tx: Tx, done: Completed): Promise<readonly NextAction[]> {
  const findings = done.completion.findings ?? [];
  if (findings.length === 0) return [];
  const { property, task } = done;
  const actions: NextAction[] = [];
  let isBegun = false;
  for (const [n, finding] of findings.entries()) {
    const subjectId = await ensureFollowUp(tx, done, n, finding);
    actions.push({ action: 'MAINTENANCE_CREATED', subjectId });
    const isAsked = needsApproval(property, finding.estimate ?? null);
    if (isAsked) actions.push({ action: 'OWNER_ASKED', subjectId });
    isBegun ||= !isAsked;
  }
  if (isSevere(done) && (await setReadiness(tx, property.id, 'OUT_OF_ORDER'))) {
    actions.push({ action: 'PROPERTY_OUT_OF_ORDER', subjectId: property.id });
  }
  // An owner who is asked about all of the repairs gets no message that they have begun.
  const toOwner = isBegun ? [maintenanceRequiredMessage(property.owner_id, task.id)] : [];
  const messages = [...toOwner, ...maintenanceAlertMessages(task.id)];
  await enqueueInTransaction(tx, keyOf(done, 'findings'), messages, about(done));
  if (isBegun) actions.push({ action: 'OWNER_TOLD', subjectId: property.owner_id });
  actions.push({ action: 'STAFF_ALERTED', subjectId: 'ops' });
  if (task.reservation_id !== null && task.occurrence === 'POST_DEPARTURE') {
    actions.push({ action: 'DEPOSIT_HOLD_KEPT', subjectId: task.reservation_id });
  }
  return actions;
}

async function inspected(tx: Tx, done: Completed): Promise<readonly NextAction[]> {
  const { property, completion, task } = done;
  const result = inspectionResultMessage(property.owner_id, task.id, completion.outcome ?? 'PASSED');
  await enqueueInTransaction(tx, keyOf(done, 'inspected'), [result], about(done));
  if (completion.outcome !== 'PASSED' || property.readiness === 'DIRTY' || property.readiness === 'CLEANING') return [];
  // Somebody has looked, and all is well: it is out of order no longer, unless a repair is still to come.
  const endsOutOfOrder = property.readiness === 'OUT_OF_ORDER' && !(await hasOtherRepairs(tx, done));
  return (await setReadiness(tx, property.id, 'INSPECTED', { endsOutOfOrder }))
    ? [{ action: 'PROPERTY_INSPECTED', subjectId: property.id }]
    : [];
}

async function repaired(tx: Tx, done: Completed): Promise<readonly NextAction[]> {
  const { task, property, completion } = done;
  const actions: NextAction[] = [];
  if (task.block_id !== null && (await releaseBlock(tx, task.block_id))) {
    actions.push({ action: 'CALENDAR_UNBLOCKED', subjectId: task.block_id });
  }
  if (property.readiness === 'OUT_OF_ORDER' && keepsOutOfOrder(task) && !(await hasOtherRepairs(tx, done))) {
    // Rooms in which somebody has repaired something are cleaned again.
    await setReadiness(tx, property.id, 'DIRTY', { endsOutOfOrder: true });
    actions.push({ action: 'PROPERTY_BACK_IN_ORDER', subjectId: property.id });
    const cleaningId = await ensureCleaningAfter(tx, done);
    if (cleaningId !== null) actions.push({ action: 'CLEANING_CREATED', subjectId: cleaningId });
  } else if (property.inspection_required && isClean(property.readiness)) {
    // Where it is to be cleaned first, the cleaning asks for the inspection.
    const inspectionId = await ensureInspectionAgain(tx, done);
    if (inspectionId !== null) actions.push({ action: 'INSPECTION_CREATED', subjectId: inspectionId });
  }
  const charged = await chargeRepair(tx, done, done.author);
  if (charged) actions.push(charged);
  if ((completion.findings ?? []).length > 0) return actions;
  await enqueueInTransaction(
    tx,
    keyOf(done, 'repaired'),
    [maintenanceDoneMessage(property.owner_id, task.id, charged?.action === 'CHARGE_NEEDS_APPROVAL')],
    about(done),
  );
  return [...actions, { action: 'OWNER_TOLD', subjectId: property.owner_id }];
}

const isClean = (readiness: Readiness): boolean => readiness === 'CLEAN' || readiness === 'INSPECTED';

/** Routine work has not put the property out of order, and does not end that either. */
const keepsOutOfOrder = ({ type, priority, block_id }: Completed['task']): boolean =>
  type === 'EMERGENCY' || priority === 'URGENT' || block_id !== null;

async function hasOtherRepairs(tx: Tx, { task, property }: Completed): Promise<boolean> {
  const other = await tx
    .selectFrom('task')
    .select('id')
    .where('property_id', '=', property.id)
    .where('id', '<>', task.id)
    .where('status', 'in', literals(['UNASSIGNED', 'ASSIGNED', 'IN_PROGRESS']))
    .where((eb) =>
      eb.or([
        eb('type', '=', literal('EMERGENCY')),
        eb.and([
          eb('type', '=', literal('MAINTENANCE')),
          eb.or([eb('priority', '=', 'URGENT'), eb('block_id', 'is not', null)]),
        ]),
      ]),
    )
    .limit(1)
    .executeTakeFirst();
  return other !== undefined;
}

async function notifySupervisor(tx: Tx, done: Completed): Promise<readonly NextAction[]> {
  const supervisors = agentsOf(done);
  const messages = taskCompletedMessages(supervisors, done.task.id);
  await enqueueInTransaction(tx, keyOf(done, 'completed'), messages, about(done));
  return messages.map(({ recipientId }) => ({ action: 'SUPERVISOR_TOLD', subjectId: recipientId }));
}
