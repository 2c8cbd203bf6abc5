import { sql } from 'kysely';
import type { Db } from '../../db/client.ts';
import type { Json, JsonObject } from '../../db/schema.ts';
import { toMajor } from '../../kernel/money.ts';
import { type ApprovalView, approvalView } from '../approvals/resource.ts';
import { type AssignmentView, readAssignments } from '../assignment/explanation.ts';
import { type AuditView, auditView } from '../audit/view.ts';
import { eventId, placeOf } from '../events/feed.ts';
import { eventData } from '../events/stored.ts';
import { selectTransactions } from '../finance/resource.ts';
import { type TransactionView, transactionView } from '../finance/view.ts';
import { type NotificationView, notificationView } from '../messages/view.ts';
import { type TaskView, taskView } from '../tasks/view.ts';
import {
  causesOfEvent,
  causesOfMessage,
  causesOfRevocation,
  causesOfSagaParts,
  causesOfState,
  causesOfStep,
  readChangingSteps,
  stepOfRevocation,
} from './timeline-causes.ts';
import type { EntryName, Place } from './timeline-places.ts';
import { ruleOf, type TransactionRule, termsByVersion } from './timeline-rules.ts';
import { type DeliveryView, readDeliveries } from './timeline-webhooks.ts';

/** What is told of each entry that is a record of the domain. Amounts are major units, times ISO instants. */

export interface ReservationDetails {
  readonly reservationId: string;
  readonly propertyId: string;
  readonly checkInDate: string;
  readonly checkOutDate: string;
  readonly createdBy: string;
  /** As it is now. */
  readonly status: string;
}
export interface StateDetails {
  readonly status: string;
  /** When it happened, by the word of whoever told it. */
  readonly happenedAt: string;
  /** Of a cancellation, if one was given. */
  readonly reason: string | null;
}
export interface PaymentDetails {
  readonly id: string;
  readonly status: string;
  readonly amount: number;
  readonly currency: string;
  readonly gatewayId: string;
  readonly gatewayReference: string;
  readonly errorCode: string | null;
  readonly requestedBy: string;
  readonly sagaExecutionId: string;
  readonly completedAt: string | null;
}
export interface AccessDetails {
  /** `REVOKED_BY_HAND`: a person has said so, and no device was asked. */
  readonly change: 'GRANTED' | 'REVOKED' | 'REVOKED_BY_HAND';
  readonly validFrom: string;
  readonly validUntil: string;
}
export interface EventDetails {
  readonly id: string;
  readonly type: string;
  readonly resource: { readonly type: string; readonly id: string };
  readonly data: Json;
  /** Its place in the feed; null: it has none yet. */
  readonly seq: number | null;
  /** Of each endpoint that has chosen such events: how far its delivery is. Empty: of none, or the reader may not see them. */
  readonly webhooks: readonly DeliveryView[];
}
interface Details {
  readonly reservation: ReservationDetails;
  readonly state: StateDetails;
  readonly task: TaskView & { readonly assignment: AssignmentView | null };
  readonly transaction: TransactionView & { readonly rule: TransactionRule | null };
  readonly payment: PaymentDetails;
  readonly approval: ApprovalView;
  readonly access: AccessDetails;
  readonly message: NotificationView;
  readonly event: EventDetails;
  readonly change: AuditView;
}
export type RecordKind = keyof Details;

/** `causes`: what it may have been caused by, the nearest first. */
export type RecordEntry = {
  [Kind in RecordKind]: {
    readonly kind: Kind;
    readonly id: string;
    readonly details: Details[Kind];
    readonly causes: readonly EntryName[];
  };
}[RecordKind];

/** What the rows are read for. */
export interface RowsReader {
  readonly agentId: string | null;
  /** Whether the scores of assignments are shown. */
  readonly seesAssignments: boolean;
  readonly seesWebhooks: boolean;
}

type Read = (db: Db, ids: readonly string[], reader: RowsReader) => Promise<readonly RecordEntry[]>;

