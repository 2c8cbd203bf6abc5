import { mkdirSync } from 'node:fs';
import path from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import type { Clock } from '../../kernel/clock.ts';
import { RoomyError } from '../../kernel/errors.ts';
import { createRecord, type Query, type SandboxRecord, SCHEMA, SCHEMA_VERSION } from './record.ts';

/**
 * Where the sandbox provider keeps its record: a file of its own, shared by all processes and kept over restarts,
 * because a provider's record does not depend on ours.
 */
export interface SandboxStore {
  /** Runs alone, in one commit: other processes wait. What fell due meanwhile has taken effect before. */
  alone<T>(work: (record: SandboxRecord) => T): T;
  close(): void;
}

/** This blocks the process, so it is short; a file that is held for longer is an outage like any other. */
const LOCK_WAIT_MS = 500;
const SQLITE_BUSY = 5;

export function openSandboxStore(dir: string, clock: Clock): SandboxStore {
  mkdirSync(dir, { recursive: true, mode: 0o700 });
  const db = new DatabaseSync(path.join(dir, 'sandbox-gateway.db'), { timeout: LOCK_WAIT_MS });
  const transaction = <T>(work: () => T): T => {
    begin(db);
    try {
      const result = work();
      db.exec('COMMIT');
      return result;
    } catch (error) {
      if (db.isTransaction) db.exec('ROLLBACK');
      throw error;
    }
  };
  prepareFile(db, transaction);
  const query = (text: string): Query => {
    const statement = db.prepare(text);
    return (...values) => statement.all(...values);
  };
  const record = createRecord(query, clock);
  return {
    alone: (work) =>
      transaction(() => {
        record.actOnDue();
        return work(record);
      }),
    close: () => db.close(),
  };
}

/** Several programs may start on a new file at once. */
function prepareFile(db: DatabaseSync, transaction: (work: () => void) => void): void {
  db.exec('PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL;');
  transaction(() => {
    const version = Number(db.prepare('PRAGMA user_version').get()?.['user_version']);
    if (version === SCHEMA_VERSION) return;
    if (version !== 0) throw new Error(`sandbox-gateway.db has version ${version}, not ${SCHEMA_VERSION}`);
    db.exec(SCHEMA);
    db.exec(`PRAGMA user_version = ${SCHEMA_VERSION}`);
  });
}

function begin(db: DatabaseSync): void {
  try {
    db.exec('BEGIN IMMEDIATE');
  } catch (error) {
    if (!(error instanceof Error && 'errcode' in error && error.errcode === SQLITE_BUSY)) throw error;
    throw new RoomyError('GATEWAY_UNAVAILABLE', {
      details: { gatewayError: 'GATEWAY_BUSY' },
      cause: error,
      unsent: true,
    });
  }
}
