import { sql } from 'kysely';
import type { Db } from './db/client.ts';
import { isUnreachable } from './db/errors.ts';
import { analyze, dropPartition, makeAhead, PARTITIONED, partitionsOf } from './db/partitions.ts';
import { forgetPlaces, mayForgetAll } from './domain/events/feed.ts';
import { pruneNotices } from './domain/incidents/notices.ts';
import { pruneDevMail } from './domain/messages/delivery-mailbox.ts';
import { pruneContents } from './domain/notifications/store/contents.ts';
import { pruneOneTimes } from './domain/people/one-time.ts';
import { pruneSessions } from './domain/people/sessions.ts';
import { forgetCodes } from './domain/properties/amenities.ts';
import { prunePhotos } from './domain/tasks/photos.ts';
import { pruneAttempts } from './domain/webhooks/store.ts';
import { archiveOrders } from './engine/store/outbox.ts';
import { pause } from './kernel/clock.ts';
import type { Logger } from './kernel/log.ts';
import { DEFAULT_RETENTION, type KeptDays, type KeptKind } from './kernel/retention.ts';

/** What takes history out of the hot tables (docs/adr/0020): not the app's work, and nothing that the app waits for. */

export interface MaintenanceParts {
  readonly db: Db;
  readonly log: Logger;
  /** An ended saga's orders are moved after so many days. */
  readonly archiveAfterDays: number;
  /** Events may be deleted after so many days. */
  readonly eventRetentionDays: number;
  /** Other records after so many; by default as the program's own default. */
  readonly keptDays?: KeptDays;
  /** What must not be deleted now, whatever its age; default: nothing. */
  readonly isHeld?: (kind: KeptKind) => boolean;
  /** Awaited between any two steps that are committed on their own; throws when the program is to end. */
  readonly between: () => Promise<void>;
}

/** What was done for one table. */
export interface TableReport {
  readonly table: string;
  /** Partitions that were made and dropped, rows that were moved to another table, and rows that were deleted by their age. */
  readonly made: number;
  readonly dropped: number;
  readonly moved: number;
  readonly pruned: number;
  /** Nothing was deleted, as it is held (`LEGAL_HOLD`). */
  readonly held?: true;
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
type Done = Pick<TableReport, 'made' | 'dropped' | 'moved' | 'pruned' | 'held'>;
type Work = (parts: MaintenanceParts) => Promise<Done>;
const NOTHING: Done = { made: 0, dropped: 0, moved: 0, pruned: 0 };

/** By age alone, of some days. */
const days =
  (kind: keyof KeptDays, prune: (db: Db, days: number, limit: number) => Promise<number>): Work =>
  ({ keptDays = DEFAULT_RETENTION, ...parts }) =>
    pruned(parts, kind, (db, limit) => prune(db, keptDays[kind], limit));

/** What is deleted of a table that is cut, besides. */
const OF_CUT: Readonly<Record<string, Work>> = {
  domain_event: async (parts) =>
    parts.isHeld?.('events') ? { ...NOTHING, held: true } : { ...NOTHING, dropped: await dropForgotten(parts) },
  dev_mail: days('mailbox', pruneDevMail),
  notification_content: days('messages', pruneContents),
};

const WORK: readonly (readonly [table: string, work: Work])[] = [
  ...PARTITIONED.map((spec): readonly [string, Work] => [
    spec.table,
    async (parts) => {
      const made = await makeAhead(parts.db, spec);
      const done = (await OF_CUT[spec.table]?.(parts)) ?? NOTHING;
      await analyze(parts.db, spec.table);
      return { ...done, made: made.length };
    },
  ]),
  ['one_time', (parts) => pruned(parts, 'links', pruneOneTimes)],
  ['session', (parts) => pruned(parts, 'sessions', pruneSessions)],
  // Whatever is held: a code that opens a door is no record.
  ['amenity_grant', (parts) => prunedInSlices(parts, forgetCodes)],
  ['task_photo', days('photos', prunePhotos)],
  ['webhook_attempt', days('webhook-attempts', pruneAttempts)],
  ['incident_notice', days('notices', pruneNotices)],
  ['outbox', async (parts) => ({ ...NOTHING, moved: await archiveAllOrders(parts) })],
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
  { db, between, isHeld = () => false }: MaintenanceParts,
  kind: KeptKind,
  prune: (db: Db, limit: number) => Promise<number>,
): Promise<Done> {
  return isHeld(kind) ? { ...NOTHING, held: true } : prunedInSlices({ db, between }, prune);
}

async function prunedInSlices(
  { db, between }: Pick<MaintenanceParts, 'db' | 'between'>,
  prune: (db: Db, limit: number) => Promise<number>,
): Promise<Done> {
  let gone = 0;
  for (let some = PRUNED_AT_ONCE; some === PRUNED_AT_ONCE; gone += some) {
    await between();
    some = await prune(db, PRUNED_AT_ONCE);
  }
  return { ...NOTHING, pruned: gone };
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
