import { type RawBuilder, sql } from 'kysely';
import type { Db } from '../../db/client.ts';
import { compiledOnce } from '../../db/compiled-once.ts';
import { isUnreachable } from '../../db/errors.ts';
import type { TransactionStatus } from '../../db/schema.ts';
import { createBatcher } from '../../kernel/batcher.ts';
import { required } from '../../kernel/errors.ts';
import { toMajor } from '../../kernel/money.ts';
import { amountOf } from '../finance/view.ts';

/** The answer of a saga about a stay: the stay, its live tasks in the order of the work, its amount due. */
export interface StayOutcome {
  readonly reservation: {
    readonly id: string;
    readonly status: string;
    readonly propertyId: string;
    readonly checkInDate: string;
    readonly checkOutDate: string;
  };
  readonly tasks: readonly {
    readonly id: string;
    readonly type: string;
    readonly title: string;
    readonly status: string;
    readonly scheduledDate: string;
    /** As agreed with the assignee. */
    readonly startsAt: string;
    readonly assigneeId: string | null;
    readonly mergedIntoTaskId: string | null;
  }[];
  readonly transaction: {
    readonly id: string;
    readonly type: string;
    readonly status: string;
    /** Major units: what a completed payment received, or else what is asked. */
    readonly amount: number;
    readonly amountDue: number;
    readonly currency: string;
  } | null;
}

type ReadOutcome = (reservationId: string) => Promise<StayOutcome | null>;
const readers = new WeakMap<Db, ReadOutcome>();

/** Reads that are asked for at once travel together. Throws when there is no such stay. */
export async function readOutcome(db: Db, reservationId: string): Promise<StayOutcome> {
  const read =
    readers.get(db) ??
    createBatcher<string, StayOutcome | null>((ids) => selectOutcomes(db, ids), {
      maxBatch: 32,
      maxInFlight: 2,
      failTogether: isUnreachable,
    });
  readers.set(db, read);
  return required(await read(reservationId), 'the stay of a saga');
}

interface OutcomeRow {
  readonly id: string;
  readonly status: string;
  readonly property_id: string;
  readonly check_in_date: string;
  readonly check_out_date: string;
  readonly tasks:
    | readonly {
        id: string;
        type: string;
        title: string;
        status: string;
        scheduled_at: string;
        starts_at: string;
        assignee_id: string | null;
        merged: string | null;
      }[]
    | null;
  readonly due: {
    id: string;
    type: 'GUEST_PAYMENT';
    status: TransactionStatus;
    amount_minor: number;
    settled_minor: number;
    currency: string;
  } | null;
}

const selectRows = compiledOnce((db, ids: RawBuilder<readonly string[]>) =>
  sql<OutcomeRow>`
    SELECT r.id, r.status, r.property_id, r.check_in_date, r.check_out_date,
      (SELECT jsonb_agg(jsonb_build_object('id', t.id, 'type', t.type, 'title', t.title, 'status', t.status, 'scheduled_at', t.scheduled_at,
           'starts_at', coalesce(t.slot_start, t.scheduled_at), 'assignee_id', t.assignee_id, 'merged', t.merged_into_task_id)
           ORDER BY array_position(ARRAY['PRE_ARRIVAL','ARRIVAL','DEPARTURE','POST_DEPARTURE'], t.occurrence), t.id)
         FROM task t WHERE t.reservation_id = r.id AND t.status <> 'CANCELLED') AS tasks,
      (SELECT jsonb_build_object('id', x.id, 'type', x.type, 'status', x.status, 'amount_minor', x.amount_minor,
           'settled_minor', x.settled_minor, 'currency', x.currency)
         FROM transaction x WHERE x.reservation_id = r.id AND x.type = 'GUEST_PAYMENT' AND x.parent_id IS NULL
          AND x.status NOT IN ('FAILED', 'CANCELLED', 'REVERSED')) AS due
      FROM reservation r WHERE r.id = ANY(${ids}::text[])`.compile(db),
);

async function selectOutcomes(db: Db, ids: readonly string[]): Promise<(StayOutcome | null)[]> {
  const rows = await selectRows(db, [...new Set(ids)]);
  const byId = new Map(rows.map((row) => [row.id, outcomeOf(row)]));
  return ids.map((id) => byId.get(id) ?? null);
}

const outcomeOf = (row: OutcomeRow): StayOutcome => ({
  reservation: {
    id: row.id,
    status: row.status,
    propertyId: row.property_id,
    checkInDate: row.check_in_date,
    checkOutDate: row.check_out_date,
  },
  tasks: (row.tasks ?? []).map((task) => ({
    id: task.id,
    type: task.type,
    title: task.title,
    status: task.status,
    scheduledDate: new Date(task.scheduled_at).toISOString(),
    startsAt: new Date(task.starts_at).toISOString(),
    assigneeId: task.assignee_id,
    mergedIntoTaskId: task.merged,
  })),
  transaction: row.due && {
    id: row.due.id,
    type: row.due.type,
    status: row.due.status,
    amount: toMajor({ amountMinor: amountOf(row.due), currency: row.due.currency }),
    amountDue: toMajor({ amountMinor: row.due.amount_minor, currency: row.due.currency }),
    currency: row.due.currency,
  },
});
