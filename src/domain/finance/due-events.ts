import { sql } from 'kysely';
import type { Db, Tx } from '../../db/client.ts';
import { retryContention } from '../../db/errors.ts';
import { RoomyError } from '../../kernel/errors.ts';
import { withTimeout } from '../../kernel/time-limit.ts';
import type { ChargeRecord, DisputedCharge, GatewayEvent, GatewayMovement, Ports } from '../ports.ts';
import { isNotSetAside } from '../sweeps/failures.ts';
import { attemptEach } from '../sweeps/isolate.ts';
import { bookRecord, type CapturedCharge } from './charge-record.ts';
import {
  decideEvent,
  type EventOutcome,
  MAY_BE_OF_PAYOUT_UNDER_WAY,
  markProcessed,
  requestRecordCheck,
} from './gateway-events.ts';

/**
 * Events of gateways that wait until nothing else is at work on their stay, and are then booked. Everything that decides stands
 * in Postgres, so each thing is booked once, however often and by whichever process this is called.
 */

/** The waiting events about one charge, or one other event. */
export interface DueEvents {
  readonly gatewayId: string;
  /** `<gateway> <payment>`, or `<gateway> <event>`. */
  readonly id: string;
  readonly paymentId: string | null;
  readonly reservationId: string | null;
  /** Reading the record of the charge once settles all of these. */
  readonly eventIds: readonly string[];
  readonly event: GatewayEvent;
}

/**
 * SQL: a saga is at work on the stay, or parked with its locks, which one that waits for an approval is not; or a refund of it is on its way, and its outcome at the gateway is not known yet.
 * `stay`: SQL of a stay's id.
 */
const isBusy = (stay: ReturnType<typeof sql>) => sql<boolean>`(
  EXISTS (SELECT FROM saga s WHERE s.subject_type = 'reservation' AND s.subject_id = ${stay} AND s.finished_at IS NULL AND (s.holds_state OR s.holds_money))
  OR EXISTS (SELECT FROM transaction t JOIN saga s ON s.subject_type = 'transaction' AND s.subject_id = t.id AND s.finished_at IS NULL
    WHERE t.reservation_id = ${stay} AND t.type = 'REFUND'))`;

const ROW_ID = sql`e.gateway_id || ' ' || coalesce(e.payment_id, e.event_id)`;

export const isEventDue = sql<boolean>`e.processed_at IS NULL AND e.event IS NOT NULL AND NOT ${isBusy(sql`e.reservation_id`)}
  AND NOT ${MAY_BE_OF_PAYOUT_UNDER_WAY} AND ${isNotSetAside('gateway-events', ROW_ID)}`;

/** SQL: whether a waiting event can be booked now. */
export const gatewayEventsDue = sql<boolean>`EXISTS (SELECT FROM gateway_event e WHERE ${isEventDue})`;

type GatewayPorts = Pick<Ports, 'gateway' | 'amountStep'>;

/** At most `limit` of the waiting events that can be booked now, the oldest first; several events about one charge are one. */
export async function findDueEvents(db: Db, limit: number): Promise<readonly DueEvents[]> {
  const { rows } = await sql<DueEvents>`
    SELECT e.gateway_id AS "gatewayId", ${ROW_ID} AS id, e.payment_id AS "paymentId", min(e.reservation_id) AS "reservationId",
           array_agg(e.event_id ORDER BY e.received_at, e.event_id) AS "eventIds",
           (array_agg(e.event ORDER BY e.received_at, e.event_id))[1] AS event
      FROM gateway_event e
     WHERE ${isEventDue}
     GROUP BY e.gateway_id, e.payment_id, coalesce(e.payment_id, e.event_id) ORDER BY min(e.received_at), id LIMIT ${limit}::int`.execute(
    db,
  );
  return rows;
}

/**
 * Requests a check of the record of each charge of which a gateway's record shows a refund or dispute that our books do not have, or
 * lacks a refund that they have: this makes up for events that were lost. Answers those of them that can be booked now.
 */
