import type { Db, Tx } from '../../db/client.ts';
import type { Readiness } from '../../db/schema.ts';
import { readOutcome, type StayOutcome } from './outcome.ts';

/** The answer of a check-in and of a check-out. Times are ISO instants, `departureDate` is a date at the property. */
export interface VisitOutcome {
  readonly reservation: StayOutcome['reservation'] & {
    readonly actualCheckInAt: string | null;
    readonly actualCheckOutAt: string | null;
    readonly departureDate: string | null;
    readonly paymentStatus: string;
  };
  readonly tasks: StayOutcome['tasks'];
  readonly property: { readonly id: string; readonly readiness: Readiness };
  /** The code itself is the guest's, and is not shown. */
  readonly amenities: {
    readonly status: 'NONE' | 'ACTIVE' | 'REVOKED';
    readonly device: string | null;
    readonly validUntil: string | null;
  };
}

/** Reads the answer of a check-in or a check-out. The stay must be there. */
export async function readVisitOutcome(db: Db | Tx, reservationId: string): Promise<VisitOutcome> {
  const { reservation, tasks } = await readOutcome(db, reservationId);
  const row = await db
    .selectFrom('reservation as r')
    .innerJoin('property as p', 'p.id', 'r.property_id')
    .leftJoin('amenity_grant as a', 'a.reservation_id', 'r.id')
    .where('r.id', '=', reservationId)
    .select(['r.actual_check_in_at', 'r.actual_check_out_at', 'r.departure_date', 'r.payment_status', 'p.readiness'])
    .select(['a.status', 'a.device', 'a.valid_until'])
    .executeTakeFirstOrThrow();
  return {
    reservation: {
      ...reservation,
      actualCheckInAt: row.actual_check_in_at?.toISOString() ?? null,
      actualCheckOutAt: row.actual_check_out_at?.toISOString() ?? null,
      departureDate: row.departure_date,
      paymentStatus: row.payment_status,
    },
    tasks,
    property: { id: reservation.propertyId, readiness: row.readiness },
    amenities: {
      status: row.status ?? 'NONE',
      device: row.device,
      validUntil: row.valid_until?.toISOString() ?? null,
    },
  };
}
