import type { Tx } from '../../db/client.ts';
import { RoomyError } from '../../kernel/errors.ts';
import { type Origin, recordAudit } from '../audit/record.ts';
import { repairDecidedMessage } from '../messages/catalogue/maintenance-alert.ts';
import { enqueueInTransaction } from '../notifications/enqueue.ts';
import { type Decider, type Decision, findRepair, type Repair, recordDecision } from './approvals.ts';
import { inspectInstead } from './follow-ups.ts';
import { approveTask } from './store/assign.ts';
import { declineTask } from './store/finish.ts';

/** An owner's decision about a repair, and its consequences for the task. */

interface DecisionMade extends Origin {
  readonly decision: Decision;
  readonly note: string | null;
  /** Null: the owner, by the address that only the owner has. */
  readonly by: string | null;
}

/**
 * Once: the same answer again changes nothing, another one is refused with `INVALID_STATE_TRANSITION`, as is an answer
 * about a task that is over. A yes lets somebody be looked for at once; a no cancels the task. Operations get a message.
 * Throws `TASK_NOT_FOUND`.
 */
export async function decideRepair(tx: Tx, decider: Decider, made: DecisionMade): Promise<Repair> {
  const { taskId, ownerId } = await findRepair(tx, decider);
  const { decision, note, by, ...origin } = made;
  const actor = by ?? ownerId;
  const task = await tx
    .selectFrom('task')
    .select(['status', 'approval', 'version'])
    .where('id', '=', taskId)
    .forUpdate()
    .executeTakeFirstOrThrow();
  // The question may have gone to another owner while this answer waited for the task.
  await findRepair(tx, decider);
  if (task.approval === decision) return findRepair(tx, decider);
  if (task.approval !== 'PENDING' || task.status !== 'UNASSIGNED') {
    const currentStatus = task.approval === 'PENDING' ? task.status : (task.approval ?? task.status);
    throw new RoomyError('INVALID_STATE_TRANSITION', { details: { currentStatus, action: decision } });
  }
  const isYes = decision === 'APPROVED';
  await (isYes ? approveTask : declineTask)(tx, taskId, task.version + 1);
  await recordDecision(tx, taskId, actor, note);
  if (!isYes) await inspectInstead(tx, taskId);
  const about = { sagaId: null, reservationId: null };
  // An owner who is asked anew decides again.
  await enqueueInTransaction(tx, `${taskId}-decided-${task.version}`, [repairDecidedMessage(taskId, decision)], about);
  await recordAudit(tx, {
    streamId: `task:${taskId}`,
    event: isYes ? 'REPAIR_APPROVED' : 'REPAIR_DECLINED',
    actor,
    ...origin,
    body: { outcome: 'success', details: { id: taskId, ownerId, version: task.version + 1 } },
  });
  return findRepair(tx, decider);
}
