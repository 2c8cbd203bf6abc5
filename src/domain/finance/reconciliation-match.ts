import type { FieldDifference, MovementKind, ReconciliationStatus } from '../../db/schema.ts';
import type { GatewayMovement } from '../ports.ts';

/** A movement by a gateway's record or its settlement file. */
export interface SettledMovement extends Omit<GatewayMovement, 'feeMinor'> {
  /** Null: not given. */
  readonly feeMinor: number | null;
}

/** A charge, refund or payout in our books; amounts in minor units. */
export interface BookedItem {
  readonly kind: MovementKind;
  readonly reference: string | null;
  readonly providerId: string | null;
  readonly amountMinor: number;
  readonly feeMinor: number;
  readonly currency: string;
  /** `TAKEN_BACK`: a charge that came to nothing; the gateway may show it and its return. */
  readonly state: 'BOOKED' | 'OPEN' | 'TAKEN_BACK';
  /** Of our row. */
  readonly status: string;
  /** When it was booked, or begun. */
  readonly at: Date;
  /** Booked within the time that is compared, so that the gateway must know it. */
  readonly expected: boolean;
  readonly transactionId: string | null;
  readonly reservationId: string | null;
  readonly paymentId: string | null;
}

export interface MatchedLine {
  readonly kind: MovementKind;
  readonly reference: string;
  /** The movement that it is about, the same in every comparison: `ours:<id>` or `theirs:<provider id>`. */
  readonly subject: string;
  readonly currency: string;
  readonly ledgerCurrency: string | null;
  readonly ledgerMinor: number | null;
  readonly gatewayMinor: number | null;
  readonly ledgerFeeMinor: number | null;
  readonly gatewayFeeMinor: number | null;
  readonly status: ReconciliationStatus;
  /** The fields in which the two sides differ; empty when they agree. The two values of each are never the same. */
  readonly differs: readonly FieldDifference[];
  readonly movement: SettledMovement | null;
  readonly item: BookedItem | null;
}

/**
 * Compares a gateway's movements with our books, one by one; a pure function. A movement finds its row by the provider's id, then
 * by its reference; each row is found once, so that a second charge of one reference is a line of its own. A movement that failed
 * at the gateway is a line only if we have booked it.
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
    // By its reference alone, one that failed might take the row of the one that was made after it.
    if (movement.failed) continue;
    // A row that has another provider's id belongs to another movement.
    const candidates = byReference.get(`${movement.kind} ${movement.reference}`);
    take(
      movement,
      candidates?.filter(({ providerId }) => providerId === null),
    );
    take(movement, movement.kind === 'CHARGE' ? candidates : undefined);
  }
  const returned = takenBack(movements, found, byReference);
  const lines = movements.filter(within).flatMap((movement): MatchedLine[] => {
    const item = found.get(movement);
    if (item) return [lineOf(movement, item, differencesOf(movement, item))];
    if (movement.failed) return [];
    const pair = returned.get(movement);
    if (pair) return [takenBackLine(movement, pair)];
    // Not booked, but perhaps on its way: the line names the row that it will be.
    const open = byReference.get(`${movement.kind} ${movement.reference}`)?.find((one) => one.state !== 'BOOKED');
    if (!open) return [lineOf(movement, null, [amountDifference(null, movement.amountMinor)])];
    const status = { what: 'STATUS', ledger: open.status, gateway: DONE } as const;
    return [lineOf(movement, open, [status, ...moneyDifferences(movement, open)])];
  });
  const missing = booked
    .filter((item) => item.state === 'BOOKED' && item.expected && !used.has(item))
    .map((item) => lineOf(null, item, [amountDifference(item.amountMinor, null)]));
  return [...lines, ...missing];
}

/** The status of a movement that a gateway has carried out, and of one that it has not. */
const DONE = 'COMPLETED';
const FAILED = 'FAILED';

/**
 * By how much the two dates of one movement may differ. Stripe sends an event for three days, so a row that was booked from a late
 * event is no further off; a bare date in a file is the start of its day.
 */
const DATES_APART_MS = 3 * 24 * 60 * 60 * 1000;

const amountDifference = (ledger: number | null, gateway: number | null): FieldDifference => ({
  what: 'AMOUNT',
  ledger,
  gateway,
});

/** The same money in the same currency: other amounts are not compared. */
function moneyDifferences(movement: SettledMovement, item: BookedItem): readonly FieldDifference[] {
  if (movement.currency !== item.currency)
    return [{ what: 'CURRENCY', ledger: item.currency, gateway: movement.currency }];
  return movement.amountMinor === item.amountMinor ? [] : [amountDifference(item.amountMinor, movement.amountMinor)];
}

