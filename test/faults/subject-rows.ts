import { sql } from 'kysely';
import type { Db } from '../../src/db/client.ts';
import type { SubjectType } from '../../src/db/schema.ts';

interface Place {
  readonly table: string;
  /** The column that has the subject's id. */
  readonly id: string;
  /** Columns in which a saga that was undone leaves a result of its own on purpose. */
  readonly results: readonly string[];
}
const PLACES: Readonly<Record<SubjectType, Place>> = {
  reservation: { table: 'reservation', id: 'id', results: [] },
  // A payout or refund that is refused has failed: its fixture says how.
  transaction: { table: 'transaction', id: 'id', results: ['status', 'error_code', 'payout_saga'] },
  amenity_grant: { table: 'amenity_grant', id: 'reservation_id', results: [] },
};
const CHANGES = ['version', 'updated_at'];

/**
 * The rows of a saga's subject, without what counts and dates their changes. A saga that was undone leaves them as it found
 * them, whichever of its steps changed what. Some sagas of tests have a subject without a row.
 */
export async function subjectRows(db: Db, subjectType: SubjectType, subjectId: string): Promise<readonly object[]> {
  const { table, id, results } = PLACES[subjectType];
  const { rows } = await sql<{ readonly row: object }>`
    SELECT to_jsonb(t) - ${[...CHANGES, ...results]}::text[] AS row FROM ${sql.table(table)} t
     WHERE ${sql.ref(id)} = ${subjectId} ORDER BY t::text`.execute(db);
  return rows.map(({ row }) => row);
}