/** The entries at these places that are records of the domain: one statement or a few for each kind, however many entries. */
export async function readRecords(
  db: Db,
  places: readonly Place[],
  reader: RowsReader,
): Promise<readonly RecordEntry[]> {
  const kinds = Object.entries(READS).map(([kind, read]) => {
    const ids = places.filter((place) => place.kind === kind).map(({ id }) => id);
    return ids.length === 0 ? [] : read(db, ids, reader);
  });
  return (await Promise.all(kinds)).flat();
}

/** SQL: `column` is one of the ids. */
const among = (column: string, ids: readonly string[]) => sql<boolean>`${sql.ref(column)} = ANY(${[...ids]}::text[])`;

const reservations: Read = async (db, ids) => {
  const rows = await db.selectFrom('reservation').selectAll().where(among('id', ids)).execute();
  return rows.map((row) => ({
    kind: 'reservation',
    id: row.id,
    details: {
      reservationId: row.id,
      propertyId: row.property_id,
      checkInDate: row.check_in_date,
      checkOutDate: row.check_out_date,
      createdBy: row.created_by,
      status: row.status,
    },
    causes: [],
  }));
};

/** All of one stay, as only its own timeline has them. */
const states: Read = async (db, ids) => {
  const asked = ids.map(stayPartOf);
  const [reservationId = ''] = asked.map(({ stay }) => stay);
  const [row, steps] = await Promise.all([
    db.selectFrom('reservation').selectAll().where('id', '=', reservationId).executeTakeFirst(),
    readChangingSteps(db, reservationId),
  ]);
  if (!row) return [];
  const times: Readonly<Record<string, Date | null>> = {
    CONFIRMED: row.confirmed_at,
    CHECKED_IN: row.actual_check_in_at,
    CHECKED_OUT: row.actual_check_out_at,
    CANCELLED: row.cancelled_at,
  };
  return asked.flatMap(({ id, part: status }): readonly RecordEntry[] => {
    const at = times[status];
    if (!at) return [];
    const details = {
      status,
      happenedAt: at.toISOString(),
      reason: status === 'CANCELLED' ? row.cancel_reason : null,
    };
    const causes = [...causesOfState(status, steps), { kind: 'reservation', id: reservationId } as const];
    return [{ kind: 'state', id, details, causes }];
  });
};

/** `stay-1:CONFIRMED`. */
function stayPartOf(id: string) {
  const colon = id.lastIndexOf(':');
  return { id, stay: id.slice(0, colon), part: id.slice(colon + 1) };
}

const tasks: Read = async (db, ids, { agentId, seesAssignments }) => {
  const rows = await db.selectFrom('task').selectAll().where(among('id', ids)).execute();
  const assignments = seesAssignments ? await readAssignments(db, ids, agentId) : [];
  return rows.map((row) => ({
    kind: 'task',
    id: row.id,
    details: { ...taskView(row), assignment: assignments.find(({ taskId }) => taskId === row.id) ?? null },
    causes: causesOfStep(row.created_by_saga, row.effect_key),
  }));
};

const transactions: Read = async (db, ids) => {
  const rows = await selectTransactions(db).select('t.effect_key').where(among('t.id', ids)).execute();
  const terms = await termsByVersion(
    db,
    rows.map(({ distribution_version: version }) => version),
  );
  return rows.map((row) => ({
    kind: 'transaction',
    id: row.id,
    details: { ...transactionView(row), rule: ruleOf(row, terms) },
    causes: [
      ...causesOfStep(row.created_by_saga, row.effect_key),
      ...(row.parent_id === null ? [] : [{ kind: 'transaction', id: row.parent_id } as const]),
    ],
  }));
};

const payments: Read = async (db, ids) => {
  const rows = await db.selectFrom('payment').selectAll().where(among('id', ids)).execute();
  return rows.map((row) => ({
    kind: 'payment',
    id: row.id,
    details: {
      id: row.id,
      status: row.status,
      amount: toMajor({ amountMinor: row.amount_minor, currency: row.currency }),
      currency: row.currency,
      gatewayId: row.gateway_id,
      gatewayReference: row.gateway_reference,
      errorCode: row.error_code,
      requestedBy: row.requested_by,
      sagaExecutionId: row.saga_id,
      completedAt: row.completed_at?.toISOString() ?? null,
    },
    causes: causesOfSagaParts(row.saga_id),
  }));
};

