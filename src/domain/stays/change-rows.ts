import { type RawBuilder, sql } from 'kysely';
import type { Db } from '../../db/client.ts';
import type { Json } from '../../db/schema.ts';
import { ruleOf, type TransactionRule, termsByVersion } from './timeline-rules.ts';

/**
 * The rows that sagas have changed, read from the events that the changes have made, as they stand. Read once before and once
 * after, they are what a plan is made of (`changes.ts`); nothing here knows what any saga does.
 */

/** Where something begins: what was there by then is no part of it. */
export interface Beginning {
  /** The last event. */
  readonly eventId: number;
  readonly at: Date;
}
/** The rows that were changed, by their ids. */
export interface Touched {
  readonly sagaIds: readonly string[];
  readonly ids: Readonly<Record<Resource, readonly string[]>>;
}
const RESOURCES = ['reservation', 'property', 'task', 'transaction', 'payment', 'access', 'message'] as const;
export type Resource = (typeof RESOURCES)[number];
export type ChangeRow = Readonly<Record<string, Json>>;
export type ChangeRows = Readonly<Record<Resource, ReadonlyMap<string, ChangeRow>>>;

/** The place from which on events are new. */
export async function readBeginning(db: Db): Promise<Beginning> {
  const { rows } = await sql<Beginning>`
    SELECT (SELECT coalesce(max(e.id), 0) FROM domain_event e) AS "eventId", clock_timestamp() AS at`.execute(db);
  const [row] = rows;
  return row ?? { eventId: 0, at: new Date(0) };
}

/**
 * What was changed since. `by`: `transaction`, in this transaction alone; `anybody`, also by others that have committed.
 * A message that waits makes no event, so the messages of the stays are looked at one by one.
 */
export async function readTouched(
  db: Db,
  since: Beginning,
  by: 'transaction' | 'anybody',
  about: { readonly sagaIds: readonly string[]; readonly subjectId: string },
): Promise<Touched> {
  const isOurs = (column: RawBuilder<unknown>) =>
    by === 'transaction' ? sql`${column} = now()` : sql`${column} >= ${since.at}`;
  const { rows } = await sql<{ resource: string; resource_id: string; reservation_id: string | null }>`
    SELECT DISTINCT e.resource, e.resource_id, e.reservation_id FROM domain_event e
     WHERE e.id > ${since.eventId}::bigint AND ${by === 'transaction' ? sql`e.at = now()` : sql`true`}`.execute(db);
  const of = (resource: string) => rows.filter((row) => row.resource === resource).map((row) => row.resource_id);
  const stays = distinct([about.subjectId, ...rows.flatMap((row) => row.reservation_id ?? [])]);
  const reservations = distinct([...stays, ...of('reservation')]);
  const { rows: messages } = await sql<{ id: string }>`
    SELECT n.id FROM notification n WHERE ${isOurs(sql`n.created_at`)}
    UNION SELECT n.id FROM notification n WHERE n.reservation_id = ANY(${reservations}::text[])`.execute(db);
  const { rows: places } = await sql<{ property_id: string }>`
    SELECT DISTINCT r.property_id FROM reservation r WHERE r.id = ANY(${reservations}::text[])`.execute(db);
  return {
    sagaIds: about.sagaIds,
    ids: {
      reservation: reservations,
      property: distinct([...of('property'), ...places.map((row) => row.property_id)]),
      task: of('task'),
      transaction: distinct(of('transaction')),
      payment: distinct(of('payment')),
      access: reservations,
      message: distinct([...messages.map((row) => row.id), ...of('notification')]),
    },
  };
}

const distinct = (ids: readonly string[]): readonly string[] => [...new Set(ids)];