function differencesOf(movement: SettledMovement, item: BookedItem): readonly FieldDifference[] {
  const differs: FieldDifference[] = [...moneyDifferences(movement, item)];
  if (movement.failed) differs.push({ what: 'STATUS', ledger: item.status, gateway: FAILED });
  // The gateway does not hand over its fee; where it gives none, the booked fee is taken as right.
  if (movement.currency === item.currency && (movement.feeMinor ?? item.feeMinor) !== item.feeMinor) {
    differs.push({ what: 'FEE', ledger: item.feeMinor, gateway: movement.feeMinor });
  }
  if (Math.abs(movement.at.getTime() - item.at.getTime()) > DATES_APART_MS) {
    differs.push({ what: 'DATE', ledger: item.at.toISOString(), gateway: movement.at.toISOString() });
  }
  return differs;
}

/** The gravest first. */
const STATUSES = [
  ['CURRENCY', 'CURRENCY_MISMATCH'],
  ['STATUS', 'STATUS_MISMATCH'],
  ['AMOUNT', 'AMOUNT_MISMATCH'],
  ['FEE', 'FEE_MISMATCH'],
  ['DATE', 'DATE_MISMATCH'],
] as const;

function statusOf(movement: SettledMovement | null, item: BookedItem | null, differs: readonly FieldDifference[]) {
  if (item === null) return 'MISSING_IN_LEDGER';
  if (movement === null) return 'MISSING_AT_GATEWAY';
  return STATUSES.find(([what]) => differs.some((one) => one.what === what))?.[1] ?? 'MATCHED';
}

function lineOf(
  movement: SettledMovement | null,
  item: BookedItem | null,
  differs: readonly FieldDifference[],
): MatchedLine {
  return {
    kind: movement?.kind ?? item?.kind ?? 'CHARGE',
    reference: referenceOf(movement, item),
    subject: subjectOf(movement, item),
    currency: movement?.currency ?? item?.currency ?? '',
    ledgerCurrency: item?.currency ?? null,
    ledgerMinor: item?.amountMinor ?? null,
    gatewayMinor: movement?.amountMinor ?? null,
    ledgerFeeMinor: item?.feeMinor ?? null,
    gatewayFeeMinor: movement?.feeMinor ?? null,
    status: statusOf(movement, item, differs),
    differs,
    movement,
    item,
  };
}

/** One movement may be our row; several may seem to be one that is not booked yet, and each stands for itself. */
function subjectOf(movement: SettledMovement | null, item: BookedItem | null): string {
  if (movement !== null && item?.state !== 'BOOKED') return theirs(movement.providerId);
  const id = { CHARGE: item?.paymentId, REFUND: item?.transactionId, PAYOUT: item?.providerId }[item?.kind ?? 'CHARGE'];
  return `ours:${id ?? ''}`;
}
/** The subject of a movement that no booked row of ours is. */
export const theirs = (providerId: string): string => `theirs:${providerId}`;

/** A payout is shown by its id: its reference may be the owner's account, which a report need not show. */
function referenceOf(movement: SettledMovement | null, item: BookedItem | null): string {
  if (movement) return movement.kind === 'PAYOUT' ? movement.providerId : movement.reference;
  return item?.reference ?? item?.providerId ?? item?.transactionId ?? '';
}

interface TakenBack {
  readonly attempt: BookedItem;
  readonly charge: SettledMovement;
  readonly back: SettledMovement;
}

/** Charges that we took back, with the returns that answer them: together they are nothing, as in our books. */
function takenBack(
  movements: readonly SettledMovement[],
  found: ReadonlyMap<SettledMovement, BookedItem>,
  byReference: ReadonlyMap<string, readonly BookedItem[]>,
): ReadonlyMap<SettledMovement, TakenBack> {
  const pairs = new Map<SettledMovement, TakenBack>();
  const returns = groupBy(
    movements.filter((movement) => movement.kind === 'REFUND' && !movement.failed && !found.has(movement)),
    (movement) => movement.reference,
  );
  for (const charge of movements) {
    if (charge.kind !== 'CHARGE' || found.has(charge)) continue;
    const attempt = byReference.get(`CHARGE ${charge.reference}`)?.find(({ state }) => state === 'TAKEN_BACK');
    const back = returns
      .get(charge.reference)
      ?.find((one) => !pairs.has(one) && one.amountMinor === charge.amountMinor && one.currency === charge.currency);
    if (!attempt || !back) continue;
    pairs.set(charge, { attempt, charge, back });
    pairs.set(back, { attempt, charge, back });
  }
  return pairs;
}

/** The fee that a gateway kept of a charge that it gave back is still a cost; it is on the line of the charge. */
function takenBackLine(movement: SettledMovement, { attempt, charge, back }: TakenBack): MatchedLine {
  const keptMinor = (charge.feeMinor ?? attempt.feeMinor) + (back.feeMinor ?? 0);
  const isDifferent = movement === charge && keptMinor !== attempt.feeMinor;
  const fee = { what: 'FEE', ledger: attempt.feeMinor, gateway: keptMinor } as const;
  return { ...lineOf(movement, attempt, isDifferent ? [fee] : []), ledgerMinor: movement.amountMinor };
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
