import { sql } from 'kysely';
import type { Db } from '../../db/client.ts';
import type { BrokenRow } from '../../db/schema.ts';

/** Who keeps the watch, and how far it has come. The only statements that write `watch`, which is one row. */

/** Without a round for so long, another process takes over. */
const LEASE_SECONDS = 40;

/** The walk through the audit trail, which goes over many rounds. */
export interface AuditWalk {
  /** The stream behind which it goes on. */
  readonly after: string;
  /** Null: none is under way. */
  readonly beganAt: Date | null;
  /** Seconds since the last whole walk ended, or the first began; null: none has begun. */
  readonly unverifiedSeconds: number | null;
  /** What the walk under way has found so far. */
  readonly found: readonly BrokenRow[];
  /** What the last whole walk has found. */
  readonly broken: readonly BrokenRow[];
  /** Seconds since the last whole walk ended; null: never. */
  readonly restedSeconds: number | null;
}

/** Takes or keeps the watch; null: another process has it. */
export async function takeWatch(db: Db, holder: string): Promise<AuditWalk | null> {
  const row = await db
    .updateTable('watch')
    .set({
      holder,
      lease_until: sql<Date>`now() + ${LEASE_SECONDS}::int * interval '1 second'`,
      looked_at: sql<Date>`now()`,
    })
    .where('id', '=', 1)
    .where((eb) => eb.or([eb('holder', '=', holder), eb('lease_until', '<', sql<Date>`now()`)]))
    .returning(['audit_after', 'audit_began_at', 'audit_found', 'audit_broken'])
    .returning([
      sql<number | null>`extract(epoch FROM now() - audit_done_at)::float8`.as('rested'),
      sql<number | null>`extract(epoch FROM now() - coalesce(audit_done_at, audit_began_at))::float8`.as('unverified'),
    ])
    .executeTakeFirst();
  if (!row) return null;
  return {
    after: row.audit_after,
    beganAt: row.audit_began_at,
    unverifiedSeconds: row.unverified,
    found: row.audit_found,
    broken: row.audit_broken,
    restedSeconds: row.rested,
  };
}

/** Gives the watch away, so that another process need not wait. */
export async function leaveWatch(db: Db, holder: string): Promise<void> {
  await db
    .updateTable('watch')
    .set({ holder: null, lease_until: sql<Date>`'-infinity'` })
    .where('holder', '=', holder)
    .execute();
}

/** How the watch stands, for people. */
export interface WatchState {
  /** The last round of the one that keeps it; null: there was none. */
  readonly lookedAt: Date | null;
  /** The walk through the audit trail that is under way; null: none is. */
  readonly walkBeganAt: Date | null;
  /** When the last whole walk ended; null: never. */
  readonly walkDoneAt: Date | null;
  /** Rows that are not as they were written: of the last whole walk, and of the one under way. */
  readonly broken: number;
}

/** Reads it without taking it. */
export async function readWatch(db: Db): Promise<WatchState> {
  const row = await db
    .selectFrom('watch')
    .select(['looked_at', 'audit_began_at', 'audit_done_at', 'audit_found', 'audit_broken'])
    .where('id', '=', 1)
    .executeTakeFirst();
  const rows = [...(row?.audit_found ?? []), ...(row?.audit_broken ?? [])];
  return {
    lookedAt: row?.looked_at ?? null,
    walkBeganAt: row?.audit_began_at ?? null,
    walkDoneAt: row?.audit_done_at ?? null,
    broken: new Set(rows.map(({ streamId, seq }) => `${streamId}:${seq}`)).size,
  };
}

/** Where the walk stands after a slice; `next` null: it has come to its end. */
export async function saveWalk(
  db: Db,
  holder: string,
  { next, found }: { readonly next: string | null; readonly found: readonly BrokenRow[] },
): Promise<void> {
  const all = JSON.stringify(found);
  await db
    .updateTable('watch')
    .set(
      next === null
        ? {
            audit_after: '',
            audit_began_at: null,
            audit_done_at: sql<Date>`now()`,
            audit_found: '[]',
            audit_broken: all,
          }
        : { audit_after: next, audit_began_at: sql<Date>`coalesce(audit_began_at, now())`, audit_found: all },
    )
    .where('holder', '=', holder)
    .execute();
}

/** From this hour of the agency's working days on, what is still open is told again. */
const DIGEST_HOUR = 8;

/** Whether the digest of this working day is due and something is open; it is answered once a day. */
export async function takeDigest(db: Db, holder: string, timeZone: string): Promise<boolean> {
  const { rows } = await sql`
    UPDATE watch SET digest_on = (now() AT TIME ZONE ${timeZone}::text)::date
     WHERE holder = ${holder} AND digest_on IS DISTINCT FROM (now() AT TIME ZONE ${timeZone}::text)::date
       AND extract(isodow FROM now() AT TIME ZONE ${timeZone}::text) <= 5
       AND extract(hour FROM now() AT TIME ZONE ${timeZone}::text) >= ${DIGEST_HOUR}::int
       AND EXISTS (SELECT FROM incident i WHERE i.closed_at IS NULL AND i.first_at < now() - interval '1 hour'
             AND coalesce(i.muted_until <= now(), true))
    RETURNING id`.execute(db);
  return rows.length > 0;
}
