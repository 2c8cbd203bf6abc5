import { type RawBuilder, type SqlBool, sql } from 'kysely';
import { effectKeyOf } from '../../db/effect-key.ts';
import { literal } from '../../db/literal.ts';
import type { TaskType } from '../../db/schema.ts';
import { isAboutStay } from '../messages/about-stay.ts';
import { inPortfolio } from '../properties/portfolio.ts';
import type { TimelineKind, TimelineSource, TimelineSources } from './timeline-places.ts';

/** Where the entries of a timeline come from, for one reader: what the reader may not see is in no source. */

export interface TimelineReader {
  /** The kinds of entries that the reader may see. */
  readonly kinds: ReadonlySet<TimelineKind>;
  /** An agent sees what is about the portfolio; null: all. */
  readonly agentId: string | null;
  /** A service sees the processes that it started; null: all. */
  readonly startedBy: string | null;
  /** The one type of tasks that the reader sees; absent: every type. */
  readonly taskType?: TaskType | undefined;
}

/** What became of a stay, the column that says when, and the saga that does it. */
export const STAY_STATES = [
  { status: 'CONFIRMED', column: 'confirmed_at', saga: 'confirmReservation' },
  { status: 'CHECKED_IN', column: 'actual_check_in_at', saga: 'checkIn' },
  { status: 'CHECKED_OUT', column: 'actual_check_out_at', saga: 'checkOut' },
  { status: 'CANCELLED', column: 'cancelled_at', saga: 'cancelReservation' },
] as const;
/** The step of these sagas that changes the state. */
export const STATE_STEP = 'updateReservationStatus';

const NOTHING = sql``;

/** Of the `sources`, those whose kinds the reader sees. */
const seenOf = (
  { kinds }: TimelineReader,
  common: RawBuilder<unknown>,
  sources: readonly TimelineSource[],
): TimelineSources => ({ common, sources: sources.filter(({ kind }) => kinds.has(kind)) });

const ofType = ({ taskType }: TimelineReader, task: string): RawBuilder<SqlBool> =>
  taskType === undefined ? sql`true` : sql`${sql.ref(`${task}.type`)} = ${literal(taskType)}`;

/**
 * Everything about one stay: its refunds and payouts, and the sagas of these, too. An effect stands no earlier than the beginning of
 * the step that had it, whose transaction may have begun before.
 */