/** The columns that a plan tells of, and the table they are of. Times are ISO instants. */
const SOURCES: Readonly<Record<Resource, RawBuilder<unknown>>> = {
  reservation: sql`SELECT r.id, r.status, r.payment_status AS "paymentStatus", r.departure_date::text AS "departureDate", r.property_id AS "propertyId" FROM reservation r`,
  property: sql`SELECT r.id, r.readiness, r.amenity_status AS "amenityStatus" FROM property r`,
  task: sql`SELECT r.id, r.status, r.type, r.occurrence, r.reservation_id AS "reservationId", r.property_id AS "propertyId", r.assignee_id AS "assigneeId",
    coalesce(r.slot_start, r.scheduled_at) AS "startsAt", coalesce(r.slot_end, r.ends_at) AS "endsAt", r.must_finish_by AS "mustFinishBy" FROM task r`,
  transaction: sql`SELECT r.id, r.status, r.type, r.amount_minor AS "amountMinor", r.outstanding_minor AS "outstandingMinor", r.settled_minor AS "settledMinor",
    r.currency, r.reservation_id AS "reservationId", r.owner_id AS "ownerId", r.beneficiary_id AS "beneficiaryId", r.scheduled_for AS "scheduledFor",
    r.distribution_version AS distribution_version, r.details FROM transaction r`,
  payment: sql`SELECT r.id, r.status, r.amount_minor AS "amountMinor", r.currency, r.gateway_id AS "gatewayId", r.reservation_id AS "reservationId" FROM payment r`,
  access: sql`SELECT r.reservation_id AS id, r.status, r.valid_until AS "validUntil" FROM amenity_grant r`,
  message: sql`SELECT r.id, r.status, r.reason, r.event, r.template, r.channel, r.recipient_type AS "recipientType", r.recipient_id AS "recipientId",
    r.due_at AS "dueAt", r.reservation_id AS "reservationId", r.task_id AS "taskId" FROM notification r`,
};
const KEYS: Readonly<Partial<Record<Resource, RawBuilder<unknown>>>> = { access: sql`r.reservation_id` };

/** The touched rows as they stand here; those that are not there are left out. */
export async function readChangeRows(db: Db, { ids }: Touched): Promise<ChangeRows> {
  const read = async (resource: Resource): Promise<readonly [Resource, ReadonlyMap<string, ChangeRow>]> => {
    const asked = ids[resource];
    if (asked.length === 0) return [resource, new Map()];
    const { rows } = await sql<{ id: string; row: ChangeRow }>`
      SELECT x.id, to_jsonb(x) AS row FROM (${SOURCES[resource]} WHERE ${KEYS[resource] ?? sql`r.id`} = ANY(${[...asked]}::text[])) x`.execute(
      db,
    );
    return [resource, new Map(rows.map(({ id, row }) => [id, row]))];
  };
  const [reservation, property, task, transaction, payment, access, message] = [
    await read('reservation'),
    await read('property'),
    await read('task'),
    await read('transaction'),
    await read('payment'),
    await read('access'),
    await read('message'),
  ].map(([, rows]) => rows);
  const none: ReadonlyMap<string, ChangeRow> = new Map();
  return {
    reservation: reservation ?? none,
    property: property ?? none,
    task: task ?? none,
    transaction: transaction ?? none,
    payment: payment ?? none,
    access: access ?? none,
    message: message ?? none,
  };
}

/** What the sagas have booked, by whose account it is. Minor units; more for the party, or less where negative. */
export interface Booking {
  readonly party: string;
  readonly partyId: string | null;
  readonly kind: string;
  readonly purpose: string;
  readonly amountMinor: number;
  readonly currency: string;
  readonly rule: TransactionRule | null;
}

/** What is ours, and what is kept or taken by others, grows by a debit; what is owed grows by a credit. */
const GROWN_BY_DEBIT = sql`('GATEWAY_CLEARING', 'BANK', 'GATEWAY_FEE', 'DISPUTED')`;

/** The bookings of these sagas, in the order of the ledger's accounts. */
export async function readBookings(db: Db, sagaIds: readonly string[]): Promise<readonly Booking[]> {
  const { rows } = await sql<
    Omit<Booking, 'rule'> & { type: Parameters<typeof ruleOf>[0]['type'] | null; version: number | null; details: Json }
  >`SELECT a.kind AS party, a.party_id AS "partyId", x.kind, x.purpose, x.currency, t.type, t.distribution_version AS version, t.details,
           sum(CASE WHEN a.kind IN ${GROWN_BY_DEBIT} THEN e.amount ELSE -e.amount END)::bigint AS "amountMinor"
      FROM ledger_tx x JOIN ledger_entry e ON e.tx_id = x.id JOIN ledger_account a ON a.id = e.account_id
      LEFT JOIN transaction t ON t.id = x.transaction_id
     WHERE x.saga_id = ANY(${[...sagaIds]}::text[])
     GROUP BY 1, 2, 3, 4, 5, 6, 7, 8
     ORDER BY x.kind, x.purpose, a.kind, a.party_id, x.currency, 9`.execute(db);
  const terms = await termsByVersion(
    db,
    rows.map(({ version }) => version),
  );
  return rows.map(({ type, version, details, ...booking }) => ({
    ...booking,
    rule: type === null ? null : ruleOf({ type, distribution_version: version, details }, terms),
  }));
}
