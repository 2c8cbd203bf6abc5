import { sql } from 'kysely';
import type { Db, Tx } from '../../db/client.ts';
import { literal } from '../../db/literal.ts';
import type { RepairApproval } from '../../db/schema.ts';
import { RoomyError } from '../../kernel/errors.ts';
import { newId, newSecret } from '../../kernel/ids.ts';
import type { LinkName } from '../../kernel/link-seal.ts';
import type { Money } from '../../kernel/money.ts';
import { repairApprovalMessage } from '../messages/catalogue/maintenance-required.ts';
import { enqueueInTransaction } from '../notifications/enqueue.ts';
import { isInForce } from '../people/standing.ts';

/** Repairs that cost more than a property's limit wait for its owner's word. */

export interface RepairLimit {
  readonly repair_limit_minor: number | null;
  readonly repair_limit_currency: string | null;
}

/** An estimate in another currency cannot be compared, so somebody is asked. */
export function needsApproval(limit: RepairLimit, estimate: Money | null): boolean {
  const { repair_limit_minor: limitMinor, repair_limit_currency: currency } = limit;
  if (estimate === null || limitMinor === null) return false;
  return estimate.currency !== currency || estimate.amountMinor > limitMinor;
}

/** In the transaction that makes the task, which nobody is given before the owner has said yes. */
export async function askOwner(tx: Tx, taskId: string, ownerId: string): Promise<void> {
  await tx
    .insertInto('repair_approval')
    .columns(['task_id', 'owner_id', 'token', ...ASKED])
    .expression(
      tx
        .selectFrom('task')
        .select(['id', sql.val(ownerId).as('owner_id'), sql.val(newSecret()).as('token'), ...ASKED])
        .where('id', '=', taskId),
    )
    .onConflict((conflict) => conflict.column('task_id').doNothing())
    .execute();
  const about = { sagaId: null, reservationId: null };
  await enqueueInTransaction(tx, `${taskId}-approval`, [repairApprovalMessage(ownerId, taskId)], about);
}

/**
 * Asks about a task that is another one now, in the transaction that makes it so, or asks the owner who pays now: what was asked
 * before ends, with its answer and its link.
 */
export async function askAnew(tx: Tx, taskId: string, ownerId: string): Promise<void> {
  await tx
    .updateTable('repair_approval as a')
    .from('task as t')
    .set({
      owner_id: ownerId,
      token: newSecret(),
      link_before: null,
      decided_at: null,
      decided_by: null,
      note: null,
      property_id: sql.ref('t.property_id'),
      title: sql.ref('t.title'),
      description: sql.ref('t.description'),
      estimate_minor: sql.ref('t.estimate_minor'),
      estimate_currency: sql.ref('t.estimate_currency'),
    })
    .whereRef('t.id', '=', 'a.task_id')
    .where('t.id', '=', taskId)
    .execute();
  const messages = [repairApprovalMessage(ownerId, taskId)];
  await enqueueInTransaction(tx, newId(`${taskId}-approval`), messages, { sagaId: null, reservationId: null });
}

/** What the owner is asked, of the task and of the question. */
const ASKED = ['property_id', 'title', 'description', 'estimate_minor', 'estimate_currency'] as const;

/** The owner's yes, if it is what this owner has said to the task as it is now, and who has recorded it. */
export const ownersYes = (tx: Tx, taskId: string, ownerId: string) =>
  tx
    .selectFrom('repair_approval as a')
    .innerJoin('task as t', 't.id', 'a.task_id')
    .select('a.decided_by')
    .where('t.id', '=', taskId)
    .where('t.approval', '=', literal('APPROVED'))
    .where('a.owner_id', '=', ownerId)
    .where(sql<boolean>`(${columnsOf('a')}) IS NOT DISTINCT FROM (${columnsOf('t')})`)
    .executeTakeFirst();
const columnsOf = (table: string) => sql.join(ASKED.map((name) => sql.ref(`${table}.${name}`)));

/** The owner who pays is asked: when a property is sold, an open question goes to the new owner and the old link ends. */
export async function moveQuestions(tx: Tx, propertyId: string, ownerId: string): Promise<void> {
  const open = await tx
    .selectFrom('task as t')
    .innerJoin('repair_approval as a', 'a.task_id', 't.id')
    .select('t.id')
    .where('t.property_id', '=', propertyId)
    .where('t.approval', '=', 'PENDING')
    .where('a.owner_id', '<>', ownerId)
    .orderBy('t.id')
    .forUpdate('t')
    .execute();
  for (const { id } of open) await askAnew(tx, id, ownerId);
}

