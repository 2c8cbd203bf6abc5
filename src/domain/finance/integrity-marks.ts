import { sql } from 'kysely';
import type { Tx } from '../../db/client.ts';
import type { Parts } from './integrity.ts';
import type { InRange } from './integrity-checks.ts';

/** A row that was changed after the last check: `kind` is its table, `ref` its id. Triggers write these (migration 0027). */
export interface Mark {
  readonly kind: string;
  readonly ref: string;
}
/** The rows that belong to marks, by their tables. */
export interface Marked {
  readonly parts: Parts;
  readonly stays: readonly string[];
}

/**
 * The stays of the marked rows, and all rows that the checks compare with each other about them. Each step uses an index, so the
 * cost grows with the number of marks.
 */
export async function belongingsOf(tx: Tx, marks: readonly Mark[]): Promise<Marked> {
  const refs = (kind: string): string[] => marks.filter((mark) => mark.kind === kind).map(({ ref }) => ref);
  const idsOf = async (query: ReturnType<typeof sql<{ id: string | null }>>): Promise<string[]> => {
    const { rows } = await query.execute(tx);
    return rows.flatMap(({ id }) => (id === null ? [] : [id]));
  };
  const [journals, transactions, sagas] = [refs('ledger_tx'), refs('transaction'), refs('saga')];
  const owned = await idsOf(
    sql`SELECT transaction_id AS id FROM ledger_tx WHERE id = ANY(${journals}::text[]) AND transaction_id IS NOT NULL`,
  );
  const stays = await idsOf(sql`
    SELECT unnest(${refs('reservation')}::text[]) AS id
    UNION SELECT reservation_id FROM payment WHERE id = ANY(${refs('payment')}::text[])
    UNION SELECT reservation_id FROM ledger_tx WHERE id = ANY(${journals}::text[])
    UNION SELECT reservation_id FROM transaction WHERE id = ANY(${[...transactions, ...owned]}::text[])
    UNION SELECT subject_id FROM saga WHERE id = ANY(${sagas}::text[]) AND subject_type = 'reservation'`);
  const allTransactions = await idsOf(sql`
    SELECT unnest(${[...transactions, ...owned]}::text[]) AS id
    UNION SELECT id FROM transaction WHERE reservation_id = ANY(${stays}::text[])`);
  const allJournals = await idsOf(sql`
    SELECT unnest(${journals}::text[]) AS id
    UNION SELECT id FROM ledger_tx WHERE reservation_id = ANY(${stays}::text[])
    UNION SELECT id FROM ledger_tx WHERE transaction_id = ANY(${allTransactions}::text[])
    UNION SELECT id FROM ledger_tx WHERE reverses = ANY(${journals}::text[])`);
  const allSagas = await idsOf(sql`
    SELECT unnest(${sagas}::text[]) AS id UNION SELECT saga_id FROM ledger_tx WHERE id = ANY(${allJournals}::text[])`);
  return {
    stays,
    parts: {
      reservation: [among(stays)],
      transaction: [among(allTransactions)],
      ledger_tx: [among(allJournals)],
      saga: [among(allSagas)],
    },
  };
}

const among =
  (ids: readonly string[]): InRange =>
  (column) =>
    sql`${sql.ref(column)} = ANY(${ids}::text[])`;

/** SQL: no saga is at work on the marked row of mark `m`. While one is, a booked payment may be not yet shared. */
export const IS_AT_REST = sql<boolean>`NOT EXISTS (
  SELECT FROM saga s WHERE s.finished_at IS NULL AND s.subject_type IN ('reservation', 'transaction') AND s.subject_id IN (
    SELECT m.ref UNION SELECT x.reservation_id FROM ledger_tx x WHERE x.id = m.ref UNION SELECT x.transaction_id FROM ledger_tx x WHERE x.id = m.ref
    UNION SELECT t.reservation_id FROM transaction t WHERE t.id = m.ref))`;

/** The mark of a difference, so that its row is checked until it agrees; null: a sum of all rows. */
export function markOf(check: string, ref: string): Mark | null {
  const kind = KIND_OF[check];
  return kind === undefined ? null : { kind, ref };
}
const KIND_OF: Readonly<Record<string, string>> = {
  'journal-balanced': 'ledger_tx',
  'journal-currency': 'ledger_tx',
  'reversal-mirrored': 'ledger_tx',
  'entry-party': 'ledger_tx',
  'receipt-payment': 'ledger_tx',
  'payment-receipt': 'payment',
  'payment-fee': 'payment',
  'payment-refunded': 'payment',
  'refunded-at-most-captured': 'payment',
  'payment-disputed': 'payment',
  'payment-saga': 'payment',
  'saga-compensated': 'saga',
  'payment-status': 'reservation',
  'transaction-settled': 'transaction',
  'transaction-reversal': 'transaction',
  'transaction-amount': 'transaction',
  'amount-due': 'transaction',
  'amount-due-total': 'transaction',
  'guest-credit': 'reservation',
  'settlement-journal': 'ledger_tx',
  'settlement-clearing': 'reservation',
  shares: 'reservation',
};
