import { sql } from 'kysely';
import type { Tx } from './client.ts';
import { classifyDbError } from './errors.ts';

/** False when one of the constraints refused what `write` did; the transaction stays usable. */
export async function unlessRefused(
  tx: Tx,
  constraints: string | readonly string[],
  write: () => Promise<unknown>,
): Promise<boolean> {
  await sql`SAVEPOINT attempt`.execute(tx);
  try {
    await write();
    await sql`RELEASE SAVEPOINT attempt`.execute(tx);
    return true;
  } catch (error) {
    const failure = classifyDbError(error);
    if (failure.kind !== 'constraint' || ![constraints].flat().includes(failure.constraint)) throw error;
    await sql`ROLLBACK TO SAVEPOINT attempt`.execute(tx);
    return false;
  }
}
