import { sql } from 'kysely';
import type { Db, Tx } from '../../db/client.ts';
import { literal, literals } from '../../db/literal.ts';
import { required } from '../../kernel/errors.ts';
import type { AlertCode } from '../notifications/alert-codes.ts';
import { raiseAlert } from '../notifications/alerts.ts';
import type { GatewayEvent, ReceivedEvent } from '../ports.ts';
import { reverseJournal } from './ledger.ts';

/**
 * An event counts once, and order does not matter: each is read against what stands in Postgres, and money is booked
 * only after the gateway was asked how things are now. What cannot be booked yet waits here (`gateway-news.ts`).
 */

/**
 * What came of it. `start-payment`: the money is captured, and nobody has booked it yet. `waiting`: it is taken up as soon
 * as nothing else is at work on the stay.
 */
export type EventOutcome =
  | 'repeated'
  | 'ignored'
  | 'known'
  | 'noted'
  | 'reversed'
  | 'booked'
  | 'waiting'
  | 'start-payment';

/** Decides and writes in one transaction; a repeat, also after a crash half way, finds what is left to do. */
export async function receiveEvent(tx: Tx, received: ReceivedEvent): Promise<EventOutcome> {
  const { gatewayId, eventId, type, event } = received;
  await tx
    .insertInto('gateway_event')
    .values({
      gateway_id: gatewayId,
      event_id: eventId,
      type,
      object_id: objectOf(event),
      event: JSON.stringify(event),
      ...(await aboutOf(tx, gatewayId, event)),
    })
    .onConflict((conflict) => conflict.columns(['gateway_id', 'event_id']).doNothing())
    .execute();
  const row = await tx
    .selectFrom('gateway_event')
    .select('processed_at')
    .where('gateway_id', '=', gatewayId)
    .where('event_id', '=', eventId)
    .forUpdate()
    .executeTakeFirstOrThrow();
  if (row.processed_at !== null) return 'repeated';
  const outcome = await consider(tx, received);
  // A payment that is to be started is processed when its saga is accepted.
  if (outcome !== 'start-payment' && outcome !== 'waiting') await markProcessed(tx, received, outcome);
  return outcome;
}

/** Notes the outcome of a received event of a gateway. */
export const markProcessed = (
  db: Db | Tx,
  { gatewayId, eventId }: Pick<ReceivedEvent, 'gatewayId' | 'eventId'>,
  outcome: EventOutcome,
) =>
  db
    .updateTable('gateway_event')
    .set({ processed_at: sql<Date>`now()`, outcome })
    .where('gateway_id', '=', gatewayId)
    .where('event_id', '=', eventId)
    .execute();

/** Which payment of ours it is about, and which stay. */
async function aboutOf(
  tx: Tx,
  gatewayId: string,
  event: GatewayEvent,
): Promise<{ readonly payment_id: string | null; readonly reservation_id: string | null }> {
  if (event.kind === 'charge-succeeded') return { payment_id: null, reservation_id: event.reservationId };
  if (event.kind !== 'charge-changed') return { payment_id: null, reservation_id: null };
  const payment = await paymentOf(tx, gatewayId, event);
  return { payment_id: payment?.id ?? null, reservation_id: payment?.reservation_id ?? null };
}

function objectOf(event: GatewayEvent): string | null {
  if (event.kind === 'ignored') return null;
  return 'reference' in event ? event.reference : event.providerId;
}

/** What is to be done about an event now; a payout that came back is taken back here. Safe to ask again. */
export async function consider(
  tx: Tx,
  { gatewayId, eventId, event }: Omit<ReceivedEvent, 'type'>,
): Promise<EventOutcome> {
  switch (event.kind) {
    case 'ignored':
      return 'ignored';
    case 'charge-succeeded':
      if (event.reservationId === null) return 'ignored';
      if (await paymentBy(tx, gatewayId, event.reference)) return 'known';
      if (await isBookable(tx, event.reservationId, event.currency)) return 'start-payment';
      // Captured for a stay that is not there, or in another currency: a person must find whose money it is.
      await alertGateway(tx, event.reference, 'CAPTURED_NOT_BOOKABLE', null);
      return 'noted';
    case 'charge-changed':
      // A charge of somebody else at the same provider is none of ours.
      return (await paymentOf(tx, gatewayId, event)) ? 'waiting' : 'ignored';
    case 'payout-failed':
      return payoutCameBack(tx, event, { gatewayId, eventId });
  }
}

