import { sql } from 'kysely';
import type { Db } from '../../db/client.ts';
import { openColumn } from '../../db/sealed-fields.ts';
import { RoomyError } from '../../kernel/errors.ts';
import { PAYOUT_BANK, type Ports } from '../ports.ts';

/**
 * SQL: the gateways of payments that are captured or under way, as `id`. Read from index entry to index entry, as there are few
 * gateways and many payments.
 */
export const BOOKED_GATEWAYS = sql`
  WITH RECURSIVE booked AS (
    SELECT min(gateway_id) AS id FROM payment WHERE status NOT IN ('FAILED', 'CANCELLED', 'REVERSED')
    UNION ALL
    SELECT (SELECT min(y.gateway_id) FROM payment y WHERE y.gateway_id > booked.id AND y.status NOT IN ('FAILED', 'CANCELLED', 'REVERSED'))
      FROM booked WHERE booked.id IS NOT NULL)
  SELECT id FROM booked WHERE id IS NOT NULL`;

/**
 * A gateway on which money is open and which this process does not know, because it was taken out of the configuration or
 * is misspelt there. A charge, refund or payout over it will be refused with `GATEWAY_UNKNOWN`.
 */
export interface UnknownGateway {
  /** `bank`: payouts to accounts that no provider of this process has. */
  readonly gatewayId: string;
  /** How many are open; those beyond the bound are not counted. */
  readonly payments: number;
  readonly refunds: number;
  readonly payouts: number;
  /** Ids of the first stays, for payouts of the first owners. Account numbers stay out of logs. */
  readonly ids: readonly string[];
}

interface Row {
  readonly kind: 'payments' | 'refunds' | 'payouts';
  readonly id: string;
}
/** Rows that are read for each gateway, so that a start costs the same after years. */
const MAX_ROWS = 1_000;
const MAX_IDS = 20;

/** The gateways with open money that this process does not know; empty when it knows all. */
export async function findUnknownGateways(db: Db, ports: Ports): Promise<readonly UnknownGateway[]> {
  const { rows: booked } = await sql<{ id: string }>`${BOOKED_GATEWAYS} ORDER BY id LIMIT 100`.execute(db);
  const found: UnknownGateway[] = [];
  for (const { id } of booked) {
    if (!isKnown(() => ports.gateway(id))) found.push(...summed(id, await openAt(db, id)));
  }
  const unpayable = (await openPayouts(db)).filter(({ account }) => !isKnown(() => ports.payouts(account)));
  const payouts = unpayable.map(({ id }) => ({ kind: 'payouts' as const, id }));
  return [...found, ...summed(PAYOUT_BANK, payouts)];
}

function summed(gatewayId: string, rows: readonly Row[]): readonly UnknownGateway[] {
  if (rows.length === 0) return [];
  const count = (kind: Row['kind']): number => rows.filter((row) => row.kind === kind).length;
  const ids = [...new Set(rows.map(({ id }) => id))].slice(0, MAX_IDS);
  return [{ gatewayId, payments: count('payments'), refunds: count('refunds'), payouts: count('payouts'), ids }];
}

/** Charges under way, charges that a cancellation would refund, and refunds that have not arrived. */
async function openAt(db: Db, gatewayId: string): Promise<readonly Row[]> {
  const { rows } = await sql<Row>`
    (SELECT 'payments' AS kind, y.reservation_id AS id FROM payment y JOIN reservation r ON r.id = y.reservation_id
      WHERE y.gateway_id = ${gatewayId} AND y.status NOT IN ('FAILED', 'CANCELLED', 'REVERSED')
        AND (y.status = 'PROCESSING' OR (r.status IN ('PENDING', 'CONFIRMED', 'CHECKED_IN') AND y.refunded_minor < y.amount_minor))
      ORDER BY y.gateway_id, y.gateway_reference LIMIT ${MAX_ROWS}::int)
    UNION ALL
    (SELECT 'refunds', t.reservation_id FROM transaction t
      WHERE t.status IN ('PENDING', 'PROCESSING', 'FAILED', 'MANUAL_REQUIRED') AND t.type = 'REFUND' AND t.gateway_id = ${gatewayId}
      LIMIT ${MAX_ROWS}::int)`.execute(db);
  return rows;
}

async function openPayouts(db: Db): Promise<readonly { readonly id: string; readonly account: string }[]> {
  const { rows } = await sql<{ id: string; account: string }>`
    SELECT o.id, o.payout_account AS account FROM transaction t JOIN owner o ON o.id = t.owner_id
     WHERE t.type = 'OWNER_PAYOUT' AND t.status IN ('PENDING', 'PROCESSING', 'FAILED') AND o.payout_account IS NOT NULL
     LIMIT ${MAX_ROWS}::int`.execute(db);
  const opened = await openColumn(db, 'owner.payout_account', 'account', rows, ({ id }) => id);
  return opened.filter(({ account }) => account !== null);
}

function isKnown(ask: () => unknown): boolean {
  try {
    ask();
    return true;
  } catch (error) {
    if (error instanceof RoomyError && error.code === 'GATEWAY_UNKNOWN') return false;
    throw error;
  }
}
