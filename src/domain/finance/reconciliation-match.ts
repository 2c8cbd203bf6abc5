import type { MovementKind, ReconciliationStatus } from '../../db/schema.ts';
import type { GatewayMovement } from '../ports.ts';

/** What a gateway or its settlement file says. */
export interface SettledMovement extends Omit<GatewayMovement, 'feeMinor'> {
  /** Null: not said. */
  readonly feeMinor: number | null;
  /** The money has reached the bank. */
  readonly settled: boolean;
}

/** One thing that our books say about a gateway. */
export interface BookedItem {
  readonly kind: MovementKind;
  readonly reference: string | null;
  readonly providerId: string | null;
  readonly amountMinor: number;
  readonly feeMinor: number;
  readonly currency: string;
  /** `TAKEN_BACK`: a charge that came to nothing; the gateway may show it and its return. */
  readonly state: 'BOOKED' | 'OPEN' | 'TAKEN_BACK';
  /** Booked within the time that is compared, so that the gateway must know it. */
  readonly expected: boolean;
  readonly transactionId: string | null;
  readonly reservationId: string | null;
  readonly paymentId: string | null;
}

export interface MatchedLine {
  readonly kind: MovementKind;
  readonly reference: string;
  readonly currency: string;
  readonly ledgerMinor: number | null;
  readonly gatewayMinor: number | null;
  readonly status: ReconciliationStatus;
  readonly movement: SettledMovement | null;
  readonly item: BookedItem | null;
}

/**
 * Compares one by one; a pure function. A movement finds its row by the provider's id, then by its reference; each row
 * is found once, so that a second charge of one reference stands out.
 */
export function matchMovements(
  movements: readonly SettledMovement[],
  booked: readonly BookedItem[],
  within: (movement: SettledMovement) => boolean,
): readonly MatchedLine[] {
  const used = new Set<BookedItem>();
  const byProvider = groupBy(booked, ({ kind, providerId }) => (providerId === null ? null : `${kind} ${providerId}`));
  const byReference = groupBy(booked, ({ kind, reference }) => (reference === null ? null : `${kind} ${reference}`));
  const found = new Map<SettledMovement, BookedItem>();
  const take = (movement: SettledMovement, candidates: readonly BookedItem[] | undefined): void => {
    const item = candidates?.find((one) => one.state === 'BOOKED' && !used.has(one));
    if (found.has(movement) || !item) return;
    used.add(item);
    found.set(movement, item);
  };
  for (const movement of movements) take(movement, byProvider.get(`${movement.kind} ${movement.providerId}`));
  for (const movement of movements) {
    // A row that has another provider's id belongs to another movement.
    const candidates = byReference.get(`${movement.kind} ${movement.reference}`);
    take(
      movement,
      candidates?.filter(({ providerId }) => providerId === null),
    );
    take(movement, movement.kind === 'CHARGE' ? candidates : undefined);
  }
  const returned = takenBack(movements, found, byReference);
  const lines = movements.filter(within).map((movement): MatchedLine => {
    const item = found.get(movement);
    if (item) return lineOf(movement, item, isSame(movement, item) ? 'MATCHED' : 'AMOUNT_MISMATCH');
    const attempt = returned.get(movement);
    if (attempt) return { ...lineOf(movement, attempt, 'MATCHED'), ledgerMinor: movement.amountMinor };
    // Not booked, but perhaps on its way: it says which row it is to be.
    const open = byReference.get(`${movement.kind} ${movement.reference}`)?.find((one) => one.state !== 'BOOKED');
    return { ...lineOf(movement, open ?? null, 'MISSING_IN_LEDGER'), ledgerMinor: null };
  });
  const missing = booked
    .filter((item) => item.state === 'BOOKED' && item.expected && !used.has(item))
    .map((item) => lineOf(null, item, 'MISSING_AT_GATEWAY'));
  return [...lines, ...missing];
}

/** The same money went; what the gateway kept of it is another matter. */
export const movedTheSame = (movement: SettledMovement, item: BookedItem): boolean =>
  movement.amountMinor === item.amountMinor && movement.currency === item.currency;

/** The fee of a charge counts as well, where the gateway says it: what it kept, it does not hand over. */
const isSame = (movement: SettledMovement, item: BookedItem): boolean =>
  movedTheSame(movement, item) &&
  (movement.kind !== 'CHARGE' || movement.feeMinor === null || movement.feeMinor === item.feeMinor);

function lineOf(movement: SettledMovement | null, item: BookedItem | null, status: ReconciliationStatus): MatchedLine {
  return {
    kind: movement?.kind ?? item?.kind ?? 'CHARGE',
    reference: referenceOf(movement, item),
    currency: movement?.currency ?? item?.currency ?? '',
    ledgerMinor: item?.amountMinor ?? null,
    gatewayMinor: movement?.amountMinor ?? null,
    status,
    movement,
    item,
  };
}

/** A payout is known by its id; its reference may be where the owner's money goes, which a report need not tell. */
function referenceOf(movement: SettledMovement | null, item: BookedItem | null): string {
  if (movement) return movement.kind === 'PAYOUT' ? movement.providerId : movement.reference;
  return item?.reference ?? item?.providerId ?? item?.transactionId ?? '';
}

/** Charges that we took back, with the returns that answer them: together they are nothing, as in our books. */
function takenBack(
  movements: readonly SettledMovement[],
  found: ReadonlyMap<SettledMovement, BookedItem>,
  byReference: ReadonlyMap<string, readonly BookedItem[]>,
): ReadonlyMap<SettledMovement, BookedItem> {
  const pairs = new Map<SettledMovement, BookedItem>();
  const returns = groupBy(
    movements.filter((movement) => movement.kind === 'REFUND' && !found.has(movement)),
    (movement) => movement.reference,
  );
  for (const charge of movements) {
    if (charge.kind !== 'CHARGE' || found.has(charge)) continue;
    const attempt = byReference.get(`CHARGE ${charge.reference}`)?.find(({ state }) => state === 'TAKEN_BACK');
    const back = returns
      .get(charge.reference)
      ?.find((one) => !pairs.has(one) && one.amountMinor === charge.amountMinor && one.currency === charge.currency);
    if (!attempt || !back) continue;
    pairs.set(charge, attempt);
    pairs.set(back, attempt);
  }
  return pairs;
}

function groupBy<T>(items: readonly T[], keyOf: (item: T) => string | null): ReadonlyMap<string, readonly T[]> {
  const groups = new Map<string, T[]>();
  for (const item of items) {
    const key = keyOf(item);
    if (key === null) continue;
    const group = groups.get(key);
    if (group) group.push(item);
    else groups.set(key, [item]);
  }
  return groups;
}
