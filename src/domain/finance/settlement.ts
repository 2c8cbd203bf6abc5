import { sql } from 'kysely';
import type { Tx } from '../../db/client.ts';
import { newId } from '../../kernel/ids.ts';
import { disputeTargets } from './dispute-settlement.ts';
import { accounts, credit, debit, type NumberedJournal, openAccounts, postAll } from './ledger.ts';
import type { MatchedLine, SettledMovement } from './reconciliation-match.ts';

/**
 * What gateways hand over: clearing to bank, less fees (domain.md 5). It is booked once for each charge, refund and dispute,
 * whether the gateway's own record or one of its files tells it first; a later word on its fee, or that it came back, books
 * the difference to what is booked already.
 */

/** Of one gateway, with what it has said. */
export interface SettlementOrder {
  readonly gatewayId: string;
  /** Files tell nothing of disputes. */
  readonly source: 'GATEWAY' | 'CSV';
  readonly lines: readonly MatchedLine[];
  /** What it says did not stand, whether or not it is a line. */
  readonly failed: readonly SettledMovement[];
  readonly postedBy: string;
}
export interface SettlementsPosted {
  readonly count: number;
  /** Minor units by currency; below zero, out of the bank. */
  readonly netMinor: Readonly<Record<string, number>>;
}

/** What should be in the bank of one movement. */
export interface Target {
  readonly movement: 'CHARGE' | 'REFUND' | 'DISPUTE';
  /** Null: known by its provider's id alone. */
  readonly subject: string | null;
  readonly providerId: string;
  readonly currency: string;
  readonly amountMinor: number;
  /** Null: not said, so that what was booked first stands. */
  readonly saidFeeMinor: number | null;
  readonly feeMinor: number;
  readonly netMinor: number;
  readonly transactionId: string | null;
  readonly reservationId: string | null;
  readonly paymentId: string | null;
}
interface Settlement extends Omit<Target, 'subject' | 'saidFeeMinor'> {
  readonly id: string;
  readonly gatewayId: string;
  readonly subject: string;
  readonly revision: number;
  readonly effectKey: string;
}

const AT_ONCE = 5_000;

/**
 * Set-based, because a file has thousands of lines: the database's triggers check each journal all the same. One at a time
 * for each gateway: `oneAtATime`.
 */
export async function postSettlements(tx: Tx, order: SettlementOrder): Promise<SettlementsPosted> {
  const targets = [
    ...order.lines.flatMap(targetOf),
    ...order.failed.flatMap((movement) => (movement.kind === 'PAYOUT' ? [] : [nothingOf(movement, movement.kind)])),
    ...(order.source === 'GATEWAY' ? await disputeTargets(tx, order.gatewayId) : []),
  ];
  let count = 0;
  const netMinor: Record<string, number> = {};
  if (targets.length === 0) return { count, netMinor };
  const currencies = new Set(targets.map(({ currency }) => currency));
  await openAccounts(
    tx,
    [...currencies].flatMap((one) => [accounts.bank(one), accounts.gatewayClearing(order.gatewayId, one)]),
  );
  for (let from = 0; from < targets.length; from += AT_ONCE) {
    const due = await notYetPosted(tx, order.gatewayId, targets.slice(from, from + AT_ONCE));
    await insertAll(tx, due, order.postedBy);
    count += due.length;
    for (const one of due) netMinor[one.currency] = (netMinor[one.currency] ?? 0) + one.netMinor;
  }
  return { count, netMinor };
}

/**
 * Whether the money has come, as it is booked. Another fee than the booked one, or another date, is a difference for a
 * person, and the money has come all the same; other money than ours is left to a person.
 */
export const isHandedOver = ({ movement, item, differs }: MatchedLine): boolean =>
  movement?.settled === true &&
  movement.kind !== 'PAYOUT' &&
  item !== null &&
  item.state !== 'OPEN' &&
  differs.every(({ what }) => what === 'FEE' || what === 'DATE');

/** The charge less its fee, or what was refunded; payouts leave by the bank themselves. */
function targetOf(line: MatchedLine): Target[] {
  const { movement, item, subject } = line;
  if (!isHandedOver(line) || movement === null || movement.kind === 'PAYOUT') return [];
  const feeMinor = movement.feeMinor ?? (item?.state === 'BOOKED' ? item.feeMinor : 0);
  return [
    {
      movement: movement.kind,
      subject,
      providerId: movement.providerId,
      currency: movement.currency,
      amountMinor: movement.amountMinor,
      saidFeeMinor: movement.feeMinor,
      feeMinor,
      netMinor: (movement.kind === 'CHARGE' ? movement.amountMinor : -movement.amountMinor) - feeMinor,
      transactionId: item?.transactionId ?? null,
      reservationId: item?.reservationId ?? null,
      paymentId: item?.paymentId ?? null,
    },
  ];
}

