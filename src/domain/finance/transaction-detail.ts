import { sql } from 'kysely';
import type { Db } from '../../db/client.ts';
import { literal } from '../../db/literal.ts';
import type { JournalKind, JournalPurpose } from '../../db/schema.ts';
import { RoomyError } from '../../kernel/errors.ts';
import { toMajor } from '../../kernel/money.ts';
import { selectTransactions } from './resource.ts';
import { type MoneyScope, ownTransaction } from './scope.ts';
import { type TransactionView, transactionView } from './view.ts';

/** A line of a journal: one of the two sides is null. Major units. */
export interface EntryView {
  readonly journalId: string;
  readonly kind: JournalKind;
  readonly purpose: JournalPurpose;
  readonly account: string;
  readonly debit: number | null;
  readonly credit: number | null;
  readonly postedBy: string;
  readonly at: string;
}
/** A transaction with its saga, its journals and its reversals. */
export interface TransactionDetail extends TransactionView {
  readonly saga: { readonly id: string; readonly name: string; readonly status: string } | null;
  /** The execution that pays it out, of a payout. */
  readonly payoutSagaName: string | null;
  readonly onBehalfOf: string | null;
  readonly entries: readonly EntryView[];
  /** Of a reversal: the transaction that it takes back. */
  readonly reverses: string | null;
  readonly reversedBy: readonly string[];
}

const MAX_ENTRIES = 200;

/** Reads a transaction within a scope. Throws `NOT_FOUND`, also for one outside the scope. */
export async function getTransaction(db: Db, scope: MoneyScope, id: string): Promise<TransactionDetail> {
  const row = await selectTransactions(db)
    .leftJoin('saga as paid', 'paid.id', 't.payout_saga')
    .select(['s.name as saga_name', 's.status as saga_status', 's.on_behalf_of', 'paid.name as payout_saga_name'])
    .where('t.id', '=', id)
    .where(ownTransaction(scope))
    .executeTakeFirst();
  if (!row) throw new RoomyError('NOT_FOUND', { text: 'Transaction not found' });
  const saga =
    row.created_by_saga === null
      ? null
      : { id: row.created_by_saga, name: row.saga_name ?? '', status: row.saga_status ?? '' };
  const reversals = await db
    .selectFrom('transaction')
    .select('id')
    .where('parent_id', '=', id)
    .where('type', '=', literal('REVERSAL'))
    .orderBy('created_at')
    .orderBy('id')
    .limit(MAX_ENTRIES)
    .execute();
  return {
    ...transactionView(row),
    saga,
    payoutSagaName: row.payout_saga_name,
    onBehalfOf: row.on_behalf_of,
    entries: await entriesOf(db, id),
    reverses: row.type === 'REVERSAL' ? row.parent_id : null,
    reversedBy: reversals.map((reversal) => reversal.id),
  };
}

async function entriesOf(db: Db, transactionId: string): Promise<readonly EntryView[]> {
  const { rows } = await sql<{
    journal: string;
    kind: JournalKind;
    purpose: JournalPurpose;
    account: string;
    currency: string;
    amount: number;
    posted_by: string;
    at: Date;
  }>`
    SELECT x.id AS journal, x.kind, x.purpose, e.account_id AS account, e.currency, e.amount, x.posted_by, x.created_at AS at
      FROM ledger_tx x JOIN ledger_entry e ON e.tx_id = x.id
     WHERE x.transaction_id = ${transactionId} ORDER BY x.created_at, x.id, e.line LIMIT ${MAX_ENTRIES}`.execute(db);
  return rows.map((row) => {
    const amount = toMajor({ amountMinor: Math.abs(row.amount), currency: row.currency });
    return {
      journalId: row.journal,
      kind: row.kind,
      purpose: row.purpose,
      account: row.account,
      debit: row.amount > 0 ? amount : null,
      credit: row.amount < 0 ? amount : null,
      postedBy: row.posted_by,
      at: row.at.toISOString(),
    };
  });
}
