import { type Selectable, sql } from 'kysely';
import type { Db, Tx } from '../../db/client.ts';
import { literal } from '../../db/literal.ts';
import type { Database } from '../../db/schema.ts';
import { RoomyError } from '../../kernel/errors.ts';
import { newId } from '../../kernel/ids.ts';
import { type Author, recordAudit } from '../audit/record.ts';
import type { Finding, RipeFinding } from './findings.ts';
import { INCIDENT_KINDS, type IncidentKind, isIncidentKind } from './kinds.ts';
import { NOTICE_TARGETS, type NoticeTarget, orderNotices } from './notices.ts';

/**
 * Incidents: what stands still, grouped by cause. The only statements that write `incident`. The watchdog opens, updates and
 * closes them by what it finds; a person may close one, which stays closed while nothing newer is found, or mute it.
 */

export type IncidentRow = Selectable<Database['incident']>;

/** It closes what was over by itself. */
export const WATCHDOG = 'watchdog';
/** Looked for and not found so often in a row, it is over. */
const OVER_AFTER_LOOKS = 3;
/** What begins again this soon is the same incident. */
const SAME_WITHIN_MINUTES = 30;
const MAX_SUBJECT = 200;
const MAX_EXAMPLES = 5;

export interface Found {
  readonly findings: readonly RipeFinding[];
  /** The kinds that could be looked at: what is not found of others may still be so. */
  readonly checked: readonly IncidentKind[];
}

/** The state of the incidents after a round of looks, in one transaction. Answers the ids of those that began and that ended. */
export const settleIncidents = (
  db: Db,
  found: Found,
  targets: readonly NoticeTarget[],
): Promise<{ readonly opened: readonly string[]; readonly closed: readonly string[] }> =>
  db.transaction().execute(async (tx) => {
    const known = await tx
      .selectFrom('incident')
      .selectAll()
      .where((eb) => eb.or([eb('closed_at', 'is', null), eb('lingers', '=', literal(true))]))
      .forUpdate()
      .execute();
    const opened: string[] = [];
    const held = new Set<string>();
    for (const finding of found.findings) {
      const same = known.filter((row) => row.kind === finding.kind && row.subject === subjectOf(finding));
      const row = same.find(({ closed_at }) => closed_at === null) ?? same.find((one) => isStillThat(one, finding));
      if (row?.closed_at === null) await goOn(tx, row.id, finding);
      else if (row) await lingerOn(tx, row.id);
      else opened.push(...(await begin(tx, finding)));
      if (row) held.add(row.id);
    }
    const checked = new Set<string>(found.checked);
    const closed = await miss(
      tx,
      known.filter(({ id, kind }) => !held.has(id) && (checked.has(kind) || !isIncidentKind(kind))),
    );
    await orderNotices(tx, 'OPENED', opened, targets);
    await orderNotices(tx, 'CLOSED', closed, NOTICE_TARGETS);
    return { opened, closed };
  });

const subjectOf = ({ subject }: Finding): string => subject.slice(0, MAX_SUBJECT);
const detailsOf = ({ examples = [] }: Finding): string => JSON.stringify({ examples: examples.slice(0, MAX_EXAMPLES) });

async function goOn(tx: Tx, id: string, finding: Finding): Promise<void> {
  const count = finding.count ?? 1;
  await tx
    .updateTable('incident')
    .set({
      count,
      most: sql<number>`greatest(most, ${count}::int)`,
      details: detailsOf(finding),
      last_at: sql<Date>`now()`,
      missed: 0,
    })
    .where('id', '=', id)
    .execute();
}

/** What a person has closed is found still. It keeps what it was about at its close, which says what is new. */
async function lingerOn(tx: Tx, id: string): Promise<void> {
  await tx.updateTable('incident').set({ last_at: sql<Date>`now()`, missed: 0 }).where('id', '=', id).execute();
}

/**
 * What a person has closed stays closed while what is found was there at the close: no more of it, nothing that began later, and,
 * as far as they are known one by one, none but those.
 */
function isStillThat(row: IncidentRow, { count = 1, newest, examples = [] }: RipeFinding): boolean {
  if (count > row.count || row.closed_at === null || (newest !== null && newest > row.closed_at)) return false;
  const known = row.details.examples ?? [];
  return known.length < row.count || examples.every(({ id }) => known.some((one) => one.id === id));
}

/** Its id, if it begins: what has not held for long enough does not. */
async function begin(tx: Tx, finding: RipeFinding): Promise<readonly string[]> {
  if (!finding.isRipe) return [];
  await tx
    .updateTable('incident')
    .set({ lingers: false })
    .where('kind', '=', finding.kind)
    .where('subject', '=', subjectOf(finding))
    .where('lingers', '=', literal(true))
    .execute();
  const before = await tx
    .selectFrom('incident')
    .select(['id', 'closed_by'])
    .select(sql<boolean>`closed_at > now() - ${SAME_WITHIN_MINUTES}::int * interval '1 minute'`.as('is_recent'))
    .where('kind', '=', finding.kind)
    .where('subject', '=', subjectOf(finding))
    .orderBy('first_at', 'desc')
    .limit(1)
    .executeTakeFirst();
  if (before?.closed_by === WATCHDOG && before.is_recent) {
    await tx
      .updateTable('incident')
      .set((eb) => ({
        closed_at: null,
        closed_by: null,
        reason: null,
        since: finding.since ?? sql<Date>`now()`,
        version: eb('version', '+', 1),
      }))
      .where('id', '=', before.id)
      .execute();
    await goOn(tx, before.id, finding);
    return [before.id];
  }
  const id = newId('incident');
  const count = finding.count ?? 1;
  await tx
    .insertInto('incident')
    .values({
      id,
      kind: finding.kind,
      subject: subjectOf(finding),
      area: finding.area ?? 'ENGINE',
      severity: INCIDENT_KINDS[finding.kind].severity,
      count,
      most: count,
      since: finding.since ?? sql<Date>`now()`,
      details: detailsOf(finding),
    })
    .execute();
  return [id];
}

