import type { Selectable } from 'kysely';
import type { Db, Tx } from '../../db/client.ts';
import type { Checklists, GeoPoint, PropertyTable, Readiness, StayCheck } from '../../db/schema.ts';
import { RoomyError } from '../../kernel/errors.ts';
import { newId } from '../../kernel/ids.ts';
import { type Money, toMajor } from '../../kernel/money.ts';
import { changesOf } from '../audit/changes.ts';
import { type Author, fieldsOf, recordChange } from '../audit/record.ts';
import { cutPage, exactInstant, isAfter, type Page, type PageRequest } from '../paging.ts';
import { type Holder, isHeldBy } from './portfolio.ts';
import { insertProperty, updatePropertyRow } from './store.ts';

export interface PropertyFields {
  readonly name: string;
  readonly ownerId: string;
  readonly region?: string | null | undefined;
  /** As guests read it, in one line. */
  readonly address?: string | null | undefined;
  readonly timeZone?: string | undefined;
  /** Local wall clock, `HH:MM`. */
  readonly checkInTime?: string | undefined;
  readonly checkOutTime?: string | undefined;
  readonly location?: GeoPoint | null | undefined;
  readonly cleaningMinutes?: number | undefined;
  /** The agents whose portfolio it is in. */
  readonly agentIds?: string[] | undefined;
  readonly amenityDevice?: string | null | undefined;
  readonly readiness?: Readiness | undefined;
  readonly inspectionRequired?: boolean | undefined;
  readonly strictChecks?: StayCheck[] | undefined;
  readonly autoCheckIn?: boolean | undefined;
  readonly autoCheckOut?: boolean | undefined;
  readonly checklists?: Checklists | undefined;
  /** Preferred for its tasks. */
  readonly primaryStaffIds?: string[] | undefined;
  /** An assignee is to accept within so many minutes; none: nobody is asked. */
  readonly acceptMinutes?: number | null | undefined;
  /** Local `HH:MM`, on the day before the arrival. */
  readonly checkInReminderTime?: string | undefined;
  /** Local `HH:MM`, on the eve of the departure. */
  readonly checkOutReminderTime?: string | undefined;
  /** A guest who still has to pay is reminded so many days before the arrival; null: never. */
  readonly paymentDueDays?: number | null | undefined;
  /** A message that there is no text for in the recipient's language is not sent in another one. */
  readonly requireTranslation?: boolean | undefined;
  /** A repair that is estimated at more waits for the owner's word; null: none does. */
  readonly repairApprovalLimit?: Money | null | undefined;
}
export type NewProperty = PropertyFields & { readonly id?: string | undefined };
export type PropertyChange = { readonly [K in keyof PropertyFields]?: PropertyFields[K] | undefined };
export interface PropertyFilter {
  readonly ownerId?: string | undefined;
  readonly region?: string | undefined;
}

export type PropertyView = ReturnType<typeof propertyView>;

/** The public form of a property row; times of day are local to the property. */
export const propertyView = (row: Selectable<PropertyTable>) => ({
  id: row.id,
  name: row.name,
  ownerId: row.owner_id,
  region: row.region,
  address: row.address,
  timeZone: row.time_zone,
  checkInTime: row.check_in_time,
  checkOutTime: row.check_out_time,
  location: row.location,
  cleaningMinutes: row.cleaning_minutes,
  agentIds: row.agent_ids,
  amenityDevice: row.amenity_device,
  amenityStatus: row.amenity_status,
  readiness: row.readiness,
  inspectionRequired: row.inspection_required,
  strictChecks: row.strict_checks,
  autoCheckIn: row.auto_check_in,
  autoCheckOut: row.auto_check_out,
  checklists: row.checklists,
  primaryStaffIds: row.primary_staff_ids,
  acceptMinutes: row.accept_minutes,
  checkInReminderTime: row.check_in_reminder_time,
  checkOutReminderTime: row.check_out_reminder_time,
  paymentDueDays: row.payment_due_days,
  requireTranslation: row.require_translation,
  repairApprovalLimit:
    row.repair_limit_minor === null || row.repair_limit_currency === null
      ? null
      : {
          amount: toMajor({ amountMinor: row.repair_limit_minor, currency: row.repair_limit_currency }),
          currency: row.repair_limit_currency,
        },
  version: row.version,
  createdAt: row.created_at.toISOString(),
});

