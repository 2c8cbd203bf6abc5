import { type RawBuilder, type SqlBool, sql } from 'kysely';
import type { Db } from '../../db/client.ts';
import { literal } from '../../db/literal.ts';
import type { TaskType } from '../../db/schema.ts';
import type { IncidentArea } from '../incidents/kinds.ts';
import { incidentView } from '../incidents/resource.ts';
import { isAboutStay } from '../messages/about-stay.ts';
import { inPortfolio, isHeldBy, newestInPortfolio } from '../properties/portfolio.ts';
import { type TaskView, taskView } from '../tasks/view.ts';
import {
  type Asked,
  cut,
  type Found,
  hitOf,
  idsOf,
  inPeriod,
  LOOKED_AT,
  NOTHING,
  ofProperty,
  type Scope,
} from './hits.ts';

/** Tasks, messages and incidents, by ids, people, codes and days. */

/** `newest`: of what holds, by an index in the order of `at`; of a portfolio by one of its properties. */
interface Newest {
  readonly table: 'task' | 'notification';
  readonly at: string;
  readonly asked: Asked;
  readonly holder: Scope['holder'];
  /** Rows that an agent sees wherever they are. */
  readonly own?: RawBuilder<SqlBool>;
  /** So many, of which those of the period are kept afterwards; absent: as many as are shown, all of the period. */
  readonly looked?: number;
}
function newest({ table, at, asked, holder, own, looked }: Newest, holds: RawBuilder<SqlBool>): RawBuilder<unknown> {
  const limit = looked ?? asked.limit + 1;
  const when = sql.ref(`${table}.${at}`);
  const listed = (scope: RawBuilder<SqlBool>) =>
    sql<{ id: string; at: Date }>`(SELECT ${sql.ref(`${table}.id`)}, ${when} AS at FROM ${sql.table(table)}
      WHERE ${scope} AND ${holds} AND ${looked === undefined ? inPeriod(`${table}.${at}`, asked) : sql`true`} ORDER BY ${when} DESC LIMIT ${limit}::int)`;
  if (holder === null) return sql`SELECT few.id FROM ${listed(ofProperty(`${table}.property_id`, asked))} few`;
  const place = sql.ref(`${table}.property_id`);
  return sql`SELECT unnest(${newestInPortfolio({
    holder,
    at: (propertyId) => listed(sql`${place} = ${propertyId}`),
    ...(own === undefined ? {} : { own: listed(own) }),
    limit,
  })})`;
}

/** The reader of tasks: what is shown of a title is the caller's to say (`titled`). */
export interface TaskReader extends Scope {
  readonly onlyType: TaskType | undefined;
  readonly titled: (task: TaskView) => TaskView;
}

/** An agent finds the tasks of the portfolio and the agent's own; who sees one type, that type. */
export async function findTasks(db: Db, asked: Asked, reader: TaskReader): Promise<Found> {
  const { holder, agentId, onlyType } = reader;
  const isOwn = agentId === null ? undefined : sql<SqlBool>`task.assignee_id = ${agentId}`;
  const ofType = onlyType === undefined ? sql<SqlBool>`true` : sql<SqlBool>`task.type = ${literal(onlyType)}`;
  const visible = sql<SqlBool>`task.deleted_at IS NULL AND ${ofType}`;
  const ownToo = isOwn === undefined ? {} : { own: isOwn };
  const list: Omit<Newest, 'at'> = { table: 'task', asked, holder, ...ownToo };
  const isAsked = sql`${visible} AND task.status <> ${literal('OVERTAKEN')}`;
  // By when it was made, and the period is of when it is due.
  const looked = asked.from === undefined && asked.to === undefined ? {} : { looked: LOOKED_AT };
  const all: RawBuilder<unknown>[] = [];
  const { id, day } = asked;
  if (id !== null)
    all.push(
      sql`SELECT ${id}::text`,
      sql`SELECT task.id FROM task WHERE task.reservation_id = ${id}`,
      newest({ ...list, at: 'created_at', ...looked }, sql`task.assignee_id = ${id} AND ${isAsked}`),
    );
  if (day !== null)
    all.push(
      newest(
        { ...list, at: 'scheduled_at' },
        sql`task.scheduled_at >= ${day.from}::timestamptz AND task.scheduled_at < ${day.to}::timestamptz AND ${isAsked}`,
      ),
    );
  const isHeld =
    holder === null
      ? sql`true`
      : sql`EXISTS (SELECT FROM property x WHERE x.id = task.property_id AND ${isHeldBy(holder, 'x')})`;
  const rows = await db
    .selectFrom('task')
    .selectAll()
    .where('id', '=', sql<string>`ANY(${idsOf(all)})`)
    .where(visible)
    .where(sql<SqlBool>`(${isHeld} OR ${isOwn ?? sql`false`})`)
    .where(inPeriod('task.scheduled_at', asked))
    .where(ofProperty('task.property_id', asked))
    .orderBy('scheduled_at', 'desc')
    .orderBy('id', 'desc')
    .limit(asked.limit + 1)
    .execute();
  return cut(rows, asked.limit, (row) => {
    const { id: task, title, type, status, startsAt, reservationId, propertyId } = reader.titled(taskView(row));
    return hitOf({
      kind: 'TASK',
      id: task,
      title,
      detail: type,
      state: status,
      at: startsAt,
      reservationId,
      propertyId,
    });
  });
}