async function requestMissedChecks(db: Db, disputes: readonly DisputedCharge[], compared: Compared) {
  const { gatewayId, movements, from, to, occasion } = compared;
  const refunds = movements.filter(({ kind, failed }) => kind === 'REFUND' && !failed);
  const shown = JSON.stringify(
    refunds.map(({ providerId, reference, chargeId }) => ({ providerId, reference, chargeId })),
  );
  const { rows } = await sql<CapturedCharge>`
    WITH shown AS (SELECT * FROM jsonb_to_recordset(${shown}::jsonb) AS m("providerId" text, reference text, "chargeId" text)),
    differing AS (
      SELECT y.id FROM shown m JOIN payment y ON y.gateway_id = ${gatewayId} AND y.status = 'COMPLETED'
         AND (y.provider_id = m."chargeId" OR y.gateway_reference = m.reference)
       WHERE NOT EXISTS (SELECT FROM transaction t WHERE t.provider_id = m."providerId" AND t.type = 'REFUND' AND t.status = 'COMPLETED')
      UNION SELECT t.payment_id FROM transaction t
       WHERE t.type = 'REFUND' AND t.status = 'COMPLETED' AND t.gateway_id = ${gatewayId} AND t.completed_at >= ${from} AND t.completed_at < ${to}
         AND NOT EXISTS (SELECT FROM shown m WHERE m."providerId" = t.provider_id)
      UNION SELECT y.id FROM jsonb_to_recordset(${JSON.stringify(disputes)}::jsonb) AS m("providerId" text, "chargeId" text)
        JOIN payment y ON y.gateway_id = ${gatewayId} AND y.status = 'COMPLETED' AND y.provider_id = m."chargeId"
       WHERE NOT EXISTS (SELECT FROM transaction t WHERE t.gateway_id = ${gatewayId} AND t.provider_id = m."providerId" AND t.type = 'DISPUTE')
      -- The end of an open dispute may show in no movement at all.
      UNION SELECT t.payment_id FROM transaction t WHERE t.type = 'DISPUTE' AND t.status IN ('PENDING', 'PROCESSING') AND t.gateway_id = ${gatewayId})
    SELECT y.id AS "paymentId", y.reservation_id AS "reservationId", y.gateway_id AS "gatewayId", y.gateway_reference AS reference, y.provider_id AS "chargeId"
      FROM differing d JOIN payment y ON y.id = d.id ORDER BY y.id`.execute(db);
  for (const charge of rows) {
    await requestRecordCheck(db, {
      ...charge,
      gatewayReference: charge.reference,
      occasion: `${occasion}-${charge.paymentId}`,
    });
  }
  const requested = new Set(rows.map(({ paymentId }) => paymentId));
  const due = requested.size === 0 ? [] : await findDueEvents(db, MAX_DUE);
  return due.filter(({ paymentId }) => paymentId !== null && requested.has(paymentId));
}
interface Compared {
  readonly gatewayId: string;
  readonly movements: readonly Pick<GatewayMovement, 'kind' | 'providerId' | 'reference' | 'chargeId' | 'failed'>[];
  readonly from: Date;
  readonly to: Date;
  readonly occasion: string;
}
/** The sweep books the others. */
const MAX_DUE = 1_000;
/** Disputes beyond it wait for their events, or for the next comparison. */
const MAX_DISPUTES = 10_000;

/**
 * Books the refunds and disputes of a time that a gateway's record shows and no event has reported, of the stays that no saga is at
 * work on; the sweep books the others.
 */
export async function bookMissedEvents(db: Db, ports: GatewayPorts, compared: Compared): Promise<void> {
  const { gatewayId, from, to } = compared;
  const disputes = await ports.gateway(gatewayId).disputes(gatewayId, from, to, MAX_DISPUTES);
  const due = await requestMissedChecks(db, disputes, compared);
  await attemptEach(db, 'gateway-events', due, { id: ({ id }) => id, work: (one) => processEvents(db, ports, one) });
}

/** `start-payment`: the gateway has captured money that is not booked, and the caller starts its saga. */
export type ProcessedEvents = 'done' | 'start-payment';

