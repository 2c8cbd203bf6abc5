import { type Selectable, sql } from 'kysely';
import type { Db, Tx } from '../../db/client.ts';
import { literal, literals } from '../../db/literal.ts';
import type { ApprovalKind, ApprovalStatus, ApprovalTable } from '../../db/schema.ts';
import { RoomyError } from '../../kernel/errors.ts';
import { newId } from '../../kernel/ids.ts';
import type { Money } from '../../kernel/money.ts';
import { type Author, recordAudit } from '../audit/record.ts';
import { isNotSetAside } from '../sweeps/failures.ts';
import { tellAsker } from './tell-asker.ts';

/**
 * Questions to a second person, and their answers. A question is written in the transaction that comes to wait for its answer; it
 * is decided once, and what was asked never changes.
 */

export interface Question {
  /** Default: a new one. */
  readonly id?: string;
  readonly kind: ApprovalKind;
  /** What waits: a saga, the cost of a task, or the account of an owner. */
  readonly subject: { readonly type: 'saga' | 'task' | 'owner'; readonly id: string };
  readonly reservationId: string | null;
  readonly propertyId: string | null;
  readonly ownerId: string | null;
  /** One sentence, in English: ids, amounts, and for a charge what was repaired. */
  readonly asked: string;
  /** Null: it is not about an amount. */
  readonly money: Money | null;
  /** Those who may not decide, beside the one who asks: they did the work that is charged. */
  readonly barred: readonly string[];
  readonly expiresHours: number;
}
export type ApprovalRow = Selectable<ApprovalTable>;

/** As the column holds it. */
const MAX_ASKED = 1_000;

/** Asks; a question about the same that is open is withdrawn. Answers the id. */
export async function ask(tx: Tx, question: Question, author: Author): Promise<string> {
  const { kind, subject, money } = question;
  await withdraw(tx, { subject, kind }, author);
  const id = question.id ?? newId('approval');
  await tx
    .insertInto('approval')
    .values({
      id,
      kind,
      subject_type: subject.type,
      subject_id: subject.id,
      saga_id: subject.type === 'saga' ? subject.id : null,
      reservation_id: question.reservationId,
      property_id: question.propertyId,
      owner_id: question.ownerId,
      asked: question.asked.slice(0, MAX_ASKED),
      amount_minor: money?.amountMinor ?? null,
      currency: money?.currency ?? null,
      asked_by: author.actor,
      barred: [...question.barred],
      expires_at: sql<Date>`now() + ${question.expiresHours}::int * interval '1 hour'`,
    })
    .execute();
  const { reservationId } = question;
  const event = 'APPROVAL_ASKED';
  await recordApproval(tx, author, { id, kind, event, sagaId: sagaOf(subject), reservationId, money });
  return id;
}

/** The question, locked until the end of the transaction. Throws `NOT_FOUND`. */
export async function lockApproval(tx: Tx, id: string): Promise<ApprovalRow & { readonly is_over: boolean }> {
  const row = await tx
    .selectFrom('approval')
    .selectAll()
    .select(sql<boolean>`expires_at <= now()`.as('is_over'))
    .where('id', '=', id)
    .forUpdate()
    .executeTakeFirst();
  if (!row) throw approvalNotFound();
  return row;
}

/** The refusal of an approval that there is not. */
export const approvalNotFound = (): RoomyError => new RoomyError('NOT_FOUND', { text: 'Approval not found' });

export interface Settlement {
  readonly status: Exclude<ApprovalStatus, 'PENDING'>;
  readonly reason: string | null;
}

/** Ends an open question, which is locked, in any of its ways: the asker is told of each. */
export async function settleApproval(
  tx: Tx,
  { id, kind, saga_id, reservation_id }: ApprovalRow,
  { status, reason }: Settlement,
  author: Author,
): Promise<ApprovalRow> {
  const row = await tx
    .updateTable('approval')
    .set({
      status,
      reason,
      decided_by: author.actor,
      decided_at: sql<Date>`now()`,
      version: sql<number>`version + 1`,
    })
    .where('id', '=', id)
    .where('status', '=', literal('PENDING'))
    .returningAll()
    .executeTakeFirstOrThrow();
  await recordApproval(tx, author, {
    id,
    kind,
    event: `APPROVAL_${status}`,
    sagaId: saga_id,
    reservationId: reservation_id,
  });
  await tellAsker(tx, row);
  return row;
}