/** Messages by what they are about, whom they went to, or their event; without their words. */
export async function findMessages(db: Db, asked: Asked, { agentId }: Scope): Promise<Found> {
  const { id, codes } = asked;
  const holder = agentId === null ? null : { agentId };
  const list: Newest = { table: 'notification', at: 'created_at', asked, holder };
  const all: RawBuilder<unknown>[] = [];
  if (id !== null)
    all.push(
      sql`SELECT ${id}::text`,
      sql`SELECT notification.id FROM notification WHERE ${isAboutStay(id)}`,
      sql`SELECT n.id FROM notification n WHERE n.sms_id = ${id}`,
      newest(list, sql`notification.recipient_id = ${id}`),
    );
  for (const code of codes) all.push(newest(list, sql`notification.event = ${code}`));
  const rows = await db
    .selectFrom('notification')
    .selectAll()
    .where('id', '=', sql<string>`ANY(${idsOf(all)})`)
    .where(inPortfolio(sql.ref('notification.property_id'), agentId))
    .where(inPeriod('notification.created_at', asked))
    .where(ofProperty('notification.property_id', asked))
    .orderBy('created_at', 'desc')
    .orderBy('id', 'desc')
    .limit(asked.limit + 1)
    .execute();
  return cut(rows, asked.limit, (row) =>
    hitOf({
      kind: 'MESSAGE',
      id: row.id,
      title: row.event,
      detail: row.reason ?? row.recipient_id,
      state: row.status,
      at: row.created_at.toISOString(),
      reservationId: row.reservation_id,
      propertyId: row.property_id,
    }),
  );
}

/** `area`: the only one that the reader sees; null: all. */
export async function findIncidents(db: Db, asked: Asked, area: IncidentArea | null): Promise<Found> {
  if (asked.propertyId !== undefined) return NOTHING;
  const limit = asked.limit + 1;
  const { id, codes, day } = asked;
  const ofArea = area === null ? sql<SqlBool>`true` : sql<SqlBool>`incident.area = ${literal(area)}`;
  const few = (holds: RawBuilder<SqlBool>) =>
    sql`SELECT incident.id FROM incident WHERE ${holds} AND ${ofArea} AND ${inPeriod('incident.first_at', asked)}
         ORDER BY incident.first_at DESC, incident.id DESC LIMIT ${limit}::int`;
  const all: RawBuilder<unknown>[] = id === null ? [] : [sql`SELECT ${id}::text`];
  for (const code of codes) all.push(few(sql`incident.kind = ${code}`));
  if (day !== null)
    all.push(few(sql`incident.first_at >= ${day.from}::timestamptz AND incident.first_at < ${day.to}::timestamptz`));
  const rows = await db
    .selectFrom('incident')
    .selectAll()
    .where('id', '=', sql<string>`ANY(${idsOf(all)})`)
    .where(ofArea)
    .where(inPeriod('incident.first_at', asked))
    .orderBy('first_at', 'desc')
    .orderBy('id', 'desc')
    .limit(limit)
    .execute();
  return cut(rows, asked.limit, (row) => {
    const { kind, summary, status, firstAt } = incidentView(row);
    return hitOf({ kind: 'INCIDENT', id: row.id, title: kind, detail: summary, state: status, at: firstAt });
  });
}
