import { sql } from 'kysely';
import type { Db, Tx } from '../../db/client.ts';
import { literal } from '../../db/literal.ts';
import type { AccountKind, JournalKind, JournalPurpose } from '../../db/schema.ts';
import { RoomyError } from '../../kernel/errors.ts';
import { newId } from '../../kernel/ids.ts';

/**
 * Double entry (domain.md 5). Amounts are minor units, debit positive. The database refuses an unbalanced journal, a
 * line added later, a change, and a second reversal; this module only writes.
 */
export interface Account {
  readonly id: string;
  readonly kind: AccountKind;
  readonly partyId: string | null;
  readonly currency: string;
}

const account = (kind: AccountKind, partyId: string | null, currency: string): Account => ({
  id: [kind.toLowerCase(), ...(partyId === null ? [] : [partyId]), currency].join(':'),
  kind,
  partyId,
  currency,
});
export const accounts = {
  gatewayClearing: (gatewayId: string, currency: string) => account('GATEWAY_CLEARING', gatewayId, currency),
  bank: (currency: string) => account('BANK', null, currency),
  ownerPayable: (ownerId: string, currency: string) => account('OWNER_PAYABLE', ownerId, currency),
  agentPayable: (agentId: string, currency: string) => account('AGENT_PAYABLE', agentId, currency),
  guestCredit: (guestId: string, currency: string) => account('GUEST_CREDIT', guestId, currency),
  agencyFee: (currency: string) => account('AGENCY_FEE', null, currency),
  referralRetained: (currency: string) => account('REFERRAL_RETAINED', null, currency),
  /** What a gateway has taken for a dispute that is not decided yet. */
  disputed: (gatewayId: string, currency: string) => account('DISPUTED', gatewayId, currency),
  gatewayFee: (currency: string) => account('GATEWAY_FEE', null, currency),
  /** Whom the referral share belongs to: the agent, or, without one, the agency that retains it (domain.md T4). */
  referral: (agentId: string | null, currency: string) =>
    agentId === null ? account('REFERRAL_RETAINED', null, currency) : account('AGENT_PAYABLE', agentId, currency),
};

export interface JournalLine {
  readonly account: Account;
  readonly debitMinor: number;
}

/** A debit line, in minor units. */
export const debit = (to: Account, amountMinor: number): JournalLine => ({ account: to, debitMinor: amountMinor });

/** A credit line, in minor units. */
export const credit = (from: Account, amountMinor: number): JournalLine => ({
  account: from,
  debitMinor: -amountMinor,
});

/** In whose name and by which saga something is posted. */
export interface PostedBy {
  readonly sagaId: string | null;
  readonly postedBy: string;
}
export interface Journal extends PostedBy {
  /** Unique: what is posted under it is posted once. */
  readonly effectKey: string;
  readonly kind: JournalKind;
  readonly purpose: JournalPurpose;
  readonly currency: string;
  readonly transactionId: string | null;
  readonly reservationId: string | null;
  readonly paymentId: string | null;
  readonly lines: readonly JournalLine[];
}

/** Posts what is not zero. Null when nothing is left to post. */
export async function post(tx: Tx, journal: Journal): Promise<string | null> {
  const lines = journal.lines.filter((line) => line.debitMinor !== 0);
  if (lines.length === 0) return null;
  const id = newId('ledger');
  await openAccounts(
    tx,
    lines.map((line) => line.account),
  );
  await insertJournal(tx, id, journal, null);
  await tx
    .insertInto('ledger_entry')
    .values(
      lines.map((line, index) => ({
        tx_id: id,
        line: index + 1,
        account_id: line.account.id,
        currency: journal.currency,
        amount: line.debitMinor,
      })),
    )
    .execute();
  return id;
}

