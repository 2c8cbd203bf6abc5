import { sql } from 'kysely';
import type { Db } from '../../src/db/client.ts';
import type { SubjectType } from '../../src/db/schema.ts';

/** Where the subject of a saga is: the table, and the column that has its id. */
const PLACES = {
  reservation: ['reservation', 'id'],
  transaction: ['transaction', 'id'],
  amenity_grant: ['amenity_grant', 'reservation_id'],
} as const satisfies Readonly<Record<SubjectType, readonly [string, string]>>;

/**
 * The rows of a saga's subject, without what counts and dates their changes. A saga that was undone leaves them as it found
 * them, whichever of its steps changed what. Some sagas of tests have a subject without a row.
 */
export async function subjectRows(db: Db, subjectType: SubjectType, subjectId: string): Promise<readonly object[]> {
  const [table, column] = PLACES[subjectType];
  const { rows } = await sql<{ readonly row: object }>`
    SELECT to_jsonb(t) - 'version' - 'updated_at' AS row FROM ${sql.table(table)} t
     WHERE ${sql.ref(column)} = ${subjectId} ORDER BY t::text`.execute(db);
  return rows.map(({ row }) => row);
}
