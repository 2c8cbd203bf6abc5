import { sql } from 'kysely';
import type { Db } from '../../db/client.ts';
import { literals } from '../../db/literal.ts';
import { toMajor } from '../../kernel/money.ts';
import { inPortfolio } from '../properties/portfolio.ts';
import { forecastStay } from './forecast.ts';
import type { TimelineReader } from './timeline-sources.ts';

/** What lies ahead of a stay if all goes as planned, for the end of its timeline: the one forecast that there is, and the money that is due. */

export interface AheadEntry {
  /** ISO instant; null: as soon as it is caused. */
  readonly at: string | null;
  readonly kind: 'message' | 'task' | 'payout' | 'refund' | 'saga';
  /** Of what there is already; null: it is still to be made. */
  readonly id: string | null;
  readonly sentence: string;
  readonly status: string;
  /** By which rule, or what it waits for; null: nothing is said of it. */
  readonly why: string | null;
}

/** In the order in which it will happen; what has no time stands last. Throws `RESERVATION_NOT_FOUND`. */
export async function stayAhead(db: Db, reservationId: string, reader: TimelineReader): Promise<readonly AheadEntry[]> {
  const { kinds } = reader;
  const [{ messages, tasks }, money, sagas] = await Promise.all([
    forecastStay(db, reservationId),
    kinds.has('transaction') ? moneyAhead(db, reservationId) : [],
    kinds.has('saga') ? sagasAhead(db, reservationId, reader) : [],
  ]);
  const ofMessages = messages
    .filter(({ status }) => IS_AHEAD.has(status))
    .map(({ at, event, channel, recipientType, status, why, notificationId: id }): AheadEntry => {
      const when = status === 'SENDING' ? 'is on its way' : 'will go';
      return { at, kind: 'message', id, status, why, sentence: `${event} by ${channel} to ${recipientType} ${when}.` };
    });
  const ofTasks = tasks
    .filter(({ status, type }) => IS_AHEAD.has(status) && (reader.taskType ?? type) === type)
    .map(({ scheduledAt: at, occurrence, type, status, why, assigneeId, taskId: id }): AheadEntry => {
      const who = assigneeId === null ? 'nobody has it yet' : `${assigneeId} has it`;
      return { at, kind: 'task', id, status, why, sentence: `${type} (${occurrence}) is to begin; ${who}.` };
    });
  return [...ofMessages, ...ofTasks, ...money, ...sagas].toSorted(byTime);
}

/** Of messages and of tasks. */
const IS_AHEAD: ReadonlySet<string> = new Set([
  'EXPECTED',
  'QUEUED',
  'SENDING',
  'UNASSIGNED',
  'ASSIGNED',
  'IN_PROGRESS',
]);

const byTime = (one: AheadEntry, other: AheadEntry): number =>
  (one.at === null ? 1 : 0) - (other.at === null ? 1 : 0) || (one.at ?? '').localeCompare(other.at ?? '', 'en');

async function moneyAhead(db: Db, reservationId: string): Promise<readonly AheadEntry[]> {
  const rows = await db
    .selectFrom('transaction')
    .select(['id', 'type', 'status', 'amount_minor', 'currency', 'scheduled_for'])
    .where('reservation_id', '=', reservationId)
    .where('type', 'in', literals(['OWNER_PAYOUT', 'REFUND']))
    .where('status', 'in', literals(['PENDING', 'PROCESSING', 'MANUAL_REQUIRED']))
    .orderBy('id')
    .execute();
  return rows.map(({ id, type, status, amount_minor, currency, scheduled_for }): AheadEntry => {
    const amount = `${toMajor({ amountMinor: amount_minor, currency })} ${currency}`;
    const isByHand = status === 'MANUAL_REQUIRED';
    const why = isByHand ? 'a person must settle it outside' : null;
    return type === 'REFUND'
      ? { at: null, kind: 'refund', id, status, why, sentence: `A refund of ${amount} is awaited.` }
      : {
          at: scheduled_for?.toISOString() ?? null,
          kind: 'payout',
          id,
          status,
          why,
          sentence: `A payout of ${amount} is due.`,
        };
  });
}

/** Processes that go on by themselves: a step that is tried again, or a wait that ends. */
async function sagasAhead(
  db: Db,
  reservationId: string,
  { agentId, startedBy }: TimelineReader,
): Promise<readonly AheadEntry[]> {
  const { rows } = await sql<{ id: string; name: string; status: string; waits_for: string | null; at: Date }>`
    SELECT s.id, s.name, s.status, w.name AS waits_for,
           coalesce(w.wait_until, (SELECT min(o.available_at) FROM outbox o WHERE o.saga_id = s.id AND o.published_at IS NULL), s.next_check_at) AS at
      FROM saga s LEFT JOIN LATERAL (SELECT st.name, st.wait_until FROM saga_step st WHERE st.saga_id = ANY(ARRAY[s.id]) AND st.status = 'waiting') w ON true
     WHERE s.id = ANY(ARRAY(
             SELECT o.id FROM saga o WHERE o.subject_id = ${reservationId} AND o.subject_type <> 'transaction' AND o.finished_at IS NULL
             UNION SELECT o.id FROM transaction x JOIN saga o ON o.subject_id = x.id AND o.subject_type = 'transaction' AND o.finished_at IS NULL
              WHERE x.reservation_id = ${reservationId}))
       AND s.status <> 'parked' AND ${startedBy === null ? sql`true` : sql`s.requested_by = ${startedBy}`}
       AND ${inPortfolio(sql.ref('s.property_id'), agentId)} ORDER BY s.id`.execute(db);
  return rows.map(({ id, name, status, waits_for, at }) => ({
    at: at.toISOString(),
    kind: 'saga',
    id,
    status,
    why: waits_for === null ? null : `it waits at ${waits_for}`,
    sentence: waits_for === null ? `${name} goes on.` : `${name} stops waiting.`,
  }));
}
