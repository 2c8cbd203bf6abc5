import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { MIGRATIONS } from '../db/migrate.ts';
import { BackupError } from './format.ts';
import type { BackedUp } from './tables.ts';

/** The migrator makes them. */
const OF_MIGRATOR = /^kysely_migration(_lock)?$/;

/**
 * Throws `BackupError` for tables and columns that somebody else has made in a database that all migrations were applied to: a restore,
 * which makes the schema by the migrations, would refuse the file.
 */
export async function assertOwnSchema(tables: readonly BackedUp[]): Promise<void> {
  const own = columnsOf(await readFile(path.join(MIGRATIONS, 'schema.sql'), 'utf8'));
  const unknown = tables
    .filter(({ name }) => !OF_MIGRATOR.test(name))
    .flatMap(({ name, columns }) => {
      const known = own.get(name);
      if (known === undefined) return [name];
      return columns.filter((column) => !known.has(column)).map((column) => `${name}.${column}`);
    });
  if (unknown.length > 0)
    throw new BackupError(
      `The database has ${unknown.join(', ')}, which no migration makes and no restore would take: move it to another schema`,
    );
}

/** By table, of the script that `npm run db:schema` writes: a column stands in a line of its own. */
function columnsOf(script: string): ReadonlyMap<string, ReadonlySet<string>> {
  const tables = script.matchAll(/^CREATE (?:UNLOGGED )?TABLE (\w+) \(\n([\s\S]*?)^\)/gm);
  return new Map(
    [...tables].map(([, name = '', body = '']) => [
      name,
      new Set([...body.matchAll(/^ {2}"?(\w+)"? /gm)].map(([, column = '']) => column)),
    ]),
  );
}
