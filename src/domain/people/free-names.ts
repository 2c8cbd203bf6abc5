import { sql } from 'kysely';
import type { Tx } from '../../db/client.ts';
import { RoomyError } from '../../kernel/errors.ts';

/**
 * Guests, owners, members of staff and accounts have one name space: by its name alone a principal is known in tokens, audit rows and
 * portfolios. An id that a caller chooses is refused with `ALREADY_EXISTS` where anybody has it, or an account has had it. Of two who
 * choose one at once the second waits for the first, and finds it taken.
 */
export async function assertNameIsFree(tx: Tx, id: string): Promise<void> {
  await sql`SELECT pg_advisory_xact_lock(hashtextextended('name of a person ' || ${id}::text, 0))`.execute(tx);
  const { rows } = await sql<{ taken: boolean }>`
    SELECT EXISTS (SELECT FROM guest WHERE id = ${id}) OR EXISTS (SELECT FROM owner WHERE id = ${id})
        OR EXISTS (SELECT FROM staff WHERE id = ${id})
        OR EXISTS (SELECT FROM account_principal WHERE principal = ${id}) AS taken`.execute(tx);
  if (rows[0]?.taken !== false) throw new RoomyError('ALREADY_EXISTS');
}
