import type { Tx } from '../../db/client.ts';
import { newId } from '../../kernel/ids.ts';
import { type MatchedLine, type SettledMovement, theirs } from './reconciliation-match.ts';
import { type FoundDifference, keepFound, resolveAgreeing } from './store/differences.ts';

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
    for (const row of await keepFound(tx, found, differing.slice(from, from + AT_ONCE).map(foundOf))) {
      const key = differenceKey({ kind: row.movement, subject: row.subject });
      ids.set(key, row.id);
      if (row.opened) opened.add(key);
    }
  }
  await resolveAgreed(tx, found, ids);
  return { ids, opened };
}

const isDifferent = ({ status }: MatchedLine): boolean => status !== 'MATCHED';

const foundOf = (line: MatchedLine): FoundDifference => ({
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
});

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
    await resolveAgreeing(tx, gatewayId, agreed.slice(from, from + AT_ONCE));
  }
}
