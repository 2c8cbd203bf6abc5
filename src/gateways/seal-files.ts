import { mkdir, open, readdir, readFile } from 'node:fs/promises';
import path from 'node:path';
import type { SealCopy } from '../domain/ports-audit.ts';

/**
 * Seals in files of one directory, one line each, which are only added to: the file system may forbid anything else
 * (`chattr +a`, a volume that is written once). The directory is best on another machine than Postgres.
 */
export function createSealFiles(directory: string): SealCopy {
  const pathOf = (file: number): string => path.join(directory, `seals-${String(file).padStart(6, '0')}.jsonl`);

  async function linesOf(file: number): Promise<ReadonlyMap<number, string>> {
    const text = await readFile(pathOf(file), 'utf8').catch((error: unknown) => {
      if (isAbsent(error)) return '';
      throw error;
    });
    const lines = new Map<number, string>();
    for (const line of text.split('\n')) {
      const no = numberOf(line);
      if (no !== null && !lines.has(no)) lines.set(no, line);
    }
    return lines;
  }

  /** Newest first. */
  async function files(): Promise<readonly number[]> {
    const names = await readdir(directory).catch((error: unknown) => {
      if (isAbsent(error)) return [];
      throw error;
    });
    return names.flatMap((name) => FILE_NAME.exec(name)?.slice(1, 2).map(Number) ?? []).toSorted((a, b) => b - a);
  }

  /** One that has just been begun may have no whole line yet. */
  async function last(): Promise<number> {
    for (const file of await files()) {
      const lines = await linesOf(file);
      if (lines.size > 0) return Math.max(...lines.keys());
    }
    return 0;
  }

  return {
    last,
    read: async (no, most) => {
      const found = new Map<number, string>();
      for (let file = fileOf(no); file <= fileOf(no + most - 1); file += 1)
        for (const [at, line] of await linesOf(file)) if (at >= no && at < no + most) found.set(at, line);
      return found;
    },
    append: async (no, lines) => {
      await mkdir(directory, { recursive: true, mode: 0o700 });
      for (let file = fileOf(no); file <= fileOf(no + lines.length - 1); file += 1) {
        const here = lines.filter((_line, n) => fileOf(no + n) === file);
        await add(pathOf(file), here);
      }
    },
  };
}

const SEALS_A_FILE = 1_000;
const FILE_NAME = /^seals-(\d{6,})\.jsonl$/;
/** Files are counted from 1. */
const fileOf = (no: number): number => Math.max(1, Math.ceil(no / SEALS_A_FILE));

/** Where a line was cut off by a crash, the next one begins anew; the cut one counts for nothing. */
async function add(file: string, lines: readonly string[]): Promise<void> {
  const handle = await open(file, 'a+', 0o600);
  try {
    const { size } = await handle.stat();
    const last = Buffer.alloc(1);
    if (size > 0) await handle.read(last, 0, 1, size - 1);
    const isCut = size > 0 && last.toString() !== '\n';
    await handle.appendFile(`${isCut ? '\n' : ''}${lines.join('\n')}\n`);
    await handle.datasync();
  } finally {
    await handle.close();
  }
}

/** Null for what is no line of a seal. Whether it is signed is not asked here. */
function numberOf(line: string): number | null {
  try {
    const { seal } = JSON.parse(line) as { readonly seal?: { readonly no?: unknown } };
    return typeof seal?.no === 'number' && Number.isSafeInteger(seal.no) ? seal.no : null;
  } catch {
    return null;
  }
}

const isAbsent = (error: unknown): boolean => error instanceof Error && 'code' in error && error.code === 'ENOENT';
