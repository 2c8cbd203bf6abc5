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
  askForLook,
  consider,
  type EventOutcome,
  MAY_BE_OF_PAYOUT_UNDER_WAY,
  markProcessed,
} from './gateway-events.ts';

/**
 * Events of gateways that wait until nothing else is at work on their stay, and are then taken up. Everything that decides
 * stands in Postgres: whoever wakes this up, and however often, books each thing once.
 */

/** What is due about one charge, or one other event. */
export interface GatewayNews {
  readonly gatewayId: string;
  /** `<gateway> <payment>`, or `<gateway> <event>`. */
  readonly id: string;
  readonly paymentId: string | null;
  readonly reservationId: string | null;
  /** Those that one look at the charge answers. */
  readonly eventIds: readonly string[];
  readonly event: GatewayEvent;
}

/**
 * A saga is at work on the stay, or parked; or a refund of it is on its way, of which it is not known yet what the gateway
 * has made. `stay`: SQL of a stay's id.
 */
const isBusy = (stay: ReturnType<typeof sql>) => sql<boolean>`(
  EXISTS (SELECT FROM saga s WHERE s.subject_type = 'reservation' AND s.subject_id = ${stay} AND s.finished_at IS NULL)
  OR EXISTS (SELECT FROM transaction t JOIN saga s ON s.subject_type = 'transaction' AND s.subject_id = t.id AND s.finished_at IS NULL
    WHERE t.reservation_id = ${stay} AND t.type = 'REFUND'))`;

const ROW_ID = sql`e.gateway_id || ' ' || coalesce(e.payment_id, e.event_id)`;

/** What of the outside taking up news needs. */
type Asked = Pick<Ports, 'gateway' | 'amountStep'>;

/** The oldest first; several events about one charge are one. */
export async function dueNews(db: Db, limit: number): Promise<readonly GatewayNews[]> {
  const { rows } = await sql<GatewayNews>`
    SELECT e.gateway_id AS "gatewayId", ${ROW_ID} AS id, e.payment_id AS "paymentId", min(e.reservation_id) AS "reservationId",
           array_agg(e.event_id ORDER BY e.received_at, e.event_id) AS "eventIds",
           (array_agg(e.event ORDER BY e.received_at, e.event_id))[1] AS event
      FROM gateway_event e
     WHERE e.processed_at IS NULL AND e.event IS NOT NULL AND NOT ${isBusy(sql`e.reservation_id`)}
       AND NOT ${MAY_BE_OF_PAYOUT_UNDER_WAY} AND ${isNotSetAside('gateway-events', ROW_ID)}
     GROUP BY e.gateway_id, e.payment_id, coalesce(e.payment_id, e.event_id) ORDER BY min(e.received_at), id LIMIT ${limit}::int`.execute(
    db,
  );
  return rows;
}

/**
 * Charges of ours of which a gateway's record shows a refund or dispute that our books do not have, or lacks a refund that they have, are
 * looked at: an event that was lost is made up for. Answers what is due of them now.
 */
