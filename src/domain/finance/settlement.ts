import { sql } from 'kysely';
import type { Tx } from '../../db/client.ts';
import { newId } from '../../kernel/ids.ts';
import { accounts } from './ledger.ts';
import { type MatchedLine, movedTheSame } from './reconciliation-match.ts';

const AT_ONCE = 5_000;

interface Settlement {
  readonly id: string;
  readonly effectKey: string;
  readonly currency: string;
  /** Into the bank; below zero, out of it. */
  readonly netMinor: number;
  readonly transactionId: string | null;
  readonly reservationId: string | null;
  readonly paymentId: string | null;
  readonly bank: string;
  readonly clearing: string;
}

/**
 * Books what has reached the bank, once per gateway and provider's id, however often it is reported; answers how many
 * were new. Set-based, because a file has thousands of lines: the database's triggers check each journal all the same.
 */
export async function postSettlements(
  tx: Tx,
  gatewayId: string,
  lines: readonly MatchedLine[],
  postedBy: string,
): Promise<number> {
  // In one order, so that two files which name the same movements cannot wait for each other.
  const due = lines
    .flatMap((line) => settlementOf(gatewayId, line))
    .toSorted((a, b) => (a.effectKey < b.effectKey ? -1 : 1));
  if (due.length === 0) return 0;
  await openAccounts(tx, gatewayId, new Set(due.map(({ currency }) => currency)));
  let posted = 0;
  for (let from = 0; from < due.length; from += AT_ONCE) {
    posted += await postChunk(tx, due.slice(from, from + AT_ONCE), postedBy);
  }
  return posted;
}

/**
 * What a gateway hands over is the charge less its fee, and it keeps what it refunded; payouts leave by the bank
 * themselves. Another fee than the booked one is a mismatch for a person; the money has come all the same.
 */
function settlementOf(gatewayId: string, { status, movement, item }: MatchedLine): Settlement[] {
  if (!movement?.settled || movement.kind === 'PAYOUT') return [];
  if (status !== 'MATCHED' && !(status === 'AMOUNT_MISMATCH' && item && movedTheSame(movement, item))) return [];
  const feeMinor = movement.feeMinor ?? item?.feeMinor ?? 0;
  const netMinor = (movement.kind === 'CHARGE' ? movement.amountMinor : -movement.amountMinor) - feeMinor;
  if (netMinor === 0) return [];
  const { currency } = movement;
  return [
    {
      id: newId('ledger'),
      effectKey: `settlement-${gatewayId}-${movement.kind}-${movement.providerId}`,
      currency,
      netMinor,
      transactionId: item?.transactionId ?? null,
      reservationId: item?.reservationId ?? null,
      paymentId: item?.paymentId ?? null,
      bank: accounts.bank(currency).id,
      clearing: accounts.gatewayClearing(gatewayId, currency).id,
    },
  ];
}

async function openAccounts(tx: Tx, gatewayId: string, currencies: ReadonlySet<string>): Promise<void> {
  const opened = [...currencies].flatMap((currency) => [
    accounts.bank(currency),
    accounts.gatewayClearing(gatewayId, currency),
  ]);
  await tx
    .insertInto('ledger_account')
    .values(
      opened
        .toSorted((a, b) => (a.id < b.id ? -1 : 1))
        .map(({ id, kind, partyId, currency }) => ({ id, kind, party_id: partyId, currency })),
    )
    .onConflict((conflict) => conflict.column('id').doNothing())
    .execute();
}

async function postChunk(tx: Tx, due: readonly Settlement[], postedBy: string): Promise<number> {
  const { rows } = await sql<{ id: string }>`
    INSERT INTO ledger_tx (id, effect_key, kind, purpose, currency, transaction_id, reservation_id, payment_id, posted_by)
    SELECT d.id, d."effectKey", 'SETTLEMENT', 'SETTLEMENT', d.currency, d."transactionId", d."reservationId", d."paymentId", ${postedBy}
      FROM jsonb_to_recordset(${JSON.stringify(due)}::jsonb) AS d (id text, "effectKey" text, currency text, "transactionId" text, "reservationId" text, "paymentId" text)
     ORDER BY d."effectKey"
    ON CONFLICT (effect_key) DO NOTHING RETURNING id`.execute(tx);
  const fresh = new Set(rows.map(({ id }) => id));
  const entries = due
    .filter(({ id }) => fresh.has(id))
    .flatMap(({ id, currency, netMinor, bank, clearing }) => [
      { tx: id, line: 1, account: bank, currency, amount: netMinor },
      { tx: id, line: 2, account: clearing, currency, amount: -netMinor },
    ]);
  if (entries.length === 0) return 0;
  await sql`
    INSERT INTO ledger_entry (tx_id, line, account_id, currency, amount)
    SELECT d.tx, d.line, d.account, d.currency, d.amount
      FROM jsonb_to_recordset(${JSON.stringify(entries)}::jsonb) AS d (tx text, line int, account text, currency text, amount bigint)`.execute(
    tx,
  );
  return fresh.size;
}
