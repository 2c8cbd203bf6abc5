import type { Tx } from '../../db/client.ts';
import type { Completion } from '../../db/schema.ts';
import { formatMajor, type Money } from '../../kernel/money.ts';
import { currentLimits, isOver, type Limits } from '../approvals/limits.ts';
import { ask } from '../approvals/store.ts';
import type { Author } from '../audit/record.ts';
import { chargeOwner } from '../finance/owner-costs.ts';
import { raiseAlertOnce } from '../notifications/alerts.ts';
import { isSamePerson } from '../people/same-person.ts';
import type { WorkItem } from '../tasks/work.ts';

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
  if (!cost?.chargeOwner) return null;
  const { task, property } = work;
  const ownerId = property.owner_id;
  const limits = await currentLimits(tx);
  const reasons = await reasonsToAsk(tx, work, cost, limits, author.actor);
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
  { task }: WorkItem,
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
  if (task.approval !== 'APPROVED') return [...reasons, 'the owner was not asked'];
  // The owner's yes that somebody has recorded who now charges it is that person's own word.
  const said = await tx
    .selectFrom('repair_approval')
    .select('decided_by')
    .where('task_id', '=', task.id)
    .executeTakeFirst();
  const workers = [actor, ...(task.assignee_id === null ? [] : [task.assignee_id])];
  const sayer = said?.decided_by ?? null;
  const alone = sayer !== null && (await isSamePerson(tx, sayer, workers));
  return alone ? [...reasons, 'by one person alone'] : reasons;
}

const words = ({ amountMinor, currency }: Money): string => `${currency} ${formatMajor({ amountMinor, currency })}`;
