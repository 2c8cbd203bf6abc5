import type { InsertObject, Updateable } from 'kysely';
import type { Tx } from '../../db/client.ts';
import type { Database, PropertyTable, Readiness } from '../../db/schema.ts';

/** The only statements that write `property`. */

export const insertProperty = (tx: Tx, row: InsertObject<Database, 'property'>) =>
  tx.insertInto('property').values(row).returningAll().executeTakeFirstOrThrow();

/** The row must be locked; `version` is the new one. */
export const updatePropertyRow = (tx: Tx, id: string, change: Updateable<PropertyTable>, version: number) =>
  tx
    .updateTable('property')
    .set({ ...change, version })
    .where('id', '=', id)
    .returningAll()
    .executeTakeFirstOrThrow();

/**
 * How a property stands for its next guest. Out of order stays so until the repair that ends it, or a
 * person, says otherwise. False when it stands so already, or is out of order.
 */
export async function setReadiness(
  tx: Tx,
  propertyId: string,
  readiness: Readiness,
  { endsOutOfOrder = false }: { readonly endsOutOfOrder?: boolean } = {},
): Promise<boolean> {
  let update = tx
    .updateTable('property')
    .set((eb) => ({ readiness, version: eb('version', '+', 1) }))
    .where('id', '=', propertyId)
    .where('readiness', '<>', readiness);
  if (!endsOutOfOrder) update = update.where('readiness', '<>', 'OUT_OF_ORDER');
  const { numUpdatedRows } = await update.executeTakeFirst();
  return numUpdatedRows > 0n;
}

/** Whether something is on for a guest. A property that is so already keeps its version. */
export const setAmenityStatus = (tx: Tx, propertyId: string, status: 'INACTIVE' | 'ACTIVE') =>
  tx
    .updateTable('property')
    .set((eb) => ({ amenity_status: status, version: eb('version', '+', 1) }))
    .where('id', '=', propertyId)
    .where('amenity_status', '<>', status)
    .execute();
