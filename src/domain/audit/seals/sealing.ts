import type { SealParts } from './compare.ts';
import { insertLine, linesAfter, MAX_ROWS, rowsBetween } from './rows.ts';
import { BEFORE_ALL, digestOfLine, follows, readSeal, type SignedSeal, sealLine } from './seal.ts';

/** Makes seals, and the copy of them. */
export interface Sealing {
  /** Takes seals into the copy that other processes have made, or that this one had not written there when it ended; for at most so long. */
  copyMissing(until: number): Promise<Copied>;
  /** Seals what was written up to the bound. False: none is due, or the database has other seals than the copy. After `copyMissing`. */
  sealNext(bound: string): Promise<boolean>;
  /** The end of the newest seal. */
  sealedUpTo(): string;
}
export interface Copied {
  /** The copy has all that the database has. */
  readonly isAll: boolean;
  /** The first seal that no key of ours has signed, or that does not follow the one before. */
  readonly forged: number | null;
}

const SEAL_EVERY_MS = 50_000;
/** An empty stretch is sealed too, so that a trail in which nothing happens can be told from one that nobody seals. */
const SEAL_NOTHING_EVERY_MS = 3_600_000;
const COPIED_AT_ONCE = 500;

/** For one process and its copy. */
export function createSealing({ db, keys, copy }: SealParts): Sealing {
  let newest: SignedSeal | null = null;

  /** The next seals; the number of the first that is not right, null where there is none, and whether there are more. */
  async function copyNext(): Promise<Copied> {
    const no: number = newest?.seal.no ?? 0;
    const rows = await linesAfter(db, no, COPIED_AT_ONCE);
    const taken: string[] = [];
    for (const { line } of rows) {
      const next = readSeal(line, keys);
      if (next === null || !follows(next.seal, newest)) break;
      newest = next;
      taken.push(line);
    }
    if (taken.length > 0) await copy.append(no + 1, taken);
    const forged = taken.length < rows.length ? no + taken.length + 1 : null;
    return { isAll: forged === null && rows.length < COPIED_AT_ONCE, forged };
  }

  const sealedUpTo = (): string => newest?.seal.to ?? BEFORE_ALL;
  return {
    copyMissing: async (until) => {
      const last = await copy.last();
      newest = last === 0 ? null : readSeal((await copy.read(last, 1)).get(last), keys);
      if (last > 0 && newest === null) return { isAll: false, forged: last };
      let copied = await copyNext();
      while (!copied.isAll && copied.forged === null && performance.now() < until) copied = await copyNext();
      return copied;
    },
    sealNext: async (bound) => {
      const from = sealedUpTo();
      const sinceMs = newest === null ? Number.POSITIVE_INFINITY : Date.parse(bound) - Date.parse(from);
      if (sinceMs <= 0) return false;
      const part = await rowsBetween(db, from, bound);
      if (part.rows < MAX_ROWS && sinceMs < (part.rows > 0 ? SEAL_EVERY_MS : SEAL_NOTHING_EVERY_MS)) return false;
      const no = (newest?.seal.no ?? 0) + 1;
      const seal = { no, from, ...part, previous: newest && digestOfLine(newest.line) };
      const line = sealLine(seal, keys[0]);
      if (!(await insertLine(db, no, line, newest?.line ?? null))) return false;
      await copy.append(no, [line]);
      newest = { line, seal };
      return true;
    },
    sealedUpTo,
  };
}
