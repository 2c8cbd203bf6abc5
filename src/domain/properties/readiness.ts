import type { Tx } from '../../db/client.ts';
import type { Readiness } from '../../db/schema.ts';

/**
 * How a property stands for its next guest. Out of order stays so until the repair that ends it, or a
 * person, says otherwise.
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
