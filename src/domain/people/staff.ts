import { type Selectable, sql } from 'kysely';
import type { Db, Tx } from '../../db/client.ts';
import { literal } from '../../db/literal.ts';
import type { GeoPoint, Shift, StaffRole, StaffTable } from '../../db/schema.ts';
import { RoomyError } from '../../kernel/errors.ts';
import { newId } from '../../kernel/ids.ts';
import { changesOf } from '../audit/changes.ts';
import { type Author, fieldsOf, recordChange } from '../audit/record.ts';
import { cutPage, exactInstant, isAfter, type Page, type PageRequest } from '../paging.ts';
import { assertNameIsFree } from './free-names.ts';
import { isStaffOf } from './reach.ts';

export interface StaffFields {
  readonly name: string;
  readonly email: string;
  readonly phone?: string | null | undefined;
  readonly role: StaffRole;
  readonly skills?: string[] | undefined;
  readonly homeLocation?: GeoPoint | null | undefined;
  /** Where this person works; neither these nor a region: everywhere. */
  readonly propertyIds?: string[] | null | undefined;
  readonly region?: string | null | undefined;
  /** None: always on shift. */
  readonly shifts?: readonly Shift[] | null | undefined;
  readonly maxMinutesPerDay?: number | null | undefined;
  readonly active?: boolean | undefined;
}
export type NewStaff = StaffFields & { readonly id?: string | undefined };
export type StaffChange = { readonly [K in keyof StaffFields]?: StaffFields[K] | undefined };
export interface StaffFilter {
  readonly role?: StaffRole | undefined;
  readonly active?: boolean | undefined;
}

export type StaffView = ReturnType<typeof staffView>;

/** The public form of a staff row. */
export const staffView = (row: Selectable<StaffTable>) => ({
  id: row.id,
  name: row.name,
  email: row.email,
  phone: row.phone,
  role: row.role,
  skills: row.skills,
  homeLocation: row.home_location,
  propertyIds: row.property_ids,
  region: row.region,
  shifts: row.shifts,
  maxMinutesPerDay: row.max_minutes_per_day,
  active: row.active,
  version: row.version,
  createdAt: row.created_at.toISOString(),
});

/** Adds a member of staff, with the audit row. Throws `ALREADY_EXISTS` for the id of anybody. */
export async function createStaff(tx: Tx, staff: NewStaff, author: Author): Promise<StaffView> {
  if (staff.id !== undefined) await assertNameIsFree(tx, staff.id);
  const row = await tx
    .insertInto('staff')
    .values({
      ...columnsOf(staff),
      id: staff.id ?? newId('staff'),
      name: staff.name,
      email: staff.email,
      role: staff.role,
    })
    .returningAll()
    .executeTakeFirstOrThrow();
  await recordChange(tx, author, {
    noun: 'staff',
    id: row.id,
    event: 'STAFF_CREATED',
    fields: fieldsOf(staff),
    changes: changesOf('staff', null, row),
    version: row.version,
  });
  return staffView(row);
}

/** A page of staff, newest first; an agent sees who can work in a portfolio. */
export async function listStaff(
  db: Db,
  filter: StaffFilter,
  agentId: string | null,
  page: PageRequest,
): Promise<Page<StaffView>> {
  let query = db
    .selectFrom('staff')
    .selectAll()
    .select(exactInstant('created_at').as('position_at'))
    .where(isStaffOf(agentId));
  if (filter.role !== undefined) query = query.where('role', '=', filter.role);
  if (filter.active !== undefined) query = query.where('active', '=', literal(filter.active));
  if (page.after) query = query.where(isAfter('created_at', 'id', page.after));
  const rows = await query
    .orderBy('created_at', 'desc')
    .orderBy('id', 'desc')
    .limit(page.limit + 1)
    .execute();
  return cutPage(rows, page.limit, staffView);
}

/** The member of staff; with `agentId`, only one who can work in this agent's portfolio. Throws `NOT_FOUND`. */
export async function getStaff(db: Db, id: string, agentId: string | null): Promise<StaffView> {
  const row = await db
    .selectFrom('staff')
    .selectAll()
    .where('id', '=', id)
    .where(isStaffOf(agentId))
    .executeTakeFirst();
  if (!row) throw notFound();
  return staffView(row);
}

/** Locked until the end of the transaction. Throws `NOT_FOUND`. */
export async function lockStaff(tx: Tx, id: string) {
  const row = await tx.selectFrom('staff').selectAll().where('id', '=', id).forUpdate().executeTakeFirst();
  if (!row) throw notFound();
  return row;
}

/** The row alone: who changes a member of staff sees to the tasks (`stays/change-staff.ts`). The row is locked. */
export const updateStaff = (tx: Tx, id: string, change: StaffChange, version: number) =>
  tx
    .updateTable('staff')
    .set((eb) => ({
      ...columnsOf(change),
      version,
      // An assignment that was planned with the old fields is refused by this counter, and planned again (`book`).
      bookings: eb('bookings', '+', 1),
    }))
    .where('id', '=', id)
    .returningAll()
    .executeTakeFirstOrThrow();

/**
 * Counts one more booking, so that plans made with this person before are made anew (`book` compares the counter). Answers the
 * row's version; undefined when there is no such person.
 */
export const countBooking = (tx: Tx, id: string) =>
  tx
    .updateTable('staff')
    .set((eb) => ({ bookings: eb('bookings', '+', 1) }))
    .where('id', '=', id)
    .returning('version')
    .executeTakeFirst();

/**
 * The same for several people who have still been given nothing since a plan was made: `counts` by id, as the plan saw
 * them. They are locked in the order of their ids. Answers the ids of those; the plan holds only if all are among them.
 */
export async function countBookings(tx: Tx, counts: Readonly<Record<string, number | undefined>>) {
  const { rows } = await sql<{ id: string }>`
    WITH mine AS MATERIALIZED (SELECT s.id FROM staff s WHERE s.id = ANY(${Object.keys(counts)}::text[])
         AND s.bookings = (${JSON.stringify(counts)}::jsonb ->> s.id)::int ORDER BY s.id FOR NO KEY UPDATE)
    UPDATE staff s SET bookings = s.bookings + 1 FROM mine WHERE mine.id = s.id RETURNING s.id`.execute(tx);
  return rows.map(({ id }) => id);
}

/** Whether messages about completed work come once a day, together. */
export const setDigest = (tx: Tx, id: string, digest: boolean) =>
  tx.updateTable('staff').set({ digest }).where('id', '=', id).execute();

const notFound = (): RoomyError => new RoomyError('NOT_FOUND', { text: 'Staff member not found' });

const columnsOf = (fields: StaffChange) => ({
  name: fields.name,
  email: fields.email,
  phone: fields.phone,
  role: fields.role,
  skills: fields.skills,
  home_location: fields.homeLocation && JSON.stringify(fields.homeLocation),
  property_ids: fields.propertyIds,
  region: fields.region,
  shifts: fields.shifts && JSON.stringify(fields.shifts),
  max_minutes_per_day: fields.maxMinutesPerDay,
  active: fields.active,
});
