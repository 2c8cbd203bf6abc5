import fs from 'node:fs/promises';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import { Kysely, PostgresDialect, sql } from 'kysely';
import { FileMigrationProvider, Migrator, NO_MIGRATIONS } from 'kysely/migration';
import pg from 'pg';
import type { Database } from './schema.ts';

const FOLDER = path.join(import.meta.dirname, '../../migrations');

/**
 * Brings a database to the newest schema. Kysely's migrator holds an advisory lock, so programs that start together
 * migrate once. `down` undoes everything and is refused as soon as a saga exists: for trying things out only.
 */
export async function migrate(databaseUrl: string, direction: 'up' | 'down' = 'up'): Promise<readonly string[]> {
  const pool = new pg.Pool({ connectionString: databaseUrl, max: 2 });
  const db = new Kysely<unknown>({ dialect: new PostgresDialect({ pool }) });
  try {
    const migrator = createMigrator(db);
    if (direction === 'down') await refuseUnlessEmpty(db);
    const { error, results } =
      direction === 'up' ? await migrator.migrateToLatest() : await migrator.migrateTo(NO_MIGRATIONS);
    if (error) throw error;
    return (results ?? []).filter((result) => result.status === 'Success').map((result) => result.migrationName);
  } finally {
    await db.destroy();
  }
}

/** True when a migration of this build has not been applied to the database. */
export async function migrationsPending(db: Kysely<Database>): Promise<boolean> {
  const migrations = await createMigrator(db).getMigrations();
  return migrations.some((migration) => migration.executedAt === undefined);
}

function createMigrator(db: Kysely<unknown> | Kysely<Database>): Migrator {
  // A path with # or % in it is not an address as it is.
  const load = (file: string): Promise<unknown> => import(pathToFileURL(file).href);
  const provider = new FileMigrationProvider({ fs, path, migrationFolder: FOLDER, import: load });
  return new Migrator({ db, provider });
}

async function refuseUnlessEmpty(db: Kysely<unknown>): Promise<void> {
  const { rows } = await sql<{ present: boolean }>`SELECT to_regclass('saga') IS NOT NULL AS present`.execute(db);
  if (!rows[0]?.present) return;
  const { rows: sagas } = await sql`SELECT 1 FROM saga LIMIT 1`.execute(db);
  if (sagas.length > 0) throw new Error('refused: this database holds sagas, so its schema cannot be taken down');
}
