import type { Db } from '../../db/client.ts';
import type { TransactionStatus, TransactionType } from '../../db/schema.ts';
import { RoomyError } from '../../kernel/errors.ts';
import { cutPage, exactInstant, isAfter, type Page, type PageRequest } from '../paging.ts';
import { type TransactionView, transactionView } from './view.ts';

export interface TransactionFilter {
  readonly reservationId?: string | undefined;
  readonly ownerId?: string | undefined;
  readonly type?: TransactionType | undefined;
  readonly status?: TransactionStatus | undefined;
}

export async function listTransactions(
  db: Db,
  filter: TransactionFilter,
  page: PageRequest,
): Promise<Page<TransactionView>> {
  let query = db.selectFrom('transaction').selectAll().select(exactInstant('created_at').as('position_at'));
  if (filter.reservationId !== undefined) query = query.where('reservation_id', '=', filter.reservationId);
  if (filter.ownerId !== undefined) query = query.where('owner_id', '=', filter.ownerId);
  if (filter.type !== undefined) query = query.where('type', '=', filter.type);
  if (filter.status !== undefined) query = query.where('status', '=', filter.status);
  if (page.after) query = query.where(isAfter('created_at', 'id', page.after));
  const rows = await query
    .orderBy('created_at', 'desc')
    .orderBy('id', 'desc')
    .limit(page.limit + 1)
    .execute();
  return cutPage(rows, page.limit, transactionView);
}

export async function getTransaction(db: Db, id: string): Promise<TransactionView> {
  const row = await db.selectFrom('transaction').selectAll().where('id', '=', id).executeTakeFirst();
  if (!row) throw new RoomyError('NOT_FOUND', { text: 'Transaction not found' });
  return transactionView(row);
}

/** Rows of one stay that an answer carries, at the most. */
const MAX_OF_RESERVATION = 200;

export async function transactionsOfReservation(db: Db, reservationId: string): Promise<TransactionView[]> {
  const rows = await db
    .selectFrom('transaction')
    .selectAll()
    .where('reservation_id', '=', reservationId)
    .orderBy('created_at')
    .orderBy('id')
    .limit(MAX_OF_RESERVATION)
    .execute();
  return rows.map(transactionView);
}
