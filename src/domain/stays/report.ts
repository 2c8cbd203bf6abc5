import { type SqlBool, sql } from 'kysely';
import type { Db, Tx } from '../../db/client.ts';
import { literal } from '../../db/literal.ts';
import { RoomyError, required } from '../../kernel/errors.ts';
import { newId } from '../../kernel/ids.ts';
import { canonicalJson } from '../../kernel/json.ts';
import { wallClock } from '../../kernel/local-time.ts';
import { toMajor } from '../../kernel/money.ts';
import { type FinancialSummary, financialSummary } from '../finance/summary.ts';

/**
 * The summary of a departure: written once, in canonical JSON under its own hash, and never changed.
 * It names people by id only, so that erasing a guest leaves it valid.
 */
export interface CheckOutReport {
  readonly reservationId: string;
  readonly propertyId: string;
  readonly guestId: string;
  readonly nights: { readonly booked: number; readonly stayed: number; readonly unused: number };
  readonly times: {
    readonly timeZone: string;
    readonly checkInDate: string;
    readonly checkOutDate: string;
    /** ISO instants, and the wall clock at the property. */
    readonly checkedInAt: string | null;
    readonly checkedInLocal: string | null;
    readonly checkedOutAt: string | null;
    readonly checkedOutLocal: string | null;
  };
  /** Major units; every figure but `total` and `balanceDue` is a sum of ledger entries. */
  readonly money: StayMoney;
  readonly payments: readonly {
    readonly transactionId: string;
    readonly amount: number;
    readonly status: string;
    readonly completedAt: string | null;
  }[];
  readonly tasks: readonly ReportedTask[];
  /** Repairs and emergencies that came up at the property while the guest was there; what is due by the calendar is none. */
  readonly incidents: readonly ReportedTask[];
  readonly deposit: { readonly held: number; readonly state: 'NONE' | 'HELD' };
  /** `REVOKED_BY_HAND`: a person has said so, and no device was asked; who and why is with the step of its saga. */
  readonly amenities: { readonly status: 'NONE' | 'ACTIVE' | 'REVOKED' | 'REVOKED_BY_HAND' };
  readonly warnings: readonly string[];
}
type StayMoney = { readonly total: number; readonly balanceDue: number; readonly paymentStatus: string } & Pick<
  FinancialSummary,
  'currency' | 'received' | 'refunded' | 'ownerShare' | 'agencyFee' | 'referral' | 'gatewayFees' | 'guestCredit'
>;
interface ReportedTask {
  readonly id: string;
  readonly type: string;
  readonly occurrence: string;
  readonly status: string;
  readonly scheduledDate: string;
}

export interface StoredReport {
  readonly id: string;
  readonly createdAt: string;
  /** Hex of the SHA-256 of the canonical JSON. */
  readonly sha256: string;
  readonly report: CheckOutReport;
}

/** What the check-out knows of the departure. */
interface Noted {
  readonly warnings: readonly string[];
  readonly isRevokedByHand: boolean;
}

/** Safe to run again: a saga has one report. */
export async function writeCheckOutReport(
  tx: Tx,
  sagaId: string,
  reservationId: string,
  noted: Noted,
): Promise<{ readonly reportId: string }> {
  const body = canonicalJson(await buildReport(tx, reservationId, noted));
  const row = await tx
    .insertInto('check_out_report')
    .values({
      id: newId('report'),
      reservation_id: reservationId,
      saga_id: sagaId,
      body,
      hash: sql<Buffer>`sha256(convert_to(${body}::text, 'UTF8'))`,
    })
    .returning('id')
    .executeTakeFirstOrThrow();
  return { reportId: row.id };
}

/** Throws `RESERVATION_NOT_FOUND`, and `NOT_FOUND` while the guest has not left. */
export async function readCheckOutReport(db: Db, reservationId: string): Promise<StoredReport> {
  const row = await db
    .selectFrom('reservation as r')
    .leftJoin('check_out_report as c', 'c.reservation_id', 'r.id')
    .where('r.id', '=', reservationId)
    .select(['c.id', 'c.body', 'c.hash', 'c.created_at'])
    .orderBy('c.created_at', 'desc')
    .limit(1)
    .executeTakeFirst();
  if (!row) throw new RoomyError('RESERVATION_NOT_FOUND', { details: { id: reservationId } });
  if (row.id === null || row.body === null || row.hash === null || row.created_at === null) {
    throw new RoomyError('NOT_FOUND', { details: { id: reservationId, missing: 'check-out report' } });
  }
  return {
    id: row.id,
    createdAt: row.created_at.toISOString(),
    sha256: row.hash.toString('hex'),
    // Written by `writeCheckOutReport` alone; the table refuses every change.
    report: JSON.parse(row.body) as CheckOutReport,
  };
}

