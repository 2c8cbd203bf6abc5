import { type Selectable, sql } from 'kysely';
import type { Db, Tx } from '../../db/client.ts';
import type { ReconciliationLineTable, ReconciliationStatus, ReconciliationTable } from '../../db/schema.ts';
import { RoomyError, required } from '../../kernel/errors.ts';
import { newId } from '../../kernel/ids.ts';
import { toMajor } from '../../kernel/money.ts';
import { recordAudit } from '../audit/record.ts';
import { raiseSystemAlert } from '../notifications/alerts.ts';
import { cutPage, exactInstant, isAfter, type Page, type PageRequest } from '../paging.ts';
import type { Ports } from '../ports.ts';
import { PAYOUT_BANK } from '../ports.ts';
import { attemptEach } from '../sweeps/isolate.ts';
import { BOOKED_GATEWAYS } from './booked-gateways.ts';
import { bookedItems } from './booked-items.ts';
import { makeUpForLostEvents } from './gateway-news.ts';
import { type MatchedLine, matchMovements, type SettledMovement } from './reconciliation-match.ts';
import { postSettlements } from './settlement.ts';

/** A gateway's own record beside ours (features FSE-4). */
export interface ReconcileOrder {
  readonly gatewayId: string;
  readonly source: 'GATEWAY' | 'CSV';
  /** What is compared: from inclusive, to exclusive. */
  readonly from: Date;
  readonly to: Date;
  /** May reach beyond that time on both sides, because two clocks put one movement on two sides of midnight. */
  readonly movements: readonly SettledMovement[];
  /** A night, or a file's hash: what happens on it is reconciled once. */
  readonly occasion: string;
  readonly startedBy: string;
  readonly requestId?: string;
  readonly ip?: string | null;
}
export type ReconciliationView = ReturnType<typeof reconciliationView>;
export interface Reconciled extends ReconciliationView {
  /** It had been done before: this is what came of it then. */
  readonly replayed: boolean;
  /** Settlements that were booked for the first time. */
  readonly settlementsPosted: number;
}

export const reconcile = (db: Db, order: ReconcileOrder): Promise<Reconciled> =>
  db.transaction().execute((tx) => reconcileWithin(tx, order));

/** Compares, keeps the result, books what has been settled, and calls a person when anything does not match. */
export async function reconcileWithin(tx: Tx, order: ReconcileOrder): Promise<Reconciled> {
  const done = await findByOccasion(tx, order.occasion);
  if (done) return { ...done, replayed: true, settlementsPosted: 0 };
  const booked = await bookedItems(tx, order, order.movements);
  const within = ({ at }: SettledMovement): boolean => at >= order.from && at < order.to;
  const lines = matchMovements(order.movements, booked, within);
  const row = await insertReconciliation(tx, order, lines);
  // Another one came first on the same occasion, between the look and here.
  if (!row) {
    const first = required(await findByOccasion(tx, order.occasion), 'the reconciliation that came first');
    return { ...first, replayed: true, settlementsPosted: 0 };
  }
  await insertLines(tx, row.id, lines);
  const settlementsPosted = await postSettlements(tx, order.gatewayId, lines, order.startedBy);
  const view = reconciliationView(row);
  await auditReconciliation(tx, order, view, settlementsPosted);
  const worst = WORST_FIRST.find((status) => lines.some((line) => line.status === status));
  if (worst !== undefined) {
    await raiseSystemAlert(tx, `reconciliation-${order.gatewayId}-${row.id}`, {
      sagaName: 'reconciliation',
      step: order.gatewayId,
      code: worst,
      sagaId: row.id,
    });
  }
  return { ...view, replayed: false, settlementsPosted };
}

const auditReconciliation = (tx: Tx, order: ReconcileOrder, view: ReconciliationView, settlementsPosted: number) =>
  recordAudit(tx, {
    streamId: `reconciliation:${view.id}`,
    event: 'RECONCILED',
    actor: order.startedBy,
    requestId: order.requestId ?? null,
    ip: order.ip ?? null,
    body: {
      outcome: view.ok ? 'matched' : 'differs',
      details: {
        reconciliationId: view.id,
        gatewayId: view.gatewayId,
        source: view.source,
        matched: view.matched,
        amountMismatch: view.amountMismatch,
        missingInLedger: view.missingInLedger,
        missingAtGateway: view.missingAtGateway,
        settlementsPosted,
      },
    },
  });