/** Makes the accounts that are not there yet; in one order, so that two which open the same accounts cannot wait for each other. */
export async function openAccounts(tx: Tx, opened: readonly Account[]): Promise<void> {
  const distinct = [...new Map(opened.map((one) => [one.id, one])).values()];
  await tx
    .insertInto('ledger_account')
    .values(
      distinct
        .toSorted((a, b) => (a.id < b.id ? -1 : 1))
        .map((one) => ({ id: one.id, kind: one.kind, party_id: one.partyId, currency: one.currency })),
    )
    .onConflict((conflict) => conflict.column('id').doNothing())
    .execute();
}

export interface NumberedJournal extends Omit<Journal, 'sagaId' | 'postedBy'> {
  /** The id of the journal, of `newId('ledger')`. */
  readonly id: string;
}

/**
 * Posts many journals by two statements, as a settlement file has thousands. Their accounts are open already
 * (`openAccounts`), and none of their lines is zero: the database's triggers check each journal all the same.
 */
export async function postAll(tx: Tx, journals: readonly NumberedJournal[], postedBy: string): Promise<void> {
  if (journals.length === 0) return;
  const heads = journals.map(({ lines: _lines, ...head }) => head);
  await sql`
    INSERT INTO ledger_tx (id, effect_key, kind, purpose, currency, transaction_id, reservation_id, payment_id, posted_by)
    SELECT d.id, d."effectKey", d.kind, d.purpose, d.currency, d."transactionId", d."reservationId", d."paymentId", ${postedBy}
      FROM jsonb_to_recordset(${JSON.stringify(heads)}::jsonb) AS d (id text, "effectKey" text, kind text, purpose text, currency text,
             "transactionId" text, "reservationId" text, "paymentId" text)
     ORDER BY d."effectKey"`.execute(tx);
  const entries = journals.flatMap(({ id, currency, lines }) =>
    lines.map(({ account: to, debitMinor }, index) => ({
      tx: id,
      line: index + 1,
      account: to.id,
      currency,
      amount: debitMinor,
    })),
  );
  await sql`
    INSERT INTO ledger_entry (tx_id, line, account_id, currency, amount)
    SELECT d.tx, d.line, d.account, d.currency, d.amount
      FROM jsonb_to_recordset(${JSON.stringify(entries)}::jsonb) AS d (tx text, line int, account text, currency text, amount bigint)`.execute(
    tx,
  );
}

async function insertJournal(
  tx: Tx,
  id: string,
  journal: Omit<Journal, 'lines'>,
  reverses: string | null,
): Promise<void> {
  await tx
    .insertInto('ledger_tx')
    .values({
      id,
      effect_key: journal.effectKey,
      kind: journal.kind,
      purpose: journal.purpose,
      currency: journal.currency,
      transaction_id: journal.transactionId,
      reservation_id: journal.reservationId,
      payment_id: journal.paymentId,
      saga_id: journal.sagaId,
      posted_by: journal.postedBy,
      reverses,
    })
    .execute();
}

/**
 * Swaps the sides of a journal and appends it, with a REVERSAL transaction that owns it (domain.md T12). Throws
 * `ALREADY_REVERSED`.
 */