/** Adds a property, with its audit row. */
export async function createProperty(tx: Tx, property: NewProperty, author: Author): Promise<PropertyView> {
  const row = await insertProperty(tx, {
    ...columnsOf(property),
    id: property.id ?? newId('property'),
    name: property.name,
    owner_id: property.ownerId,
  });
  await recordChange(tx, author, {
    noun: 'property',
    id: row.id,
    event: 'PROPERTY_CREATED',
    fields: fieldsOf(property),
    changes: changesOf('property', null, row),
    version: row.version,
  });
  return propertyView(row);
}

/** An agent sees a portfolio, an owner the owner's own. */
export async function listProperties(
  db: Db,
  filter: PropertyFilter,
  holder: Holder,
  page: PageRequest,
): Promise<Page<PropertyView>> {
  let query = db
    .selectFrom('property')
    .selectAll()
    .select(exactInstant('created_at').as('position_at'))
    .where(isHeldBy(holder));
  if (filter.ownerId !== undefined) query = query.where('owner_id', '=', filter.ownerId);
  if (filter.region !== undefined) query = query.where('region', '=', filter.region);
  if (page.after) query = query.where(isAfter('created_at', 'id', page.after));
  const rows = await query
    .orderBy('created_at', 'desc')
    .orderBy('id', 'desc')
    .limit(page.limit + 1)
    .execute();
  return cutPage(rows, page.limit, propertyView);
}

/** The property, if the holder has it. Throws `NOT_FOUND`. */
export async function getProperty(db: Db | Tx, id: string, holder: Holder): Promise<PropertyView> {
  const row = await db
    .selectFrom('property')
    .selectAll()
    .where('id', '=', id)
    .where(isHeldBy(holder))
    .executeTakeFirst();
  if (!row) throw notFound();
  return propertyView(row);
}

/** Locked until the end of the transaction, if the holder has it: one that is given to another agent meanwhile is not found. Throws `NOT_FOUND`. */
export async function lockProperty(tx: Tx, id: string, holder: Holder) {
  const row = await tx
    .selectFrom('property')
    .selectAll()
    .where('id', '=', id)
    .where(isHeldBy(holder))
    .forUpdate()
    .executeTakeFirst();
  if (!row) throw notFound();
  return row;
}

/** The row alone: who changes a property sees to its stays (`stays/change-property.ts`). The row is locked. */
export const updateProperty = (tx: Tx, id: string, change: PropertyChange, version: number) =>
  updatePropertyRow(tx, id, columnsOf(change), version);

const notFound = (): RoomyError => new RoomyError('NOT_FOUND', { text: 'Property not found' });

const columnsOf = (fields: PropertyChange) => ({
  name: fields.name,
  owner_id: fields.ownerId,
  region: fields.region,
  address: fields.address,
  time_zone: fields.timeZone,
  check_in_time: fields.checkInTime,
  check_out_time: fields.checkOutTime,
  location: fields.location && JSON.stringify(fields.location),
  cleaning_minutes: fields.cleaningMinutes,
  agent_ids: fields.agentIds,
  amenity_device: fields.amenityDevice,
  // Whose device it is from now on, is decided by the index.
  ...(fields.amenityDevice !== undefined && { shares_device: false }),
  readiness: fields.readiness,
  inspection_required: fields.inspectionRequired,
  strict_checks: fields.strictChecks,
  auto_check_in: fields.autoCheckIn,
  auto_check_out: fields.autoCheckOut,
  checklists: fields.checklists && JSON.stringify(fields.checklists),
  primary_staff_ids: fields.primaryStaffIds,
  accept_minutes: fields.acceptMinutes,
  check_in_reminder_time: fields.checkInReminderTime,
  check_out_reminder_time: fields.checkOutReminderTime,
  payment_due_days: fields.paymentDueDays,
  require_translation: fields.requireTranslation,
  ...(fields.repairApprovalLimit !== undefined && {
    repair_limit_minor: fields.repairApprovalLimit?.amountMinor ?? null,
    repair_limit_currency: fields.repairApprovalLimit?.currency ?? null,
  }),
});
