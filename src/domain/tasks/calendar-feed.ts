import { sql } from 'kysely';
import type { Db, Tx } from '../../db/client.ts';
import { literal } from '../../db/literal.ts';
import { RoomyError } from '../../kernel/errors.ts';
import { newSecret } from '../../kernel/ids.ts';
import { sha256OfBytes } from '../../kernel/json.ts';
import { type Author, recordAudit } from '../audit/record.ts';
import { isInForce } from '../people/standing.ts';

/** The address of somebody's calendar: 256 random bits, of which only a digest is kept. */

const digestOf = (token: string): Buffer => sha256OfBytes(Buffer.from(token, 'utf8'));

/** A new address; an old one ends. Throws `NOT_FOUND` for who is no member of the staff. */
export async function openFeed(tx: Tx, staffId: string, author: Author): Promise<{ readonly token: string }> {
  const staff = await tx.selectFrom('staff').select('id').where('id', '=', staffId).executeTakeFirst();
  if (!staff) throw new RoomyError('NOT_FOUND', { text: 'You are not a member of the staff' });
  const token = newSecret();
  const token_hash = digestOf(token);
  await tx
    .insertInto('calendar_feed')
    .values({ staff_id: staffId, token_hash })
    .onConflict((conflict) => conflict.column('staff_id').doUpdateSet({ token_hash, created_at: sql`now()` }))
    .execute();
  await noteFeed(tx, staffId, 'CALENDAR_OPENED', author);
  return { token };
}

/** Nobody reads it any more. */
export async function closeFeed(tx: Tx, staffId: string, author: Author): Promise<void> {
  const { numDeletedRows } = await tx.deleteFrom('calendar_feed').where('staff_id', '=', staffId).executeTakeFirst();
  if (numDeletedRows > 0n) await noteFeed(tx, staffId, 'CALENDAR_CLOSED', author);
}

/** Throws `NOT_FOUND`: an address that was taken back is like one that never was. */
export async function staffOfFeed(db: Db, token: string): Promise<string> {
  const row = await db
    .selectFrom('calendar_feed as f')
    .innerJoin('staff as s', 's.id', 'f.staff_id')
    .select('f.staff_id')
    .where('f.token_hash', '=', digestOf(token))
    .where('s.active', '=', literal(true))
    .where(isInForce(sql`s.id`))
    .executeTakeFirst();
  if (!row) throw new RoomyError('NOT_FOUND');
  return row.staff_id;
}

const noteFeed = (tx: Tx, staffId: string, event: string, author: Author) =>
  recordAudit(tx, {
    streamId: `staff:${staffId}`,
    event,
    ...author,
    body: { outcome: 'success', details: { id: staffId } },
  });