/** The links of open questions to this owner end; an owner who may still answer does so signed in. */
export const endQuestionLinks = (tx: Tx, ownerId: string) =>
  tx
    .updateTable('repair_approval')
    .set({
      token: sql<string>`left(replace(gen_random_uuid()::text || gen_random_uuid()::text, '-', ''), 43)`,
      link_before: null,
    })
    .where('owner_id', '=', ownerId)
    .where('decided_at', 'is', null)
    .execute();

/** Records the owner's decision and who made it; the task follows it in `decide-repair.ts`. */
export const recordDecision = (tx: Tx, taskId: string, decidedBy: string, note: string | null) =>
  tx
    .updateTable('repair_approval')
    .set({ decided_at: sql<Date>`now()`, decided_by: decidedBy, note })
    .where('task_id', '=', taskId)
    .execute();

export type Decision = 'APPROVED' | 'DECLINED';
/** Whose decisions are taken: anybody's who has the address, an owner's own, an agent's for a portfolio, or all. */
export type Decider =
  | { readonly kind: 'LINK'; readonly link: LinkName }
  | { readonly kind: 'OWNER'; readonly taskId: string; readonly ownerId: string }
  | { readonly kind: 'PORTFOLIO'; readonly taskId: string; readonly agentId: string }
  | { readonly kind: 'ALL'; readonly taskId: string };

export interface Repair {
  readonly taskId: string;
  readonly ownerId: string;
  readonly ownerLocale: string | null;
  readonly title: string;
  readonly description: string | null;
  readonly propertyName: string;
  readonly estimate: Money | null;
  readonly taskStatus: string;
  readonly approval: RepairApproval;
}

/** Throws `TASK_NOT_FOUND` for what is absent, foreign, or needs nobody's word. */
export async function findRepair(db: Db | Tx, decider: Decider): Promise<Repair> {
  const row = await db
    .selectFrom('repair_approval as a')
    .innerJoin('task as t', 't.id', 'a.task_id')
    .innerJoin('property as p', 'p.id', 't.property_id')
    .innerJoin('owner as o', 'o.id', 'a.owner_id')
    .select(['a.task_id', 'a.owner_id', 'a.description', 't.status', 't.approval', 'p.name', 'o.locale'])
    .select((eb) => eb.fn.coalesce('a.title', 't.title').as('title'))
    .select(['a.estimate_minor', 'a.estimate_currency'])
    .where(within(decider))
    .executeTakeFirst();
  if (!row || row.approval === null) throw new RoomyError('TASK_NOT_FOUND');
  return {
    taskId: row.task_id,
    ownerId: row.owner_id,
    ownerLocale: row.locale,
    title: row.title,
    description: row.description,
    propertyName: row.name,
    estimate:
      row.estimate_minor === null || row.estimate_currency === null
        ? null
        : { amountMinor: row.estimate_minor, currency: row.estimate_currency },
    taskStatus: row.status,
    approval: row.approval,
  };
}

/** A repair that waits for its owner, with the name of the link by which it is answered. */
export interface OpenQuestion {
  readonly token: string;
  readonly title: string;
  readonly propertyName: string;
  readonly estimate: Money | null;
}
const MAX_QUESTIONS = 100;

/** What waits for an owner's word, the oldest first. */
export async function openQuestions(db: Db, ownerId: string): Promise<readonly OpenQuestion[]> {
  const rows = await db
    .selectFrom('repair_approval as a')
    .innerJoin('task as t', 't.id', 'a.task_id')
    .innerJoin('property as p', 'p.id', 't.property_id')
    .select((eb) => eb.fn.coalesce('a.title', 't.title').as('title'))
    .select(['a.token', 'p.name', 'a.estimate_minor', 'a.estimate_currency'])
    .where('a.owner_id', '=', ownerId)
    .where('t.approval', '=', literal('PENDING'))
    .where('t.status', '=', literal('UNASSIGNED'))
    .orderBy('t.created_at')
    .orderBy('t.id')
    .limit(MAX_QUESTIONS)
    .execute();
  return rows.map(({ token, title, name, estimate_minor: amountMinor, estimate_currency: currency }) => ({
    token,
    title,
    propertyName: name,
    estimate: amountMinor === null || currency === null ? null : { amountMinor, currency },
  }));
}

const isNamed = (link: LinkName) =>
  'name' in link ? sql`a.token = ${link.name}` : sql`a.link_before = ${link.digest}`;

function within(decider: Decider) {
  switch (decider.kind) {
    case 'LINK':
      return sql<boolean>`${isNamed(decider.link)} AND ${isInForce(sql`a.owner_id`)}`;
    case 'OWNER':
      return sql<boolean>`t.id = ${decider.taskId} AND a.owner_id = ${decider.ownerId}`;
    case 'PORTFOLIO':
      return sql<boolean>`t.id = ${decider.taskId} AND ${decider.agentId}::text = ANY(p.agent_ids)`;
    case 'ALL':
      return sql<boolean>`t.id = ${decider.taskId}`;
  }
}
