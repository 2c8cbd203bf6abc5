import type { Tx } from '../../db/client.ts';
import { literal } from '../../db/literal.ts';
import { RoomyError } from '../../kernel/errors.ts';
import { changesOf } from '../audit/changes.ts';
import { type Author, fieldsOf, recordChange } from '../audit/record.ts';
import { dropAmountDue } from '../finance/store/amount-due.ts';
import { refusalDetails } from '../reservations/actions.ts';
import {
  assertAgent,
  assertPlannedInOrder,
  assertPlannedWithin,
  assertStayOrder,
  getReservation,
  type ReservationChange,
  type ReservationDetail,
  updateReservation,
} from '../reservations/resource.ts';
import { assertVersion, type ExpectedVersions } from '../versions.ts';
import { retimeMeetings } from './retime.ts';

/** With what the change leaves for a person to see to. */
export interface ChangedReservation extends ReservationDetail {
  readonly warnings: readonly string[];
}

/** Once confirmed, dates, price and parties are amended by a saga, which moves tasks and money along. */
const FIXED_BY_CONFIRMATION = [
  'propertyId',
  'guestId',
  'checkInDate',
  'checkOutDate',
  'total',
  'referringAgentId',
] as const;

/**
 * Refused while a saga is at work on the stay; dates, price and parties only before it is confirmed or paid; of a stay that
 * is over only the notes.
 */
export async function changeReservation(
  tx: Tx,
  id: string,
  change: ReservationChange,
  expected: ExpectedVersions,
  author: Author,
): Promise<ChangedReservation> {
  const before = await tx.selectFrom('reservation').selectAll().where('id', '=', id).forUpdate().executeTakeFirst();
  // A repair's block in the calendar is its task's.
  if (!before || before.kind === 'MAINTENANCE_BLOCK')
    throw new RoomyError('RESERVATION_NOT_FOUND', { details: { id } });
  await assertNoOpenSaga(tx, id);
  assertVersion(before.version, expected);
  const isOver = !['PENDING', 'CONFIRMED', 'CHECKED_IN'].includes(before.status);
  const fixed = fieldsOf(change).filter((field) =>
    isOver ? field !== 'notes' : FIXED_BY_CONFIRMATION.some((known) => known === field),
  );
  const isHeld = before.status !== 'PENDING' || before.payment_status !== 'UNPAID';
  if (isHeld && fixed.length > 0) {
    throw new RoomyError('INVALID_STATE_TRANSITION', {
      details: {
        ...(await refusalDetails(tx, id, 'change')),
        paymentStatus: before.payment_status,
        fields: fixed.map((field) => (field === 'total' ? 'totalAmount' : field)),
      },
    });
  }
  const stay = { ...dates(before), ...(change.checkInDate && { checkInDate: change.checkInDate }) };
  const until = change.checkOutDate ?? stay.checkOutDate;
  assertStayOrder(stay.checkInDate, until);
  assertPlannedWithin(change, stay.checkInDate, until);
  if (change.plannedArrival !== undefined || change.plannedDeparture !== undefined) {
    const { plannedArrival = before.planned_arrival, plannedDeparture = before.planned_departure } = change;
    assertPlannedInOrder({ plannedArrival, plannedDeparture }, stay.checkInDate, until);
  }
  await assertAgent(tx, change.referringAgentId);
  await updateReservation(tx, id, change, before.version + 1);
  if (change.total?.amountMinor === 0) await dropAmountDue(tx, id);
  const warnings = await retimeMeetings(tx, id, {
    arrival: change.plannedArrival !== undefined,
    departure: change.plannedDeparture !== undefined,
  });
  const row = await tx.selectFrom('reservation').selectAll().where('id', '=', id).executeTakeFirstOrThrow();
  await recordChange(tx, author, {
    noun: 'reservation',
    id,
    event: 'RESERVATION_UPDATED',
    fields: fieldsOf(change),
    changes: changesOf('reservation', before, row),
    version: before.version + 1,
    reservationId: id,
  });
  return { ...(await getReservation(tx, id)), warnings };
}

const dates = (row: { check_in_date: string; check_out_date: string }) => ({
  checkInDate: row.check_in_date,
  checkOutDate: row.check_out_date,
});

async function assertNoOpenSaga(tx: Tx, reservationId: string): Promise<void> {
  const open = await tx
    .selectFrom('saga')
    .select('id')
    .where('subject_type', '=', 'reservation')
    .where('subject_id', '=', reservationId)
    .where('finished_at', 'is', null)
    // One that only waits for an approval holds none, and looks at the stay again when it goes on.
    .where((eb) => eb.or([eb('holds_state', '=', literal(true)), eb('holds_money', '=', literal(true))]))
    .executeTakeFirst();
  if (open) throw new RoomyError('SAGA_IN_PROGRESS', { details: { sagaExecutionId: open.id } });
}