async function buildReport(
  tx: Tx,
  reservationId: string,
  { warnings, isRevokedByHand }: Noted,
): Promise<CheckOutReport> {
  const stay = await tx
    .selectFrom('reservation as r')
    .innerJoin('property as p', 'p.id', 'r.property_id')
    .leftJoin('amenity_grant as a', 'a.reservation_id', 'r.id')
    .where('r.id', '=', reservationId)
    .select(['r.id', 'r.property_id', 'r.guest_id', 'r.check_in_date', 'r.check_out_date', 'r.departure_date'])
    .select(['r.actual_check_in_at', 'r.actual_check_out_at', 'r.total_minor', 'r.currency', 'r.payment_status'])
    .select(['p.time_zone', 'a.status as amenities'])
    .select(
      sql<number>`coalesce((SELECT x.outstanding_minor FROM transaction x WHERE x.reservation_id = r.id AND x.type = 'GUEST_PAYMENT'
        AND x.parent_id IS NULL AND x.status NOT IN ('FAILED', 'CANCELLED', 'REVERSED')), r.total_minor)`.as(
        'due_minor',
      ),
    )
    .executeTakeFirstOrThrow();
  const major = (amountMinor: number): number => toMajor({ amountMinor, currency: stay.currency });
  const local = (at: Date | null): string | null => at && wallClock(at, stay.time_zone);
  const booked = nightsBetween(stay.check_in_date, stay.check_out_date);
  const stayed = nightsBetween(stay.check_in_date, stay.departure_date ?? stay.check_out_date);
  const held = await depositHeld(tx, reservationId);
  return {
    reservationId,
    propertyId: stay.property_id,
    guestId: required(stay.guest_id, 'the guest of a stay'),
    nights: { booked, stayed, unused: booked - stayed },
    times: {
      timeZone: stay.time_zone,
      checkInDate: stay.check_in_date,
      checkOutDate: stay.check_out_date,
      checkedInAt: stay.actual_check_in_at?.toISOString() ?? null,
      checkedInLocal: local(stay.actual_check_in_at),
      checkedOutAt: stay.actual_check_out_at?.toISOString() ?? null,
      checkedOutLocal: local(stay.actual_check_out_at),
    },
    money: {
      total: major(stay.total_minor),
      balanceDue: major(stay.due_minor),
      paymentStatus: stay.payment_status,
      ...(await ledgerFigures(tx, reservationId, stay.currency)),
    },
    payments: await paymentsOf(tx, reservationId, major),
    tasks: await tasksWhere(tx, sql`t.reservation_id = ${reservationId}`),
    incidents: await tasksWhere(
      tx,
      sql`t.property_id = ${stay.property_id} AND t.type IN ('MAINTENANCE', 'EMERGENCY') AND t.occurrence NOT IN ('RECURRING', 'DOOR_CODE_OFF', 'DOOR_CODE_UNTIL')
        AND t.created_at >= ${stay.actual_check_in_at}::timestamptz`,
    ),
    deposit: { held: major(held), state: held > 0 ? 'HELD' : 'NONE' },
    amenities: { status: isRevokedByHand ? 'REVOKED_BY_HAND' : (stay.amenities ?? 'NONE') },
    warnings,
  };
}

async function ledgerFigures(tx: Tx, reservationId: string, currency: string) {
  const all = await financialSummary(tx, { kind: 'ALL' }, { reservationId });
  const sums = all.find((one) => one.currency === currency);
  const nothing = { received: 0, refunded: 0, ownerShare: 0, agencyFee: 0, gatewayFees: 0, guestCredit: 0 };
  if (!sums || !('received' in sums)) return { currency, ...nothing, referral: { agents: 0, retained: 0 } };
  const { received, refunded, ownerShare, agencyFee, referral, gatewayFees, guestCredit } = sums;
  return { currency, received, refunded, ownerShare, agencyFee, referral, gatewayFees, guestCredit };
}

async function paymentsOf(tx: Tx, reservationId: string, major: (amountMinor: number) => number) {
  const rows = await tx
    .selectFrom('transaction')
    .select(['id', 'settled_minor', 'status', 'completed_at'])
    .where('reservation_id', '=', reservationId)
    .where('type', '=', literal('GUEST_PAYMENT'))
    .where('payment_id', 'is not', null)
    .orderBy('completed_at')
    .orderBy('id')
    .execute();
  return rows.map((row) => ({
    transactionId: row.id,
    amount: major(row.settled_minor),
    status: row.status,
    completedAt: row.completed_at?.toISOString() ?? null,
  }));
}

/** A stay has four tasks and a property few repairs at a time; more than this no page shows. */
const MAX_TASKS = 100;

async function tasksWhere(tx: Tx, condition: ReturnType<typeof sql>): Promise<readonly ReportedTask[]> {
  const rows = await tx
    .selectFrom('task as t')
    .select(['t.id', 't.type', 't.occurrence', 't.status', 't.scheduled_at'])
    .where(sql<SqlBool>`${condition}`)
    .where('t.deleted_at', 'is', null)
    .orderBy('t.scheduled_at')
    .orderBy('t.id')
    .limit(MAX_TASKS)
    .execute();
  return rows.map((row) => ({
    id: row.id,
    type: row.type,
    occurrence: row.occurrence,
    status: row.status,
    scheduledDate: row.scheduled_at.toISOString(),
  }));
}

async function depositHeld(tx: Tx, reservationId: string): Promise<number> {
  const row = await tx
    .selectFrom('ledger_tx as x')
    .innerJoin('ledger_entry as e', 'e.tx_id', 'x.id')
    .innerJoin('ledger_account as a', 'a.id', 'e.account_id')
    .where('x.reservation_id', '=', reservationId)
    .where('a.kind', '=', 'DEPOSIT_HELD')
    .select(sql<number>`coalesce(-sum(e.amount), 0)::bigint`.as('held'))
    .executeTakeFirstOrThrow();
  return row.held;
}

const nightsBetween = (from: string, to: string): number =>
  Temporal.PlainDate.from(from).until(Temporal.PlainDate.from(to), { largestUnit: 'days' }).days;