async function newsOfMovements(db: Db, disputes: readonly DisputedCharge[], compared: Compared) {
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
      -- How an open one ends may show in no movement at all.
      UNION SELECT t.payment_id FROM transaction t WHERE t.type = 'DISPUTE' AND t.status IN ('PENDING', 'PROCESSING') AND t.gateway_id = ${gatewayId})
    SELECT y.id AS "paymentId", y.reservation_id AS "reservationId", y.gateway_id AS "gatewayId", y.gateway_reference AS reference, y.provider_id AS "chargeId"
      FROM differing d JOIN payment y ON y.id = d.id ORDER BY y.id`.execute(db);
  for (const charge of rows) {
    await askForLook(db, {
      ...charge,
      gatewayReference: charge.reference,
      occasion: `${occasion}-${charge.paymentId}`,
    });
  }
  const asked = new Set(rows.map(({ paymentId }) => paymentId));
  const due = asked.size === 0 ? [] : await dueNews(db, MAX_DUE);
  return due.filter(({ paymentId }) => paymentId !== null && asked.has(paymentId));
}
interface Compared {
  readonly gatewayId: string;
  readonly movements: readonly Pick<GatewayMovement, 'kind' | 'providerId' | 'reference' | 'chargeId' | 'failed'>[];
  readonly from: Date;
  readonly to: Date;
  readonly occasion: string;
}
/** What is not among them is taken up by the sweep. */
const MAX_DUE = 1_000;
/** Those beyond it wait for their events, or for another look. */
const MAX_DISPUTES = 10_000;

/** Books what a gateway's record of a time shows and no event has told, as far as its stays are at rest. */
export async function makeUpForLostEvents(db: Db, ports: Asked, compared: Compared): Promise<void> {
  const { gatewayId, from, to } = compared;
  const disputes = await ports.gateway(gatewayId).disputes(gatewayId, from, to, MAX_DISPUTES);
  const news = await newsOfMovements(db, disputes, compared);
  await attemptEach(db, 'gateway-events', news, { id: ({ id }) => id, work: (one) => takeUpNews(db, ports, one) });
}

/** What is left for the caller to start: money that the gateway has captured, and nobody has booked. */
export type TakenUp = 'done' | 'start-payment';

/** Takes one up; it goes on waiting when something else has begun to work on its stay. */
export async function takeUpNews(db: Db, ports: Asked, news: GatewayNews): Promise<TakenUp> {
  const { gatewayId, paymentId, event, eventIds } = news;
  if (paymentId !== null) {
    await takeUpCharge(db, ports, news, paymentId);
    return 'done';
  }
  let started: TakenUp = 'done';
  await db.transaction().execute(async (tx) => {
    for (const eventId of eventIds) {
      const outcome = await consider(tx, { gatewayId, eventId, event });
      if (outcome === 'start-payment') started = outcome;
      else if (outcome !== 'waiting') await markProcessed(tx, { gatewayId, eventId }, outcome);
    }
  });
  return started;
}

/** Asks the gateway for the charge as it stands now, with no transaction open, then books what is new. */
async function takeUpCharge(
  db: Db,
  ports: Asked,
  { gatewayId, eventIds }: GatewayNews,
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

/** Null: it came to nothing after all, and so did whatever went back of it. */
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

function askForRecord(ports: Asked, charge: CapturedCharge): Promise<ChargeRecord> {
  const limit = { timeoutMs: LOOK_UP_MS, error: (cause: unknown) => new RoomyError('STEP_TIMEOUT', { cause }) };
  return withTimeout(limit, (signal) => ports.gateway(charge.gatewayId).recordOf(charge, signal));
}

/** The lock of the stay keeps out every saga that is started meanwhile; one that is open already is waited for. */
async function bookAtRest(
  tx: Tx,
  ports: Asked,
  { charge, record, eventIds }: { charge: CapturedCharge; record: ChargeRecord; eventIds: readonly string[] },
): Promise<EventOutcome> {
  const stay = sql`${charge.reservationId}::text`;
  const { rows: locked } = await sql<{ now: Date }>`
    SELECT now() AS now FROM reservation r WHERE r.id = ${stay} FOR UPDATE`.execute(tx);
  // A statement of its own, so that it sees what was committed while this one waited for the row.
  const { rows } = await sql<{ busy: boolean; waiting: number }>`
    SELECT ${isBusy(stay)} AS busy, (SELECT count(*)::int FROM gateway_event v
      WHERE v.gateway_id = ${charge.gatewayId} AND v.event_id = ANY(${eventIds}::text[]) AND v.processed_at IS NULL) AS waiting`.execute(
    tx,
  );
  const at = locked[0]?.now;
  const { busy, waiting } = rows[0] ?? {};
  if (at === undefined || busy !== false) return 'waiting';
  // Another process has booked from a record that may be newer than this one: what has come since has an event of its own.
  if (waiting !== eventIds.length) return 'waiting';
  return bookRecord(tx, charge, record, at, ports);
}
