import { type RawBuilder, type Selectable, sql } from 'kysely';
import type { Db, Tx } from '../../db/client.ts';
import type { GuestTable } from '../../db/schema.ts';
import { RoomyError } from '../../kernel/errors.ts';
import { newId } from '../../kernel/ids.ts';
import { changesOf } from '../audit/changes.ts';
import { type Author, fieldsOf, recordChange } from '../audit/record.ts';
import { cutPage, exactInstant, isAfter, type Page, type PageRequest } from '../paging.ts';
import { newestInPortfolio } from '../properties/portfolio.ts';
import { assertNameIsFree } from './free-names.ts';
import { isGuestOf } from './reach.ts';

export interface GuestFields {
  readonly name: string;
  readonly email: string;
  readonly phone?: string | null | undefined;
  readonly locale?: string | null | undefined;
  readonly timeZone?: string | null | undefined;
}
export type NewGuest = GuestFields & { readonly id?: string | undefined };
export type GuestChange = { readonly [K in keyof GuestFields]?: GuestFields[K] | undefined };

export type GuestView = ReturnType<typeof guestView>;

/** The public form of a guest row. */
export const guestView = (row: Selectable<GuestTable>) => ({
  id: row.id,
  name: row.name,
  email: row.email,
  phone: row.phone,
  locale: row.locale,
  timeZone: row.time_zone,
  version: row.version,
  createdAt: row.created_at.toISOString(),
});

/** Adds a guest, with its audit row. Throws `ALREADY_EXISTS` for the id of anybody. */
export async function createGuest(tx: Tx, guest: NewGuest, author: Author): Promise<GuestView> {
  if (guest.id !== undefined) await assertNameIsFree(tx, guest.id);
  const row = await tx
    .insertInto('guest')
    .values({
      ...columnsOf(guest),
      id: guest.id ?? newId('guest'),
      name: guest.name,
      email: guest.email,
      created_by: author.actor,
    })
    .returningAll()
    .executeTakeFirstOrThrow();
  await recordChange(tx, author, {
    noun: 'guest',
    id: row.id,
    event: 'GUEST_CREATED',
    fields: fieldsOf(guest),
    changes: changesOf('guest', null, row),
    version: row.version,
  });
  return guestView(row);
}

/** An agent sees the guests of a portfolio, and those whom the agent has added; `agentId` null: all. */
export async function listGuests(db: Db, agentId: string | null, page: PageRequest): Promise<Page<GuestView>> {
  const limit = page.limit + 1;
  const listed = (propertyId: RawBuilder<string>) =>
    db
      .selectFrom('guest_place')
      .select(['guest_id as id', 'guest_created_at as at'])
      .where('property_id', '=', propertyId)
      .where(page.after ? isAfter('guest_created_at', 'guest_id', page.after) : sql<boolean>`true`)
      .orderBy('guest_created_at', 'desc')
      .orderBy('guest_id', 'desc')
      .limit(limit);
  let query = db.selectFrom('guest').selectAll().select(exactInstant('created_at').as('position_at'));
  if (agentId !== null) {
    const added = db
      .selectFrom('guest')
      .select(['id', 'created_at as at'])
      .where('created_by', '=', agentId)
      .where(page.after ? isAfter('created_at', 'id', page.after) : sql<boolean>`true`)
      .orderBy('created_at', 'desc')
      .orderBy('id', 'desc')
      .limit(limit);
    const newest = newestInPortfolio({ holder: { agentId }, at: listed, own: added, limit });
    query = query.where('id', '=', sql<string>`ANY(${newest})`);
  } else if (page.after) query = query.where(isAfter('created_at', 'id', page.after));
  const rows = await query.orderBy('created_at', 'desc').orderBy('id', 'desc').limit(limit).execute();
  return cutPage(rows, page.limit, guestView);
}

/** The guest; with `agentId`, only one that this agent knows. Throws `NOT_FOUND`. */
export async function getGuest(db: Db | Tx, id: string, agentId: string | null): Promise<GuestView> {
  const row = await db
    .selectFrom('guest')
    .selectAll()
    .where('id', '=', id)
    .where(isGuestOf(agentId))
    .executeTakeFirst();
  if (!row) throw notFound();
  return guestView(row);
}

/** Locked until the end of the transaction; with `agentId`, only one that this agent knows. Throws `NOT_FOUND`. */
export async function lockGuest(tx: Tx, id: string, agentId: string | null) {
  const row = await tx
    .selectFrom('guest')
    .selectAll()
    .where('id', '=', id)
    .where(isGuestOf(agentId))
    .forUpdate()
    .executeTakeFirst();
  if (!row) throw notFound();
  return row;
}

/** The row alone: who changes a guest sees to the reminders (`stays/change-guest.ts`). The row is locked. */
export const updateGuest = (tx: Tx, id: string, change: GuestChange, version: number) =>
  tx
    .updateTable('guest')
    .set({ ...columnsOf(change), version })
    .where('id', '=', id)
    .returningAll()
    .executeTakeFirstOrThrow();

const notFound = (): RoomyError => new RoomyError('NOT_FOUND', { text: 'Guest not found' });

const columnsOf = (fields: GuestChange) => ({
  name: fields.name,
  email: fields.email,
  phone: fields.phone,
  locale: fields.locale,
  time_zone: fields.timeZone,
});
