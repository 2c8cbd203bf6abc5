import { sql } from 'kysely';
import type { Db, Tx } from '../../db/client.ts';
import type { DifferenceKind, ReconciliationStatus } from '../../db/schema.ts';
import { required } from '../../kernel/errors.ts';
import { newId } from '../../kernel/ids.ts';
import { type Origin, recordAudit } from '../audit/record.ts';
import { raiseAlert } from '../notifications/alerts.ts';
import { bookedItems } from './booked-items.ts';
import { differenceKey, type KeptDifferences, keepDifferences } from './differences.ts';
import { type MatchedLine, matchMovements, type SettledMovement } from './reconciliation-match.ts';
import { findByOccasion, getReconciliation, type ReconciliationView } from './reconciliation-views.ts';
import { postSettlements, type SettlementsPosted } from './settlement.ts';

/** A comparison of a gateway's own record with ours. */
export interface ReconcileOrder {
  readonly gatewayId: string;
  readonly source: 'GATEWAY' | 'CSV';
  /** The time that is compared: from inclusive, to exclusive. */
  readonly from: Date;
  readonly to: Date;
  /** May reach beyond that time on both sides, because two clocks put one movement on two sides of midnight. */
  readonly movements: readonly SettledMovement[];
  /** Movements of before that time that were booked within it. */
  readonly earlier?: readonly SettledMovement[];
  /** A night, or a file's hash: each is reconciled once. */
  readonly occasion: string;
  readonly startedBy: string;
  /** Absent: the night's own. */
  readonly origin?: Origin;
}
export interface Reconciled extends ReconciliationView {
  /** It had been done before, and this is its result of then. */
  readonly replayed: boolean;
  /** Settlements that were booked for the first time. */
  readonly settlementsPosted: number;
}

/** `reconcileWithin` in a transaction of its own. */
export const reconcile = (db: Db, order: ReconcileOrder): Promise<Reconciled> =>
  db.transaction().execute((tx) => reconcileWithin(tx, order));

/**
 * Compares, keeps the result, books the settlements, and alerts a person when anything new does not match. Once for each occasion:
 * a repeat answers the first result.
 */
export async function reconcileWithin(tx: Tx, order: ReconcileOrder): Promise<Reconciled> {
  await oneAtATime(tx, order.gatewayId);
  const done = await findByOccasion(tx, order.occasion);
  if (done) return { ...done, replayed: true, settlementsPosted: 0 };
  const earlier = new Set(order.earlier);
  const movements = [...earlier, ...order.movements];
  const booked = await bookedItems(tx, order, movements);
  const within = (movement: SettledMovement): boolean =>
    earlier.has(movement) || (movement.at >= order.from && movement.at < order.to);
  return keepComparison(tx, order, {
    lines: matchMovements(movements, booked, within),
    failed: movements.filter((movement) => movement.failed && within(movement)),
  });
}

/** Comparisons of one gateway wait for each other: each then sees the results and bookings of the one before. */
export const oneAtATime = (tx: Tx, gatewayId: string): Promise<unknown> =>
  sql`SELECT pg_advisory_xact_lock(hashtextextended(${`reconciliation ${gatewayId}`}, 0))`.execute(tx);

export interface Comparison {
  readonly lines: readonly MatchedLine[];
  /** The movements that failed at the gateway. */
  readonly failed: readonly SettledMovement[];
}

/** Keeps a comparison and everything that follows from it, once for each occasion. The caller holds the lock of `oneAtATime`. */
export async function keepComparison(
  tx: Tx,
  order: ReconcileOrder,
  { lines, failed }: Comparison,
): Promise<Reconciled> {
  const id = await insertReconciliation(tx, order, lines);
  // Done before under the same occasion.
  if (id === null) {
    const first = required(await findByOccasion(tx, order.occasion), 'the reconciliation that came first');
    return { ...first, replayed: true, settlementsPosted: 0 };
  }
  const { gatewayId, source } = order;
  const differences = await keepDifferences(tx, { id, gatewayId, lines, failed });
  await insertLines(tx, id, lines, differences);
  const settled = await postSettlements(tx, { gatewayId, source, lines, failed, postedBy: order.startedBy });
  if (settled.count > 0) {
    const netMinor = JSON.stringify(settled.netMinor);
    await tx.updateTable('reconciliation').set({ settled: netMinor }).where('id', '=', id).execute();
  }
  const view = await getReconciliation(tx, id);
  await auditReconciliation(tx, order, view, settled);
  const worst = WORST_FIRST.find((status) =>
    lines.some((line) => line.status === status && differences.opened.has(differenceKey(line))),
  );
  if (worst !== undefined) {
    const alert = { about: 'reconciliation', id, source: 'reconciliation', step: gatewayId, code: worst } as const;
    await raiseAlert(tx, { ...alert, group: `reconciliation-${gatewayId}-${id}` });
  }
  return { ...view, replayed: false, settlementsPosted: settled.count };
}

