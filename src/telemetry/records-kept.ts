import { sql } from 'kysely';
import type { Db } from '../db/client.ts';
import { KEYS_KEPT_DAYS } from '../domain/idempotency/prune.ts';
import type { KeptKind, SystemReader } from '../domain/incidents/overview.ts';
import { readWatch } from '../domain/incidents/watch.ts';
import { ONE_TIMES_KEPT_DAYS } from '../domain/people/one-time.ts';
import { SESSIONS_KEPT_DAYS } from '../domain/people/sessions.ts';
import { LOST_DAYS } from '../domain/sweeps/prune.ts';

/** What is kept how long, and what was verified when, for the people who run the system. */

/** The oldest of each kind is the first entry of an index: no cost that grows with history. `eventDays`: as configured. */
export const keptReader =
  (db: Db, eventDays: number): NonNullable<SystemReader['kept']> =>
  async () => {
    const { rows } = await sql<Record<KeptKind, Date | null>>`
      SELECT (SELECT e.at FROM domain_event e ORDER BY e.id LIMIT 1) AS events,
             (SELECT k.created_at FROM idempotency_key k ORDER BY k.created_at LIMIT 1) AS keys,
             (SELECT f.last_at FROM sweep_failure f ORDER BY f.last_at LIMIT 1) AS failures,
             (SELECT s.expires_at FROM session s ORDER BY s.expires_at LIMIT 1) AS sessions,
             (SELECT o.expires_at FROM one_time o ORDER BY o.expires_at LIMIT 1) AS links`.execute(db);
    const [oldest] = rows;
    return daysOf(eventDays).map(([what, days]) => ({ what, days, oldestAt: oldest?.[what] ?? null }));
  };

const daysOf = (events: number): readonly (readonly [KeptKind, number])[] => [
  ['events', events],
  ['keys', KEYS_KEPT_DAYS],
  ['failures', LOST_DAYS],
  ['sessions', SESSIONS_KEPT_DAYS],
  ['links', ONE_TIMES_KEPT_DAYS],
];

interface PassRow {
  readonly finishedAt: Date;
  readonly differences: number;
}

export const sealsReader =
  (db: Db): NonNullable<SystemReader['seals']> =>
  async () => {
    const watch = await readWatch(db);
    const { rows } = await sql<PassRow>`
      SELECT p.finished_at AS "finishedAt", p.difference_count AS differences FROM integrity_pass p ORDER BY p.id DESC LIMIT 1`.execute(
      db,
    );
    return { watch, money: rows[0] ?? null };
  };
