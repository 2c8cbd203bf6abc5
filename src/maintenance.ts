import { sql } from 'kysely';
import type { Db } from './db/client.ts';
import { isUnreachable } from './db/errors.ts';
import { analyze, dropPartition, makeAhead, PARTITIONED, partitionsOf } from './db/partitions.ts';
import { forgetPlaces, mayForgetAll } from './domain/events/feed.ts';
import { pruneOneTimes } from './domain/people/one-time.ts';
import { pruneSessions } from './domain/people/sessions.ts';
import { forgetCodes } from './domain/properties/amenities.ts';
import { archiveOrders } from './engine/store/outbox.ts';
import { pause } from './kernel/clock.ts';
import type { Logger } from './kernel/log.ts';

/** What takes history out of the hot tables (docs/adr/0020): not the app's work, and nothing that the app waits for. */

export interface MaintenanceParts {
  readonly db: Db;
  readonly log: Logger;
  /** An ended saga's orders are moved after so many days. */
  readonly archiveAfterDays: number;
  /** Events may be deleted after so many days. */
  readonly eventRetentionDays: number;
  /** Awaited between any two steps that are committed on their own; throws when the program is to end. */
  readonly between: () => Promise<void>;
}

/** What was done for one table. */
export interface TableReport {
  readonly table: string;
  /** Partitions that were made and dropped, and rows that were moved to another table or, of the sign-in, deleted. */
  readonly made: number;
  readonly dropped: number;
  readonly moved: number;
  /** Partitions that it has now; none: it is not cut. */
  readonly partitions: number;
  /** On disk, with indexes. */
  readonly bytes: number;
}

/** Names the lock of the one round that runs. */
const LOCK = 'roomy-maintain';

/**
 * One round. Each step commits on its own and is found anew by the next round, so one that is killed anywhere has lost
 * nothing. Null: another one runs.
 */
export async function maintain(parts: MaintenanceParts): Promise<readonly TableReport[] | null> {
  return parts.db.connection().execute(async (db) => {
    const { rows } = await sql<{ taken: boolean }>`SELECT pg_try_advisory_lock(hashtext(${LOCK})) AS taken`.execute(db);
    if (!rows[0]?.taken) return null;
    try {
      return await allTables({ ...parts, db });
    } finally {
      await sql`SELECT pg_advisory_unlock(hashtext(${LOCK}))`.execute(db);
    }
  });
}

/** What one table needs. */
type Work = (parts: MaintenanceParts) => Promise<Pick<TableReport, 'made' | 'dropped' | 'moved'>>;

const WORK: readonly (readonly [table: string, work: Work])[] = [
  ...PARTITIONED.map((spec): readonly [string, Work] => [
    spec.table,
    async (parts) => {
      const made = await makeAhead(parts.db, spec);
      const dropped = spec.table === 'domain_event' ? await dropForgotten(parts) : 0;
      await analyze(parts.db, spec.table);
      return { made: made.length, dropped, moved: 0 };
    },
  ]),
  ['one_time', (parts) => pruned(parts, pruneOneTimes)],
  ['session', (parts) => pruned(parts, pruneSessions)],
  ['amenity_grant', (parts) => pruned(parts, forgetCodes)],
  ['outbox', async (parts) => ({ made: 0, dropped: 0, moved: await archiveAllOrders(parts) })],
];

/** A table that cannot be maintained keeps none of the others back. */
async function allTables(parts: MaintenanceParts): Promise<readonly TableReport[]> {
  const { db, log } = parts;
  const reports: TableReport[] = [];
  const failures: unknown[] = [];
  for (const [table, work] of WORK) {
    await parts.between();
    let stopped = false;
    const between = async (): Promise<void> => {
      stopped = true;
      await parts.between();
      stopped = false;
    };
    try {
      const report = { table, ...(await work({ ...parts, between })), ...(await sizeOf(db, table)) };
      log.info(report, 'maintained');
      reports.push(report);
    } catch (error) {
      if (stopped || isUnreachable(error)) throw error;
      log.error({ err: error, table }, 'could not be maintained');
      failures.push(error);
    }
  }
  if (failures.length > 0) throw new AggregateError(failures, `${failures.length} tables could not be maintained`);
  return reports;
}

/** With all partitions and indexes, on disk. */
async function sizeOf(db: Db, table: string): Promise<Pick<TableReport, 'partitions' | 'bytes'>> {
  const partitions = await partitionsOf(db, table);
  const { rows } = await sql<{ bytes: number }>`SELECT pg_total_relation_size(${table}::regclass) AS bytes`.execute(db);
  return {
    partitions: partitions.length,
    bytes: partitions.reduce((sum, { bytes }) => sum + bytes, rows[0]?.bytes ?? 0),
  };
}

const PRUNED_AT_ONCE = 1_000;

async function pruned(
  { db, between }: MaintenanceParts,
  prune: (db: Db, limit: number) => Promise<number>,
): Promise<Pick<TableReport, 'made' | 'dropped' | 'moved'>> {
  let moved = 0;
  for (let some = PRUNED_AT_ONCE; some === PRUNED_AT_ONCE; moved += some) {
    await between();
    some = await prune(db, PRUNED_AT_ONCE);
  }
  return { made: 0, dropped: 0, moved };
}

const FORGOTTEN_AT_ONCE = 5_000;

/** Partitions of events of which nothing has to be kept any more. Single events go hourly, by the retention of a worker. */
async function dropForgotten({ db, eventRetentionDays, between }: MaintenanceParts): Promise<number> {
  let dropped = 0;
  for (const { name, low, high } of await partitionsOf(db, 'domain_event')) {
    if (high === null || !(await mayForgetAll(db, { low, high }, eventRetentionDays))) continue;
    do await between();
    while ((await forgetPlaces(db, { low, high }, FORGOTTEN_AT_ONCE)) === FORGOTTEN_AT_ONCE);
    await between();
    await dropPartition(db, 'domain_event', name);
    dropped += 1;
  }
  return dropped;
}

const MOVED_AT_ONCE = 500;

async function archiveAllOrders({ db, archiveAfterDays, between }: MaintenanceParts): Promise<number> {
  let moved = 0;
  for (let afterId = 0; ; ) {
    await between();
    const beganAt = performance.now();
    const batch = await archiveOrders(db, { afterId, days: archiveAfterDays, limit: MOVED_AT_ONCE });
    moved += batch.moved;
    if (batch.lastId === null) return moved;
    afterId = batch.lastId;
    // Half of the time belongs to the others, however slow the machine is.
    await pause(performance.now() - beganAt);
  }
}
