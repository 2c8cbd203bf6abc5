import { sql } from 'kysely';
import type { Db } from '../../db/client.ts';
import { literal } from '../../db/literal.ts';
import type { IncidentExample } from '../../db/schema.ts';
import { cutPage, exactInstant, isAfter, type Page, type PageRequest } from '../paging.ts';
import {
  INCIDENT_KINDS,
  type IncidentArea,
  type IncidentKind,
  type IncidentKindText,
  isIncidentKind,
} from './kinds.ts';
import { type NoticeView, noticesOf } from './notices.ts';
import { type IncidentRow, incidentNotFound, WATCHDOG } from './store.ts';

/** Incidents as the API shows them. */

export interface IncidentView {
  readonly id: string;
  /** A kind of a version to come stays as it is. */
  readonly kind: string;
  readonly subject: string;
  readonly area: IncidentArea;
  readonly severity: 'CRITICAL' | 'WARNING';
  readonly status: 'OPEN' | 'CLOSED';
  /** What has happened, in a sentence. */
  readonly summary: string;
  /** What the system does by itself, and what a person can do. */
  readonly next: string;
  readonly remedy: string;
  readonly count: number;
  readonly most: number;
  /** Since when it is so, when it was first and last found: ISO instants. */
  readonly since: string;
  readonly firstAt: string;
  readonly lastAt: string;
  readonly mutedUntil: string | null;
  readonly mutedBy: string | null;
  readonly closedAt: string | null;
  /** Null while it is open, and where it was over by itself. */
  readonly closedBy: string | null;
  readonly reason: string | null;
  readonly examples: readonly IncidentExample[];
  readonly version: number;
}

const UNKNOWN: Pick<IncidentKindText, 'says' | 'next' | 'remedy'> = {
  says: (subject) => `This is of another version: ${subject}.`,
  next: 'See the documentation of that version.',
  remedy: 'See the documentation of that version.',
};

/** The public form of a row. */
export function incidentView(row: IncidentRow): IncidentView {
  const text = isIncidentKind(row.kind) ? INCIDENT_KINDS[row.kind] : UNKNOWN;
  return {
    id: row.id,
    kind: row.kind,
    subject: row.subject,
    area: row.area,
    severity: row.severity,
    status: row.closed_at === null ? 'OPEN' : 'CLOSED',
    summary: text.says(row.subject, row.count),
    next: text.next,
    remedy: text.remedy,
    count: row.count,
    most: row.most,
    since: row.since.toISOString(),
    firstAt: row.first_at.toISOString(),
    lastAt: row.last_at.toISOString(),
    mutedUntil: row.muted_until?.toISOString() ?? null,
    mutedBy: row.muted_by,
    closedAt: row.closed_at?.toISOString() ?? null,
    closedBy: row.closed_by === WATCHDOG ? null : row.closed_by,
    reason: row.reason,
    examples: row.details.examples ?? [],
    version: row.version,
  };
}

export interface IncidentFilter {
  readonly status?: 'OPEN' | 'CLOSED' | undefined;
  readonly kind?: IncidentKind | undefined;
  readonly area?: IncidentArea | undefined;
}

/** A page of incidents, newest first. `area`: the only one that the caller may see; null: all. */
export async function listIncidents(
  db: Db,
  { status, kind, area }: IncidentFilter,
  only: 'MONEY' | null,
  page: PageRequest,
): Promise<Page<IncidentView>> {
  let query = db.selectFrom('incident').selectAll().select(exactInstant('first_at').as('position_at'));
  if (status !== undefined) query = query.where('closed_at', status === 'OPEN' ? 'is' : 'is not', null);
  if (kind !== undefined) query = query.where('kind', '=', literal(kind));
  if (area !== undefined) query = query.where('area', '=', literal(area));
  if (only !== null) query = query.where('area', '=', literal(only));
  if (page.after) query = query.where(isAfter('first_at', 'id', page.after));
  const rows = await query
    .orderBy('first_at', 'desc')
    .orderBy('id', 'desc')
    .limit(page.limit + 1)
    .execute();
  return cutPage(rows, page.limit, incidentView);
}

export interface IncidentDetail extends IncidentView {
  /** Oldest first. */
  readonly told: readonly NoticeView[];
}

/** Throws `NOT_FOUND`, also for one that is not of the only area that the caller may see. */
export async function getIncident(db: Db, id: string, only: 'MONEY' | null): Promise<IncidentDetail> {
  let query = db.selectFrom('incident').selectAll().where('id', '=', id);
  if (only !== null) query = query.where('area', '=', literal(only));
  const row = await query.executeTakeFirst();
  if (!row) throw incidentNotFound();
  return { ...incidentView(row), told: await noticesOf(db, id) };
}

/** Those of the ids that there are. */
export async function incidentsById(db: Db, ids: readonly string[]): Promise<readonly IncidentView[]> {
  if (ids.length === 0) return [];
  const rows = await db
    .selectFrom('incident')
    .selectAll()
    .where('id', 'in', [...new Set(ids)])
    .execute();
  return rows.map(incidentView);
}

export interface IncidentAbout {
  readonly id: string;
  readonly kind: string;
  readonly subject: string;
  readonly status: 'OPEN' | 'CLOSED';
  readonly lastAt: Date;
}
/** Of each kind and subject the newest, open or not, as far as the reader may see it. */
export async function newestAbout(
  db: Db,
  wanted: readonly { readonly kind: IncidentKind; readonly subject: string }[],
  only: 'MONEY' | null,
): Promise<readonly IncidentAbout[]> {
  if (wanted.length === 0) return [];
  const [kinds, subjects] = [wanted.map(({ kind }) => kind), wanted.map(({ subject }) => subject)];
  const { rows } = await sql<IncidentAbout>`
    SELECT i.id, w.kind, w.subject, CASE WHEN i.closed_at IS NULL THEN 'OPEN' ELSE 'CLOSED' END AS status, i.last_at AS "lastAt"
      FROM (SELECT DISTINCT u.kind, u.subject FROM unnest(${kinds}::text[], ${subjects}::text[]) AS u (kind, subject)) w
     CROSS JOIN LATERAL (SELECT x.id, x.closed_at, x.last_at FROM incident x
       WHERE x.kind = w.kind AND x.subject = w.subject AND coalesce(x.area = ${only}, true) ORDER BY x.first_at DESC LIMIT 1) i`.execute(
    db,
  );
  return rows;
}

const MAX_OPEN = 100;
/** All that is open and not muted, the oldest first. */
export async function openIncidents(db: Db, only: 'MONEY' | null): Promise<readonly IncidentView[]> {
  let query = db
    .selectFrom('incident')
    .selectAll()
    .where('closed_at', 'is', null)
    .where((eb) => eb.or([eb('muted_until', 'is', null), eb('muted_until', '<=', sql<Date>`now()`)]));
  if (only !== null) query = query.where('area', '=', literal(only));
  const rows = await query.orderBy('first_at').orderBy('id').limit(MAX_OPEN).execute();
  return rows.map(incidentView);
}
