import { type Selectable, sql } from 'kysely';
import type { Db, Tx } from '../../db/client.ts';
import type { NotificationTable } from '../../db/schema.ts';
import { NOTIFICATION, newId } from '../../kernel/ids.ts';
import { type Author, recordAudit } from '../audit/record.ts';
import { insertNotifications } from '../notifications/store/order.ts';
import { hasStatus } from '../notifications/store/states.ts';
import { forgetFailures } from '../sweeps/failures.ts';
import { isAbout } from './resource.ts';

/** Messages that ended without being sent, once more and together, when what kept them back is mended. */

export const LOST_STATUSES = ['FAILED', 'BLOCKED'] as const;
export type LostStatus = (typeof LOST_STATUSES)[number];

export interface LostFilter {
  /** Both, when it is not given. */
  readonly status?: LostStatus | undefined;
  /** As the message says it: `LEASE_EXPIRED`, `RENDER_FAILED`, `INVALID_PHONE`, ... */
  readonly reason?: string | undefined;
  readonly event?: string | undefined;
  readonly ids?: readonly string[] | undefined;
  /** ISO instants, by when it was made: from inclusive, to exclusive. Without `from` and `ids`: of the last 30 days. */
  readonly from?: string | undefined;
  readonly to?: string | undefined;
}
export interface Resent {
  readonly resent: number;
  /** Whether there is more that the filter names than one call takes: the same call again takes the next. */
  readonly more: boolean;
}

export const MAX_RESENT = 500;
/** Older messages are of no use any more. */
const DEFAULT_DAYS = 30;

/**
 * Oldest first, each over its own channel, and each once: not those that were sent again before, nor those that a message
 * over the other channel has replaced. They go when first sends of their event would: outside quiet hours, and in a digest
 * where the recipient wants one. A message that is no longer true, or would come too late, is skipped when it is due.
 */
export async function resendLost(
  tx: Tx,
  filter: LostFilter,
  agentId: string | null,
  author: Author,
  limit = MAX_RESENT,
): Promise<Resent> {
  const lost: Selectable<NotificationTable>[] = [];
  for (const status of filter.status === undefined ? LOST_STATUSES : [filter.status]) {
    lost.push(...(await findLost(tx, status, filter, agentId, limit + 1 - lost.length)));
  }
  const resent = await sendAgain(tx, lost.slice(0, limit), author);
  return { resent, more: lost.length > limit };
}

async function findLost(
  db: Db | Tx,
  status: LostStatus,
  { reason, event, ids, from, to }: LostFilter,
  agentId: string | null,
  limit: number,
): Promise<readonly Selectable<NotificationTable>[]> {
  if (limit <= 0) return [];
  let query = db
    .selectFrom('notification')
    .selectAll()
    .where(hasStatus(status))
    .where('fallback_of', 'is', null)
    .where(sql<boolean>`NOT EXISTS (SELECT FROM notification a WHERE a.resend_of = notification.id)`)
    .where(
      sql<boolean>`NOT EXISTS (SELECT FROM notification f WHERE f.effect_key = notification.effect_key || '-instead'
        AND f.status NOT IN ('FAILED', 'BLOCKED', 'SKIPPED'))`,
    )
    .where(isAbout(agentId));
  if (reason !== undefined) query = query.where('reason', '=', reason);
  if (event !== undefined) query = query.where('event', '=', event);
  if (ids !== undefined) query = query.where(sql<boolean>`id = ANY(${ids}::text[])`);
  if (from !== undefined) query = query.where('created_at', '>=', sql<Date>`${from}::timestamptz`);
  else if (ids === undefined)
    query = query.where('created_at', '>=', sql<Date>`now() - ${DEFAULT_DAYS}::int * interval '1 day'`);
  if (to !== undefined) query = query.where('created_at', '<', sql<Date>`${to}::timestamptz`);
  return await query.orderBy('created_at').orderBy('id').limit(limit).forUpdate().skipLocked().execute();
}

async function sendAgain(tx: Tx, lost: readonly Selectable<NotificationTable>[], author: Author): Promise<number> {
  if (lost.length === 0) return 0;
  // One that somebody else has sent again meanwhile is not made.
  const made = await insertNotifications(
    tx,
    lost.map((row) => ({
      id: newId(NOTIFICATION),
      effect_key: `${row.effect_key}-again-1`,
      reservation_id: row.reservation_id,
      task_id: row.task_id,
      event: row.event,
      template: row.template,
      channel: row.channel,
      recipient_type: row.recipient_type,
      recipient_id: row.recipient_id,
      params: JSON.stringify(row.params),
      not_after: row.not_after,
      resend_of: row.id,
      in_bulk: true,
    })),
  );
  for (const { resend_of: id, reservation_id: reservationId } of made) {
    await recordAudit(tx, {
      streamId: `notification:${id}`,
      event: 'NOTIFICATION_RESENT',
      ...author,
      reservationId,
      body: { outcome: 'success', reservationId, details: { id, fields: ['channel'], version: 1 } },
    });
  }
  await forgetFailures(
    tx,
    'messages',
    made.flatMap(({ resend_of: id }) => id ?? []),
  );
  return made.length;
}
