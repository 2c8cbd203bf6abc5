import { sql } from 'kysely';
import type { Db, Tx } from '../../db/client.ts';
import { literal, literals } from '../../db/literal.ts';
import { raiseSystemAlert } from '../notifications/alerts.ts';
import type { GatewayEvent, ReceivedEvent } from '../ports.ts';
import { reverseJournal } from './ledger.ts';
import { askForManualRefund } from './refund-task.ts';

/**
 * An event counts once, and order does not matter: each is read against what stands in Postgres, and money is booked
 * only by a saga that asks the gateway how things are now.
 */

/** What came of it. `start-payment`: the money is captured, and nobody has booked it yet. */
export type EventOutcome = 'repeated' | 'ignored' | 'known' | 'noted' | 'reversed' | 'start-payment';

/** Decides and writes in one transaction; a repeat, also after a crash half way, finds what is left to do. */
export async function receiveEvent(tx: Tx, received: ReceivedEvent): Promise<EventOutcome> {
  const { gatewayId, eventId, type, event } = received;
  await tx
    .insertInto('gateway_event')
    .values({ gateway_id: gatewayId, event_id: eventId, type, object_id: objectOf(event) })
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
  if (outcome !== 'start-payment') await markProcessed(tx, received, outcome);
  return outcome;
}

export const markProcessed = (db: Db | Tx, { gatewayId, eventId }: ReceivedEvent, outcome: string) =>
  db
    .updateTable('gateway_event')
    .set({ processed_at: sql<Date>`now()`, outcome })
    .where('gateway_id', '=', gatewayId)
    .where('event_id', '=', eventId)
    .execute();

function objectOf(event: GatewayEvent): string | null {
  if (event.kind === 'ignored') return null;
  return 'reference' in event ? event.reference : event.providerId;
}

async function consider(tx: Tx, { gatewayId, eventId, event }: ReceivedEvent): Promise<EventOutcome> {
  switch (event.kind) {
    case 'ignored':
      return 'ignored';
    case 'charge-succeeded':
      if (event.reservationId === null) return 'ignored';
      if (await paymentBy(tx, gatewayId, event.reference)) return 'known';
      if (await isBookable(tx, event.reservationId, event.currency)) return 'start-payment';
      // Captured for a stay that is not there, or in another currency: a person must find whose money it is.
      await alert(tx, event.reference, 'CAPTURED_NOT_BOOKABLE', null);
      return 'noted';
    case 'charge-refunded': {
      const payment = await paymentBy(tx, gatewayId, event.reference);
      if (!payment || event.refundedMinor <= payment.refunded_minor) return 'known';
      // Somebody refunded at the gateway itself: a person must say why, the reconciliation will name it too.
      await alert(tx, payment.id, 'REFUNDED_AT_GATEWAY', payment.saga_id);
      return 'noted';
    }
    case 'refund-failed':
      return takeBack(tx, { type: 'REFUND', status: 'MANUAL_REQUIRED', ...event, key: `${gatewayId}-${eventId}` });
    case 'payout-failed':
      return takeBack(tx, { type: 'OWNER_PAYOUT', status: 'FAILED', ...event, key: `${gatewayId}-${eventId}` });
  }
}

const paymentBy = (tx: Tx, gatewayId: string, reference: string) =>
  tx
    .selectFrom('payment')
    .select(['id', 'saga_id', 'refunded_minor'])
    .where('gateway_id', '=', gatewayId)
    .where('gateway_reference', '=', reference)
    .where('status', 'in', literals(['PROCESSING', 'COMPLETED']))
    .executeTakeFirst();

async function isBookable(tx: Tx, reservationId: string, currency: string): Promise<boolean> {
  const stay = await tx
    .selectFrom('reservation')
    .select(['currency', 'guest_id'])
    .where('id', '=', reservationId)
    .executeTakeFirst();
  return stay !== undefined && stay.guest_id !== null && stay.currency === currency;
}

interface Failure {
  readonly type: 'REFUND' | 'OWNER_PAYOUT';
  readonly status: 'MANUAL_REQUIRED' | 'FAILED';
  readonly providerId: string;
  readonly reason: string;
  readonly key: string;
}

/** Money that we thought had gone out came back: its journal is reversed, and a person is called (domain.md 8). */
async function takeBack(tx: Tx, { type, status, providerId, reason, key }: Failure): Promise<EventOutcome> {
  const rows = await tx
    .updateTable('transaction')
    .set((eb) => ({
      status,
      settled_minor: 0,
      outstanding_minor: eb.ref('amount_minor'),
      error_code: reason,
      completed_at: null,
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
    await reverseJournal(tx, journal.id, { sagaId: null, postedBy: 'system:gateway', effectKey: `${key}-${id}` });
    await alert(tx, id, `${type}_FAILED`, journal.saga_id);
    if (type === 'REFUND') await askForManualRefund(tx, id);
  }
  if (rows.length > 0) return 'reversed';
  const known = await tx
    .selectFrom('transaction')
    .select('id')
    .where('type', '=', type)
    .where('provider_id', '=', providerId)
    .executeTakeFirst();
  if (known) return 'known';
  // Such as an owner's own bank that sends back what a connected account paid out: a person must find whose it is.
  await alert(tx, providerId, `${type}_FAILED`, null);
  return 'noted';
}

const alert = (tx: Tx, group: string, code: string, sagaId: string | null) =>
  raiseSystemAlert(tx, `gateway-${group}`, { sagaName: 'gateway', step: null, code, sagaId: sagaId ?? group });
