import { sql } from 'kysely';
import type { Db } from '../../db/client.ts';
import { literals } from '../../db/literal.ts';

/** Details of the brief's conflict body, and the free stays of the same length that begin nearest. */
export interface ConflictDetails {
  readonly [key: string]: unknown;
  readonly conflictingReservation: string;
  readonly checkInDate: string;
  readonly checkOutDate: string;
  readonly conflict: { readonly id: string; readonly checkInDate: string; readonly checkOutDate: string };
  readonly nearestAvailable: readonly { readonly checkInDate: string; readonly checkOutDate: string }[];
}

const SEARCH_DAYS = 60;
const MAX_SUGGESTIONS = 3;

/** Whether another stay, or a block, has a night of this one. `stay`: a table of reservations, or its alias. */
export const areNightsTaken = (stay: string) =>
  sql<boolean>`EXISTS (SELECT FROM reservation o WHERE o.property_id = ${sql.ref(`${stay}.property_id`)} AND o.id <> ${sql.ref(`${stay}.id`)}
    AND o.status IN ('CONFIRMED', 'CHECKED_IN') AND o.stay && ${sql.ref(`${stay}.stay`)})`;

/** Another stay whose guest is in the property now; null: none. */
export const occupiedBy = (stay: string) =>
  sql<
    string | null
  >`(SELECT o.id FROM reservation o WHERE o.property_id = ${sql.ref(`${stay}.property_id`)} AND o.id <> ${sql.ref(`${stay}.id`)}
    AND o.status = 'CHECKED_IN' ORDER BY o.id LIMIT 1)`;

/** Null when nothing conflicts any more. */
export async function findConflict(db: Db, reservationId: string): Promise<ConflictDetails | null> {
  const row = await db
    .selectFrom('reservation as r')
    .innerJoin('reservation as o', (join) =>
      join.onRef('o.property_id', '=', 'r.property_id').onRef('o.id', '<>', 'r.id'),
    )
    .where('r.id', '=', reservationId)
    .where('o.status', 'in', literals(['CONFIRMED', 'CHECKED_IN']))
    .where(sql<boolean>`o.stay && r.stay`)
    .orderBy('o.check_in_date')
    .select([
      'o.id',
      'r.property_id',
      'r.check_in_date as from',
      'r.check_out_date as to',
      'o.check_in_date',
      'o.check_out_date',
    ])
    .limit(1)
    .executeTakeFirst();
  if (!row) return null;
  return {
    conflictingReservation: row.id,
    checkInDate: row.from,
    checkOutDate: row.to,
    conflict: { id: row.id, checkInDate: row.check_in_date, checkOutDate: row.check_out_date },
    nearestAvailable: await nearestAvailable(db, row.property_id, row.from, row.to),
  };
}

async function nearestAvailable(db: Db, propertyId: string, from: string, to: string) {
  const { rows } = await sql<{ checkInDate: string; checkOutDate: string }>`
    SELECT (${from}::date + shift)::date AS "checkInDate", (${to}::date + shift)::date AS "checkOutDate"
      FROM generate_series(${-SEARCH_DAYS}::int, ${SEARCH_DAYS}::int) AS shift
     WHERE NOT EXISTS (SELECT FROM reservation o WHERE o.property_id = ${propertyId} AND o.status IN ('CONFIRMED', 'CHECKED_IN')
             AND o.stay && daterange(${from}::date + shift, ${to}::date + shift, '[)'))
     ORDER BY abs(shift), shift DESC LIMIT ${MAX_SUGGESTIONS}::int`.execute(db);
  return rows;
}
