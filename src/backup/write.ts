import type { Readable, Writable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { createGzip } from 'node:zlib';
import { sql } from 'kysely';
import { to as copyTo } from 'pg-copy-streams';
import type { Tx } from '../db/client.ts';
import { migrationSums, migrationsOf } from '../db/migrate.ts';
import { required } from '../kernel/errors.ts';
import { type Copying, inOneTransaction } from './connection.ts';
import { BackupError, createTally, END_OF_ROWS, FORMAT, type Header, lineOf, MAGIC, type TableEnd } from './format.ts';
import { assertOwnSchema } from './own-schema.ts';
import { encrypted, type Lock } from './seal.ts';
import { type BackedUp, openPartitionsOf, sequencesOf, tablesOf } from './tables.ts';

export interface Written {
  readonly header: Header;
  readonly tables: readonly TableEnd[];
}

export interface BackupParts {
  readonly databaseUrl: string;
  readonly lock: Lock;
  readonly to: Writable;
  readonly signal?: AbortSignal;
}

/**
 * Writes all rows of a database as one snapshot, encrypted, to a stream, which it ends. What is kept in memory is the same for every
 * size. Nobody is kept waiting but who changes the schema. Throws `BackupError`.
 */
export async function writeBackup({ databaseUrl, lock, to, signal }: BackupParts): Promise<Written> {
  const as = { name: 'roomy-backup', readOnly: true };
  const names = await inOneTransaction(databaseUrl, as, ({ tx }) => tableNames(tx));
  return inOneTransaction(databaseUrl, as, async (copying) => {
    const tables = await lockedTables(copying.tx, names);
    const header = await headerOf(copying.tx, tables);
    if (header.migrations.length === (await migrationSums()).length) await assertOwnSchema(tables);
    const ends: TableEnd[] = [];
    await pipeline(textOf(copying, tables, header, ends), createGzip(), encrypted(lock), to, { signal });
    return { header, tables: ends };
  });
}

/**
 * A partition that is dropped meanwhile would take rows of the snapshot with it. The lock is the first statement: the snapshot is taken by
 * the first one that reads, and is of a time at which nobody changes the schema.
 */
async function lockedTables(tx: Tx, names: readonly string[]): Promise<readonly BackedUp[]> {
  if (!names.includes('kysely_migration')) throw new BackupError('The database has no schema of ours: npm run migrate');
  await sql`LOCK TABLE ${sql.join(names.map((name) => sql.table(name)))} IN ACCESS SHARE MODE`.execute(tx);
  const tables = await tablesOf(tx);
  if (tables.map(({ name }) => name).join() !== names.join())
    throw new BackupError('Tables were made or dropped while the backup began: make it again after the migration');
  return tables;
}

const tableNames = async (tx: Tx): Promise<readonly string[]> => (await tablesOf(tx)).map(({ name }) => name);

async function headerOf(tx: Tx, tables: readonly BackedUp[]): Promise<Header> {
  const { rows } = await sql<{ at: Date; version: number }>`
    SELECT now() AS at, current_setting('server_version_num')::int AS version`.execute(tx);
  const { at, version } = required(rows[0], 'the time of the server');
  return {
    format: FORMAT,
    takenAt: at.toISOString(),
    postgres: version,
    migrations: await appliedSums(tx),
    tables: await counted(tx, tables),
    sequences: await sequencesOf(tx),
    openFrom: await openPartitionsOf(tx),
  };
}

/** A restore builds the schema by the same files. */
async function appliedSums(tx: Tx): Promise<Header['migrations']> {
  const sums = new Map((await migrationSums()).map((one) => [one.name, one]));
  return (await migrationsOf(tx)).map((name) => {
    const sum = sums.get(name);
    if (sum) return sum;
    throw new BackupError(
      `The database has the migration ${name}, which this version does not: take its newer version`,
    );
  });
}

async function counted(tx: Tx, tables: readonly BackedUp[]): Promise<Header['tables']> {
  const counts: Header['tables'] = [];
  for (const { name } of tables) {
    const { rows } = await sql<{ rows: number }>`SELECT count(*) AS rows FROM ${sql.table(name)}`.execute(tx);
    counts.push({ name, rows: Number(rows[0]?.rows ?? 0) });
  }
  return counts;
}

/** Fills `ends` as it goes. */
async function* textOf(
  { client }: Copying,
  tables: readonly BackedUp[],
  header: Header,
  ends: TableEnd[],
): AsyncGenerator<Buffer, void, undefined> {
  yield lineOf(MAGIC, header);
  for (const [place, { name, columns, copyOut }] of tables.entries()) {
    yield lineOf('table ', { name, columns: [...columns] });
    const tally = createTally(name);
    for await (const piece of rowsOf(client, copyOut)) {
      tally.add(piece);
      yield piece;
    }
    const end = tally.end();
    const expected = header.tables[place]?.rows;
    if (end.rows !== expected) throw new BackupError(`${name} has ${expected} rows, and ${end.rows} were read`);
    ends.push(end);
    yield Buffer.from(END_OF_ROWS);
    yield lineOf('end ', end);
  }
  yield lineOf('complete ', { tables: ends });
}

async function* rowsOf(client: Copying['client'], copyOut: string): AsyncGenerator<Buffer, void, undefined> {
  const rows: Readable = client.query(copyTo(copyOut));
  for await (const piece of rows) yield Buffer.from(piece);
}
