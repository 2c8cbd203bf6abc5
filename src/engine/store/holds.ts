import { type RawBuilder, type Selectable, sql } from 'kysely';
import type { Db, Tx } from '../../db/client.ts';
import { literal } from '../../db/literal.ts';
import type { Database } from '../../db/schema.ts';
import { type Author, recordAudit } from '../../domain/audit/record.ts';
import { RoomyError } from '../../kernel/errors.ts';
import { newId } from '../../kernel/ids.ts';
import type { Hold } from '../state.ts';
import { wakeSagas } from './sagas.ts';

/** Holds: what people pause and resume. The only statements that write `hold`. */

export type HoldRow = Selectable<Database['hold']>;

/** Pauses. Throws `INVALID_STATE_TRANSITION` for what is paused already; for one execution also `SAGA_NOT_FOUND`, or when it has ended. */
export async function setHold(
  tx: Tx,
  { scope, subject, reason }: Hold & { readonly reason: string },
  author: Author,
): Promise<HoldRow> {
  if (scope === 'SAGA') await assertOpen(tx, subject);
  const row = await tx
    .insertInto('hold')
    .values({ id: newId('hold'), scope, subject, reason, held_by: author.actor })
    .onConflict((conflict) => conflict.columns(['scope', 'subject']).where('released_at', 'is', null).doNothing())
    .returningAll()
    .executeTakeFirst();
  if (!row)
    throw new RoomyError('INVALID_STATE_TRANSITION', { text: 'It is paused already', details: { scope, subject } });
  await audit(tx, author, 'HOLD_SET', row, reason);
  return row;
}

async function assertOpen(tx: Tx, sagaId: string): Promise<void> {
  const saga = await tx
    .selectFrom('saga')
    .select(['status', 'finished_at'])
    .where('id', '=', sagaId)
    .executeTakeFirst();
  if (!saga) throw new RoomyError('SAGA_NOT_FOUND');
  if (saga.finished_at !== null)
    throw new RoomyError('INVALID_STATE_TRANSITION', {
      text: 'The execution has ended',
      details: { status: saga.status },
    });
}

/**
 * Resumes: what it held goes on within seconds, and has at least a quarter of an hour before its deadline. Throws `NOT_FOUND`, and
 * `INVALID_STATE_TRANSITION` for one that is released already.
 */
export async function releaseHold(
  tx: Tx,
  { id, reason }: { readonly id: string; readonly reason: string },
  author: Author,
): Promise<HoldRow> {
  const row = await tx
    .updateTable('hold')
    .set((eb) => ({
      released_at: sql<Date>`now()`,
      released_by: author.actor,
      release_reason: reason,
      version: eb('version', '+', 1),
    }))
    .where('id', '=', id)
    .where('released_at', 'is', null)
    .returningAll()
    .executeTakeFirst();
  if (!row) {
    await getHold(tx, id);
    throw new RoomyError('INVALID_STATE_TRANSITION', { text: 'It is resumed already', details: { id } });
  }
  await wakeSagas(tx, heldBy(row));
  await audit(tx, author, 'HOLD_RELEASED', row, reason);
  return row;
}

/** The open sagas `x` that it may have held. Those of a step and of a system are told apart by definitions alone, so these are some more. */
function heldBy({ scope, subject }: HoldRow): RawBuilder<unknown> {
  if (scope === 'SAGA') return sql`x.id = ${subject}`;
  if (scope === 'NAME' || scope === 'STEP') return sql`x.name = ${subject.split('.')[0]}`;
  return sql`true`;
}

/** Throws `NOT_FOUND`. */
export async function getHold(db: Db, id: string): Promise<HoldRow> {
  const row = await db.selectFrom('hold').selectAll().where('id', '=', id).executeTakeFirst();
  if (!row) throw new RoomyError('NOT_FOUND', { text: 'Hold not found' });
  return row;
}

/** What is paused now, the oldest first. */
export const openHolds = (db: Db): Promise<readonly HoldRow[]> =>
  db.selectFrom('hold').selectAll().where('released_at', 'is', null).orderBy('held_at').orderBy('id').execute();

/** One look into an index that is empty most of the time. */
export async function isAnythingHeld(db: Db): Promise<boolean> {
  const row = await db.selectFrom('hold').select('id').where('released_at', 'is', null).limit(1).executeTakeFirst();
  return row !== undefined;
}

export interface HoldFilter {
  readonly status?: 'OPEN' | 'RELEASED' | undefined;
  readonly scope?: HoldRow['scope'] | undefined;
}

/** All holds that fit, newest first, for the page that the caller cuts. */
export function selectHolds(db: Db, { status, scope }: HoldFilter) {
  let query = db.selectFrom('hold').selectAll();
  if (status !== undefined) query = query.where('released_at', status === 'OPEN' ? 'is' : 'is not', null);
  if (scope !== undefined) query = query.where('scope', '=', literal(scope));
  return query.orderBy('held_at', 'desc').orderBy('id', 'desc');
}

const audit = (tx: Tx, author: Author, event: string, { id, scope, subject }: HoldRow, reason: string) =>
  recordAudit(tx, {
    streamId: `hold:${id}`,
    event,
    ...author,
    body: { outcome: 'success', details: { id, scope, subject, reason } },
  });
