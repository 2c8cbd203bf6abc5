import type pg from 'pg';
import { until } from '../setup/engine.ts';

/** Waits until `count` backends queue up behind what `client` has locked. */
export async function blockedBy(client: pg.Client, count: number): Promise<void> {
  await until(`${count} wait for the saga's row`, async () => {
    // Not pg_stat_activity, which stays as it was first seen until the transaction ends.
    const { rowCount } = await client.query(
      `WITH RECURSIVE blocked AS (SELECT DISTINCT pid, pg_blocking_pids(pid) AS by FROM pg_locks WHERE NOT granted),
         behind AS (SELECT pid FROM blocked WHERE pg_backend_pid() = ANY(by)
           UNION SELECT blocked.pid FROM behind JOIN blocked ON behind.pid = ANY(blocked.by))
       SELECT pid FROM behind`,
    );
    return (rowCount ?? 0) >= count ? true : undefined;
  });
}
