import { sql } from 'kysely';
import type { Tx } from '../../db/client.ts';
import type { MovementKind } from '../../db/schema.ts';
import { newId } from '../../kernel/ids.ts';
import { type MatchedLine, type SettledMovement, theirs } from './reconciliation-match.ts';

/**
 * What comparisons find different stands for itself: one row for each charge, refund or payout, whichever comparison finds
 * it. The same values again leave it as it is, explained or not; other values open it again; and when both sides agree it
 * is resolved.
 */

export interface ComparisonFound {
  readonly id: string;
  readonly gatewayId: string;
  readonly lines: readonly MatchedLine[];
  /** What the gateway says did not stand, and we have not booked either. */
  readonly failed: readonly SettledMovement[];
}
export interface KeptDifferences {
  /** Ids by `differenceKey` of their lines. */
  readonly ids: ReadonlyMap<string, string>;
  /** Keys of those that are open since this comparison. */
  readonly opened: ReadonlySet<string>;
}

/** Identity of a difference within a comparison: its kind and its subject. */
export const differenceKey = ({ kind, subject }: Pick<MatchedLine, 'kind' | 'subject'>): string => `${kind} ${subject}`;

const AT_ONCE = 5_000;

/**
 * Writes the differences of a comparison, in batches of 5 000; one that is known already keeps its row, and those that
 * agree now are closed.
 */
export async function keepDifferences(tx: Tx, found: ComparisonFound): Promise<KeptDifferences> {
  const differing = [...new Map(found.lines.filter(isDifferent).map((line) => [differenceKey(line), line])).values()];
  const ids = new Map<string, string>();
  const opened = new Set<string>();
  for (let from = 0; from < differing.length; from += AT_ONCE) {
    for (const row of await upsert(tx, found, differing.slice(from, from + AT_ONCE))) {
      const key = differenceKey({ kind: row.movement, subject: row.subject });
      ids.set(key, row.id);
      if (row.opened) opened.add(key);
    }
  }
  await resolveAgreed(tx, found, ids);
  return { ids, opened };
}

const isDifferent = ({ status }: MatchedLine): boolean => status !== 'MATCHED';

interface KeptRow {
  readonly id: string;
  readonly movement: MovementKind;
  readonly subject: string;
  readonly opened: boolean;
}

async function upsert(tx: Tx, { id, gatewayId }: ComparisonFound, lines: readonly MatchedLine[]) {
  const values = lines.map((line) => ({
    id: newId('difference'),
    movement: line.kind,
    subject: line.subject,
    kind: line.status,
    differs: line.differs,
    reference: line.reference,
    provider: line.movement?.providerId ?? line.item?.providerId ?? null,
    currency: line.currency,
    ledgerCurrency: line.ledgerCurrency,
    ledger: line.ledgerMinor,
    gateway: line.gatewayMinor,
    transaction: line.item?.transactionId ?? null,
    payment: line.item?.paymentId ?? null,
    reservation: line.item?.reservationId ?? null,
  }));
  const isSame = sql`d.status <> 'RESOLVED' AND (d.kind, d.differs) = (excluded.kind, excluded.differs)`;
  const keptIfSame = (column: string) => sql`CASE WHEN ${isSame} THEN d.${sql.ref(column)} END`;
  const { rows } = await sql<KeptRow>`
    INSERT INTO difference AS d (id, gateway_id, movement, subject, kind, differs, reference, provider_id, currency, ledger_currency,
                                                ledger_minor, gateway_minor, transaction_id, payment_id, reservation_id, found_in, seen_in)
    SELECT v.id, ${gatewayId}, v.movement, v.subject, v.kind, v.differs, v.reference, v.provider, v.currency, v."ledgerCurrency",
           v.ledger, v.gateway, v.transaction, v.payment, v.reservation, ${id}, ${id}
      FROM jsonb_to_recordset(${JSON.stringify(values)}::jsonb) AS v (id text, movement text, subject text, kind text, differs jsonb, reference text,
        provider text, currency text, "ledgerCurrency" text, ledger bigint, gateway bigint, transaction text, payment text, reservation text)
     ORDER BY v.movement, v.subject
    ON CONFLICT (gateway_id, movement, subject) DO UPDATE SET
      kind = excluded.kind, differs = excluded.differs, reference = excluded.reference, provider_id = excluded.provider_id,
      currency = excluded.currency, ledger_currency = excluded.ledger_currency, ledger_minor = excluded.ledger_minor, gateway_minor = excluded.gateway_minor,
      transaction_id = excluded.transaction_id, payment_id = excluded.payment_id, reservation_id = excluded.reservation_id, seen_in = excluded.seen_in,
      status = CASE WHEN ${isSame} THEN d.status ELSE 'OPEN' END,
      reason = ${keptIfSame('reason')}, explained_by = ${keptIfSame('explained_by')}, explained_at = ${keptIfSame('explained_at')},
      correction_id = ${keptIfSame('correction_id')}, resolved_at = NULL,
      found_in = CASE WHEN ${isSame} THEN d.found_in ELSE excluded.found_in END,
      opened_at = CASE WHEN ${isSame} THEN d.opened_at ELSE now() END,
      version = d.version + CASE WHEN ${isSame} THEN 0 ELSE 1 END
    RETURNING id, movement, subject, found_in = ${id} AS opened`.execute(tx);
  return rows;
}

/** What was different and is not any more. A file that does not say the fee says nothing of a difference in it. */
async function resolveAgreed(
  tx: Tx,
  { gatewayId, lines, failed }: ComparisonFound,
  differing: ReadonlyMap<string, string>,
): Promise<void> {
  const agreed = [...lines, ...failed.map((movement) => ({ kind: movement.kind, subject: '', movement }))].flatMap(
    ({ kind, subject, movement }) => {
      if (movement === null) return [];
      const saysFee = movement.failed || movement.feeMinor !== null;
      // Told before it was booked, it had no row of ours.
      return [subject, theirs(movement.providerId)]
        .filter((one) => one !== '' && !differing.has(differenceKey({ kind, subject: one })))
        .map((one) => ({ kind, subject: one, saysFee }));
    },
  );
  for (let from = 0; from < agreed.length; from += AT_ONCE) {
    const some = JSON.stringify(agreed.slice(from, from + AT_ONCE));
    await sql`
      UPDATE difference d SET status = 'RESOLVED', resolved_at = now(), version = d.version + 1
        FROM jsonb_to_recordset(${some}::jsonb) AS a (kind text, subject text, "saysFee" boolean)
       WHERE d.gateway_id = ${gatewayId} AND d.movement = a.kind AND d.subject = a.subject AND d.status <> 'RESOLVED'
         AND (a."saysFee" OR NOT d.differs @> '[{"what": "FEE"}]')`.execute(tx);
  }
}
