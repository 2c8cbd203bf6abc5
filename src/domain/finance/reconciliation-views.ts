import { type RawBuilder, type Selectable, sql } from 'kysely';
import type { Db, Tx } from '../../db/client.ts';
import { literal } from '../../db/literal.ts';
import type {
  DifferenceStatus,
  FieldDifference,
  ReconciliationLineTable,
  ReconciliationStatus,
  ReconciliationTable,
} from '../../db/schema.ts';
import { RoomyError } from '../../kernel/errors.ts';
import { toMajor } from '../../kernel/money.ts';
import { cutPage, exactInstant, isAfter, type Page, type PageRequest } from '../paging.ts';

/** Comparisons as they are read; amounts in major units. */
export type ReconciliationView = ReturnType<typeof reconciliationView>;

export interface ReconciliationFilter {
  readonly gatewayId?: string | undefined;
}

/** A page of reconciliations, newest first. */
export async function listReconciliations(
  db: Db,
  filter: ReconciliationFilter,
  page: PageRequest,
): Promise<Page<ReconciliationView>> {
  let query = selectReconciliations(db).select(exactInstant('r.created_at').as('position_at'));
  const { gatewayId } = filter;
  if (gatewayId === undefined) {
    if (page.after) query = query.where(isAfter('r.created_at', 'r.id', page.after));
  } else {
    // As a range in the order of its index: a plan that does not know the gateway looks for its few among all by age.
    query = query
      .where('r.gateway_id', '>=', gatewayId)
      .where('r.gateway_id', '<=', gatewayId)
      .orderBy('r.gateway_id', 'desc');
    if (page.after)
      query = query.where(
        sql<boolean>`(r.gateway_id, r.created_at, r.id) < (${gatewayId}::text, ${page.after.at}::timestamptz, ${page.after.id}::text)`,
      );
  }
  const rows = await query
    .orderBy('r.created_at', 'desc')
    .orderBy('r.id', 'desc')
    .limit(page.limit + 1)
    .execute();
  return cutPage(rows, page.limit, reconciliationView);
}

/** Throws `NOT_FOUND`. */
export async function getReconciliation(db: Db | Tx, id: string): Promise<ReconciliationView> {
  const row = await selectReconciliations(db).where('r.id', '=', id).executeTakeFirst();
  if (!row) throw new RoomyError('NOT_FOUND');
  return reconciliationView(row);
}

/** The reconciliation of an occasion (a night, a file); null when there is none. */
export async function findByOccasion(db: Db | Tx, occasion: string): Promise<ReconciliationView | null> {
  const row = await selectReconciliations(db).where('r.occasion', '=', occasion).executeTakeFirst();
  return row ? reconciliationView(row) : null;
}

/** With how many of its differences have been explained, and how many are none any more. */
const selectReconciliations = (db: Db | Tx) =>
  db
    .selectFrom('reconciliation as r')
    .selectAll('r')
    .select([linesThatAre(literal('EXPLAINED')).as('explained'), linesThatAre(literal('RESOLVED')).as('resolved')]);

const linesThatAre = (status: RawBuilder<DifferenceStatus>) =>
  sql<number>`(SELECT count(*) FROM reconciliation_line l JOIN difference d ON d.id = l.difference_id
    WHERE l.reconciliation_id = r.id AND l.difference_id IS NOT NULL AND d.status = ${status})::int`;

function reconciliationView(
  row: Selectable<ReconciliationTable> & { readonly explained: number; readonly resolved: number },
) {
  const { explained, resolved } = row;
  const mismatched =
    row.mismatched + row.fee_mismatch + row.currency_mismatch + row.status_mismatch + row.date_mismatch;
  const open = mismatched + row.missing_in_ledger + row.missing_at_gateway - explained - resolved;
  return {
    id: row.id,
    gatewayId: row.gateway_id,
    source: row.source,
    from: row.from_at?.toISOString() ?? null,
    to: row.to_at?.toISOString() ?? null,
    matched: row.matched,
    amountMismatch: row.mismatched,
    feeMismatch: row.fee_mismatch,
    currencyMismatch: row.currency_mismatch,
    statusMismatch: row.status_mismatch,
    dateMismatch: row.date_mismatch,
    missingInLedger: row.missing_in_ledger,
    missingAtGateway: row.missing_at_gateway,
    open,
    explained,
    resolved,
    ok: open === 0,
    settled: Object.entries(row.settled)
      .toSorted(([a], [b]) => (a < b ? -1 : 1))
      .map(([currency, amountMinor]) => ({ currency, amount: toMajor({ amountMinor, currency }) })),
    startedBy: row.started_by,
    createdAt: row.created_at.toISOString(),
  };
}

export type ReconciliationLineView = ReturnType<typeof lineView>;

/** In the order of the lines; a position's id is the line's number. */
export async function reconciliationLines(
  db: Db,
  id: string,
  { status }: { readonly status?: ReconciliationStatus | undefined },
  page: PageRequest,
): Promise<Page<ReconciliationLineView>> {
  let query = db
    .selectFrom('reconciliation_line as l')
    .leftJoin('difference as d', 'd.id', 'l.difference_id')
    .selectAll('l')
    .select(['d.status as difference_status', 'd.reason'])
    .where('l.reconciliation_id', '=', id);
  if (status !== undefined) query = query.where('l.status', '=', status);
  if (page.after) query = query.where('l.line', '>', Number(page.after.id));
  const rows = await query
    .orderBy('l.line')
    .limit(page.limit + 1)
    .execute();
  const kept = rows.slice(0, page.limit);
  const last = rows.length > page.limit ? kept.at(-1) : undefined;
  return { items: kept.map(lineView), next: last ? { at: '', id: String(last.line) } : null };
}

type LineRow = Selectable<ReconciliationLineTable> & {
  readonly difference_status: DifferenceStatus | null;
  readonly reason: string | null;
};

function lineView(row: LineRow) {
  const ours = row.ledger_currency ?? row.currency;
  return {
    line: row.line,
    kind: row.kind,
    reference: row.reference,
    currency: row.currency,
    ledgerAmount: major(row.ledger_minor, ours),
    gatewayAmount: major(row.gateway_minor, row.currency),
    status: row.status,
    transactionId: row.transaction_id,
    providerId: row.provider_id,
    ledgerFee: major(row.ledger_fee_minor, ours),
    gatewayFee: major(row.gateway_fee_minor, row.currency),
    differs: differsView(row),
    differenceId: row.difference_id,
    differenceStatus: row.difference_status,
    reason: row.reason,
  };
}

const major = (amountMinor: number | null, currency: string): number | null =>
  amountMinor === null ? null : toMajor({ amountMinor, currency });

/** Each field that differs, with the values of the ledger and of the gateway; money in major units. */
export const differsView = (row: {
  readonly differs: readonly FieldDifference[];
  readonly currency: string;
  readonly ledger_currency: string | null;
}) =>
  row.differs.map((one) =>
    one.what === 'AMOUNT' || one.what === 'FEE'
      ? {
          what: one.what,
          ledger: major(one.ledger, row.ledger_currency ?? row.currency),
          gateway: major(one.gateway, row.currency),
        }
      : one,
  );
