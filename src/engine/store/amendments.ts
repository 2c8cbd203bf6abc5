import type { Selectable } from 'kysely';
import type { Db, Tx } from '../../db/client.ts';
import type { Database, Json } from '../../db/schema.ts';

/** The rows of `saga_amendment`. They are written under the lock of the saga's row, which makes `no` unique. */

export type AmendmentRow = Selectable<Database['saga_amendment']>;

export interface NewAmendment {
  readonly sagaId: string;
  readonly no: number;
  readonly fields: Readonly<Record<string, Json>>;
  readonly stepNo: number;
  readonly reason: string;
  readonly by: string;
}

/** Writes one down, with the number that the caller has found under the saga's lock. */
export async function insertAmendment(tx: Tx, { sagaId, no, fields, stepNo, reason, by }: NewAmendment): Promise<void> {
  await tx
    .insertInto('saga_amendment')
    .values({ saga_id: sagaId, no, fields: JSON.stringify(fields), step_no: stepNo, reason, amended_by: by })
    .execute();
}

/** Oldest first. */
export const amendmentsOf = (db: Db | Tx, sagaId: string): Promise<AmendmentRow[]> =>
  db.selectFrom('saga_amendment').selectAll().where('saga_id', '=', sagaId).orderBy('no').execute();
