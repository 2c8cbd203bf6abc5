import { type RawBuilder, type SqlBool, sql } from 'kysely';
import type { Db, Tx } from '../../db/client.ts';
import { INSTALLATION } from '../../db/data-keys.ts';
import { literal } from '../../db/literal.ts';
import { sealField } from '../../db/sealed-fields.ts';
import type { Activation } from '../ports.ts';
import { setAmenityStatus } from './store.ts';

/** The order that a property's devices got for a stay; their own state is in their own record. */
export interface Grant {
  readonly reservationId: string;
  readonly propertyId: string;
  readonly device: string;
  /** Under which the device was asked. */
  readonly activationKey: string;
  /** ISO instants. */
  readonly from: string;
  readonly until: string;
}

/**
 * ISO instant until which devices serve a guest: the departure, or a day for one who comes after it.
 *
 * @param departure ISO instant, as agreed or else the property's own.
 * @param from ISO instant of the arrival.
 */
export const accessEnd = (departure: string, from: string): string =>
  departure > from ? departure : new Date(Date.parse(from) + DAY_MS).toISOString();
const DAY_MS = 24 * 60 * 60_000;

/**
 * The code is kept here for the guest's message, and nowhere else. The departure may have changed since the device was
 * asked: a change of it locks the property too, so that neither misses the other.
 */
export async function recordActivation(tx: Tx, grant: Grant, { providerId, accessCode }: Activation): Promise<void> {
  await lockProperty(tx, grant.propertyId);
  const values = {
    property_id: grant.propertyId,
    device: grant.device,
    activation_key: grant.activationKey,
    status: 'ACTIVE' as const,
    provider_id: providerId,
    access_code: accessCode && (await sealCode(tx, grant.reservationId, accessCode)),
    valid_from: grant.from,
    valid_until: grant.until,
    wanted_until: null,
    asked_until: grant.until,
    revoked_at: null,
  };
  await tx
    .insertInto('amenity_grant')
    .values({ reservation_id: grant.reservationId, ...values })
    .onConflict((conflict) => conflict.column('reservation_id').doUpdateSet({ ...values, activated_at: sql`now()` }))
    .execute();
  await setAmenityStatus(tx, grant.propertyId, 'ACTIVE');
}

const sealCode = (tx: Tx, reservationId: string, code: string): Promise<string> =>
  sealField(tx, 'amenity_grant.access_code', { row: reservationId, subject: INSTALLATION }, code);

/** Where something may still be on for a stay: the device that was asked, and the one that the property has by now. */
export async function readDevices(tx: Tx, reservationId: string): Promise<{ readonly devices: readonly string[] }> {
  const { rows } = await sql<{ device: string }>`
    SELECT device FROM amenity_grant WHERE reservation_id = ${reservationId} AND status = 'ACTIVE'
    UNION SELECT p.amenity_device FROM reservation r JOIN property p ON p.id = r.property_id
           WHERE r.id = ${reservationId} AND p.amenity_device IS NOT NULL
    ORDER BY device`.execute(tx);
  return { devices: rows.map((row) => row.device) };
}

/** Also where nothing was known to be on. */
export async function recordDeactivation(tx: Tx, reservationId: string, propertyId: string): Promise<void> {
  await lockProperty(tx, propertyId);
  await tx
    .updateTable('amenity_grant')
    .set({ status: 'REVOKED', access_code: null, revoked_at: sql<Date>`now()` })
    .where('reservation_id', '=', reservationId)
    .where('status', '=', literal('ACTIVE'))
    .execute();
  const others = await tx
    .selectFrom('amenity_grant')
    .select('reservation_id')
    .where('property_id', '=', propertyId)
    .where('status', '=', literal('ACTIVE'))
    .limit(1)
    .executeTakeFirst();
  if (!others) await setAmenityStatus(tx, propertyId, 'INACTIVE');
}

/** Before the grants of its stays, as a change of the property takes them. */
const lockProperty = (tx: Tx, id: string) =>
  tx.selectFrom('property').select('id').where('id', '=', id).forNoKeyUpdate().execute();

/** Until when a stay's grant is to serve; an ISO instant. */
export const wantAccessUntil = (tx: Tx, reservationId: string, until: string) =>
  tx.updateTable('amenity_grant').set({ wanted_until: until }).where('reservation_id', '=', reservationId).execute();

/**
 * Notes that the device is asked for what is wanted of grant `a`, if something else was asked for last and `mayAsk` holds;
 * answers how often it has been asked, or null.
 */
export async function markAsked(tx: Tx, reservationId: string, mayAsk: RawBuilder<SqlBool>): Promise<number | null> {
  const { rows } = await sql<{ changes: number }>`
    UPDATE amenity_grant a SET asked_until = a.wanted_until, changes = a.changes + 1
     WHERE a.reservation_id = ${reservationId} AND a.status = 'ACTIVE' AND a.wanted_until <> a.asked_until AND ${mayAsk}
    RETURNING a.changes`.execute(tx);
  return rows[0]?.changes ?? null;
}

/** Of the grant that was asked about: another one of the stay has a time of its own. Answers whether it is there still. */
export async function recordAccessEnd(
  tx: Tx,
  grant: { readonly reservationId: string; readonly activationKey: string; readonly until: string },
): Promise<boolean> {
  const { numUpdatedRows } = await tx
    .updateTable('amenity_grant')
    .set({ valid_until: grant.until })
    .where('reservation_id', '=', grant.reservationId)
    .where('activation_key', '=', grant.activationKey)
    .where('status', '=', literal('ACTIVE'))
    .executeTakeFirst();
  return numUpdatedRows > 0n;
}

/** Codes of doors that nobody has taken back, a day after they ended, are forgotten, and the grant stays; answers how many, at most `limit`. */
export async function forgetCodes(db: Db, limit: number): Promise<number> {
  const { numAffectedRows } = await sql`
    UPDATE amenity_grant SET access_code = NULL WHERE reservation_id IN (
      SELECT a.reservation_id FROM amenity_grant a
       WHERE a.status = 'ACTIVE' AND a.access_code IS NOT NULL AND greatest(a.valid_until, a.asked_until, a.wanted_until) < now() - interval '1 day' LIMIT ${limit}::int)`.execute(
    db,
  );
  return Number(numAffectedRows ?? 0n);
}