/** Books the events of one charge, or another event; they go on waiting when a saga has begun to work on their stay. */
export async function processEvents(db: Db, ports: GatewayPorts, due: DueEvents): Promise<ProcessedEvents> {
  const { gatewayId, paymentId, event, eventIds } = due;
  if (paymentId !== null) {
    await bookCharge(db, ports, due, paymentId);
    return 'done';
  }
  let started: ProcessedEvents = 'done';
  await db.transaction().execute(async (tx) => {
    for (const eventId of eventIds) {
      const outcome = await decideEvent(tx, { gatewayId, eventId, event });
      if (outcome === 'start-payment') started = outcome;
      else if (outcome !== 'waiting') await markProcessed(tx, { gatewayId, eventId }, outcome);
    }
  });
  return started;
}

/** Reads the gateway's record of the charge, with no transaction open, then books its new entries. */
async function bookCharge(
  db: Db,
  ports: GatewayPorts,
  { gatewayId, eventIds }: DueEvents,
  paymentId: string,
): Promise<void> {
  const payment = await readCharge(db, paymentId);
  const record = payment && (await askForRecord(ports, payment));
  await retryContention(() =>
    db.transaction().execute(async (tx) => {
      const outcome = payment && record ? await bookAtRest(tx, ports, { charge: payment, record, eventIds }) : 'known';
      if (outcome === 'waiting') return;
      for (const eventId of eventIds) await markProcessed(tx, { gatewayId, eventId }, outcome);
    }),
  );
}

/** Null: the payment came to nothing, so nothing can have gone back of it. */
async function readCharge(db: Db, paymentId: string): Promise<CapturedCharge | null> {
  const row = await db
    .selectFrom('payment')
    .select(['reservation_id', 'gateway_id', 'gateway_reference', 'provider_id', 'status'])
    .where('id', '=', paymentId)
    .executeTakeFirstOrThrow();
  if (row.status !== 'COMPLETED' || row.provider_id === null) return null;
  return {
    paymentId,
    reservationId: row.reservation_id,
    gatewayId: row.gateway_id,
    reference: row.gateway_reference,
    chargeId: row.provider_id,
  };
}

const LOOK_UP_MS = 15_000;

function askForRecord(ports: GatewayPorts, charge: CapturedCharge): Promise<ChargeRecord> {
  const limit = { timeoutMs: LOOK_UP_MS, error: (cause: unknown) => new RoomyError('STEP_TIMEOUT', { cause }) };
  return withTimeout(limit, (signal) => ports.gateway(charge.gatewayId).recordOf(charge, signal));
}

/**
 * Books a record unless a saga of the stay is open: then the events go on waiting. The lock of the stay keeps out every saga that
 * is started meanwhile.
 */
async function bookAtRest(
  tx: Tx,
  ports: GatewayPorts,
  { charge, record, eventIds }: { charge: CapturedCharge; record: ChargeRecord; eventIds: readonly string[] },
): Promise<EventOutcome> {
  const stay = sql`${charge.reservationId}::text`;
  const { rows: locked } = await sql<{ now: Date }>`
    SELECT now() AS now FROM reservation r WHERE r.id = ${stay} FOR UPDATE`.execute(tx);
  // A statement of its own, so that it sees the rows that were committed while the one before waited for the lock.
  const { rows } = await sql<{ busy: boolean; waiting: number }>`
    SELECT ${isBusy(stay)} AS busy, (SELECT count(*)::int FROM gateway_event v
      WHERE v.gateway_id = ${charge.gatewayId} AND v.event_id = ANY(${eventIds}::text[]) AND v.processed_at IS NULL) AS waiting`.execute(
    tx,
  );
  const at = locked[0]?.now;
  const { busy, waiting } = rows[0] ?? {};
  if (at === undefined || busy !== false) return 'waiting';
  // Another process has booked from a record that may be newer than this one; later entries have events of their own.
  if (waiting !== eventIds.length) return 'waiting';
  return bookRecord(tx, charge, record, at, ports);
}
