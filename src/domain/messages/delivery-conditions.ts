import { sql } from 'kysely';
import type { Db } from '../../db/client.ts';
import type { Verdict } from './delivery-rows.ts';
import { DIGEST } from './digest.ts';
import { mayDecline } from './matrix-table.ts';
import { outsideQuietHours } from './quiet-hours.ts';
import { REMINDERS } from './reminder-plan.ts';

/** Whether a message may go now, looked at when it is to be sent (domain.md 12): wishes, rules, and what has become of it. */
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
      'n.template',
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
      sql<boolean>`n.event = 'PAYMENT_DUE' AND NOT EXISTS (SELECT FROM transaction x WHERE x.reservation_id = n.reservation_id
        AND x.type = 'GUEST_PAYMENT' AND x.parent_id IS NULL AND x.status NOT IN ('FAILED','CANCELLED','REVERSED')
        AND x.outstanding_minor > 0)`.as('isPaid'),
      // Found at the stay, or broken while it lasted.
      sql<boolean>`n.event = 'REVIEW_REQUEST' AND EXISTS (SELECT FROM task i WHERE i.property_id = r.property_id
        AND i.type IN ('EMERGENCY','MAINTENANCE') AND i.status IN ('UNASSIGNED','ASSIGNED','IN_PROGRESS') AND i.created_at >= r.actual_check_in_at
        AND (i.reservation_id = r.id OR i.type = 'EMERGENCY'))`.as('hasIncident'),
    ])
    .execute();

/** Said with others, once a day. */
export const IN_DIGEST = 'IN_DIGEST';
const IS_REMINDER: ReadonlySet<string> = new Set(REMINDERS);
/** They open a door, or say that somebody is needed now. */
const AT_ANY_HOUR: ReadonlySet<string> = new Set(['WELCOME', 'SYSTEM_ALERT', 'MAINTENANCE_ALERT']);
const REPLANNED_WITHIN_MS = 2_000;

/** Why it is not sent now; null: it may go. */
export function heldBack(of: Conditions): Verdict | null {
  if (of.enabled === false) return skipped('SWITCHED_OFF');
  if (of.isUnwanted && mayDecline(of.event, of.recipientType, of.channel)) return skipped('OPTED_OUT');
  // A person asked for this one just now.
  const isWaitedFor = of.resendOf !== null && !of.inBulk;
  if (of.event === 'TASK_COMPLETED' && of.wantsDigest && of.template !== DIGEST && !isWaitedFor) {
    return skipped(IN_DIGEST);
  }
  if (of.notAfter !== null && of.now > of.notAfter) return skipped('TOO_LATE');
  if (IS_REMINDER.has(of.event) && of.resendOf === null && !of.isPlanned) {
    return { status: 'WAIT', until: new Date(of.now.getTime() + REPLANNED_WITHIN_MS), reason: 'REPLANNING' };
  }
  if (of.isPaid) return skipped('PAID');
  if (of.hasIncident && !of.reviewDespiteIncident) return skipped('OPEN_INCIDENT');
  // Somebody asked for it again just now.
  if (AT_ANY_HOUR.has(of.event) || isWaitedFor) return null;
  const quiet = { from: of.quietFrom, to: of.quietTo, lastCall: of.lastCall, channels: of.quietChannels };
  const goes = outsideQuietHours(of.now, quiet, { ...of, notBefore: of.now });
  if (goes === null) return skipped('QUIET_HOURS');
  return goes > of.now ? { status: 'WAIT', until: goes, reason: 'QUIET_HOURS' } : null;
}

const skipped = (reason: string): Verdict => ({ status: 'SKIPPED', reason });
