import { type RawBuilder, sql } from 'kysely';
import { literal, literals } from '../../../db/literal.ts';
import type { NotificationStatus } from '../../../db/schema.ts';

/**
 * The states of a notification, by the act that moves it. Only the files of this folder write the table `notification`,
 * and each statement that moves a row asks `mayMove`.
 */
export const MOVES = {
  /** A worker takes it under a lease, also from a worker that let its lease end. */
  claim: { from: ['QUEUED', 'SENDING'], to: ['SENDING'] },
  /** The outcome of an attempt; QUEUED: another attempt later. */
  settle: { from: ['SENDING'], to: ['SENT', 'SKIPPED', 'BLOCKED', 'FAILED', 'QUEUED'] },
  /** The attempt has not taken place. */
  handBack: { from: ['SENDING'], to: ['QUEUED'] },
  /** Nobody is to get it any more. */
  skip: { from: ['QUEUED'], to: ['SKIPPED'] },
  /** It waits for another hour. */
  postpone: { from: ['QUEUED'], to: ['QUEUED'] },
  /** The plan of reminders has changed. */
  replan: { from: ['QUEUED', 'SKIPPED'], to: ['QUEUED', 'SKIPPED'] },
  /** A receipt of the provider, which may come late and in any order: DELIVERED is the end. */
  deliver: { from: ['SENT', 'FAILED'], to: ['DELIVERED'] },
  bounce: { from: ['SENT'], to: ['FAILED'] },
} as const satisfies Readonly<
  Record<string, { readonly from: readonly NotificationStatus[]; readonly to: readonly NotificationStatus[] }>
>;
export type Move = keyof typeof MOVES;

/** Whether the row of that table or alias may be moved so. In the text of the statement, for partial indexes. */
export function mayMove(move: Move, alias = 'notification'): RawBuilder<boolean> {
  const status = sql.ref(`${alias}.status`);
  const states: readonly NotificationStatus[] = MOVES[move].from;
  const [first, ...others] = literals<NotificationStatus>(states);
  if (first === undefined) throw new TypeError(`${move} starts from no state`);
  return others.length === 0
    ? sql<boolean>`${status} = ${first}`
    : sql<boolean>`${status} IN (${sql.join([first, ...others], sql`, `)})`;
}

const RARE = ['DELIVERED', 'FAILED', 'SKIPPED', 'BLOCKED'] as const;
const isRare = (status: NotificationStatus): status is (typeof RARE)[number] => RARE.some((one) => one === status);

/**
 * Whether a row of `notification` has the status, for a search. No index is about `status` itself, so that a claim and most
 * sends leave the indexes alone: what waits is in `notification_due`, and what few messages come to has `rare_status`.
 */
export function hasStatus(status: NotificationStatus): RawBuilder<boolean> {
  if (isRare(status)) return sql<boolean>`notification.rare_status = ${literal(status)}`;
  const is = sql<boolean>`notification.status = ${literal(status)}`;
  return status === 'SENT'
    ? is
    : sql<boolean>`(notification.id = ANY(ARRAY(SELECT d.notification_id FROM notification_due d)) AND ${is})`;
}