const approvals: Read = async (db, ids) => {
  const rows = await db.selectFrom('approval').selectAll().where(among('id', ids)).execute();
  return rows.map((row) => ({
    kind: 'approval',
    id: row.id,
    details: approvalView(row),
    causes: [
      ...(row.saga_id === null ? [] : causesOfSagaParts(row.saga_id)),
      ...(row.subject_type === 'task' ? [{ kind: 'task', id: row.subject_id } as const] : []),
    ],
  }));
};

/** All of one stay, as only its own timeline has them. */
const accesses: Read = async (db, ids) => {
  const asked = ids.map(stayPartOf);
  const [reservationId = ''] = asked.map(({ stay }) => stay);
  const [grant, steps] = await Promise.all([
    db.selectFrom('amenity_grant').selectAll().where('reservation_id', '=', reservationId).executeTakeFirst(),
    readChangingSteps(db, reservationId),
  ]);
  if (!grant) return [];
  const period = { validFrom: grant.valid_from.toISOString(), validUntil: grant.valid_until.toISOString() };
  const [granted, sagaId] = [grant.activation_key, /^(.*)-\d+-[FC]/.exec(grant.activation_key)?.[1] ?? null];
  return asked.map(({ id, part }) =>
    part === 'GRANTED'
      ? { kind: 'access', id, details: { change: 'GRANTED', ...period }, causes: causesOfStep(sagaId, granted) }
      : {
          kind: 'access',
          id,
          details: { change: stepOfRevocation(steps)?.isByHand ? 'REVOKED_BY_HAND' : 'REVOKED', ...period },
          causes: [...causesOfRevocation(steps), { kind: 'access', id: `${reservationId}:GRANTED` }],
        },
  );
};

const messages: Read = async (db, ids) => {
  const rows = await db.selectFrom('notification').selectAll().where(among('id', ids)).execute();
  return rows.map((row) => ({
    kind: 'message',
    id: row.id,
    details: notificationView(row),
    causes: causesOfMessage(row),
  }));
};

const events: Read = async (db, ids, { seesWebhooks }) => {
  const { rows } = await sql<{
    id: number;
    at: Date;
    type: string;
    resource: string;
    resource_id: string;
    data: JsonObject | readonly Json[];
    seq: number | null;
  }>`
    SELECT e.id, e.at, e.type, e.resource, e.resource_id, e.data, ${placeOf(sql`e.id`)} AS seq
      FROM domain_event e WHERE e.id = ANY(${[...ids]}::bigint[])`.execute(db);
  const deliveries = seesWebhooks ? await readDeliveries(db) : () => [];
  return rows.map((row) => ({
    kind: 'event',
    id: String(row.id),
    details: {
      id: eventId(row.id),
      type: row.type,
      resource: { type: row.resource, id: row.resource_id },
      data: eventData(row.resource, row.data),
      seq: row.seq,
      webhooks: deliveries(row),
    },
    causes: causesOfEvent(row),
  }));
};

const changes: Read = async (db, ids) => {
  const rows = await db
    .selectFrom('audit_log')
    .selectAll()
    .where(
      sql<boolean>`(stream_id, seq) IN (SELECT s, n FROM unnest(${ids.map((id) => stayPartOf(id).stay)}::text[], ${ids.map((id) => Number(stayPartOf(id).part))}::int[]) AS asked (s, n))`,
    )
    .execute();
  return rows.map((row) => {
    const details = auditView(row);
    return {
      kind: 'change',
      id: details.id,
      details,
      causes: row.saga_id === null ? [] : causesOfSagaParts(row.saga_id),
    };
  });
};

const READS: Readonly<Record<RecordKind, Read>> = {
  reservation: reservations,
  state: states,
  task: tasks,
  transaction: transactions,
  payment: payments,
  approval: approvals,
  access: accesses,
  message: messages,
  event: events,
  change: changes,
};