export async function reverseJournal(
  tx: Tx,
  ledgerTxId: string,
  by: PostedBy & { readonly effectKey: string },
): Promise<void> {
  const original = await tx
    .selectFrom('ledger_tx')
    .leftJoin('transaction as t', 't.id', 'ledger_tx.transaction_id')
    .selectAll('ledger_tx')
    .select((eb) => [
      't.owner_id',
      eb
        .exists(eb.selectFrom('ledger_tx as r').select('r.id').whereRef('r.reverses', '=', 'ledger_tx.id'))
        .$castTo<boolean>()
        .as('reversed'),
      sql<number>`(SELECT sum(e.amount)::bigint FROM ledger_entry e WHERE e.tx_id = ledger_tx.id AND e.amount > 0)`.as(
        'amount',
      ),
    ])
    .where('ledger_tx.id', '=', ledgerTxId)
    .executeTakeFirstOrThrow();
  if (original.reversed) throw new RoomyError('ALREADY_REVERSED', { details: { ledgerTxId } });
  const reversalId = newId('transaction');
  await tx
    .insertInto('transaction')
    .values({
      id: reversalId,
      type: 'REVERSAL',
      status: 'COMPLETED',
      reservation_id: original.reservation_id,
      owner_id: original.owner_id,
      parent_id: original.transaction_id,
      amount_minor: -original.amount,
      settled_minor: -original.amount,
      outstanding_minor: 0,
      currency: original.currency,
      payment_id: original.payment_id,
      created_by_saga: by.sagaId,
      effect_key: by.effectKey,
      completed_at: sql<Date>`now()`,
    })
    .execute();
  const id = newId('ledger');
  await insertJournal(
    tx,
    id,
    {
      ...by,
      kind: 'REVERSAL',
      purpose: original.purpose,
      currency: original.currency,
      transactionId: reversalId,
      reservationId: original.reservation_id,
      paymentId: original.payment_id,
    },
    original.id,
  );
  await sql`INSERT INTO ledger_entry (tx_id, line, account_id, currency, amount)
    SELECT ${id}, line, account_id, currency, -amount FROM ledger_entry WHERE tx_id = ${original.id}`.execute(tx);
}

/** Reverses everything that one step posted, the last journal first, and marks the transactions that owned it REVERSED. */
export async function reverseStep(tx: Tx, step: StepKeys & { readonly postedBy: string }): Promise<void> {
  const posted = await journalsOf(tx, step);
  for (const journal of posted) {
    const suffix = journal.effect_key.slice(step.forwardKey.length);
    await reverseJournal(tx, journal.id, { ...step, effectKey: `${step.key}${suffix}` });
    if (journal.transaction_id === null) continue;
    await tx
      .updateTable('transaction')
      .set((eb) => ({ status: 'REVERSED', outstanding_minor: 0, version: eb('version', '+', 1) }))
      .where('id', '=', journal.transaction_id)
      .where('status', '=', literal('COMPLETED'))
      .execute();
  }
}

interface StepKeys {
  readonly sagaId: string;
  readonly key: string;
  readonly forwardKey: string;
}
/** What was posted under a step's key and the keys derived from it. */
function journalsOf(tx: Tx, { sagaId, forwardKey }: StepKeys) {
  return tx
    .selectFrom('ledger_tx')
    .select(['id', 'effect_key', 'transaction_id'])
    .where('saga_id', '=', sagaId)
    .where((eb) => eb.or([eb('effect_key', '=', forwardKey), eb('effect_key', 'like', `${forwardKey}-%`)]))
    .orderBy('created_at', 'desc')
    .orderBy('effect_key', 'desc')
    .execute();
}

/** What the parties of a stay hold of its receipts by now: credits of its distribution, with later corrections. */
export interface PostedShares {
  readonly ownerMinor: number;
  readonly agencyMinor: number;
  readonly referralMinor: number;
}

/** The shares of a stay that the ledger has already, in minor units. */
export async function postedShares(db: Tx | Db, reservationId: string): Promise<PostedShares> {
  const { rows } = await sql<PostedShares>`
    SELECT coalesce(-sum(e.amount) FILTER (WHERE a.kind = 'OWNER_PAYABLE'), 0)::bigint AS "ownerMinor",
           coalesce(-sum(e.amount) FILTER (WHERE a.kind = 'AGENCY_FEE'), 0)::bigint AS "agencyMinor",
           coalesce(-sum(e.amount) FILTER (WHERE a.kind IN ('AGENT_PAYABLE', 'REFERRAL_RETAINED')), 0)::bigint AS "referralMinor"
      FROM ledger_tx x JOIN ledger_entry e ON e.tx_id = x.id JOIN ledger_account a ON a.id = e.account_id
     WHERE x.reservation_id = ${reservationId} AND x.purpose = 'DISTRIBUTION'`.execute(db);
  return rows[0] ?? { ownerMinor: 0, agencyMinor: 0, referralMinor: 0 };
}
