import type pg from 'pg';

/**
 * How much WAL something writes, from the records themselves: what it changes, and apart from it the images of whole pages,
 * whose number goes by when the last checkpoint was.
 */
export interface Wal {
  readonly recordBytes: number;
  readonly fullPageBytes: number;
}

/** So much stays readable; more than any of the measurements writes. */
export const WAL_SETTINGS = { wal_keep_size: '2GB' };

/** Begins to count; what it returns, tells it. Of the whole server, so nothing else may run on it. */
export async function walMeter(client: pg.Pool): Promise<() => Promise<Wal>> {
  await client.query('CREATE EXTENSION IF NOT EXISTS pg_walinspect');
  const from = await flushed(client);
  return async () => {
    const until = await flushed(client);
    const { rows } = await client.query<{ records: string; images: string }>(
      'SELECT coalesce(sum(record_size), 0) AS records, coalesce(sum(fpi_size), 0) AS images FROM pg_get_wal_stats($1::pg_lsn, $2::pg_lsn)',
      [from, until],
    );
    return { recordBytes: Number(rows[0]?.records ?? 0), fullPageBytes: Number(rows[0]?.images ?? 0) };
  };
}

async function flushed(client: pg.Pool): Promise<string> {
  const { rows } = await client.query<{ at: string }>('SELECT pg_current_wal_flush_lsn()::text AS at');
  return rows[0]?.at ?? '0/0';
}
