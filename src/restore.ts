import { parseArgs } from 'node:util';
import { endAccess, holdSagas, missingKeys, standingAccess, verifyRestored } from './backup/after.ts';
import { readingFrom } from './backup/file.ts';
import { BackupError } from './backup/format.ts';
import { assertOwnMigrations, restoreBackup } from './backup/load.ts';
import { endingWithCode, untilSignal } from './backup/program.ts';
import { lookThrough } from './backup/read.ts';
import { readBackupKey, readRestoreConfig } from './config-backup.ts';
import { readFieldKeys } from './config-fields.ts';
import { createDb, createPool } from './db/client.ts';
import { createFieldKeys, type FieldKeys } from './db/field-keys.ts';
import { DATABASE_ROLES, grantRights } from './db/grants.ts';
import { migrate } from './db/migrate.ts';
import { sealClearValues } from './db/sealed-fields.ts';
import type { Logger } from './kernel/log.ts';
import { PAYING_OUT } from './sagas/paying-out.ts';

/**
 * `npm run restore -- <file>`: makes the database of a backup in an empty one, brings it to this version and verifies it; `-` reads
 * standard input. `--check` reads all of the file and touches no database; code 1 also where this version cannot restore it. Code 1: nothing was restored,
 * and the database is as empty as it was. Code 2: it was restored, and what came after has failed or does not agree.
 */
await endingWithCode('restore', async (log) => {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: { check: { type: 'boolean', default: false } },
  });
  const [name, ...rest] = positionals;
  if (name === undefined || rest.length > 0) throw new RangeError('usage: npm run restore -- [--check] <file, or - >');
  if (values.check) return check(log, name);
  const { databaseUrl, appPassword, key } = readRestoreConfig();
  const fieldKeys = createFieldKeys(readFieldKeys());
  let ended: Awaited<ReturnType<typeof endAccess>> | undefined;
  const { header, tables } = await untilSignal((signal) =>
    restoreBackup({
      databaseUrl,
      from: readingFrom(name),
      key,
      signal,
      before: async (tx, read) => {
        await holdSagas(tx, PAYING_OUT, read);
        ended = await endAccess(tx);
      },
    }),
  );
  log.info({ takenAt: header.takenAt, tables: tables.length, rows: sumOf(tables), ended }, 'restored');
  return settle(log, { databaseUrl, appPassword, fieldKeys }).catch((error: unknown) => {
    log.error({ err: error }, 'restored, but not verified: npm run migrate, and look at the books and the audit trail');
    return 2;
  });
});

async function check(log: Logger, name: string): Promise<number> {
  const { header, tables } = await untilSignal((signal) =>
    lookThrough({ from: readingFrom(name), key: readBackupKey(), signal }),
  );
  const found = { takenAt: header.takenAt, tables: tables.length, rows: sumOf(tables) };
  try {
    await assertOwnMigrations(header);
  } catch (error) {
    if (!(error instanceof BackupError)) throw error;
    log.error({ ...found, problems: [error.message] }, 'the backup is whole, but not for this version');
    return 1;
  }
  log.info(found, 'the backup is whole');
  return 0;
}

function sumOf(tables: readonly { readonly rows: number }[]): number {
  return tables.reduce((sum, { rows }) => sum + rows, 0);
}

interface Settling {
  readonly databaseUrl: string;
  readonly appPassword: string | undefined;
  readonly fieldKeys: FieldKeys | null;
}

async function settle(log: Logger, { databaseUrl, appPassword, fieldKeys }: Settling): Promise<number> {
  const migrations = await migrate(databaseUrl);
  const accounts = await grantRights(databaseUrl, DATABASE_ROLES, appPassword);
  const pool = createPool({ connectionString: databaseUrl, max: 2, applicationName: 'roomy-restore' });
  const db = createDb(pool, fieldKeys);
  try {
    const { ok, ...found } = await verifyRestored(db);
    const standing = await standingAccess(db);
    log[ok ? 'info' : 'error'](
      { migrations, accounts, held: ['ALL', ...PAYING_OUT], standing, ...found },
      ok ? 'verified' : 'does not agree',
    );
    const missing = await missingKeys(db);
    if (missing.length > 0) {
      log.error({ missing }, 'FIELD_KEYS lacks keys of the backup: what they seal cannot be read');
      return 2;
    }
    // No program runs beside it: nothing is left in clear.
    const sealed = await sealClearValues(db, 'all');
    if (sealed !== null) log.info({ sealed }, 'sealed what stood in clear');
    return ok ? 0 : 2;
  } finally {
    await db.destroy();
  }
}
