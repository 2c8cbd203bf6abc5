import type { Selectable } from 'kysely';
import type { Db, Tx } from '../../db/client.ts';
import { literal } from '../../db/literal.ts';
import type { DifferenceKind, DifferenceStatus, DifferenceTable } from '../../db/schema.ts';
import { RoomyError } from '../../kernel/errors.ts';
import { toMajor } from '../../kernel/money.ts';
import { type Author, recordAudit } from '../audit/record.ts';
import { cutPage, exactInstant, isAfter, type Page, type PageRequest } from '../paging.ts';
import { assertVersion, type ExpectedVersions } from '../versions.ts';
import { bookableFee, bookFeeDifference } from './fee-correction.ts';
import { oneAtATime } from './reconciliation.ts';
import { differsView } from './reconciliation-views.ts';
import { explain, reopen, resolveByCorrection } from './store/differences.ts';

/** What is open between a gateway's record and ours, as finance works it off. */

type Row = Selectable<DifferenceTable>;
export type DifferenceView = ReturnType<typeof differenceView>;
export interface DifferenceFilter {
  readonly gatewayId?: string | undefined;
  readonly status?: DifferenceStatus | undefined;
  readonly kind?: DifferenceKind | undefined;
  readonly reservationId?: string | undefined;
}

/** Newest first, by when each was found for the first time. */
export async function listDifferences(
  db: Db,
  filter: DifferenceFilter,
  page: PageRequest,
): Promise<Page<DifferenceView>> {
  let query = db.selectFrom('difference').selectAll().select(exactInstant('created_at').as('position_at'));
  const { gatewayId } = filter;
  if (gatewayId !== undefined) {
    const others = [filter.status, filter.kind, filter.reservationId];
    query = others.every((value) => value === undefined)
      ? // As a range in the order of its index: a plan that does not know the gateway looks for its few among all by age.
        query.where('gateway_id', '>=', gatewayId).where('gateway_id', '<=', gatewayId).orderBy('gateway_id', 'desc')
      : query.where('gateway_id', '=', gatewayId);
  }
  if (filter.status !== undefined) query = query.where('status', '=', literal(filter.status));
  if (filter.kind !== undefined) query = query.where('kind', '=', literal(filter.kind));
  if (filter.reservationId !== undefined) query = query.where('reservation_id', '=', filter.reservationId);
  if (page.after) query = query.where(isAfter('created_at', 'id', page.after));
  const rows = await query
    .orderBy('created_at', 'desc')
    .orderBy('id', 'desc')
    .limit(page.limit + 1)
    .execute();
  return cutPage(rows, page.limit, differenceView);
}

/** The public form of a difference; amounts in major units. Throws `NOT_FOUND`. */
export async function getDifference(db: Db | Tx, id: string): Promise<DifferenceView> {
  const row = await db.selectFrom('difference').selectAll().where('id', '=', id).executeTakeFirst();
  if (!row) throw new RoomyError('NOT_FOUND');
  return differenceView(row);
}

async function lockDifference(tx: Tx, id: string, expected: ExpectedVersions): Promise<Row> {
  const row = await tx.selectFrom('difference').selectAll().where('id', '=', id).forUpdate().executeTakeFirst();
  if (!row) throw new RoomyError('NOT_FOUND');
  // A comparison may have changed the values since the caller looked at them.
  assertVersion(row.version, expected);
  return row;
}

/**
 * A person says why it is right as it is: it is not open any more, until its values change. The same reason again changes
 * nothing. Throws `NOT_FOUND`, `PRECONDITION_FAILED`, and `INVALID_STATE_TRANSITION` for what is resolved.
 */
export async function explainDifference(
  tx: Tx,
  id: string,
  { reason, expected }: { readonly reason: string; readonly expected: ExpectedVersions },
  author: Author,
): Promise<void> {
  const row = await lockDifference(tx, id, expected);
  if (row.status === 'RESOLVED') throw refusal(row);
  if (row.status === 'EXPLAINED' && row.reason === reason) return;
  await explain(tx, id, reason, author.actor);
  await audit(tx, 'DIFFERENCE_EXPLAINED', row, author, { reason });
}

/** Takes an explanation back: it is open again. What is open stays so. Throws like `explainDifference`. */
export async function reopenDifference(tx: Tx, id: string, expected: ExpectedVersions, author: Author): Promise<void> {
  const row = await lockDifference(tx, id, expected);
  if (row.status === 'RESOLVED') throw refusal(row);
  if (row.status === 'OPEN') return;
  await reopen(tx, id);
  await audit(tx, 'DIFFERENCE_REOPENED', row, author, { reason: row.reason });
}

/**
 * Books a difference in a fee, and thereby resolves it. Throws like `explainDifference` and `bookFeeDifference`. A comparison
 * that is under way has read our books as they were: it ends first.
 */
export async function bookDifference(tx: Tx, id: string, expected: ExpectedVersions, author: Author): Promise<void> {
  const found = await tx.selectFrom('difference').select('gateway_id').where('id', '=', id).executeTakeFirst();
  if (found) await oneAtATime(tx, found.gateway_id);
  const row = await lockDifference(tx, id, expected);
  if (row.status === 'RESOLVED') throw refusal(row);
  const correctionId = await bookFeeDifference(tx, row, author);
  await resolveByCorrection(tx, id, correctionId);
  await audit(tx, 'DIFFERENCE_BOOKED', row, author, { correctionId });
}

const refusal = ({ status }: Row): RoomyError =>
  new RoomyError('INVALID_STATE_TRANSITION', { details: { status }, text: 'Both sides agree by now' });

const audit = (
  tx: Tx,
  event: string,
  row: Row,
  author: Author,
  details: Readonly<Record<string, string | null>>,
): Promise<void> =>
  recordAudit(tx, {
    streamId: `difference:${row.id}`,
    event,
    ...author,
    reservationId: row.reservation_id,
    body: {
      outcome: 'success',
      reservationId: row.reservation_id,
      details: {
        id: row.id,
        gatewayId: row.gateway_id,
        kind: row.kind,
        differs: row.differs.map((one) => ({ ...one })),
        ...details,
      },
    },
  });

function differenceView(row: Row) {
  const major = (amountMinor: number | null, currency: string): number | null =>
    amountMinor === null ? null : toMajor({ amountMinor, currency });
  return {
    id: row.id,
    gatewayId: row.gateway_id,
    movement: row.movement,
    kind: row.kind,
    status: row.status,
    reference: row.reference,
    providerId: row.provider_id,
    currency: row.currency,
    ledgerAmount: major(row.ledger_minor, row.ledger_currency ?? row.currency),
    gatewayAmount: major(row.gateway_minor, row.currency),
    differs: differsView(row),
    bookable: row.status !== 'RESOLVED' && bookableFee(row) !== null,
    explanation:
      row.explained_by === null
        ? null
        : { reason: row.reason ?? '', by: row.explained_by, at: (row.explained_at ?? row.opened_at).toISOString() },
    correctionId: row.correction_id,
    transactionId: row.transaction_id,
    reservationId: row.reservation_id,
    foundIn: row.found_in,
    seenIn: row.seen_in,
    openedAt: row.opened_at.toISOString(),
    resolvedAt: row.resolved_at?.toISOString() ?? null,
    version: row.version,
    createdAt: row.created_at.toISOString(),
  };
}