const WORST_FIRST: readonly ReconciliationStatus[] = ['MISSING_IN_LEDGER', 'AMOUNT_MISMATCH', 'MISSING_AT_GATEWAY'];

async function findByOccasion(tx: Tx, occasion: string): Promise<ReconciliationView | null> {
  const row = await tx.selectFrom('reconciliation').selectAll().where('occasion', '=', occasion).executeTakeFirst();
  return row ? reconciliationView(row) : null;
}

function insertReconciliation(tx: Tx, order: ReconcileOrder, lines: readonly MatchedLine[]) {
  const count = (status: ReconciliationStatus): number => lines.filter((line) => line.status === status).length;
  return tx
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
      missing_in_ledger: count('MISSING_IN_LEDGER'),
      missing_at_gateway: count('MISSING_AT_GATEWAY'),
      started_by: order.startedBy,
    })
    .onConflict((conflict) => conflict.column('occasion').doNothing())
    .returningAll()
    .executeTakeFirst();
}

const LINES_AT_ONCE = 5_000;

async function insertLines(tx: Tx, id: string, lines: readonly MatchedLine[]): Promise<void> {
  const rows = lines.map((line, index) => ({
    line: index + 1,
    kind: line.kind,
    reference: line.reference,
    currency: line.currency,
    ledger: line.ledgerMinor,
    gateway: line.gatewayMinor,
    status: line.status,
    transaction: line.item?.transactionId ?? null,
  }));
  for (let from = 0; from < rows.length; from += LINES_AT_ONCE) {
    const chunk = JSON.stringify(rows.slice(from, from + LINES_AT_ONCE));
    await sql`
      INSERT INTO reconciliation_line (reconciliation_id, line, kind, reference, currency, ledger_minor, gateway_minor, status, transaction_id)
      SELECT ${id}, d.line, d.kind, d.reference, d.currency, d.ledger, d.gateway, d.status, d.transaction
        FROM jsonb_to_recordset(${chunk}::jsonb) AS d (line int, kind text, reference text, currency text, ledger bigint, gateway bigint, status text, transaction text)`.execute(
      tx,
    );
  }
}

/** Movements that one reconciliation compares, at the most. */
const MAX_MOVEMENTS = 100_000;
/** By how much the gateway's clock and ours may put one movement apart. */
const MARGIN_MS = 60 * 60 * 1000;

type GatewayQuestion = Omit<ReconcileOrder, 'movements' | 'source'>;

/** Asks a gateway for its record of `[from, to)`, outside any transaction, and compares. */
export const reconcileWithGateway = async (db: Db, ports: Ports, question: GatewayQuestion): Promise<Reconciled> =>
  reconcile(db, await orderByGateway(db, ports, question));

/**
 * A gateway's record of `[from, to)`, to be compared; asked for outside any transaction. What it shows of charges of ours,
 * and no event has told, is booked first.
 */
export async function orderByGateway(db: Db, ports: Ports, question: GatewayQuestion): Promise<ReconcileOrder> {
  const movements = await gatewayMovements(ports, question);
  await makeUpForLostEvents(db, ports, { ...question, movements });
  return { ...question, source: 'GATEWAY', movements };
}

/** Throws `GATEWAY_UNKNOWN`, and `VALIDATION_FAILED` for more movements than can be compared at once. */
async function gatewayMovements(
  ports: Ports,
  { gatewayId, from, to }: Pick<ReconcileOrder, 'gatewayId' | 'from' | 'to'>,
): Promise<readonly SettledMovement[]> {
  const since = new Date(from.getTime() - MARGIN_MS);
  const until = new Date(to.getTime() + MARGIN_MS);
  const movements = await ports.gateway(gatewayId).movements(gatewayId, since, until, MAX_MOVEMENTS);
  if (movements.length >= MAX_MOVEMENTS) {
    throw new RoomyError('VALIDATION_FAILED', {
      text: 'There are too many movements in that time: ask for less of it',
    });
  }
  return movements.map((movement) => ({ ...movement, settled: false }));
}

const DAY_MS = 24 * 60 * 60 * 1000;

/** Of one night. */
export interface NightReconciled {
  readonly done: readonly Reconciled[];
  /** Of gateways that could not be asked, or whose record could not be kept. */
  readonly failures: readonly unknown[];
}

/**
 * Reconciles one day, in UTC, with every gateway that we have booked with; each once, however often it is asked. A
 * gateway that fails does not keep the others waiting: its reason is recorded, and the next look tries it again.
 */