const auditReconciliation = (tx: Tx, order: ReconcileOrder, view: ReconciliationView, settled: SettlementsPosted) =>
  recordAudit(tx, {
    streamId: `reconciliation:${view.id}`,
    event: 'RECONCILED',
    actor: order.startedBy,
    ...order.origin,
    body: {
      outcome: view.ok ? 'matched' : 'differs',
      details: {
        reconciliationId: view.id,
        gatewayId: view.gatewayId,
        source: view.source,
        matched: view.matched,
        amountMismatch: view.amountMismatch,
        feeMismatch: view.feeMismatch,
        currencyMismatch: view.currencyMismatch,
        statusMismatch: view.statusMismatch,
        dateMismatch: view.dateMismatch,
        missingInLedger: view.missingInLedger,
        missingAtGateway: view.missingAtGateway,
        settlementsPosted: settled.count,
        settledMinor: settled.netMinor,
      },
    },
  });

const WORST_FIRST: readonly DifferenceKind[] = [
  'MISSING_IN_LEDGER',
  'CURRENCY_MISMATCH',
  'STATUS_MISMATCH',
  'AMOUNT_MISMATCH',
  'MISSING_AT_GATEWAY',
  'FEE_MISMATCH',
  'DATE_MISMATCH',
];

/** Null: it has been done on this occasion. */
async function insertReconciliation(tx: Tx, order: ReconcileOrder, lines: readonly MatchedLine[]) {
  const count = (status: ReconciliationStatus): number => lines.filter((line) => line.status === status).length;
  const row = await tx
    .insertInto('reconciliation')
    .values({
      id: newId('reconciliation'),
      gateway_id: order.gatewayId,
      source: order.source,
      occasion: order.occasion,
      from_at: order.from,
      to_at: order.to,
      matched: count('MATCHED'),
      mismatched: count('AMOUNT_MISMATCH'),
      fee_mismatch: count('FEE_MISMATCH'),
      currency_mismatch: count('CURRENCY_MISMATCH'),
      status_mismatch: count('STATUS_MISMATCH'),
      date_mismatch: count('DATE_MISMATCH'),
      missing_in_ledger: count('MISSING_IN_LEDGER'),
      missing_at_gateway: count('MISSING_AT_GATEWAY'),
      started_by: order.startedBy,
    })
    .onConflict((conflict) => conflict.column('occasion').doNothing())
    .returning('id')
    .executeTakeFirst();
  return row?.id ?? null;
}

const LINES_AT_ONCE = 5_000;

async function insertLines(tx: Tx, id: string, lines: readonly MatchedLine[], { ids }: KeptDifferences): Promise<void> {
  const rows = lines.map((line, index) => ({
    line: index + 1,
    kind: line.kind,
    reference: line.reference,
    provider: line.movement?.providerId ?? line.item?.providerId ?? null,
    currency: line.currency,
    ledgerCurrency: line.ledgerCurrency,
    ledger: line.ledgerMinor,
    gateway: line.gatewayMinor,
    ledgerFee: line.ledgerFeeMinor,
    gatewayFee: line.gatewayFeeMinor,
    status: line.status,
    differs: line.differs,
    transaction: line.item?.transactionId ?? null,
    difference: line.status === 'MATCHED' ? null : (ids.get(differenceKey(line)) ?? null),
  }));
  for (let from = 0; from < rows.length; from += LINES_AT_ONCE) {
    const chunk = JSON.stringify(rows.slice(from, from + LINES_AT_ONCE));
    await sql`
      INSERT INTO reconciliation_line (reconciliation_id, line, kind, reference, provider_id, currency, ledger_currency, ledger_minor, gateway_minor,
                                       ledger_fee_minor, gateway_fee_minor, status, differs, transaction_id, difference_id)
      SELECT ${id}, d.line, d.kind, d.reference, d.provider, d.currency, d."ledgerCurrency", d.ledger, d.gateway,
             d."ledgerFee", d."gatewayFee", d.status, d.differs, d.transaction, d.difference
        FROM jsonb_to_recordset(${chunk}::jsonb) AS d (line int, kind text, reference text, provider text, currency text, "ledgerCurrency" text,
          ledger bigint, gateway bigint, "ledgerFee" bigint, "gatewayFee" bigint, status text, differs jsonb, transaction text, difference text)`.execute(
      tx,
    );
  }
}
