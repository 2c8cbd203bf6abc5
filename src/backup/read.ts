import type { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { createGunzip } from 'node:zlib';
import { required } from '../kernel/errors.ts';
import { BackupError, createTally, type Header, MAGIC, readLineOf, type TableEnd } from './format.ts';
import { decrypted, type Key } from './seal.ts';
import { createBackupText } from './text.ts';

export interface BackupSource {
  readonly from: Readable;
  readonly key: Key;
  readonly signal?: AbortSignal;
}

/** Receives a backup as it is read: its header, then table by table. */
export interface Reading {
  begin(header: Header): Promise<void>;
  /** Takes all rows of a table, or throws. */
  table(name: string, columns: readonly string[], rows: AsyncIterable<Buffer>): Promise<void>;
  /** The whole file was read, and is what its writer wrote. */
  complete(tables: readonly TableEnd[]): Promise<void>;
}

/**
 * Reads a backup from its beginning to its end, and compares each table with its digest. Throws `BackupError` where it is cut off or
 * not what it says: what was read up to there must not count.
 */
export async function readBackup({ from, key, signal }: BackupSource, reading: Reading): Promise<void> {
  const place = { at: 'its beginning' };
  try {
    await pipeline(from, decrypted(key), createGunzip(), (source) => readText(source, reading, place), { signal });
  } catch (error) {
    throw asBackupError(error, place.at);
  }
}

/** Reads all of it, and does nothing with it. Throws as `readBackup`. */
export async function lookThrough(
  source: BackupSource,
): Promise<{ readonly header: Header; readonly tables: readonly TableEnd[] }> {
  const read: { header?: Header; tables: readonly TableEnd[] } = { tables: [] };
  await readBackup(source, {
    begin: async (header) => {
      read.header = header;
    },
    table: async (_name, _columns, rows) => {
      for await (const _piece of rows);
    },
    complete: async (tables) => {
      read.tables = tables;
    },
  });
  return { header: required(read.header, 'the header of a backup that was read'), tables: read.tables };
}

/** What the pieces that it is read by say of a file that is broken. */
function asBackupError(error: unknown, at: string): unknown {
  if (error instanceof BackupError) return new BackupError(`${error.message} (at ${at})`, { cause: error.cause });
  const code = error instanceof Error ? (error as { readonly code?: unknown }).code : undefined;
  const isCompression = typeof code === 'string' && /^Z_[A-Z]+_ERROR$/.test(code);
  return isCompression ? new BackupError(`The file is no backup of ours (at ${at})`, { cause: error }) : error;
}

async function readText(source: AsyncIterable<Buffer>, reading: Reading, place: { at: string }): Promise<void> {
  const text = createBackupText(source);
  const header = readHeader(await text.line());
  await reading.begin(header);
  const ends: TableEnd[] = [];
  for (const { name, rows } of header.tables) {
    place.at = `table ${name}, before its first row of ${rows}`;
    const table = readLineOf('table ', (await text.line()) ?? '');
    if (table?.name !== name) throw new BackupError(`The table ${name} is missing`);
    const tally = createTally(name);
    await reading.table(
      name,
      table.columns,
      tallied(text.rows(), tally, () => {
        place.at = `table ${name}, after row ${tally.rows()} of ${rows}`;
      }),
    );
    const found = tally.end();
    const end = readLineOf('end ', (await text.line()) ?? '');
    if (end?.name !== name || end.rows !== rows || end.rows !== found.rows || end.sha256 !== found.sha256)
      throw new BackupError(`The table ${name} is not what was written: ${found.rows} of ${rows} rows`);
    ends.push(found);
  }
  place.at = 'its end';
  const complete = readLineOf('complete ', (await text.line()) ?? '');
  if (JSON.stringify(complete?.tables) !== JSON.stringify(ends)) throw new BackupError('The file has no end');
  if ((await text.line()) !== null) throw new BackupError('The file has more than a backup');
  await reading.complete(ends);
}

function readHeader(line: string | null): Header {
  const header = readLineOf(MAGIC, line ?? '');
  if (header) return header;
  const known = line?.startsWith(MAGIC) === true;
  throw new BackupError(
    known
      ? 'The backup was made by another version of this program, which is needed to read it'
      : 'The file is no backup of ours',
  );
}

async function* tallied(
  rows: AsyncIterable<Buffer>,
  tally: ReturnType<typeof createTally>,
  passed: () => void,
): AsyncGenerator<Buffer, void, undefined> {
  for await (const piece of rows) {
    tally.add(piece);
    passed();
    yield piece;
  }
}
