import { sql } from 'kysely';
import type { Tx } from '../../db/client.ts';
import type { ReservationStatus } from '../../db/schema.ts';
import { RoomyError } from '../../kernel/errors.ts';
import type { LinkSeal } from '../../kernel/link-seal.ts';
import { type Author, recordAudit } from '../audit/record.ts';
import { guestLinkEndsAt, guestLinkToken, opensToGuest } from '../reservations/guest-link.ts';

interface Row {
  readonly status: ReservationStatus;
  readonly guestId: string | null;
  readonly endsAt: Date;
  readonly opens: boolean;
}

/**
 * The link of a stay's guest, for the office to send, with its audit row, which does not hold it. Throws `RESERVATION_NOT_FOUND`,
 * and `INVALID_STATE_TRANSITION` for a stay whose link would not open: without a guest, cancelled, or long over.
 */
export async function makeGuestLink(
  tx: Tx,
  links: Pick<LinkSeal, 'sealLasting'>,
  reservationId: string,
  author: Author,
): Promise<{ readonly token: string; readonly endsAt: Date }> {
  const { rows } = await sql<Row>`
    SELECT r.status, r.guest_id AS "guestId", ${guestLinkEndsAt} AS "endsAt", ${opensToGuest} AS opens
      FROM reservation r JOIN property p ON p.id = r.property_id WHERE r.id = ${reservationId}`.execute(tx);
  const [row] = rows;
  if (!row) throw new RoomyError('RESERVATION_NOT_FOUND', { details: { id: reservationId } });
  const { status, guestId, endsAt, opens } = row;
  if (!opens || guestId === null) {
    throw new RoomyError('INVALID_STATE_TRANSITION', { details: { currentStatus: status, action: 'guest-link' } });
  }
  await recordAudit(tx, {
    streamId: `reservation:${reservationId}`,
    event: 'GUEST_LINK_GIVEN',
    ...author,
    reservationId,
    body: { outcome: 'success', reservationId, details: { id: reservationId, guestId, endsAt: endsAt.toISOString() } },
  });
  return { token: guestLinkToken(links, reservationId, guestId), endsAt };
}
