import { createHash } from 'node:crypto';
import fs from 'node:fs/promises';
import path from 'node:path';
import { CompiledQuery, Kysely, PostgresDialect, sql, type Transaction } from 'kysely';
import { type Migration, type MigrationProvider, Migrator } from 'kysely/migration';
import pg from 'pg';
import { hearErrors } from './client.ts';
import type { Database } from './schema.ts';

export const MIGRATIONS = path.join(import.meta.dirname, '../../migrations');
/** The other files of the folder are generated (`npm run db:schema`). */
export const MIGRATION_FILE = /^(\d{4}_[\w-]+)\.sql$/;

/**
 * Brings a database to the newest schema and answers the names of the migrations that it applied. All of them run in one
 * transaction. Kysely's migrator holds an advisory lock, so programs that start together migrate once. A database with
 * a migration that this build does not have is refused.
 */
export async function migrate(databaseUrl: string): Promise<readonly string[]> {
  const pool = hearErrors(new pg.Pool({ connectionString: databaseUrl, max: 2 }));
  const db = new Kysely<unknown>({ dialect: new PostgresDialect({ pool }) });
  try {
    const { error, results } = await createMigrator(db).migrateToLatest();
    if (error) throw error;
    return (results ?? []).filter((result) => result.status === 'Success').map((result) => result.migrationName);
  } finally {
    await db.destroy();
  }
}

/** Brings an empty database to the schema of one migration, as a part of a transaction. Throws when this build does not have it. */
export async function migrateTo(tx: Transaction<Database>, name: string): Promise<void> {
  const { error } = await createMigrator(tx).migrateTo(name);
  if (error) throw error;
}

export interface MigrationSum {
  readonly name: string;
  /** SHA-256 of the file, in hex, as `migrations/checksums.txt` has it. */
  readonly sha256: string;
}

/** All migrations of this build, in order. */
export async function migrationSums(): Promise<readonly MigrationSum[]> {
  const files = (await fs.readdir(MIGRATIONS)).toSorted();
  const known = files.flatMap((file) => {
    const name = MIGRATION_FILE.exec(file)?.[1];
    return name === undefined ? [] : [{ file, name }];
  });
  return Promise.all(
    known.map(async ({ file, name }) => ({
      name,
      sha256: createHash('sha256')
        .update(await fs.readFile(path.join(MIGRATIONS, file)))
        .digest('hex'),
    })),
  );
}

/** Those that a database has applied, in order. */
export async function migrationsOf(db: Kysely<Database>): Promise<readonly string[]> {
  const { rows } = await sql<{ name: string }>`SELECT name FROM kysely_migration ORDER BY name`.execute(db);
  return rows.map(({ name }) => name);
}

/** True when a migration of this build has not been applied to the database. One small statement: programs ask while they are busy. */
export async function migrationsPending(db: Kysely<Database>): Promise<boolean> {
  const names = (await fs.readdir(MIGRATIONS)).flatMap((file) => MIGRATION_FILE.exec(file)?.[1] ?? []);
  const { rows } = await sql<{ there: boolean }>`SELECT to_regclass('kysely_migration') IS NOT NULL AS there`.execute(
    db,
  );
  if (rows[0]?.there !== true) return true;
  const applied = await sql<{ n: number }>`
    SELECT count(*)::int AS n FROM kysely_migration WHERE name = ANY(${names}::text[])`.execute(db);
  return applied.rows[0]?.n !== names.length;
}

const createMigrator = (db: Kysely<unknown> | Kysely<Database>): Migrator => new Migrator({ db, provider: sqlFiles });

/**
 * The files by name without extension, which is what the database keeps: the migrations were TypeScript once, and those
 * that were applied then count as applied. A file is sent as one message without parameters, so it may hold any number
 * of statements. There is no way back: what is wrong is corrected by the next migration.
 */
const sqlFiles: MigrationProvider = {
  async getMigrations() {
    const migrations: Record<string, Migration> = {};
    for (const file of await fs.readdir(MIGRATIONS)) {
      const [, name] = MIGRATION_FILE.exec(file) ?? [];
      if (name === undefined) continue;
      const text = await fs.readFile(path.join(MIGRATIONS, file), 'utf8');
      migrations[name] = { up: async (db) => void (await db.executeQuery(CompiledQuery.raw(text))) };
    }
    return migrations;
  },
};
