import { type RawBuilder, sql } from 'kysely';
import type { Db, Tx } from '../../db/client.ts';
import type { NotificationStatus } from '../../db/schema.ts';
import { openField } from '../../db/sealed-fields.ts';
import { RoomyError } from '../../kernel/errors.ts';
import { hasStatus } from '../notifications/store/states.ts';
import { cutPage, exactInstant, isAfter, type Page, type PageRequest } from '../paging.ts';
import { inPortfolio, momentOfLast, newestInPortfolio } from '../properties/portfolio.ts';
import { isAboutStay } from './about-stay.ts';
import { type NotificationView, notificationView } from './view.ts';

export interface NotificationFilter {
  readonly reservationId?: string | undefined;
  readonly recipientId?: string | undefined;
  readonly event?: string | undefined;
  readonly status?: NotificationStatus | undefined;
  /** ISO instants, by when it was made: from inclusive, to exclusive. */
  readonly from?: string | undefined;
  readonly to?: string | undefined;
}

/** An agent sees what is about the stays and the tasks of a portfolio. */
export async function listNotifications(
  db: Db,
  filter: NotificationFilter,
  agentId: string | null,
  page: PageRequest,
): Promise<Page<NotificationView>> {
  const limit = page.limit + 1;
  const { after } = page;
  const moments = (propertyId: RawBuilder<string>) =>
    matching(db, filter, { after: null, limit })
      .select('created_at as at')
      .where('property_id', '=', propertyId)
      .where(after ? sql<boolean>`created_at < ${after.at}::timestamptz` : sql<boolean>`true`)
      .orderBy('created_at', 'desc')
      .limit(limit);
  const listed = (propertyId: RawBuilder<string>) =>
    matching(db, filter, page)
      .select(['id', 'created_at as at'])
      .where('property_id', '=', propertyId)
      .where('created_at', '>=', momentOfLast({ holder: { agentId: agentId ?? '' }, moments, limit }))
      .orderBy('created_at', 'desc')
      .orderBy('id', 'desc')
      .limit(limit);
  const rows = await (agentId === null
    ? matching(db, filter, page)
    : db
        .selectFrom('notification')
        .where('id', '=', sql<string>`ANY(${newestInPortfolio({ holder: { agentId }, at: listed, limit })})`)
  )
    .selectAll()
    .select(exactInstant('created_at').as('position_at'))
    .orderBy('created_at', 'desc')
    .orderBy('id', 'desc')
    .limit(limit)
    .execute();
  return cutPage(rows, page.limit, notificationView);
}

function matching(db: Db, filter: NotificationFilter, page: PageRequest) {
  let query = db.selectFrom('notification');
  if (filter.reservationId !== undefined) query = query.where(isAboutStay(filter.reservationId));
  if (filter.recipientId !== undefined) query = query.where('recipient_id', '=', filter.recipientId);
  if (filter.event !== undefined) query = query.where('event', '=', filter.event);
  if (filter.status !== undefined) query = query.where(hasStatus(filter.status));
  if (filter.from !== undefined) query = query.where('created_at', '>=', sql<Date>`${filter.from}::timestamptz`);
  if (filter.to !== undefined) query = query.where('created_at', '<', sql<Date>`${filter.to}::timestamptz`);
  if (page.after) query = query.where(isAfter('created_at', 'id', page.after));
  return query;
}

/** Whether it is about the stays and the tasks of an agent’s portfolio; null: of anybody. */
export const isAbout = (agentId: string | null) => inPortfolio(sql.ref('notification.property_id'), agentId);

/** One message without its content; an agent finds those of a portfolio only. Throws `NOT_FOUND`. */
export async function getNotification(db: Db | Tx, id: string, agentId: string | null): Promise<NotificationView> {
  const row = await db
    .selectFrom('notification')
    .selectAll()
    .where('id', '=', id)
    .where(isAbout(agentId))
    .executeTakeFirst();
  if (!row) throw new RoomyError('NOT_FOUND', { text: 'Notification not found' });
  return notificationView(row);
}

/** The content that was sent. Throws `NOT_FOUND`, also for what has not been sent, or is so old that its text was deleted. */
export async function notificationContent(db: Db, id: string) {
  const row = await db
    .selectFrom('notification_content as c')
    .innerJoin('notification as n', 'n.id', 'c.notification_id')
    .select(['c.subject', 'c.body', 'n.locale', 'n.template_version as templateVersion'])
    .where('n.id', '=', id)
    .executeTakeFirst();
  if (!row) throw new RoomyError('NOT_FOUND', { text: 'Nothing was sent, or its text is not kept any more' });
  const subject = await openField(db, 'notification_content.subject', id, row.subject);
  const body = await openField(db, 'notification_content.body', id, row.body);
  // Its recipient is erased.
  if (body === null) throw new RoomyError('NOT_FOUND', { text: 'What was sent is erased' });
  return { ...row, subject, body };
}

/** Messages of one stay that an answer carries, at the most. */
const MAX_OF_RESERVATION = 200;

/** The messages about a stay, oldest first, 200 at the most. */
export async function notificationsOfReservation(db: Db, reservationId: string): Promise<NotificationView[]> {
  const rows = await db
    .selectFrom('notification')
    .selectAll()
    .where(isAboutStay(reservationId))
    .orderBy('created_at')
    .orderBy('id')
    .limit(MAX_OF_RESERVATION)
    .execute();
  return rows.map(notificationView);
}
