import pg from 'pg';
import type { Clock } from '../../src/kernel/clock.ts';

/**
 * A database that lives at another time: `now()` and its kind are found in a schema that comes before `pg_catalog`, so
 * every statement of the product, and every column default, goes by them. The test that holds the clock moves it.
 */
export interface SimulatedClock extends Clock {
  /** Time goes on from there, as fast as ever. */
  moveTo(at: Date | string): Promise<void>;
  close(): Promise<void>;
}

const NAME = 'clock';
const SCHEMA = `
CREATE SCHEMA ${NAME};
GRANT USAGE ON SCHEMA ${NAME} TO PUBLIC;
CREATE TABLE ${NAME}.moved (by interval NOT NULL);
INSERT INTO ${NAME}.moved VALUES ('0');
GRANT SELECT ON ${NAME}.moved TO PUBLIC;
${['now', 'statement_timestamp', 'clock_timestamp']
  .map(
    (name) => `CREATE FUNCTION ${NAME}.${name}() RETURNS timestamptz LANGUAGE sql STABLE AS
  $$ SELECT pg_catalog.${name}() + (SELECT by FROM ${NAME}.moved) $$;`,
  )
  .join('\n')}
`;

/** For an empty database, before it is migrated. */
export async function simulateTime(url: string): Promise<SimulatedClock> {
  const client = new pg.Client({ connectionString: url, application_name: 'clock' });
  client.on('error', () => undefined);
  await client.connect();
  await client.query(SCHEMA);
  const { rows } = await client.query<{ name: string }>('SELECT current_database() AS name');
  await client.query(`ALTER DATABASE ${rows[0]?.name} SET search_path = public, ${NAME}, pg_catalog`);
  let movedMs = 0;
  return {
    now: () => new Date(Date.now() + movedMs),
    async moveTo(at) {
      const moved = await client.query<{ ms: number }>(
        `UPDATE ${NAME}.moved SET by = $1::timestamptz - pg_catalog.clock_timestamp()
         RETURNING (extract(epoch FROM by) * 1000)::float8 AS ms`,
        [new Date(at).toISOString()],
      );
      movedMs = moved.rows[0]?.ms ?? 0;
    },
    close: () => client.end(),
  };
}
