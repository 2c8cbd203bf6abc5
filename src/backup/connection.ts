import { sql } from 'kysely';
import pg from 'pg';
import { createDb, type Db, hearErrors, socketOf, type Tx } from '../db/client.ts';
import { InvariantError } from '../kernel/errors.ts';

/** One transaction on one connection, which streams of `COPY` share with statements; none has a time limit. */
export interface Copying {
  readonly tx: Tx;
  /** The connection of the transaction, for one stream at a time and while no statement runs. */
  readonly client: pg.PoolClient;
}

/** Values are written alike by every server, and by every account whatever its settings are. */
const SETTINGS = [
  ...['client_encoding=UTF8', 'datestyle=ISO', 'intervalstyle=postgres', 'timezone=UTC', 'bytea_output=hex'],
  ...['extra_float_digits=1', 'statement_timeout=0', 'idle_in_transaction_session_timeout=0', 'row_security=off'],
];
/** For locks that somebody else holds. */
const LOCK_TIMEOUT_MS = 60_000;

export async function inOneTransaction<T>(
  databaseUrl: string,
  { name, readOnly }: { readonly name: string; readonly readOnly: boolean },
  work: (copying: Copying) => Promise<T>,
): Promise<T> {
  const options = [...SETTINGS, `lock_timeout=${LOCK_TIMEOUT_MS}`].map((setting) => `-c ${setting}`).join(' ');
  const pool = hearErrors(
    new pg.Pool({ connectionString: databaseUrl, max: 1, application_name: name, options, keepAlive: true }),
  );
  let client: pg.PoolClient | null = null;
  pool.on('connect', (made) => {
    client = made;
  });
  const db: Db = createDb(pool);
  const failure: { error?: unknown } = {};
  try {
    const begin = readOnly
      ? db.transaction().setIsolationLevel('repeatable read').setAccessMode('read only')
      : db.transaction();
    return await begin.execute(async (tx) => {
      if (client === null) throw new InvariantError('a transaction without a connection');
      try {
        return await work({ tx, client });
      } catch (error) {
        failure.error = error;
        // Rows that nobody reads any more stand between it and whatever would end the transaction; there is nothing to take back.
        if (readOnly) socketOf(client)?.destroy();
        throw error;
      }
    });
  } catch (error) {
    throw failure.error ?? error;
  } finally {
    await db.destroy();
  }
}

/** What stands in the schema, to be told apart from an empty database. */
export async function relationsOf(tx: Db): Promise<readonly string[]> {
  const { rows } = await sql<{ name: string }>`
    SELECT c.relname AS name FROM pg_class c WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p', 'v', 'm', 'S', 'f')
      AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.objid = c.oid AND d.classid = 'pg_class'::regclass AND d.deptype = 'e')
     ORDER BY 1 LIMIT 5`.execute(tx);
  return rows.map(({ name }) => name);
}