const nothingOf = ({ providerId, currency }: SettledMovement, movement: Target['movement']): Target => ({
  movement,
  subject: null,
  providerId,
  currency,
  amountMinor: 0,
  saidFeeMinor: 0,
  feeMinor: 0,
  netMinor: 0,
  transactionId: null,
  reservationId: null,
  paymentId: null,
});

interface PostedRow {
  readonly n: number;
  readonly subject: string;
  readonly revision: number;
  readonly net: number;
  readonly transaction_id: string | null;
  readonly reservation_id: string | null;
  readonly payment_id: string | null;
}

/** What is left to book of each, as a first row or as a revision. */
async function notYetPosted(tx: Tx, gatewayId: string, targets: readonly Target[]): Promise<readonly Settlement[]> {
  const asked = targets.map(({ movement, subject, providerId }, n) => ({ n, movement, subject, providerId }));
  // By the provider's id too: what was handed over may have been taken back since, and be no row of ours any more.
  const { rows } = await sql<PostedRow>`
    SELECT d.n, s.subject, s.revision, s.net_minor AS net, s.transaction_id, s.reservation_id, s.payment_id
      FROM jsonb_to_recordset(${JSON.stringify(asked)}::jsonb) AS d (n int, movement text, subject text, "providerId" text)
      JOIN LATERAL (
        SELECT * FROM settlement x WHERE x.gateway_id = ${gatewayId} AND x.movement = d.movement AND x.subject = d.subject
        UNION
        SELECT * FROM settlement x WHERE x.provider_id = d."providerId" AND x.gateway_id = ${gatewayId} AND x.movement = d.movement
      ) s ON true ORDER BY d.n, s.subject, s.revision`.execute(tx);
  const posted = new Map<number, PostedRow[]>();
  for (const row of rows) posted.set(row.n, [...(posted.get(row.n) ?? []), row]);
  const seen = new Set<string>();
  return targets.flatMap((target, n): Settlement[] => {
    const before = posted.get(n) ?? [];
    const subject =
      before.find((row) => row.subject === target.subject)?.subject ?? before[0]?.subject ?? target.subject;
    // What was never handed over need not be taken back.
    if (subject === null || seen.has(`${target.movement} ${subject}`)) return [];
    seen.add(`${target.movement} ${subject}`);
    const inBankMinor = before.reduce((sum, { net }) => sum + net, 0);
    if (before.length > 0 && (target.saidFeeMinor === null || target.netMinor === inBankMinor)) return [];
    return [settlementOf(gatewayId, { ...target, subject }, before, inBankMinor)];
  });
}

function settlementOf(
  gatewayId: string,
  { saidFeeMinor: _said, ...target }: Target & { readonly subject: string },
  before: readonly PostedRow[],
  inBankMinor: number,
): Settlement {
  const revision =
    1 + Math.max(0, ...before.filter((row) => row.subject === target.subject).map((row) => row.revision));
  return {
    ...target,
    id: newId('ledger'),
    gatewayId,
    revision,
    netMinor: target.netMinor - inBankMinor,
    effectKey: `settlement-${gatewayId}-${target.movement}-${target.subject} ${revision}`,
    transactionId: target.transactionId ?? before[0]?.transaction_id ?? null,
    reservationId: target.reservationId ?? before[0]?.reservation_id ?? null,
    paymentId: target.paymentId ?? before[0]?.payment_id ?? null,
  };
}

/** What came into the bank, out of what the gateway held; the other way round below zero. */
const journalOf = ({ id, gatewayId, effectKey, currency, netMinor, ...of }: Settlement): NumberedJournal => ({
  id,
  effectKey,
  kind: 'SETTLEMENT',
  purpose: 'SETTLEMENT',
  currency,
  transactionId: of.transactionId,
  reservationId: of.reservationId,
  paymentId: of.paymentId,
  lines: [debit(accounts.bank(currency), netMinor), credit(accounts.gatewayClearing(gatewayId, currency), netMinor)],
});

async function insertAll(tx: Tx, due: readonly Settlement[], postedBy: string): Promise<void> {
  const moved = due.filter(({ netMinor }) => netMinor !== 0);
  await postAll(tx, moved.map(journalOf), postedBy);
  if (due.length === 0) return;
  await sql`
    INSERT INTO settlement (gateway_id, movement, subject, revision, provider_id, currency, amount_minor, fee_minor, net_minor, ledger_tx_id,
                            payment_id, transaction_id, reservation_id)
    SELECT d."gatewayId", d.movement, d.subject, d.revision, d."providerId", d.currency, d."amountMinor", d."feeMinor", d."netMinor",
           CASE WHEN d."netMinor" <> 0 THEN d.id END, d."paymentId", d."transactionId", d."reservationId"
      FROM jsonb_to_recordset(${JSON.stringify(due)}::jsonb) AS d (id text, "gatewayId" text, movement text, subject text, revision int, "providerId" text,
        currency text, "amountMinor" bigint, "feeMinor" bigint, "netMinor" bigint, "paymentId" text, "transactionId" text, "reservationId" text)`.execute(
    tx,
  );
}
