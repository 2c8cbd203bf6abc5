import { parseArgs } from 'node:util';
import { holdMoney, verifyRestored } from './backup/after.ts';
import { readingFrom } from './backup/file.ts';
import { restoreBackup } from './backup/load.ts';
import { endingWithCode, untilSignal } from './backup/program.ts';
import { lookThrough } from './backup/read.ts';
import { readBackupKey, readRestoreConfig } from './config-backup.ts';
import { createDb, createPool } from './db/client.ts';
import { DATABASE_ROLES, grantRights } from './db/grants.ts';
import { migrate } from './db/migrate.ts';
import type { Logger } from './kernel/log.ts';
import { PAYING_OUT } from './sagas/paying-out.ts';

/**
 * `npm run restore -- <file>`: makes the database of a backup in an empty one, brings it to this version and verifies it; `-` reads
 * standard input. `--check` reads all of the file and touches no database. Code 1: nothing was restored, and the database is as empty
 * as it was. Code 2: it was restored, and what came after has failed or does not agree.
 */
await endingWithCode('restore', async (log) => {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: { check: { type: 'boolean', default: false } },
  });
  const [name, ...rest] = positionals;
  if (name === undefined || rest.length > 0) throw new RangeError('usage: npm run restore -- [--check] <file, or - >');
  const signal = untilSignal();
  if (values.check) {
    const { header, tables } = await lookThrough({ from: readingFrom(name), key: readBackupKey(), signal });
    log.info({ takenAt: header.takenAt, tables: tables.length, rows: sumOf(tables) }, 'the backup is whole');
    return 0;
  }
  const { databaseUrl, appPassword, key } = readRestoreConfig();
  const { header, tables } = await restoreBackup({
    databaseUrl,
    from: readingFrom(name),
    key,
    signal,
    before: (tx, read) => holdMoney(tx, PAYING_OUT, read),
  });
  log.info({ takenAt: header.takenAt, tables: tables.length, rows: sumOf(tables) }, 'restored');
  return settle(log, databaseUrl, appPassword).catch((error: unknown) => {
    log.error({ err: error }, 'restored, but not verified: npm run migrate, and look at the books and the audit trail');
    return 2;
  });
});

function sumOf(tables: readonly { readonly rows: number }[]): number {
  return tables.reduce((sum, { rows }) => sum + rows, 0);
}

async function settle(log: Logger, databaseUrl: string, appPassword: string | undefined): Promise<number> {
  const migrations = await migrate(databaseUrl);
  const accounts = await grantRights(databaseUrl, DATABASE_ROLES, appPassword);
  const db = createDb(createPool({ connectionString: databaseUrl, max: 2, applicationName: 'roomy-restore' }));
  try {
    const { ok, ...found } = await verifyRestored(db);
    log[ok ? 'info' : 'error'](
      { migrations, accounts, held: PAYING_OUT, ...found },
      ok ? 'verified' : 'does not agree',
    );
    return ok ? 0 : 2;
  } finally {
    await db.destroy();
  }
}
