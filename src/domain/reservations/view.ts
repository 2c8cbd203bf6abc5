import type { Selectable } from 'kysely';
import type { ReservationTable } from '../../db/schema.ts';
import { toMajor } from '../../kernel/money.ts';
import { type ActionView, allowedOf } from './actions.ts';
import type { RefundStatus } from './payment-status.ts';

export type ReservationView = ReturnType<typeof reservationView>;

interface Around {
  /** The saga that is at work on it, or parked. */
  readonly activeSagaId: string | null;
  readonly actions: readonly ActionView[];
  readonly refundStatus: RefundStatus;
}

/** A stay as the API shows it. */
export const reservationView = (
  row: Omit<Selectable<ReservationTable>, 'stay'>,
  { activeSagaId, actions, refundStatus }: Around,
) => {
  return {
    id: row.id,
    kind: row.kind,
    propertyId: row.property_id,
    guestId: row.guest_id,
    checkInDate: row.check_in_date,
    checkOutDate: row.check_out_date,
    totalAmount: toMajor({ amountMinor: row.total_minor, currency: row.currency }),
    currency: row.currency,
    referringAgentId: row.referring_agent_id,
    guestCount: row.guest_count,
    plannedArrival: row.planned_arrival,
    plannedDeparture: row.planned_departure,
    notes: row.notes,
    status: row.status,
    paymentStatus: row.payment_status,
    refundStatus,
    allowedActions: allowedOf(actions),
    actions,
    activeSagaId,
    cancelledAt: row.cancelled_at?.toISOString() ?? null,
    cancelReason: row.cancel_reason,
    confirmedAt: row.confirmed_at?.toISOString() ?? null,
    actualCheckInAt: row.actual_check_in_at?.toISOString() ?? null,
    actualCheckOutAt: row.actual_check_out_at?.toISOString() ?? null,
    departureDate: row.departure_date,
    version: row.version,
    createdBy: row.created_by,
    createdAt: row.created_at.toISOString(),
  };
};
