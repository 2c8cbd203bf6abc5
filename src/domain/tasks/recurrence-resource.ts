import { type Selectable, sql } from 'kysely';
import type { Db, Tx } from '../../db/client.ts';
import { literal } from '../../db/literal.ts';
import type { RecurrenceEvery, RecurrenceTable } from '../../db/schema.ts';
import { RoomyError } from '../../kernel/errors.ts';
import { newId } from '../../kernel/ids.ts';
import { localDate } from '../../kernel/local-time.ts';
import { changesOf } from '../audit/changes.ts';
import { type Author, fieldsOf, recordChange } from '../audit/record.ts';
import { cutPage, exactInstant, isAfter, type Page, type PageRequest } from '../paging.ts';
import { inPortfolio } from '../properties/portfolio.ts';
import { assertVersion, type ExpectedVersions } from '../versions.ts';
import { currentPeriod, isByUse } from './recurrence.ts';
import { insertRecurrence, updateRecurrence } from './recurrence-store.ts';

/** Rules of recurring work, as people set them. An agent sees and sets those of a portfolio; `agentId` null: all. */

export interface NewRecurrence {
  readonly id?: string | undefined;
  readonly propertyId: string;
  readonly type: 'INSPECTION' | 'MAINTENANCE';
  readonly title: string;
  readonly description?: string | undefined;
  readonly checklist?: readonly string[] | undefined;
  readonly every: RecurrenceEvery;
  /** `YYYY-MM-DD`: the first due day; usage counts from here. */
  readonly anchorDate: string;
  /** `HH:MM` at the property. */
  readonly localTime: string;
  readonly durationMinutes: number;
}
/** How often, and from when, is what a rule is: another one is another rule. */
export interface RecurrenceChange {
  readonly title?: string | undefined;
  readonly description?: string | null | undefined;
  readonly checklist?: readonly string[] | null | undefined;
  readonly localTime?: string | undefined;
  readonly durationMinutes?: number | undefined;
  readonly active?: boolean | undefined;
}
export interface RecurrenceFilter {
  readonly propertyId?: string | undefined;
  readonly type?: 'INSPECTION' | 'MAINTENANCE' | undefined;
  readonly active?: boolean | undefined;
}
export type RecurrenceView = ReturnType<typeof recurrenceView>;

const recurrenceView = (row: Selectable<RecurrenceTable>) => ({
  id: row.id,
  propertyId: row.property_id,
  type: row.type,
  title: row.title,
  description: row.description,
  checklist: row.checklist,
  every: row.every,
  anchorDate: row.anchor_date,
  localTime: row.local_time,
  durationMinutes: row.duration_minutes,
  active: row.active,
  nextPeriod: row.next_period,
  version: row.version,
  createdAt: row.created_at.toISOString(),
});

/** Periods that were over before the rule was made are nobody's. Throws `REFERENCE_NOT_FOUND`. */
export async function createRecurrence(
  tx: Tx,
  rule: NewRecurrence,
  agentId: string | null,
  now: Date,
  author: Author,
): Promise<RecurrenceView> {
  const property = await tx
    .selectFrom('property')
    .select('time_zone')
    .where('id', '=', rule.propertyId)
    .where(inPortfolio(sql.ref('property.id'), agentId))
    .executeTakeFirst();
  if (!property) throw new RoomyError('REFERENCE_NOT_FOUND', { details: { field: 'propertyId' } });
  const today = localDate(now, property.time_zone);
  const row = await insertRecurrence(tx, {
    id: rule.id ?? newId('recurrence'),
    property_id: rule.propertyId,
    type: rule.type,
    title: rule.title,
    description: rule.description,
    checklist: rule.checklist ? JSON.stringify(rule.checklist) : null,
    every: JSON.stringify(rule.every),
    anchor_date: rule.anchorDate,
    local_time: rule.localTime,
    duration_minutes: rule.durationMinutes,
    next_period: isByUse(rule.every) ? 1 : currentPeriod(rule.every, rule.anchorDate, today),
    created_by: author.actor,
  });
  await record(tx, author, [null, row], 'RECURRENCE_CREATED', rule);
  return recurrenceView(row);
}

/** A page of the rules that an agent may see (null: all), newest first. */
export async function listRecurrences(
  db: Db,
  filter: RecurrenceFilter,
  agentId: string | null,
  page: PageRequest,
): Promise<Page<RecurrenceView>> {
  let query = db.selectFrom('recurrence').selectAll().select(exactInstant('created_at').as('position_at'));
  if (filter.propertyId !== undefined) query = query.where('property_id', '=', filter.propertyId);
  if (filter.type !== undefined) query = query.where('type', '=', literal(filter.type));
  if (filter.active !== undefined) query = query.where('active', '=', literal(filter.active));
  query = query.where(inPortfolio(sql.ref('recurrence.property_id'), agentId));
  if (page.after) query = query.where(isAfter('created_at', 'id', page.after));
  const rows = await query
    .orderBy('created_at', 'desc')
    .orderBy('id', 'desc')
    .limit(page.limit + 1)
    .execute();
  return cutPage(rows, page.limit, recurrenceView);
}

/** Throws `NOT_FOUND` for a rule that is absent or outside of the portfolio. */
export async function getRecurrence(db: Db, id: string, agentId: string | null): Promise<RecurrenceView> {
  let query = db.selectFrom('recurrence').selectAll().where('id', '=', id);
  query = query.where(inPortfolio(sql.ref('recurrence.property_id'), agentId));
  const row = await query.executeTakeFirst();
  if (!row) throw new RoomyError('NOT_FOUND');
  return recurrenceView(row);
}

/** Tasks that were made already stay as they are. Throws `NOT_FOUND` and `PRECONDITION_FAILED`. */
export async function changeRecurrence(
  tx: Tx,
  id: string,
  change: RecurrenceChange,
  agentId: string | null,
  expected: ExpectedVersions,
  author: Author,
): Promise<RecurrenceView> {
  let query = tx.selectFrom('recurrence').selectAll().where('id', '=', id).forUpdate();
  query = query.where(inPortfolio(sql.ref('recurrence.property_id'), agentId));
  const before = await query.executeTakeFirst();
  if (!before) throw new RoomyError('NOT_FOUND');
  assertVersion(before.version, expected);
  const { checklist } = change;
  const row = await updateRecurrence(tx, id, {
    title: change.title,
    description: change.description,
    checklist: checklist === undefined || checklist === null ? checklist : JSON.stringify(checklist),
    local_time: change.localTime,
    duration_minutes: change.durationMinutes,
    active: change.active,
    version: before.version + 1,
  });
  await record(tx, author, [before, row], change.active === false ? 'RECURRENCE_ENDED' : 'RECURRENCE_UPDATED', change);
  return recurrenceView(row);
}

type Row = Selectable<RecurrenceTable>;
const record = (
  tx: Tx,
  author: Author,
  [before, row]: readonly [before: Row | null, after: Row],
  event: string,
  sent: object,
) =>
  recordChange(tx, author, {
    noun: 'recurrence',
    id: row.id,
    event,
    fields: fieldsOf(sent),
    changes: changesOf('recurrence', before, row),
    version: row.version,
  });
