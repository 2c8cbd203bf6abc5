import { sql } from 'kysely';
import type { Db } from '../../db/client.ts';
import type { Known } from './catalogue/define.ts';
import { messageOf } from './catalogue/index.ts';
import type { Verdict } from './delivery-rows.ts';
import { mayDecline } from './matrix-table.ts';
import { outsideQuietHours } from './quiet-hours.ts';

/**
 * Whether a message may go now, looked at when it is to be sent (domain.md 12): settings, preferences and rules, which hold
 * for every message, and what the file of its event says.
 */
export type Conditions = Awaited<ReturnType<typeof loadConditions>>[number];

/** One row per id that exists. */
export const loadConditions = (db: Db, notificationIds: readonly string[]) =>
  db
    .selectFrom('notification as n')
    .innerJoin('message_rule as rule', (join) => join.onTrue())
    .leftJoin('reservation as r', 'r.id', 'n.reservation_id')
    .leftJoin('task as t', 't.id', 'n.task_id')
    .leftJoin('property as p', (join) =>
      join.on((eb) => eb('p.id', '=', eb.fn.coalesce('r.property_id', 't.property_id'))),
    )
    .leftJoin('guest as g', (join) => join.onRef('g.id', '=', 'n.recipient_id').on('n.recipient_type', '=', 'GUEST'))
    .leftJoin('staff as st', (join) => join.onRef('st.id', '=', 'n.recipient_id').on('n.recipient_type', '=', 'STAFF'))
    .leftJoin('message_setting as s', (join) =>
      join
        .onRef('s.event', '=', 'n.event')
        .onRef('s.recipient_type', '=', 'n.recipient_type')
        .onRef('s.channel', '=', 'n.channel'),
    )
    .where('n.id', '=', sql<string>`ANY(${notificationIds})`)
    .select([
      'n.id',
      'n.event',
      'n.channel',
      'n.recipient_type as recipientType',
      'n.not_after as notAfter',
      'n.resend_of as resendOf',
      'n.in_bulk as inBulk',
      sql<boolean>`coalesce(st.digest, false)`.as('wantsDigest'),
      's.enabled',
      'rule.quiet_from as quietFrom',
      'rule.quiet_to as quietTo',
      'rule.last_call as lastCall',
      'rule.quiet_channels as quietChannels',
      'rule.review_despite_incident as reviewDespiteIncident',
      sql<Date>`now()`.as('now'),
      sql<string>`coalesce(g.time_zone, p.time_zone, 'UTC')`.as('timeZone'),
      sql<boolean>`r.reminded_version IS NOT DISTINCT FROM r.version`.as('isPlanned'),
      sql<boolean>`EXISTS (SELECT FROM message_opt_out o WHERE o.recipient_type = n.recipient_type AND o.recipient_id = n.recipient_id
        AND o.channel = n.channel AND o.event IN (n.event, '*'))`.as('isUnwanted'),
    ])
    .execute();

/** It goes with others, once a day. */
export const IN_DIGEST = 'IN_DIGEST';
const REPLANNED_WITHIN_MS = 2_000;

const STALE: Verdict = { status: 'SKIPPED', reason: 'STALE' };

/** The verdict of `stillTrue` of its event's file; null: it is still true. */
export function untrue(known: Known): Verdict | null {
  const truth = messageOf(known.conditions.event)?.stillTrue?.(known) ?? true;
  if (typeof truth !== 'boolean') return truth;
  return truth ? null : STALE;
}

/** Why it is not sent now; null: it may go. */
export function heldBack(known: Known): Verdict | null {
  const { conditions: of, template } = known;
  const message = messageOf(of.event);
  if (of.enabled === false) return skipped('SWITCHED_OFF');
  if (of.isUnwanted && mayDecline(of.event, of.recipientType, of.channel)) return skipped('OPTED_OUT');
  // A person asked for this one just now.
  const isWaitedFor = of.resendOf !== null && !of.inBulk;
  if (message?.digest !== undefined && of.wantsDigest && template !== message.digest && !isWaitedFor) {
    return skipped(IN_DIGEST);
  }
  if (of.notAfter !== null && of.now > of.notAfter) return skipped('TOO_LATE');
  if (message?.isPlanned && of.resendOf === null && !of.isPlanned) {
    return { status: 'WAIT', until: new Date(of.now.getTime() + REPLANNED_WITHIN_MS), reason: 'REPLANNING' };
  }
  const needless = message?.notNeeded?.(known) ?? null;
  if (needless !== null) return skipped(needless);
  // Somebody asked for it again just now.
  if (message?.atAnyHour || isWaitedFor) return null;
  const quiet = { from: of.quietFrom, to: of.quietTo, lastCall: of.lastCall, channels: of.quietChannels };
  const goes = outsideQuietHours(of.now, quiet, { ...of, notBefore: of.now });
  if (goes === null) return skipped('QUIET_HOURS');
  return goes > of.now ? { status: 'WAIT', until: goes, reason: 'QUIET_HOURS' } : null;
}

const skipped = (reason: string): Verdict => ({ status: 'SKIPPED', reason });
