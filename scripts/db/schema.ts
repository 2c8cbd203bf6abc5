import fs from 'node:fs';
import path from 'node:path';
import { Kysely, PostgresDialect } from 'kysely';
import pg from 'pg';
import { hearErrors } from '../../src/db/client.ts';
import { MIGRATIONS } from '../../src/db/migrate.ts';
import { migrationProblems, recordMigrations } from './checksums.ts';
import { schemaSql } from './schema-sql.ts';
import { withMigratedDatabase } from './server.ts';
import { tableTypes } from './table-types.ts';

/**
 * `npm run db:schema`: after a migration was written, writes what follows from all of them: the schema as one script, the
 * types of the tables, and the checksum of the new file. Migrates an empty database of its own for that.
 */

/** The generated files with their texts, of a migrated database. */
export async function generateFrom(databaseUrl: string): Promise<ReadonlyMap<string, string>> {
  const client = new pg.Client({ connectionString: databaseUrl });
  const pool = hearErrors(new pg.Pool({ connectionString: databaseUrl }));
  const db = new Kysely<unknown>({ dialect: new PostgresDialect({ pool }) });
  await client.connect();
  try {
    return new Map([
      [path.join(MIGRATIONS, 'schema.sql'), await schemaSql(client)],
      [path.join(import.meta.dirname, '../../src/db/schema.generated.ts'), await tableTypes(db)],
    ]);
  } finally {
    await client.end();
    await db.destroy();
  }
}

/** Writes the checksums of new migrations and the generated files. Throws when a migration was edited or is gone. */
export async function writeSchema(): Promise<void> {
  recordMigrations(MIGRATIONS);
  const problems = migrationProblems(MIGRATIONS);
  if (problems.length > 0) throw new Error(problems.join('\n'));
  await withMigratedDatabase(async (url) => {
    for (const [file, text] of await generateFrom(url)) fs.writeFileSync(file, text);
  });
}

if (process.argv[1] === import.meta.filename) {
  try {
    await writeSchema();
  } catch (error) {
    console.error(error instanceof Error ? error.message : error);
    process.exitCode = 1;
  }
}
