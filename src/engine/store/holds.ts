import { type Selectable, sql } from 'kysely';
import type { Db, Tx } from '../../db/client.ts';
import type { Database } from '../../db/schema.ts';
import { type Author, recordAudit } from '../../domain/audit/record.ts';
import { RoomyError } from '../../kernel/errors.ts';
import { newId } from '../../kernel/ids.ts';
import type { Hold } from '../holds.ts';

/** Holds: what people pause and resume. The only statements that write `hold`. */

export type HoldRow = Selectable<Database['hold']>;

/** Pauses. Throws `INVALID_STATE_TRANSITION` for what is paused already. */
export async function setHold(
  tx: Tx,
  { scope, subject, reason }: Hold & { readonly reason: string },
  author: Author,
): Promise<HoldRow> {
  const row = await tx
    .insertInto('hold')
    .values({ id: newId('hold'), scope, subject, reason, held_by: author.actor })
    .onConflict((conflict) => conflict.columns(['scope', 'subject']).where('released_at', 'is', null).doNothing())
    .returningAll()
    .executeTakeFirst();
  if (!row) throw new RoomyError('INVALID_STATE_TRANSITION', { text: 'It is paused already', details: { scope, subject } });
  await audit(tx, author, 'HOLD_SET', row, reason);
  return row;
}

/** Until when a saga that was held may go on, at the least: its deadline was running while nobody could move it. */
const DEADLINE_MINUTES = 15;

/** Resumes: what it held goes on within seconds. Throws `NOT_FOUND`, and `INVALID_STATE_TRANSITION` for one that is over. */
export async function releaseHold(
  tx: Tx,
  { id, reason }: { readonly id: string; readonly reason: string },
  author: Author,
): Promise<HoldRow> {
  const row = await tx
    .updateTable('hold')
    .set((eb) => ({ released_at: sql<Date>`now()`, released_by: author.actor, version: eb('version', '+', 1) }))
    .where('id', '=', id)
    .where('released_at', 'is', null)
    .returningAll()
    .executeTakeFirst();
  if (!row) {
    const known = await tx.selectFrom('hold').select('id').where('id', '=', id).executeTakeFirst();
    if (!known) throw new RoomyError('NOT_FOUND', { text: 'Hold not found' });
    throw new RoomyError('INVALID_STATE_TRANSITION', { text: 'It is resumed already', details: { id } });
  }
  await sql`
    UPDATE saga SET deadline_at = greatest(deadline_at, now() + ${DEADLINE_MINUTES}::int * interval '1 minute')
     WHERE finished_at IS NULL AND status <> 'parked' AND requested_at < ${row.released_at}
       AND deadline_at < now() + ${DEADLINE_MINUTES}::int * interval '1 minute'`.execute(tx);
  await audit(tx, author, 'HOLD_RELEASED', row, reason);
  return row;
}

/** What is paused now, the oldest first. */
export const openHolds = (db: Db): Promise<readonly HoldRow[]> =>
  db.selectFrom('hold').selectAll().where('released_at', 'is', null).orderBy('held_at').orderBy('id').execute();

const audit = (tx: Tx, author: Author, event: string, { id, scope, subject }: HoldRow, reason: string) =>
  recordAudit(tx, {
    streamId: `hold:${id}`,
    event,
    actor: author.actor,
    requestId: author.requestId,
    ip: author.ip ?? null,
    body: { outcome: 'success', details: { id, scope, subject, reason } },
  });
