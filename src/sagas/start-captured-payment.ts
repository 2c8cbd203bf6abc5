import type { Db } from '../db/client.ts';
import { GATEWAY, markProcessed } from '../domain/finance/gateway-events.ts';
import type { GatewayEvent } from '../domain/ports.ts';
import type { Requester, SagaOrchestrator } from '../engine/types.ts';
import { RoomyError } from '../kernel/errors.ts';
import { canonicalJson, sha256 } from '../kernel/json.ts';
import { acceptingReservationService } from './reservation-service.ts';

export interface CapturedPayment {
  readonly gatewayId: string;
  readonly eventId: string;
  readonly event: GatewayEvent;
}
export const BY_GATEWAY: Requester = { sub: GATEWAY, requestId: null };

/**
 * Books money that the gateway holds and nobody has booked: never lost, whatever the stay's state (domain.md 7). False: a
 * saga is at work on the stay, or parked; the event waits until it has ended.
 */
export async function startCapturedPayment(
  { db, orchestrator }: { readonly db: Db; readonly orchestrator: Pick<SagaOrchestrator, 'accept'> },
  { gatewayId, eventId, event }: CapturedPayment,
  requester: Requester = BY_GATEWAY,
): Promise<boolean> {
  if (event.kind !== 'charge-succeeded' || event.reservationId === null) return true;
  const input = {
    amountMinor: event.amountMinor,
    currency: event.currency,
    paymentMethod: null,
    gatewayId,
    gatewayReference: event.reference,
    captured: true,
    review: null,
  };
  try {
    await acceptingReservationService(orchestrator).processPayment(event.reservationId, input, {
      requester,
      // A repeated delivery finds the saga that the first one started. Its hash is over the whole input, as it always was.
      idempotency: {
        key: `${gatewayId}-${eventId}`,
        requestHash: sha256(canonicalJson({ reservationId: event.reservationId, ...input })),
      },
    });
  } catch (error) {
    if (error instanceof RoomyError && error.code === 'SAGA_IN_PROGRESS') return false;
    throw error;
  }
  await markProcessed(db, { gatewayId, eventId }, 'start-payment');
  return true;
}
