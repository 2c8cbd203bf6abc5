import type { Selectable } from 'kysely';
import type { Db, Tx } from '../../db/client.ts';
import type { Database } from '../../db/schema.ts';
import { RoomyError } from '../../kernel/errors.ts';
import { type Author, recordAudit } from '../audit/record.ts';

/** Ratings of stays. The only statements that write `rating`. */

export interface RatingOrder {
  readonly reservationId: string;
  /** 1 to 5, 5 is best (domain.md 15). */
  readonly score: number;
  readonly comment: string | null;
}

export interface Rating extends RatingOrder {
  readonly givenBy: string;
  /** ISO instant. */
  readonly givenAt: string;
}

/**
 * Keeps what the guest thinks of a stay, once and for good. Throws `RESERVATION_NOT_FOUND`, and `INVALID_STATE_TRANSITION` for a stay
 * that is not over, that has no guest, or that is rated already.
 */
export async function giveRating(tx: Tx, order: RatingOrder, author: Author): Promise<Rating> {
  const { reservationId, score, comment } = order;
  const stay = await tx
    .selectFrom('reservation')
    .select(['status', 'guest_id'])
    .where('id', '=', reservationId)
    .forShare()
    .executeTakeFirst();
  if (!stay) throw new RoomyError('RESERVATION_NOT_FOUND', { details: { id: reservationId } });
  if (stay.status !== 'CHECKED_OUT' || stay.guest_id === null) {
    throw refused('A stay is rated when the guest has left', { currentStatus: stay.status, action: 'rating' });
  }
  const row = await tx
    .insertInto('rating')
    .values({ reservation_id: reservationId, score, comment, given_by: author.actor })
    .onConflict((conflict) => conflict.column('reservation_id').doNothing())
    .returningAll()
    .executeTakeFirst();
  if (!row) throw refused('The stay is rated already', { action: 'rating' });
  await recordAudit(tx, {
    streamId: `reservation:${reservationId}`,
    event: 'RESERVATION_RATED',
    ...author,
    reservationId,
    body: { outcome: 'success', reservationId, details: { score } },
  });
  return ratingOf(row);
}

/** Throws `NOT_FOUND` for a stay without one. */
export async function readRating(db: Db, reservationId: string): Promise<Rating> {
  const row = await db.selectFrom('rating').selectAll().where('reservation_id', '=', reservationId).executeTakeFirst();
  if (!row) throw new RoomyError('NOT_FOUND', { text: 'The stay is not rated' });
  return ratingOf(row);
}

const ratingOf = (row: Selectable<Database['rating']>): Rating => ({
  reservationId: row.reservation_id,
  score: row.score,
  comment: row.comment,
  givenBy: row.given_by,
  givenAt: row.given_at.toISOString(),
});

const refused = (text: string, details: Readonly<Record<string, string>>): RoomyError =>
  new RoomyError('INVALID_STATE_TRANSITION', { text, details });