export async function reconcileNight(db: Db, ports: Ports, night: string): Promise<NightReconciled> {
  const from = new Date(`${night}T00:00:00.000Z`);
  const to = new Date(from.getTime() + DAY_MS);
  const done: Reconciled[] = [];
  const failures: unknown[] = [];
  const gateways = await gatewaysInUse(db, from, to);
  await attemptEach(db, 'reconciliations', gateways, {
    id: (gatewayId) => `${gatewayId} ${night}`,
    work: async (gatewayId) => {
      const occasion = `night-${gatewayId}-${night}`;
      try {
        done.push(await reconcileWithGateway(db, ports, { gatewayId, from, to, occasion, startedBy: 'schedule' }));
      } catch (error) {
        failures.push(error);
        throw error;
      }
    },
  });
  return { done, failures };
}

/** Of payments ever, from index entry to index entry: few gateways, many payments. Of payouts within the time. */
async function gatewaysInUse(db: Db, from: Date, to: Date): Promise<readonly string[]> {
  const { rows } = await sql<{ id: string }>`
    ${BOOKED_GATEWAYS}
    UNION SELECT coalesce(gateway_id, ${PAYOUT_BANK}) FROM transaction
     WHERE type = 'OWNER_PAYOUT' AND status = 'COMPLETED' AND settled_minor > 0 AND completed_at >= ${from} AND completed_at < ${to}
     ORDER BY id LIMIT 100`.execute(db);
  return rows.map(({ id }) => id);
}

export interface ReconciliationFilter {
  readonly gatewayId?: string | undefined;
}

export async function listReconciliations(
  db: Db,
  filter: ReconciliationFilter,
  page: PageRequest,
): Promise<Page<ReconciliationView>> {
  let query = db.selectFrom('reconciliation').selectAll().select(exactInstant('created_at').as('position_at'));
  if (filter.gatewayId !== undefined) query = query.where('gateway_id', '=', filter.gatewayId);
  if (page.after) query = query.where(isAfter('created_at', 'id', page.after));
  const rows = await query
    .orderBy('created_at', 'desc')
    .orderBy('id', 'desc')
    .limit(page.limit + 1)
    .execute();
  return cutPage(rows, page.limit, reconciliationView);
}

export async function getReconciliation(db: Db, id: string): Promise<ReconciliationView> {
  const row = await db.selectFrom('reconciliation').selectAll().where('id', '=', id).executeTakeFirst();
  if (!row) throw new RoomyError('NOT_FOUND');
  return reconciliationView(row);
}

export type ReconciliationLineView = ReturnType<typeof lineView>;

/** In the order of the lines; a position's id is the line's number. */
export async function reconciliationLines(
  db: Db,
  id: string,
  { status }: { readonly status?: ReconciliationStatus | undefined },
  page: PageRequest,
): Promise<Page<ReconciliationLineView>> {
  let query = db.selectFrom('reconciliation_line').selectAll().where('reconciliation_id', '=', id);
  if (status !== undefined) query = query.where('status', '=', status);
  if (page.after) query = query.where('line', '>', Number(page.after.id));
  const rows = await query
    .orderBy('line')
    .limit(page.limit + 1)
    .execute();
  const kept = rows.slice(0, page.limit);
  const last = rows.length > page.limit ? kept.at(-1) : undefined;
  return { items: kept.map(lineView), next: last ? { at: '', id: String(last.line) } : null };
}

const reconciliationView = (row: Selectable<ReconciliationTable>) => ({
  id: row.id,
  gatewayId: row.gateway_id,
  source: row.source,
  from: row.from_at?.toISOString() ?? null,
  to: row.to_at?.toISOString() ?? null,
  matched: row.matched,
  amountMismatch: row.mismatched,
  missingInLedger: row.missing_in_ledger,
  missingAtGateway: row.missing_at_gateway,
  ok: row.mismatched + row.missing_in_ledger + row.missing_at_gateway === 0,
  startedBy: row.started_by,
  createdAt: row.created_at.toISOString(),
});

function lineView(row: Selectable<ReconciliationLineTable>) {
  const major = (amountMinor: number | null): number | null =>
    amountMinor === null ? null : toMajor({ amountMinor, currency: row.currency });
  return {
    line: row.line,
    kind: row.kind,
    reference: row.reference,
    currency: row.currency,
    ledgerAmount: major(row.ledger_minor),
    gatewayAmount: major(row.gateway_minor),
    status: row.status,
    transactionId: row.transaction_id,
  };
}
