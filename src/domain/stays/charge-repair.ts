import type { Tx } from '../../db/client.ts';
import type { Completion } from '../../db/schema.ts';
import { RoomyError } from '../../kernel/errors.ts';
import { formatMajor, type Money } from '../../kernel/money.ts';
import { currentLimits, isOver, type Limits } from '../approvals/limits.ts';
import { answersAbout, ask } from '../approvals/store.ts';
import { type Author, recordAudit } from '../audit/record.ts';
import { chargeOwner, isCharged } from '../finance/owner-costs.ts';
import { chargedMessage } from '../messages/catalogue/maintenance-done.ts';
import { raiseAlertOnce } from '../notifications/alerts.ts';
import { enqueueInTransaction } from '../notifications/enqueue.ts';
import { isSamePerson } from '../people/same-person.ts';
import { ownersYes } from '../tasks/approvals.ts';
import { lockWork, type WorkItem } from '../tasks/work.ts';

/**
 * What a repair has cost, as the owner's debt. Nobody charges an owner alone: the owner has said yes to an estimate that the cost
 * keeps to, or a second person is asked, and what that person approves is what is charged (domain.md 14).
 */

export type ChargedRepair =
  | { readonly action: 'OWNER_CHARGED'; readonly subjectId: string }
  | { readonly action: 'CHARGE_NEEDS_APPROVAL'; readonly subjectId: string };

/** Null: the owner is not to be charged. */
export async function chargeRepair(
  tx: Tx,
  work: WorkItem & { readonly completion: Completion },
  author: Author,
): Promise<ChargedRepair | null> {
  const { cost } = work.completion;
  return cost?.chargeOwner ? charge(tx, work, cost, author) : null;
}

/**
 * Charges what a repair has cost after it was completed, by the same rules: where nothing was charged, or the question about it was
 * answered no or by nobody. What a second person has refused, one person alone does not charge. Throws `TASK_NOT_FOUND` and
 * `INVALID_STATE_TRANSITION` (it is no completed repair, it is charged, or its question is open).
 */
export async function chargeCompleted(tx: Tx, taskId: string, cost: Money, author: Author): Promise<ChargedRepair> {
  const work = await lockWork(tx, taskId, { kind: 'ALL' });
  const { task } = work;
  const isRepair = task.type === 'MAINTENANCE' || task.type === 'EMERGENCY';
  if (!isRepair || task.status !== 'COMPLETED') throw notChargeable(isRepair ? task.status : task.type);
  const answers = (await answersAbout(tx, taskId, 'OWNER_CHARGE')).map(({ status }) => status);
  if (answers.includes('PENDING')) throw notChargeable('PENDING');
  if (await isCharged(tx, taskId)) throw notChargeable('CHARGED');
  const charged = await charge(tx, work, cost, author, answers.includes('DECLINED') ? ['refused before'] : []);
  if (charged.action === 'OWNER_CHARGED') {
    const about = { sagaId: null, reservationId: task.reservation_id };
    await enqueueInTransaction(tx, `${taskId}-charged`, [chargedMessage(work.property.owner_id, taskId)], about);
  }
  await recordAudit(tx, {
    streamId: `task:${taskId}`,
    event: 'TASK_COST_CHARGED',
    ...author,
    reservationId: task.reservation_id,
    body: { outcome: 'success', details: { id: taskId, ...charged, ...cost } },
  });
  return charged;
}

const notChargeable = (currentStatus: string): RoomyError =>
  new RoomyError('INVALID_STATE_TRANSITION', { details: { currentStatus, action: 'charge' } });

async function charge(
  tx: Tx,
  work: WorkItem,
  cost: Money,
  author: Author,
  besides: readonly string[] = [],
): Promise<ChargedRepair> {
  const { task, property } = work;
  const ownerId = property.owner_id;
  const limits = await currentLimits(tx);
  const reasons = [...besides, ...(await reasonsToAsk(tx, work, cost, limits, author.actor))];
  const asked = `Charge ${words(cost)} to owner ${ownerId} for "${task.title}" at property ${property.id}, task ${task.id}`;
  if (reasons.length === 0) {
    const order = { ownerId, taskId: task.id, propertyId: property.id, text: asked, postedBy: author.actor };
    return { action: 'OWNER_CHARGED', subjectId: await chargeOwner(tx, cost, order) };
  }
  const barred = [task.assignee_id, task.completed_by]
    .flatMap((one) => one ?? [])
    .filter((one) => one !== author.actor);
  const question = {
    kind: 'OWNER_CHARGE',
    subject: { type: 'task', id: task.id },
    reservationId: task.reservation_id,
    propertyId: property.id,
    ownerId,
    asked: `${asked}: ${reasons.join(', ')}`,
    money: { amountMinor: cost.amountMinor, currency: cost.currency },
    barred: [...new Set(barred)],
    expiresHours: limits.expiresHours,
  } as const;
  const id = await ask(tx, question, author);
  const alert = {
    about: 'approval',
    id,
    source: 'OWNER_CHARGE',
    step: 'OWNER_CHARGE',
    code: 'APPROVAL_REQUIRED',
  } as const;
  await raiseAlertOnce(tx, { ...alert, group: id });
  return { action: 'CHARGE_NEEDS_APPROVAL', subjectId: id };
}

/** Why a second person is asked, in the order in which people look for it; none: the cost is charged at once. */
async function reasonsToAsk(
  tx: Tx,
  { task, property }: WorkItem,
  cost: Money,
  limits: Limits,
  actor: string,
): Promise<readonly string[]> {
  const { estimate_minor: estimateMinor, estimate_currency: estimateCurrency } = task;
  const reasons: string[] = [];
  if (isOver(limits.chargeMinor, cost.amountMinor, cost.currency)) reasons.push('above the limit');
  if (estimateMinor === null || estimateCurrency !== cost.currency) reasons.push('without an estimate');
  else if (cost.amountMinor * 100 > estimateMinor * (100 + limits.overEstimatePercent))
    reasons.push(`above the estimate of ${words({ amountMinor: estimateMinor, currency: estimateCurrency })}`);
  const said = await ownersYes(tx, task.id, property.owner_id);
  if (!said) return [...reasons, 'the owner was not asked'];
  // The owner's yes that somebody has recorded who now charges it is that person's own word.
  const workers = [actor, ...(task.assignee_id === null ? [] : [task.assignee_id])];
  const alone = said.decided_by !== null && (await isSamePerson(tx, said.decided_by, workers));
  return alone ? [...reasons, 'by one person alone'] : reasons;
}

const words = ({ amountMinor, currency }: Money): string => `${currency} ${formatMajor({ amountMinor, currency })}`;