interface About {
  readonly subject: Question['subject'];
  /** Default: every kind. */
  readonly kind?: ApprovalKind;
}

/** The open questions about a subject, locked until the end of the transaction. */
export function lockOpenQuestions(tx: Tx, { subject, kind }: About): Promise<ApprovalRow[]> {
  let open = tx
    .selectFrom('approval')
    .selectAll()
    .where('subject_type', '=', subject.type)
    .where('subject_id', '=', subject.id)
    .where('status', '=', literal('PENDING'));
  if (kind !== undefined) open = open.where('kind', '=', kind);
  return open.orderBy('id').forUpdate().execute();
}

/** Nothing waits for the answer any more: the subject is settled otherwise, or is asked about anew. */
export async function withdraw(tx: Tx, about: About, author: Author): Promise<void> {
  for (const row of await lockOpenQuestions(tx, about))
    await settleApproval(tx, row, { status: 'WITHDRAWN', reason: null }, author);
}

/** Whether a question of this kind about a subject was answered yes. */
export const approvedOf = (db: Db | Tx, subjectId: string, kind: ApprovalKind) =>
  db
    .selectFrom('approval')
    .select(['id', 'amount_minor', 'currency'])
    .where('subject_id', '=', subjectId)
    .where('kind', '=', kind)
    .where('status', '=', literal('APPROVED'))
    .execute();

/** How the questions of this kind about a subject stand. */
export const answersAbout = (tx: Tx, subjectId: string, kind: ApprovalKind) =>
  tx.selectFrom('approval').select('status').where('subject_id', '=', subjectId).where('kind', '=', kind).execute();

/** What a saga of a stay has to know before it moves money: its own refusals, and the open questions of other sagas of the stay. */
export const questionsAbout = (db: Db | Tx, reservationId: string, sagaId: string) =>
  db
    .selectFrom('approval as a')
    .innerJoin('saga as s', 's.id', 'a.saga_id')
    .select(['a.id', 'a.saga_id', 'a.status', 'a.reason'])
    .where('a.reservation_id', '=', reservationId)
    .where((eb) =>
      eb.or([
        eb.and([eb('a.saga_id', '=', sagaId), eb('a.status', 'in', literals(['DECLINED', 'EXPIRED']))]),
        eb.and([
          eb('a.saga_id', '<>', sagaId),
          eb('a.status', '=', literal('PENDING')),
          eb('s.finished_at', 'is', null),
        ]),
      ]),
    )
    .execute();

/** The ids of open questions whose time is up, the oldest first. */
export async function approvalsOver(db: Db, limit: number): Promise<readonly string[]> {
  const rows = await db
    .selectFrom('approval')
    .select('id')
    .where(isOver)
    .orderBy('expires_at')
    .orderBy('id')
    .limit(limit)
    .execute();
  return rows.map(({ id }) => id);
}
export const isOver = sql<boolean>`status = 'PENDING' AND expires_at <= now() AND ${isNotSetAside('approvals', sql`approval.id`)}`;

/** SQL: whether the time of an open question is up. */
export const approvalsDue = sql<boolean>`(SELECT id FROM approval WHERE ${isOver} ORDER BY expires_at LIMIT 1) IS NOT NULL`;

const sagaOf = ({ type, id }: Question['subject']): string | null => (type === 'saga' ? id : null);

interface RecordedApproval {
  readonly id: string;
  readonly kind: ApprovalKind;
  readonly event: string;
  readonly sagaId: string | null;
  readonly reservationId: string | null;
  readonly money?: Money | null;
}
const recordApproval = (tx: Tx, author: Author, { id, kind, event, ...about }: RecordedApproval): Promise<void> =>
  recordAudit(tx, {
    streamId: `approval:${id}`,
    event,
    ...author,
    sagaId: about.sagaId,
    reservationId: about.reservationId,
    body: {
      outcome: 'success',
      reservationId: about.reservationId,
      details: { id, kind, ...(about.money ? { ...about.money } : {}) },
    },
  });
