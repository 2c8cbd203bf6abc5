import { type RawBuilder, sql } from 'kysely';
import type { Db } from '../db/client.ts';
import { batchLimit, literal } from '../db/literal.ts';
import { isOver } from '../domain/approvals/store.ts';
import { isToAssign } from '../domain/assignment/assign-sweep.ts';
import { isUnanswered } from '../domain/assignment/offers.ts';
import { isEventDue } from '../domain/finance/due-events.ts';
import { isPayoutDue } from '../domain/finance/payout-batches.ts';
import { IS_TO_SEND } from '../domain/finance/refund.ts';
import { isMessageDue } from '../domain/messages/delivery-rows.ts';
import { isUnplanned } from '../domain/messages/reminders.ts';
import { isUnsettled } from '../domain/stays/access.ts';
import { isFree } from '../domain/webhooks/store.ts';
import { type Sample, sample } from '../kernel/telemetry/measure.ts';

/** How much work waits in Postgres, and since when: by the very conditions by which the sweeps find it. */

/** More are not counted. */
const MAX_ROWS = 10_000;

interface DueKind {
  /** `FROM` and `WHERE`. */
  readonly rows: RawBuilder<unknown>;
  /** Since when a row is due; null: no column says so. */
  readonly since: RawBuilder<unknown> | null;
}

/** Each is served by an index whose first column is that of `since`, or that holds nothing but such rows. */
const KINDS = {
  messages: {
    rows: sql`FROM notification_due d JOIN notification q ON q.id = d.notification_id WHERE d.due_at <= now() AND ${isMessageDue}`,
    since: sql`d.due_at`,
  },
  reminders: { rows: sql`FROM reservation r WHERE ${isUnplanned}`, since: null },
  tasks: { rows: sql`FROM task t WHERE ${isToAssign}`, since: sql`t.next_assign_at` },
  offers: { rows: sql`FROM task t WHERE ${isUnanswered}`, since: sql`t.accept_by` },
  access: { rows: sql`FROM amenity_grant a WHERE ${isUnsettled}`, since: null },
  refunds: { rows: sql`FROM transaction t WHERE ${IS_TO_SEND}`, since: sql`t.created_at` },
  payouts: {
    rows: sql`FROM transaction t JOIN owner o ON o.id = t.owner_id LEFT JOIN saga s ON s.id = t.created_by_saga WHERE ${isPayoutDue}`,
    since: sql`t.scheduled_for`,
  },
  'gateway-events': { rows: sql`FROM gateway_event e WHERE ${isEventDue}`, since: sql`e.received_at` },
  approvals: { rows: sql`FROM approval WHERE ${isOver}`, since: sql`expires_at` },
  'outbox-orders': {
    rows: sql`FROM outbox x WHERE x.published_at IS NULL AND x.available_at <= now()`,
    since: sql`x.available_at`,
  },
  'saga-checks': {
    rows: sql`FROM saga x WHERE x.finished_at IS NULL AND x.status <> 'parked' AND x.next_check_at <= now()`,
    since: sql`x.next_check_at`,
  },
  'webhook-endpoints': {
    rows: sql`FROM webhook_endpoint w WHERE ${isFree} AND w.next_seq <= (SELECT f.last_seq FROM event_feed f)`,
    since: sql`w.next_attempt_at`,
  },
} as const satisfies Readonly<Record<string, DueKind>>;
type Kind = keyof typeof KINDS;

/** The values of the label `kind` of what is due. */
export const DUE_KINDS = Object.keys(KINDS) as readonly Kind[];

const kindOf = (kind: Kind): DueKind => KINDS[kind];

function statementOf(kind: Kind): RawBuilder<unknown> {
  const { rows, since } = kindOf(kind);
  return sql`
  SELECT ${literal<Kind>(kind)} AS kind, count(*)::int AS n, extract(epoch FROM now() - min(due.at))::float8 AS oldest
    FROM (SELECT ${since ?? sql`NULL::timestamptz`} AS at ${rows} ${since ? sql`ORDER BY ${since}` : sql``} LIMIT ${batchLimit(MAX_ROWS)}) due`;
}

/** Reads depth and oldest age of every kind, in one statement. */
export async function rowsDue(db: Db): Promise<readonly Sample[]> {
  const parts = DUE_KINDS.map(statementOf);
  const { rows } = await sql<{ kind: Kind; n: number; oldest: number | null }>`${sql.join(
    parts,
    sql` UNION ALL `,
  )}`.execute(db);
  return rows.flatMap(({ kind, n, oldest }) => [
    sample('roomy_due_rows', n, { kind }),
    ...(kindOf(kind).since ? [sample('roomy_due_oldest_seconds', Math.max(0, oldest ?? 0), { kind })] : []),
  ]);
}
