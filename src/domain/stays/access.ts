import { sql } from 'kysely';
import type { Db, Tx } from '../../db/client.ts';
import { accessEnd, markAsked, wantAccessUntil } from '../properties/amenities.ts';
import { isNotSetAside } from '../sweeps/failures.ts';
import { inScope, type Scope, sweepBatch } from '../sweeps/isolate.ts';
import { readVisitTimes } from './visit.ts';

/**
 * The door code of a guest in the house follows the departure. A trigger marks the grant whenever the departure changes; a
 * sweep works out until when the code is to work, and starts the saga that asks the device for it. A later departure is asked
 * for at once, and no text names it before the code works until then (`messages/delivery.ts`). An earlier one is asked for when
 * a message has named it: the code never ends before the time that the guest knows.
 */

/** Starts the saga within the transaction, in the name of the system. `key` is the same for one change of one grant. */
export type StartAccessChange = (
  tx: Tx,
  change: { readonly reservationId: string; readonly until: string; readonly key: string },
) => Promise<void>;

/** Looks at no more than `limit` grants and answers how many; zero: none is left. Safe in any number of workers at once. */
export const followDepartures = (db: Db, start: StartAccessChange, limit: number): Promise<number> =>
  sweepBatch({
    db,
    sweep: 'access',
    limit,
    run: (scope) => db.transaction().execute((tx) => follow(tx, start, scope)),
    due: async (some) => {
      const { rows } = await sql<{ id: string }>`
        SELECT a.reservation_id AS id FROM amenity_grant a WHERE ${isUnsettled} ORDER BY a.reservation_id LIMIT ${some}::int`.execute(
        db,
      );
      return rows.map(({ id }) => id);
    },
  });

/**
 * The departure that the guest was last reminded of, whatever was agreed on since. Before the grant followed departures,
 * texts named the property's time whatever was agreed.
 */
const LAST_REMINDER = sql`(SELECT n.not_after FROM notification n WHERE n.reservation_id = a.reservation_id AND n.event = 'CHECK_OUT_REMINDER'
  AND n.status IN ('SENT', 'DELIVERED') AND n.sent_at >= a.told_since ORDER BY n.sent_at DESC, n.id DESC LIMIT 1)`;
const IS_BUSY = sql`EXISTS (SELECT FROM saga s WHERE s.subject_type = 'amenity_grant' AND s.subject_id = a.reservation_id AND s.finished_at IS NULL)`;
/** Whether the device may be asked now: one change at a time, after the saga of the change before has ended. */
const MAY_ASK = sql<boolean>`((a.wanted_until > a.valid_until OR a.wanted_until = ${LAST_REMINDER}) AND NOT ${IS_BUSY})`;
export const isUnsettled = sql<boolean>`a.status = 'ACTIVE' AND a.wanted_until IS DISTINCT FROM a.asked_until
  AND (a.wanted_until IS NULL OR ${MAY_ASK}) AND ${isNotSetAside('access', sql`a.reservation_id`)}`;

/** SQL: whether a grant is to be looked at. */
export const departuresDue = sql<boolean>`EXISTS (SELECT FROM amenity_grant a WHERE ${isUnsettled})`;

interface Unsettled {
  readonly id: string;
  readonly valid_from: Date;
  readonly wanted_until: Date | null;
  readonly asked_until: Date;
}

async function follow(tx: Tx, start: StartAccessChange, scope: Scope): Promise<readonly string[]> {
  const { rows } = await sql<Unsettled>`
    SELECT a.reservation_id AS id, a.valid_from, a.wanted_until, a.asked_until FROM amenity_grant a
     WHERE ${isUnsettled} AND ${inScope(scope, sql`a.reservation_id`)} ORDER BY a.reservation_id
     LIMIT ${scope.limit}::int FOR UPDATE SKIP LOCKED`.execute(tx);
  for (const row of rows) {
    const until = row.wanted_until?.toISOString() ?? (await settleOn(tx, row));
    await ask(tx, start, row.id, until);
  }
  return rows.map(({ id }) => id);
}

/** A guest who has left, or is not in yet, is no reason to change anything. */
async function settleOn(tx: Tx, { id, valid_from, asked_until }: Unsettled): Promise<string> {
  const stay = await readVisitTimes(tx, id);
  const until =
    stay?.status === 'CHECKED_IN'
      ? accessEnd(stay.plan.checkOut.scheduledAt, valid_from.toISOString())
      : asked_until.toISOString();
  await wantAccessUntil(tx, id, until);
  return until;
}

async function ask(tx: Tx, start: StartAccessChange, reservationId: string, until: string): Promise<void> {
  const changes = await markAsked(tx, reservationId, MAY_ASK);
  if (changes !== null) await start(tx, { reservationId, until, key: `access-${reservationId}-${changes}` });
}

/** The access that a device is asked for. `device` is null where there is nothing to change any more. */
export type AccessToChange = {
  readonly device: string | null;
  readonly activationKey: string;
  readonly propertyId: string;
  /** ISO instants. */
  readonly from: string;
  readonly until: string;
};

/** The grant of a stay, which must be there. */
export async function readAccess(db: Db | Tx, reservationId: string): Promise<AccessToChange> {
  const row = await db
    .selectFrom('amenity_grant')
    .selectAll()
    .where('reservation_id', '=', reservationId)
    .executeTakeFirstOrThrow();
  return {
    device: row.status === 'ACTIVE' ? row.device : null,
    activationKey: row.activation_key,
    propertyId: row.property_id,
    from: row.valid_from.toISOString(),
    until: row.valid_until.toISOString(),
  };
}
