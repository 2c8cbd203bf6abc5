import { sql } from 'kysely';
import type { Tx } from '../../../db/client.ts';
import type { MovementKind } from '../../../db/schema.ts';
import type { MatchedLine } from '../reconciliation-match.ts';

/** The only statements that write `difference`. Each that changes what a row says counts its version up. */

/** A difference as a comparison finds it; amounts in minor units, null where there is none. */
export interface FoundDifference {
  /** Of the row if it is a new one. */
  readonly id: string;
  readonly movement: MovementKind;
  readonly subject: string;
  readonly kind: MatchedLine['status'];
  readonly differs: MatchedLine['differs'];
  readonly reference: string;
  readonly provider: string | null;
  readonly currency: string;
  readonly ledgerCurrency: string | null;
  readonly ledger: number | null;
  readonly gateway: number | null;
  readonly transaction: string | null;
  readonly payment: string | null;
  readonly reservation: string | null;
}

export interface KeptRow {
  readonly id: string;
  readonly movement: MovementKind;
  readonly subject: string;
  /** Open since this comparison: new, or with other values than before. */
  readonly opened: boolean;
}

/**
 * Writes what a comparison found. A row with the same values stays as it is, explained or not, and remembers that it was
 * seen; one with other values, or that was resolved, is open again and loses its explanation.
 */
export async function keepFound(
  tx: Tx,
  { id, gatewayId }: { readonly id: string; readonly gatewayId: string },
  found: readonly FoundDifference[],
): Promise<readonly KeptRow[]> {
  const isSame = sql`d.status <> 'RESOLVED' AND (d.kind, d.differs) = (excluded.kind, excluded.differs)`;
  const keptIfSame = (column: string) => sql`CASE WHEN ${isSame} THEN d.${sql.ref(column)} END`;
  const { rows } = await sql<KeptRow>`
    INSERT INTO difference AS d (id, gateway_id, movement, subject, kind, differs, reference, provider_id, currency, ledger_currency,
                                                ledger_minor, gateway_minor, transaction_id, payment_id, reservation_id, found_in, seen_in)
    SELECT v.id, ${gatewayId}, v.movement, v.subject, v.kind, v.differs, v.reference, v.provider, v.currency, v."ledgerCurrency",
           v.ledger, v.gateway, v.transaction, v.payment, v.reservation, ${id}, ${id}
      FROM jsonb_to_recordset(${JSON.stringify(found)}::jsonb) AS v (id text, movement text, subject text, kind text, differs jsonb, reference text,
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

/** One side of what agrees now; `saysFee` false: the comparison knew nothing of the fee. */
export interface Agreeing {
  readonly kind: MovementKind;
  readonly subject: string;
  readonly saysFee: boolean;
}

/** Resolves what both sides agree about, beside differences in a fee of which nothing was said. */
export async function resolveAgreeing(tx: Tx, gatewayId: string, agreed: readonly Agreeing[]): Promise<void> {
  await sql`
    UPDATE difference d SET status = 'RESOLVED', resolved_at = now(), version = d.version + 1
      FROM jsonb_to_recordset(${JSON.stringify(agreed)}::jsonb) AS a (kind text, subject text, "saysFee" boolean)
     WHERE d.gateway_id = ${gatewayId} AND d.movement = a.kind AND d.subject = a.subject AND d.status <> 'RESOLVED'
       AND (a."saysFee" OR NOT d.differs @> '[{"what": "FEE"}]')`.execute(tx);
}

/** A person says why it is right as it is. The row must be locked, as for `reopen` and `resolveByCorrection`. */
export async function explain(tx: Tx, id: string, reason: string, by: string): Promise<void> {
  await tx
    .updateTable('difference')
    .set((eb) => ({
      status: 'EXPLAINED',
      reason,
      explained_by: by,
      explained_at: sql<Date>`now()`,
      version: eb('version', '+', 1),
    }))
    .where('id', '=', id)
    .execute();
}

/** Takes an explanation back. */
export async function reopen(tx: Tx, id: string): Promise<void> {
  await tx
    .updateTable('difference')
    .set((eb) => ({
      status: 'OPEN',
      reason: null,
      explained_by: null,
      explained_at: null,
      opened_at: sql<Date>`now()`,
      version: eb('version', '+', 1),
    }))
    .where('id', '=', id)
    .execute();
}

/** It was booked by the transaction `correctionId`. */
export async function resolveByCorrection(tx: Tx, id: string, correctionId: string): Promise<void> {
  await tx
    .updateTable('difference')
    .set((eb) => ({
      status: 'RESOLVED',
      correction_id: correctionId,
      resolved_at: sql<Date>`now()`,
      version: eb('version', '+', 1),
    }))
    .where('id', '=', id)
    .execute();
}
