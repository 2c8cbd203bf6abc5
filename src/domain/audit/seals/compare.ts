import type { Db } from '../../../db/client.ts';
import type { SealCopy } from '../../ports-audit.ts';
import { foundOf, linesAfter } from './rows.ts';
import { follows, readSeal, type Seal, type SealKey, type SignedSeal } from './seal.ts';

/** A seal, or what it says, that is not as it was. */
export interface BrokenSeal {
  readonly no: number;
  /**
   * `ROWS_DIFFER`: the trail is not what the seal says. `FORGED`: no key of ours has signed it, it does not follow from the one
   * before, or the database has another one. `MISSING`: the copy or the database does not have it.
   */
  readonly reason: 'ROWS_DIFFER' | 'FORGED' | 'MISSING';
  readonly from?: string;
  readonly to?: string;
  readonly sealedRows?: number;
  readonly foundRows?: number;
}
export interface SealParts {
  readonly db: Db;
  /** The first signs, each verifies. */
  readonly keys: readonly [SealKey, ...SealKey[]];
  readonly copy: SealCopy;
}
export interface Compared {
  readonly broken: readonly BrokenSeal[];
  /** The first seal that was not compared. */
  readonly next: number;
}

/** Of one stretch, and the whole of its last seal: each costs some 50 ms at the most. */
const ROWS_A_STRETCH = 10_000;
const SEALS_A_STRETCH = 500;

/**
 * Compares the trail, and the seals in the database, with the seals from the `first` on, up to the `last` at the most. Those that
 * the copy does not have yet are taken from the database.
 */
export async function compareSeals(
  { db, keys, copy }: SealParts,
  first: number,
  last: number,
  copiedUpTo: number,
): Promise<Compared> {
  const end = Math.min(last, first + SEALS_A_STRETCH - 1);
  const copied = await copy.read(first - 1, end - first + 2);
  const stored = new Map((await linesAfter(db, first - 2, end - first + 2)).map(({ no, line }) => [no, line]));
  const lineOf = (no: number): string | undefined => (no <= copiedUpTo ? copied : stored).get(no);
  const broken: BrokenSeal[] = [];
  const taken: Seal[] = [];
  let rows = 0;
  let no = first;
  let before = readSeal(lineOf(first - 1), keys);
  for (; no <= end && rows < ROWS_A_STRETCH; no += 1) {
    const line = lineOf(no);
    const one = readSeal(line, keys);
    if (line === undefined || !stored.has(no)) broken.push({ no, reason: 'MISSING' });
    else if (line !== stored.get(no) || !isInPlace(one, no, before)) broken.push({ no, reason: 'FORGED' });
    if (one) taken.push(one.seal);
    rows += one?.seal.rows ?? 0;
    before = one;
  }
  return { broken: [...broken, ...(await differing(db, taken))], next: no };
}

/** One before it that cannot be read is told by itself. */
const isInPlace = (one: SignedSeal | null, no: number, before: SignedSeal | null): boolean =>
  one?.seal.no === no && ((before === null && no > 1) || follows(one.seal, before));

async function differing(db: Db, seals: readonly Seal[]): Promise<BrokenSeal[]> {
  const there = await foundOf(db, seals);
  return seals.flatMap(({ no, from, to, rows }) => {
    const { isSame = false, rows: foundRows = 0 } = there.get(no) ?? {};
    return isSame ? [] : [{ no, reason: 'ROWS_DIFFER', from, to, sealedRows: rows, foundRows } as const];
  });
}
