import { sql } from 'kysely';
import type { Db } from '../../db/client.ts';

/** A digest of the open incidents: another one says that some began, ended, grew or were muted. It costs what is open. */
export async function openIncidentsDigest(db: Db): Promise<string> {
  const { rows } = await sql<{ digest: string }>`
    SELECT md5(coalesce(string_agg(concat_ws(' ', i.id, i.severity, i.count, i.muted_until), ',' ORDER BY i.first_at, i.id), '')) AS digest
      FROM incident i WHERE i.closed_at IS NULL`.execute(db);
  return rows[0]?.digest ?? '';
}