export function sourcesOfStay(reservationId: string, reader: TimelineReader): TimelineSources {
  const { agentId, startedBy } = reader;
  const common = sql`
    WITH sagas AS MATERIALIZED (
      SELECT s.id, s.name, s.requested_at, s.finished_at, s.updated_at, s.request_id FROM saga s
       WHERE s.id = ANY(ARRAY(
          SELECT o.id FROM saga o WHERE o.subject_id = ${reservationId} AND o.subject_type <> 'transaction'
          UNION SELECT o.id FROM transaction x JOIN saga o ON o.subject_id = x.id AND o.subject_type = 'transaction'
                 WHERE x.reservation_id = ${reservationId}
          UNION SELECT x.payout_saga FROM transaction x WHERE x.reservation_id = ${reservationId} AND x.payout_saga IS NOT NULL))
         AND ${startedBy === null ? sql`true` : sql`s.requested_by = ${startedBy}`} AND ${inPortfolio(sql.ref('s.property_id'), agentId)}),
    steps AS MATERIALIZED (
      SELECT st.saga_id, ${effectKeyOf('st')} AS effect_key, st.name, st.status, st.direction, s.name AS saga,
             greatest(coalesce(st.started_at, st.finished_at, s.updated_at), s.requested_at) AS at
        FROM saga_step st JOIN sagas s ON s.id = st.saga_id WHERE st.saga_id = ANY(ARRAY(SELECT id FROM sagas)))`;
  const stepOf = (saga: string, key: string) =>
    sql`LEFT JOIN steps p ON p.saga_id = ${sql.ref(saga)} AND starts_with(${sql.ref(key)}, p.effect_key)`;
  const ofStay = sql`r.id = ${reservationId}`;
  const states = STAY_STATES.map(
    ({ status, column, saga }) => sql`
      SELECT coalesce((SELECT max(p.at) FROM steps p WHERE p.saga = ${saga} AND p.name = ${STATE_STEP} AND p.direction = 'F' AND p.status = 'done'),
             ${sql.ref(`r.${column}`)}) AS at, r.id || ${`:${status}`}::text AS id FROM reservation r WHERE ${ofStay} AND ${sql.ref(`r.${column}`)} IS NOT NULL`,
  );
  return seenOf(reader, common, [
    { kind: 'request', rows: sql`SELECT requested_at AS at, id FROM sagas WHERE request_id IS NOT NULL` },
    { kind: 'saga', rows: sql`SELECT requested_at AS at, id FROM sagas` },
    { kind: 'step', rows: sql`SELECT at, effect_key AS id FROM steps` },
    { kind: 'outcome', rows: sql`SELECT finished_at AS at, id FROM sagas WHERE finished_at IS NOT NULL` },
    { kind: 'reservation', rows: sql`SELECT r.created_at AS at, r.id FROM reservation r WHERE ${ofStay}` },
    { kind: 'state', rows: sql.join(states, sql` UNION ALL `) },
    {
      kind: 'task',
      rows: sql`SELECT greatest(t.created_at, p.at) AS at, t.id FROM task t ${stepOf('t.created_by_saga', 't.effect_key')}
        WHERE t.reservation_id = ${reservationId} AND ${ofType(reader, 't')}`,
    },
    {
      kind: 'transaction',
      rows: sql`SELECT greatest(x.created_at, p.at) AS at, x.id FROM transaction x ${stepOf('x.created_by_saga', 'x.effect_key')}
        WHERE x.reservation_id = ${reservationId}`,
    },
    {
      kind: 'payment',
      rows: sql`SELECT y.created_at AS at, y.id FROM payment y WHERE y.reservation_id = ${reservationId}`,
    },
    {
      kind: 'approval',
      rows: sql`SELECT a.asked_at AS at, a.id FROM approval a WHERE a.reservation_id = ${reservationId}`,
    },
    {
      kind: 'access',
      rows: sql`SELECT a.activated_at AS at, a.reservation_id || ':GRANTED' AS id FROM amenity_grant a WHERE a.reservation_id = ${reservationId}
        UNION ALL SELECT a.revoked_at, a.reservation_id || ':REVOKED' FROM amenity_grant a WHERE a.reservation_id = ${reservationId} AND a.revoked_at IS NOT NULL`,
    },
    {
      kind: 'message',
      rows: sql`SELECT greatest(notification.created_at, p.at) AS at, notification.id FROM notification
        ${stepOf('notification.saga_id', 'notification.effect_key')} WHERE ${isAboutStay(reservationId)}`,
    },
    {
      kind: 'event',
      rows: sql`SELECT e.at, e.id::text AS id FROM domain_event e WHERE e.reservation_id = ${reservationId}`,
    },
    { kind: 'change', rows: changesWhere(sql`l.reservation_id = ${reservationId} AND ${isDoneByHand}`) },
  ]);
}

/** What a saga does by itself is told by the saga and its steps. */
const isDoneByHand = sql`(l.saga_id IS NULL OR l.event IN ('SAGA_RESUMED', 'SAGA_RESOLVED', 'SAGA_CANCELLED', 'SAGA_RETRIED_NOW', 'SAGA_STEP_SKIPPED', 'SAGA_AMENDED', 'SAGA_SIGNALLED', 'SAGA_PARKED', 'STALE_RETRY', 'RETRY_WITHOUT_APPROVAL'))`;
const changesWhere = (which: RawBuilder<unknown>): RawBuilder<unknown> =>
  sql`SELECT l.at, l.stream_id || ':' || l.seq AS id FROM audit_log l WHERE ${which}`;

