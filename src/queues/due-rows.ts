import { type RawBuilder, sql } from 'kysely';
import { isOver } from '../domain/approvals/store.ts';
import { isToAssign } from '../domain/assignment/assign-sweep.ts';
import { isUnanswered } from '../domain/assignment/offers.ts';
import { isEventDue } from '../domain/finance/due-events.ts';
import { isPayoutDue } from '../domain/finance/payout-batches.ts';
import { IS_TO_SEND } from '../domain/finance/refund.ts';
import { isMessageDue } from '../domain/messages/delivery-rows.ts';
import { isUnplanned } from '../domain/messages/reminders.ts';
import { isUnsettled } from '../domain/stays/access.ts';
import { isNotSetAside } from '../domain/sweeps/failures.ts';
import { isFree } from '../domain/webhooks/store.ts';

/**
 * Every kind of row that something has to take up soon after it is due, by the very conditions by which sweeps, relay and reconciler
 * find it. Metrics count them, and the watchdog tells when one has waited for too long.
 */
interface DueKind {
  /** In plain words, plural. */
  readonly what: string;
  /** `FROM` and `WHERE`. */
  readonly rows: RawBuilder<unknown>;
  /** Since when a row is due; null: no column says so. */
  readonly since: RawBuilder<unknown> | null;
  /** Due for so long, it is late; null: nobody is told. */
  readonly lateAfterMinutes: number | null;
}

/** Each is served by an index whose first column is that of `since`, or that holds nothing but such rows. */
const KINDS = {
  messages: {
    what: 'messages',
    rows: sql`FROM notification_due d JOIN notification q ON q.id = d.notification_id WHERE d.due_at <= now() AND ${isMessageDue}`,
    since: sql`d.due_at`,
    lateAfterMinutes: 2,
  },
  reminders: {
    what: 'stays whose reminders are to be planned',
    rows: sql`FROM reminder_mark m WHERE ${isUnplanned}`,
    since: null,
    lateAfterMinutes: null,
  },
  tasks: {
    what: 'tasks to assign',
    rows: sql`FROM task t WHERE ${isToAssign}`,
    since: sql`t.next_assign_at`,
    lateAfterMinutes: 2,
  },
  offers: {
    what: 'offers that nobody has answered',
    rows: sql`FROM task t WHERE ${isUnanswered}`,
    since: sql`t.accept_by`,
    lateAfterMinutes: 5,
  },
  access: {
    what: 'departures that a door has to follow',
    rows: sql`FROM amenity_grant a WHERE ${isUnsettled}`,
    since: null,
    lateAfterMinutes: null,
  },
  refunds: {
    what: 'refunds to send',
    rows: sql`FROM transaction t WHERE ${IS_TO_SEND}`,
    since: sql`t.created_at`,
    lateAfterMinutes: 5,
  },
  payouts: {
    what: 'payouts to send',
    rows: sql`FROM transaction t JOIN owner o ON o.id = t.owner_id LEFT JOIN saga s ON s.id = t.created_by_saga WHERE ${isPayoutDue}`,
    since: sql`t.scheduled_for`,
    // One that waits for a minimum, or for news of a gateway, is due and is not sent.
    lateAfterMinutes: null,
  },
  'gateway-events': {
    what: 'news of payment providers',
    rows: sql`FROM gateway_event e WHERE ${isEventDue}`,
    since: sql`e.received_at`,
    lateAfterMinutes: 5,
  },
  approvals: {
    what: 'questions that are over',
    rows: sql`FROM approval WHERE ${isOver}`,
    since: sql`expires_at`,
    lateAfterMinutes: 10,
  },
  'outbox-orders': {
    what: 'jobs to put into the queues',
    rows: sql`FROM outbox x WHERE x.published_at IS NULL AND x.available_at <= now() AND ${isNotSetAside('orders', sql`x.id::text`)}`,
    since: sql`x.available_at`,
    lateAfterMinutes: 1,
  },
  'saga-checks': {
    what: 'sagas that nobody moves',
    rows: sql`FROM saga x WHERE x.finished_at IS NULL AND x.status <> 'parked' AND x.next_check_at <= now() AND ${isNotSetAside('sagas', sql`x.id`)}`,
    since: sql`x.next_check_at`,
    lateAfterMinutes: 1.5,
  },
  'webhook-endpoints': {
    what: 'events for webhook endpoints',
    rows: sql`FROM webhook_endpoint w WHERE ${isFree} AND w.next_seq <= (SELECT f.last_seq FROM event_feed f)`,
    since: sql`w.next_attempt_at`,
    lateAfterMinutes: 5,
  },
} as const satisfies Readonly<Record<string, DueKind>>;
export type DueKindName = keyof typeof KINDS;

export const DUE_KINDS = Object.keys(KINDS) as readonly DueKindName[];
export const dueKind = (name: DueKindName): DueKind => KINDS[name];