/** They were looked for and not found. Answers which are over by that. */
async function miss(tx: Tx, rows: readonly IncidentRow[]): Promise<readonly string[]> {
  if (rows.length === 0) return [];
  const idsOf = (some: readonly IncidentRow[]): readonly string[] => some.map(({ id }) => id);
  const gone = rows.filter(({ missed }) => missed + 1 >= OVER_AFTER_LOOKS);
  const over = gone.filter(({ closed_at }) => closed_at === null);
  await sql`UPDATE incident SET missed = missed + 1, lingers = lingers AND missed + 1 < ${OVER_AFTER_LOOKS}::int WHERE id = ANY(${idsOf(rows)}::text[])`.execute(
    tx,
  );
  if (over.length === 0) return [];
  await tx
    .updateTable('incident')
    .set((eb) => ({ closed_at: sql<Date>`now()`, closed_by: WATCHDOG, version: eb('version', '+', 1) }))
    .where('id', 'in', [...idsOf(over)])
    .execute();
  return idsOf(over);
}

export interface IncidentAct {
  readonly id: string;
  readonly reason: string;
  /** Whose incidents the caller may see; null: all. */
  readonly area: 'MONEY' | null;
}

/** A person closes an incident. Throws `NOT_FOUND`, and `INVALID_STATE_TRANSITION` for one that is closed. */
export async function closeIncident(tx: Tx, act: IncidentAct, author: Author): Promise<IncidentRow> {
  await lockOpen(tx, act);
  const row = await tx
    .updateTable('incident')
    .set((eb) => ({
      closed_at: sql<Date>`now()`,
      closed_by: author.actor,
      reason: act.reason,
      lingers: true,
      missed: 0,
      version: eb('version', '+', 1),
    }))
    .where('id', '=', act.id)
    .returningAll()
    .executeTakeFirstOrThrow();
  await orderNotices(tx, 'CLOSED', [act.id], NOTICE_TARGETS);
  await audit(tx, author, 'INCIDENT_CLOSED', row, act.reason);
  return row;
}

const MAX_MUTED_DAYS = 30;
async function isAhead(tx: Tx, until: Date): Promise<boolean> {
  const { rows } = await sql<{ fits: boolean }>`
    SELECT ${until}::timestamptz > now() AND ${until}::timestamptz <= now() + ${MAX_MUTED_DAYS}::int * interval '1 day' AS fits`.execute(
    tx,
  );
  return rows[0]?.fits === true;
}

/** A person wants to hear nothing of an open incident until then; null: again at once. Throws as `closeIncident`, and `VALIDATION_FAILED`. */
export async function muteIncident(
  tx: Tx,
  act: IncidentAct & { readonly until: Date | null },
  author: Author,
): Promise<IncidentRow> {
  await lockOpen(tx, act);
  if (act.until !== null && !(await isAhead(tx, act.until)))
    throw new RoomyError('VALIDATION_FAILED', {
      text: `"until" must lie ahead, by ${MAX_MUTED_DAYS} days at the most`,
    });
  const row = await tx
    .updateTable('incident')
    .set((eb) => ({
      muted_until: act.until,
      muted_by: act.until === null ? null : author.actor,
      reason: act.reason,
      version: eb('version', '+', 1),
    }))
    .where('id', '=', act.id)
    .returningAll()
    .executeTakeFirstOrThrow();
  await audit(tx, author, 'INCIDENT_MUTED', row, act.reason);
  return row;
}

async function lockOpen(tx: Tx, { id, area }: IncidentAct): Promise<void> {
  let query = tx.selectFrom('incident').select('closed_at').where('id', '=', id);
  if (area !== null) query = query.where('area', '=', literal(area));
  const row = await query.forUpdate().executeTakeFirst();
  if (!row) throw incidentNotFound();
  if (row.closed_at !== null)
    throw new RoomyError('INVALID_STATE_TRANSITION', { text: 'The incident is closed', details: { status: 'CLOSED' } });
}

/** For one that is not there, or not the caller's to see. */
export const incidentNotFound = (): RoomyError => new RoomyError('NOT_FOUND', { text: 'Incident not found' });

const audit = (tx: Tx, author: Author, event: string, { id, kind, subject }: IncidentRow, reason: string) =>
  recordAudit(tx, {
    streamId: `incident:${id}`,
    event,
    ...author,
    body: { outcome: 'success', details: { id, kind, subject, reason } },
  });
