import { sql } from 'kysely';
import type { Db } from '../../db/client.ts';
import type { HoldScope } from '../../db/schema.ts';
import { type HoldFilter, type HoldRow, selectHolds } from '../store/holds.ts';

/** Holds as the API shows them. */

export interface HoldView {
  readonly id: string;
  readonly scope: HoldScope;
  readonly subject: string;
  readonly status: 'OPEN' | 'RELEASED';
  /** Null: not for who reads it. */
  readonly reason: string | null;
  readonly heldBy: string;
  /** ISO instants. */
  readonly heldAt: string;
  readonly releasedBy: string | null;
  readonly releasedAt: string | null;
  readonly releaseReason: string | null;
  readonly version: number;
}

/** The public form of a row. */
export const holdView = (row: HoldRow): HoldView => ({
  id: row.id,
  scope: row.scope,
  subject: row.subject,
  status: row.released_at === null ? 'OPEN' : 'RELEASED',
  reason: row.reason,
  heldBy: row.held_by,
  heldAt: row.held_at.toISOString(),
  releasedBy: row.released_by,
  releasedAt: row.released_at?.toISOString() ?? null,
  releaseReason: row.release_reason,
  version: row.version,
});

interface Position {
  readonly at: string;
  readonly id: string;
}

/** A page of holds, newest first; `after` is the position where the page before ended. */
export async function listHolds(
  db: Db,
  filter: HoldFilter,
  { after, limit }: { readonly after: Position | null; readonly limit: number },
): Promise<{ readonly items: readonly HoldView[]; readonly next: Position | null }> {
  let query = selectHolds(db, filter).select(sql<string>`held_at::text`.as('position_at'));
  if (after) query = query.where(sql<boolean>`(held_at, id) < (${after.at}::timestamptz, ${after.id}::text)`);
  const rows = await query.limit(limit + 1).execute();
  const kept = rows.slice(0, limit);
  const last = rows.length > limit ? kept.at(-1) : undefined;
  return { items: kept.map(holdView), next: last ? { at: last.position_at, id: last.id } : null };
}
