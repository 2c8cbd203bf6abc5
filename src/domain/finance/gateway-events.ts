import { sql } from 'kysely';
import type { Db, Tx } from '../../db/client.ts';
import { literal, literals } from '../../db/literal.ts';
import { required } from '../../kernel/errors.ts';
import type { AlertCode } from '../notifications/alert-codes.ts';
import { raiseAlert } from '../notifications/alerts.ts';
import type { GatewayEvent, ReceivedEvent } from '../ports.ts';
import { reverseJournal } from './ledger.ts';
import { markPayoutsReturned } from './store/payouts.ts';
import { markRefundsReturned } from './store/refunds.ts';

/**
 * Events of gateways. An event counts once, and their order does not matter: each is compared with the rows in Postgres, and money
 * is booked only after the gateway's own record was read. An event that cannot be booked yet waits (`due-events.ts`).
 */

/**
 * The outcome of an event. `start-payment`: the money is captured, and its saga is still to be started. `waiting`: it is processed
 * as soon as nothing else is at work on the stay.
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

/**
 * Records a verified event and decides on it, in one transaction with its effect. A repeat does the rest, also after a crash half
 * way, or answers `repeated`.
 */
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
  const outcome = await decideEvent(tx, received);
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

/** The payment and the stay that an event is about. */
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

/** Decides on an event, and books the return of a payout. Safe to call again. */
export async function decideEvent(
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
      // Captured for a stay that does not exist, or in another currency: a person must find out whose money it is.
      await alertGateway(tx, event.reference, 'CAPTURED_NOT_BOOKABLE', event.reference);
      return 'noted';
    case 'charge-changed':
      // The same account at the provider may have charges that are not ours.
      return (await paymentOf(tx, gatewayId, event)) ? 'waiting' : 'ignored';
    case 'payout-failed':
      return bookReturnedPayout(tx, event, { gatewayId, eventId });
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

/** By the charge's own id, which is known once it is captured, or by the reference of its request. */
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

/** Money that had left for an owner is back: its journals are reversed, and a person is alerted (domain.md 8). */
async function bookReturnedPayout(
  tx: Tx,
  { providerId, reason }: PayoutFailure,
  { gatewayId, eventId }: Pick<ReceivedEvent, 'gatewayId' | 'eventId'>,
): Promise<EventOutcome> {
  const key = `${gatewayId}-${eventId}`;
  const mayCome = await mayBeOfPayoutUnderWay(tx, gatewayId, eventId);
  const returned = await bookReturned(tx, { type: 'OWNER_PAYOUT', providerId, reason, key });
  if (returned.length > 0) return 'reversed';
  const known = await tx
    .selectFrom('transaction')
    .select('status')
    .where('type', '=', literal('OWNER_PAYOUT'))
    .where('provider_id', '=', providerId)
    .executeTakeFirst();
  if (known && known.status !== 'COMPLETED') return 'known';
  // The event came before we have the payout's id, or while it was being booked.
  if (known || mayCome) return 'waiting';
  // As when an owner's own bank sends back the payout of a connected account: a person must find out whose it is.
  await alertGateway(tx, providerId, 'OWNER_PAYOUT_FAILED', providerId);
  return 'noted';
}

/**
 * SQL of event `e`: it reports a failed payout that may be one whose id we do not have yet. For an hour: a payout that is
 * PROCESSING for longer is not the one.
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

export interface ReturnedMoney {
  readonly type: 'REFUND' | 'OWNER_PAYOUT';
  readonly providerId: string;
  /** An upper-snake code. */
  readonly reason: string;
  /** The key of each reversal begins with this. */
  readonly key: string;
}

/**
 * Money that our books say has left is back at the provider: its journals are reversed, a refund waits for a person, a payout
 * has failed, and a person is alerted. Answers the ids of the transactions; none: the provider's id is not one of a completed
 * transaction of that type.
 */
export async function bookReturned(
  tx: Tx,
  { type, providerId, reason, key }: ReturnedMoney,
): Promise<readonly string[]> {
  const ids = await (type === 'REFUND' ? markRefundsReturned : markPayoutsReturned)(tx, providerId, reason);
  for (const id of ids) {
    const journal = await tx
      .selectFrom('ledger_tx')
      .select('id')
      .where('transaction_id', '=', id)
      .where('kind', 'in', ['REFUND_PAID', 'OWNER_PAYOUT'])
      .where((eb) =>
        eb.not(eb.exists(eb.selectFrom('ledger_tx as r').select('r.id').whereRef('r.reverses', '=', 'ledger_tx.id'))),
      )
      .executeTakeFirst();
    if (!journal) continue;
    await reverseJournal(tx, journal.id, { sagaId: null, postedBy: GATEWAY, effectKey: `${key}-${id}` });
    await alertGateway(tx, id, `${type}_FAILED`, id);
  }
  return ids;
}

/** Requests that the gateway's record of a charge is read and booked, without an event of the gateway; once for each occasion. */
export const requestRecordCheck = (
  tx: Db | Tx,
  check: {
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
      gateway_id: check.gatewayId,
      event_id: check.occasion,
      type: 'look',
      object_id: check.gatewayReference,
      event: JSON.stringify({ kind: 'charge-changed', reference: check.gatewayReference, chargeId: check.chargeId }),
      payment_id: check.paymentId,
      reservation_id: check.reservationId,
    })
    .onConflict((conflict) => conflict.columns(['gateway_id', 'event_id']).doNothing())
    .execute();

/** Events about a charge are ignored until its payment is booked; then its record is read, which has all of them. */
export async function checkCapturedCharge(tx: Tx, paymentId: string): Promise<void> {
  const payment = await tx.selectFrom('payment').selectAll().where('id', '=', paymentId).executeTakeFirstOrThrow();
  await requestRecordCheck(tx, {
    gatewayId: payment.gateway_id,
    gatewayReference: payment.gateway_reference,
    chargeId: required(payment.provider_id, 'the id of a captured charge'),
    paymentId,
    reservationId: payment.reservation_id,
    occasion: `captured-${paymentId}`,
  });
}

/** The actor of bookings from a gateway's events and records. */
export const GATEWAY = 'system:gateway';

/**
 * Alerts a person to something that a gateway has said. `id`: our payment or transaction, or the provider's own id where we
 * have none. It is never about a saga: no saga waits for the person. `group`: alerts of one group are one message.
 */
export const alertGateway = (tx: Tx, group: string, code: AlertCode, id: string) =>
  raiseAlert(tx, {
    about: 'gateway',
    id,
    source: 'gateway',
    step: null,
    code,
    group: `gateway-${group}`,
  });
