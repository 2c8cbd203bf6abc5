import { type BrokenSeal, compareSeals, type SealParts } from './compare.ts';
import { lastNo } from './rows.ts';

export interface SealReport {
  /** The number of the newest seal; 0: there is none yet. */
  readonly last: number;
  readonly broken: readonly BrokenSeal[];
  /** Go on after this seal; null: all have been compared. */
  readonly nextSeal: number | null;
}

const MAX_BROKEN = 100;

/** Compares the trail with the seals after one, as many as there is time for. */
export async function verifySeals(parts: SealParts, afterSeal: number, maxMs: number): Promise<SealReport> {
  const startedMs = performance.now();
  const copied = await parts.copy.last();
  const last = Math.max(copied, await lastNo(parts.db));
  const broken: BrokenSeal[] = [];
  let next = afterSeal + 1;
  while (next <= last) {
    const compared = await compareSeals(parts, next, last, copied);
    const found = compared.broken.toSorted((a, b) => a.no - b.no);
    broken.push(...found.slice(0, MAX_BROKEN - broken.length));
    next = found.length > 0 && broken.length === MAX_BROKEN ? (broken.at(-1)?.no ?? 0) + 1 : compared.next;
    if (broken.length === MAX_BROKEN || performance.now() - startedMs > maxMs) break;
  }
  return { last, broken, nextSeal: next <= last ? next - 1 : null };
}