const paymentBy = (tx: Tx, gatewayId: string, reference: string) =>
  tx
    .selectFrom('payment')
    .select(['id', 'reservation_id'])
    .where('gateway_id', '=', gatewayId)
    .where('gateway_reference', '=', reference)
    .where('status', 'in', literals(['PROCESSING', 'COMPLETED']))
    .executeTakeFirst();

/** By the charge's own id, which is known once it is captured, or by what it was asked for under. */
async function paymentOf(
  tx: Tx,
  gatewayId: string,
  { reference, chargeId }: Extract<GatewayEvent, { readonly kind: 'charge-changed' }>,
) {
  const byCharge = await tx
    .selectFrom('payment')
    .select(['id', 'reservation_id'])
    .where('gateway_id', '=', gatewayId)
    .where('provider_id', '=', chargeId ?? '')
    .where('status', 'in', literals(['PROCESSING', 'COMPLETED']))
    .executeTakeFirst();
  return byCharge ?? paymentBy(tx, gatewayId, reference);
}

async function isBookable(tx: Tx, reservationId: string, currency: string): Promise<boolean> {
  const stay = await tx
    .selectFrom('reservation')
    .select(['currency', 'guest_id'])
    .where('id', '=', reservationId)
    .executeTakeFirst();
  return stay !== undefined && stay.guest_id !== null && stay.currency === currency;
}

type PayoutFailure = Extract<GatewayEvent, { readonly kind: 'payout-failed' }>;

/** Money that had left for an owner is back: its journals are reversed, and a person is called (domain.md 8). */
async function payoutCameBack(
  tx: Tx,
  { providerId, reason }: PayoutFailure,
  { gatewayId, eventId }: Pick<ReceivedEvent, 'gatewayId' | 'eventId'>,
): Promise<EventOutcome> {
  const key = `${gatewayId}-${eventId}`;
  const mayCome = await mayBeOfPayoutUnderWay(tx, gatewayId, eventId);
  const taken = await takeBack(tx, { type: 'OWNER_PAYOUT', status: 'FAILED', providerId, reason, key });
  if (taken.length > 0) return 'reversed';
  const known = await tx
    .selectFrom('transaction')
    .select('status')
    .where('type', '=', literal('OWNER_PAYOUT'))
    .where('provider_id', '=', providerId)
    .executeTakeFirst();
  if (known && known.status !== 'COMPLETED') return 'known';
  // Told before we have its id ourselves, or while it was booked.
  if (known || mayCome) return 'waiting';
  // Such as an owner's own bank that sends back what a connected account paid out: a person must find whose it is.
  await alertGateway(tx, providerId, 'OWNER_PAYOUT_FAILED', null);
  return 'noted';
}

/**
 * Of events `e` that tell of a payout: it may be one whose id we do not have yet. For as long as it is worth waiting: a
 * payout that hangs for hours is not the one.
 */
export const MAY_BE_OF_PAYOUT_UNDER_WAY = sql<boolean>`(e.event ->> 'kind' = 'payout-failed' AND e.received_at > now() - interval '1 hour'
  AND EXISTS (SELECT FROM transaction t WHERE t.status = 'PROCESSING' AND t.type = 'OWNER_PAYOUT')
  AND NOT EXISTS (SELECT FROM transaction t WHERE t.provider_id = e.event ->> 'providerId' AND t.type = 'OWNER_PAYOUT'))`;

async function mayBeOfPayoutUnderWay(tx: Tx, gatewayId: string, eventId: string): Promise<boolean> {
  const { rows } = await sql`
    SELECT FROM gateway_event e WHERE e.gateway_id = ${gatewayId} AND e.event_id = ${eventId} AND ${MAY_BE_OF_PAYOUT_UNDER_WAY}`.execute(
    tx,
  );
  return rows.length > 0;
}