/** The records of one property, each where it was made; what became of them is in the timelines of their stays. */
export function sourcesOfProperty(propertyId: string, reader: TimelineReader): TimelineSources {
  const { startedBy } = reader;
  const ofSaga = sql`s.property_id = ${propertyId} AND ${startedBy === null ? sql`true` : sql`s.requested_by = ${startedBy}`}`;
  return seenOf(reader, NOTHING, [
    {
      kind: 'request',
      rows: sql`SELECT s.requested_at AS at, s.id FROM saga s WHERE ${ofSaga} AND s.request_id IS NOT NULL`,
    },
    { kind: 'saga', rows: sql`SELECT s.requested_at AS at, s.id FROM saga s WHERE ${ofSaga}` },
    {
      kind: 'reservation',
      rows: sql`SELECT r.created_at AS at, r.id FROM reservation r WHERE r.property_id = ${propertyId}`,
    },
    {
      kind: 'task',
      rows: sql`SELECT t.created_at AS at, t.id FROM task t WHERE t.property_id = ${propertyId} AND ${ofType(reader, 't')}`,
    },
    {
      kind: 'transaction',
      rows: sql`SELECT x.created_at AS at, x.id FROM transaction x WHERE x.property_id = ${propertyId}`,
    },
    {
      kind: 'message',
      rows: sql`SELECT n.created_at AS at, n.id FROM notification n WHERE n.property_id = ${propertyId}`,
    },
    { kind: 'change', rows: changesWhere(sql`l.stream_id = ${`property:${propertyId}`}`) },
  ]);
}

/** An owner's money and the messages to the owner; an agent's part is that of the portfolio. */
export function sourcesOfOwner(ownerId: string, reader: TimelineReader): TimelineSources {
  const { agentId: ofAgent } = reader;
  const here = atPlaceOf(ofAgent);
  return seenOf(reader, NOTHING, [
    {
      kind: 'transaction',
      ofAgent,
      rows: sql`SELECT x.created_at AS at, x.id FROM transaction x WHERE x.owner_id = ${ownerId} AND ${here('x')}`,
    },
    { kind: 'message', ofAgent, rows: messagesTo('OWNER', ownerId, here) },
    {
      kind: 'approval',
      rows: sql`SELECT a.asked_at AS at, a.id FROM approval a WHERE a.subject_id = ${ownerId} AND a.subject_type = 'owner'`,
    },
    { kind: 'change', rows: changesWhere(sql`l.stream_id = ${`owner:${ownerId}`}`) },
  ]);
}

/** The tasks that a member of staff has now, the messages to that person, and the changes of the record. */
export function sourcesOfStaff(staffId: string, reader: TimelineReader): TimelineSources {
  const { agentId: ofAgent } = reader;
  const here = atPlaceOf(ofAgent);
  return seenOf(reader, NOTHING, [
    {
      kind: 'task',
      ofAgent,
      rows: sql`SELECT t.created_at AS at, t.id FROM task t WHERE t.assignee_id = ${staffId} AND ${here('t')}`,
    },
    { kind: 'message', ofAgent, rows: messagesTo('STAFF', staffId, here) },
    { kind: 'change', rows: changesWhere(sql`l.stream_id = ${`staff:${staffId}`}`) },
  ]);
}

type AtPlace = (row: string) => RawBuilder<SqlBool>;
/** Of an agent, the rows of the one property that is asked for. */
const atPlaceOf =
  (agentId: string | null): AtPlace =>
  (row) =>
    agentId === null ? sql`true` : sql`${sql.ref(`${row}.property_id`)} = place.id`;

const messagesTo = (type: 'OWNER' | 'STAFF', id: string, here: AtPlace): RawBuilder<unknown> =>
  sql`SELECT n.created_at AS at, n.id FROM notification n WHERE n.recipient_id = ${id} AND n.recipient_type = ${type} AND ${here('n')}`;
