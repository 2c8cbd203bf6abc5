import { sql } from 'kysely';
import type { Db, Tx } from '../../db/client.ts';
import type { TaskType } from '../../db/schema.ts';
import { RoomyError } from '../../kernel/errors.ts';
import type { LinkName } from '../../kernel/link-seal.ts';
import type { Origin } from '../audit/record.ts';
import { isInForce } from '../people/standing.ts';
import { neutralTitle } from '../tasks/view.ts';
import { acceptTask, declineTask } from './offers.ts';

/** The question to somebody whether they take a task, as the link of its mail has it. */

/**
 * OPEN: may be answered. EXPIRED: too late. ASKED_AGAIN: by a later message, whose link it is now. TAKEN: not that
 * person’s any more. OVER: done, or called off.
 */
export type OfferState = 'OPEN' | 'ACCEPTED' | 'DECLINED' | 'EXPIRED' | 'ASKED_AGAIN' | 'TAKEN' | 'OVER';

export interface Offer {
  readonly taskId: string;
  readonly staffId: string;
  readonly state: OfferState;
  /** Somebody else has it now. */
  readonly isElsewhere: boolean;
  /** Without a guest’s name. */
  readonly title: string;
  readonly propertyName: string;
  readonly timeZone: string;
  readonly startsAt: Date;
  readonly endsAt: Date;
  readonly acceptBy: Date;
  /** Until `acceptBy`; negative after it. */
  readonly secondsLeft: number;
}

interface Row extends Omit<Offer, 'title'> {
  readonly type: TaskType;
  readonly occurrence: string;
  readonly title: string;
}

const isNamed = (link: LinkName) =>
  'name' in link ? sql`o.token = ${link.name}` : sql`o.link_before = ${link.digest}`;

/** Throws `TASK_NOT_FOUND` for an address that nobody was given. */
export async function findOffer(db: Db | Tx, link: LinkName): Promise<Offer> {
  const { rows } = await sql<Row>`
    SELECT o.task_id AS "taskId", o.staff_id AS "staffId", t.type, t.occurrence, t.title, p.name AS "propertyName", p.time_zone AS "timeZone",
           coalesce(t.slot_start, t.scheduled_at) AS "startsAt", coalesce(t.slot_end, t.ends_at) AS "endsAt", o.accept_by AS "acceptBy",
           date_part('epoch', o.accept_by - now())::float8 AS "secondsLeft",
           coalesce(t.assignee_id <> o.staff_id, false) AS "isElsewhere", ${STATE} AS state
      FROM task_offer o JOIN task t ON t.id = o.task_id JOIN property p ON p.id = t.property_id JOIN staff s ON s.id = o.staff_id
      LEFT JOIN task_refusal f ON f.task_id = o.task_id AND f.staff_id = o.staff_id
     WHERE ${isNamed(link)} AND s.active AND ${isInForce(sql`o.staff_id`)}`.execute(db);
  const [row] = rows;
  if (!row) throw new RoomyError('TASK_NOT_FOUND');
  const { type: _, occurrence: __, ...offer } = row;
  return { ...offer, title: neutralTitle(row) };
}

const STATE = sql<OfferState>`CASE
  WHEN t.status NOT IN ('UNASSIGNED', 'ASSIGNED', 'IN_PROGRESS') THEN 'OVER'
  WHEN t.assignee_id IS DISTINCT FROM o.staff_id THEN
    CASE f.reason WHEN 'DECLINED' THEN 'DECLINED' WHEN 'NO_ANSWER' THEN 'EXPIRED' ELSE 'TAKEN' END
  WHEN t.accepted_at IS NOT NULL OR t.accept_by IS NULL OR t.status = 'IN_PROGRESS' THEN 'ACCEPTED'
  WHEN t.accept_by <> o.accept_by THEN 'ASKED_AGAIN'
  WHEN t.accept_by <= now() THEN 'EXPIRED'
  ELSE 'OPEN' END`;

/** The links of questions to this person end. Who is to answer one still does so signed in. */
export const endOfferLinks = (tx: Tx, staffId: string) =>
  tx
    .updateTable('task_offer')
    .set({ token: sql<string>`replace(gen_random_uuid()::text, '-', '')`, link_before: null })
    .where('staff_id', '=', staffId)
    .execute();

export interface LinkAnswer extends Origin {
  readonly answer: 'ACCEPTED' | 'DECLINED';
}

/**
 * Once: the same answer again changes nothing. Any other, or one that comes too late, is refused with
 * `INVALID_STATE_TRANSITION`. The holder of the address counts as the person it was sent to.
 */
export async function answerOffer(tx: Tx, link: LinkName, { answer, ...origin }: LinkAnswer): Promise<Offer> {
  const { taskId, staffId } = await findOffer(tx, link);
  // The holder of the row's lock decides: an answer, or the sweep that takes the task away.
  await tx.selectFrom('task').select('id').where('id', '=', taskId).forUpdate().execute();
  const { state } = await findOffer(tx, link);
  if (state === 'OPEN') {
    const author = { actor: staffId, ...origin };
    if (answer === 'ACCEPTED') await acceptTask(tx, { taskId, assigneeId: staffId }, author);
    else await declineTask(tx, { taskId, assigneeId: staffId }, BY_LINK, author);
  } else if (state !== answer) {
    throw new RoomyError('INVALID_STATE_TRANSITION', { details: { currentStatus: state, action: answer } });
  }
  return findOffer(tx, link);
}

const BY_LINK = 'By the link of the message';