export interface CameBack {
  readonly type: 'REFUND' | 'OWNER_PAYOUT';
  readonly status: 'MANUAL_REQUIRED' | 'FAILED';
  readonly providerId: string;
  /** An upper-snake code. */
  readonly reason: string;
  /** Of what it is booked by; each row gets a key of its own from it. */
  readonly key: string;
}

/** Money that we thought had gone out came back: its journal is reversed, and a person is called. Answers the rows' ids. */
export async function takeBack(
  tx: Tx,
  { type, status, providerId, reason, key }: CameBack,
): Promise<readonly string[]> {
  const rows = await tx
    .updateTable('transaction')
    .set((eb) => ({
      status,
      settled_minor: 0,
      outstanding_minor: eb.ref('amount_minor'),
      error_code: reason,
      completed_at: null,
      // Whatever it was refused for once, it is another matter now.
      details: sql<string>`details - 'refusedBehind'`,
      version: eb('version', '+', 1),
    }))
    .where('type', '=', type)
    .where('provider_id', '=', providerId)
    .where('status', '=', literal('COMPLETED'))
    .returning(['id'])
    .execute();
  for (const { id } of rows) {
    const journal = await tx
      .selectFrom('ledger_tx')
      .select(['id', 'saga_id'])
      .where('transaction_id', '=', id)
      .where('kind', 'in', ['REFUND_PAID', 'OWNER_PAYOUT'])
      .where((eb) =>
        eb.not(eb.exists(eb.selectFrom('ledger_tx as r').select('r.id').whereRef('r.reverses', '=', 'ledger_tx.id'))),
      )
      .executeTakeFirst();
    if (!journal) continue;
    await reverseJournal(tx, journal.id, { sagaId: null, postedBy: GATEWAY, effectKey: `${key}-${id}` });
    await alertGateway(tx, id, `${type}_FAILED`, journal.saga_id);
  }
  return rows.map(({ id }) => id);
}

/** Has a charge's record looked at, once for each occasion, without an event of its gateway. */
export const askForLook = (
  tx: Db | Tx,
  look: {
    readonly gatewayId: string;
    readonly gatewayReference: string;
    readonly chargeId: string;
    readonly paymentId: string;
    readonly reservationId: string;
    readonly occasion: string;
  },
) =>
  tx
    .insertInto('gateway_event')
    .values({
      gateway_id: look.gatewayId,
      event_id: look.occasion,
      type: 'look',
      object_id: look.gatewayReference,
      event: JSON.stringify({ kind: 'charge-changed', reference: look.gatewayReference, chargeId: look.chargeId }),
      payment_id: look.paymentId,
      reservation_id: look.reservationId,
    })
    .onConflict((conflict) => conflict.columns(['gateway_id', 'event_id']).doNothing())
    .execute();

/** Events about a charge are ignored until its payment is booked: whatever they told is read from its record now. */
export async function lookAtCaptured(tx: Tx, paymentId: string): Promise<void> {
  const payment = await tx.selectFrom('payment').selectAll().where('id', '=', paymentId).executeTakeFirstOrThrow();
  await askForLook(tx, {
    gatewayId: payment.gateway_id,
    gatewayReference: payment.gateway_reference,
    chargeId: required(payment.provider_id, 'the id of a captured charge'),
    paymentId,
    reservationId: payment.reservation_id,
    occasion: `captured-${paymentId}`,
  });
}

/** In whose name the gateway's news is booked. */
export const GATEWAY = 'system:gateway';

/** Calls a person about a gateway, in one group of alerts per gateway; with a saga, the alert is about the saga. */
export const alertGateway = (tx: Tx, group: string, code: AlertCode, sagaId: string | null) =>
  raiseAlert(tx, {
    ...(sagaId === null ? { about: 'gateway', id: group } : { about: 'saga', id: sagaId }),
    source: 'gateway',
    step: null,
    code,
    group: `gateway-${group}`,
  });
