import { mkdirSync } from 'node:fs';
import path from 'node:path';
import { DatabaseSync, type SQLInputValue } from 'node:sqlite';

/**
 * Where a sandbox provider keeps its record: a file of its own, shared by all processes and kept over restarts, because
 * a provider's record does not depend on ours.
 */
export interface SandboxFile {
  query(text: string): Query;
  /** Runs alone, in one commit: other processes wait. */
  transaction<T>(work: () => T): T;
  close(): void;
}
export type Row = Readonly<Record<string, unknown>>;
/** A prepared statement. */
export type Query = (...values: SQLInputValue[]) => readonly Row[];

interface FileOptions {
  readonly name: string;
  readonly version: number;
  readonly schema: string;
  /** Run at every opening: what a file of an earlier version may lack. */
  readonly added?: string;
  /** The error when the file is held for too long: an outage like any other. */
  busy(cause: unknown): Error;
}

/** This blocks the process, so it is short. */
const LOCK_WAIT_MS = 500;
const OPEN_WAIT_MS = 5_000;
const OPEN_AGAIN_MS = 5;
const SQLITE_BUSY = 5;

const isBusy = (error: unknown): boolean =>
  error instanceof Error && 'errcode' in error && error.errcode === SQLITE_BUSY;

/** Programs that turn one new file to WAL at once refuse each other, and SQLite does not wait there: this does. */
function useWriteAheadLog(db: DatabaseSync): void {
  const pause = new Int32Array(new SharedArrayBuffer(4));
  const until = performance.now() + OPEN_WAIT_MS;
  for (;;) {
    try {
      db.exec('PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL;');
      return;
    } catch (error) {
      if (!isBusy(error) || performance.now() > until) throw error;
      Atomics.wait(pause, 0, 0, OPEN_AGAIN_MS);
    }
  }
}

export function openSandboxFile(dir: string, { name, version, schema, added = '', busy }: FileOptions): SandboxFile {
  mkdirSync(dir, { recursive: true, mode: 0o700 });
  const db = new DatabaseSync(path.join(dir, name), { timeout: LOCK_WAIT_MS });
  const begin = (): void => {
    try {
      db.exec('BEGIN IMMEDIATE');
    } catch (error) {
      throw isBusy(error) ? busy(error) : error;
    }
  };
  const transaction = <T>(work: () => T): T => {
    begin();
    try {
      const result = work();
      db.exec('COMMIT');
      return result;
    } catch (error) {
      if (db.isTransaction) db.exec('ROLLBACK');
      throw error;
    }
  };
  // Several programs may start on a new file at once.
  useWriteAheadLog(db);
  transaction(() => {
    const found = Number(db.prepare('PRAGMA user_version').get()?.['user_version']);
    if (found !== version && found !== 0) throw new Error(`${name} has version ${found}, not ${version}`);
    if (found === 0) db.exec(`${schema} PRAGMA user_version = ${version};`);
    db.exec(added);
  });
  return {
    query: (text) => {
      const statement = db.prepare(text);
      return (...values) => statement.all(...values);
    },
    transaction,
    close: () => db.close(),
  };
}
