import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { sql } from 'kysely';
import { from as copyFrom } from 'pg-copy-streams';
import type { Tx } from '../db/client.ts';
import { migrateTo, migrationSums } from '../db/migrate.ts';
import { makeUntil, PARTITIONED } from '../db/partitions.ts';
import { InvariantError } from '../kernel/errors.ts';
import { type Copying, inOneTransaction, relationsOf } from './connection.ts';
import { BackupError, type Header, type TableEnd } from './format.ts';
import { type Loosened, loosen } from './loosened.ts';
import { type BackupSource, readBackup } from './read.ts';
import { copyInto, sequencesOf, tablesOf } from './tables.ts';

export interface Restored {
  readonly header: Header;
  readonly tables: readonly TableEnd[];
}

export interface RestoreParts extends BackupSource {
  readonly databaseUrl: string;
  /** Called in the transaction that has laid the rows in, before it commits. */
  readonly before?: (tx: Tx, header: Header) => Promise<void>;
}

/**
 * Makes the database of a backup in an empty one: the schema by our own migrations, up to that of the backup, then the rows, then
 * references and triggers as they were. One transaction: what is refused, broken or interrupted leaves the database as empty as it
 * was. Throws `BackupError`.
 */
export async function restoreBackup({ databaseUrl, before, ...source }: RestoreParts): Promise<Restored> {
  return inOneTransaction(databaseUrl, { name: 'roomy-restore', readOnly: false }, async (copying) => {
    const { tx } = copying;
    const there = await relationsOf(tx);
    if (there.length > 0)
      throw new BackupError(
        `A backup is restored into an empty database, and this one has ${there.join(', ')} and more`,
      );
    let loading: Loading | null = null;
    const begun = (): Loading => {
      if (loading === null) throw new InvariantError('rows before a header');
      return loading;
    };
    await readBackup(source, {
      begin: async (header) => {
        loading = await beginLoading(copying, header);
      },
      table: (name, columns, rows) => begun().table(name, columns, rows),
      complete: (ends) => begun().complete(ends),
    });
    const { restored } = begun();
    await before?.(tx, restored().header);
    return restored();
  });
}

interface Loading {
  table(name: string, columns: readonly string[], rows: AsyncIterable<Buffer>): Promise<void>;
  complete(ends: readonly TableEnd[]): Promise<void>;
  restored(): Restored;
}

async function beginLoading({ tx, client }: Copying, header: Header): Promise<Loading> {
  await makeSchema(tx, header);
  const tables = new Map((await tablesOf(tx)).map((table) => [table.name, new Set(table.columns)]));
  assertSame(
    'tables',
    header.tables.map(({ name }) => name),
    [...tables.keys()],
  );
  const loosened: Loosened = await loosen(tx);
  let ends: readonly TableEnd[] = [];
  return {
    async table(name, columns, rows) {
      assertSame(`columns of ${name}`, columns, [...(tables.get(name) ?? [])]);
      const into = client.query(copyFrom(await copyInto(tx, name, columns)));
      await pipeline(Readable.from(rows, { objectMode: false }), into);
    },
    async complete(all) {
      ends = all;
      await setSequences(tx, header);
      await loosened.tighten();
    },
    restored: () => ({ header, tables: ends }),
  };
}

/** Throws `BackupError` for a schema that this version's migrations do not make. Answers the last of its migrations. */
export async function assertOwnMigrations(header: Header): Promise<string> {
  const last = header.migrations.at(-1)?.name ?? '';
  const own = await migrationSums();
  const upTo = own.slice(0, own.findIndex(({ name }) => name === last) + 1);
  if (upTo.length === 0)
    throw new BackupError(
      `The backup has the migration ${last}, which this version does not: restore it with a newer version`,
    );
  const written = ({ name, sha256 }: { readonly name: string; readonly sha256: string }): string => `${name} ${sha256}`;
  assertSame('migrations', header.migrations.map(written), upTo.map(written));
  return last;
}

async function makeSchema(tx: Tx, header: Header): Promise<void> {
  await migrateTo(tx, await assertOwnMigrations(header));
  for (const spec of PARTITIONED) {
    const until = header.openFrom[spec.table];
    if (until !== undefined) await makeUntil(tx, spec, until);
  }
}

/** Names that a backup has, and those that are there: in any order. */
function assertSame(what: string, written: readonly string[], there: readonly string[]): void {
  const missing = there.filter((name) => !written.includes(name));
  const unknown = written.filter((name) => !there.includes(name));
  if (missing.length === 0 && unknown.length === 0 && new Set(written).size === written.length) return;
  const said = [
    ...(unknown.length > 0 ? [`this version does not have ${unknown.join(', ')}`] : []),
    ...(missing.length > 0 ? [`the backup does not have ${missing.join(', ')}`] : []),
  ];
  throw new BackupError(
    `The ${what} of the backup are not those of this version: ${said.join('; ') || 'some are there twice'}`,
  );
}

async function setSequences(tx: Tx, { sequences }: Header): Promise<void> {
  const there = await sequencesOf(tx);
  assertSame(
    'sequences',
    sequences.map(({ name }) => name),
    there.map(({ name }) => name),
  );
  for (const { name, last } of sequences)
    if (last !== null) await sql`SELECT setval(${name}::text::regclass, ${last}::bigint)`.execute(tx);
    else await sql`SELECT setval(${name}::text::regclass, 1, false)`.execute(tx);
}
