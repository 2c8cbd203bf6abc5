import { readMigrationConfig } from './config.ts';
import { readFieldKeys } from './config-fields.ts';
import { createDb, createPool } from './db/client.ts';
import { createFieldKeys } from './db/field-keys.ts';
import { DATABASE_ROLES, grantRights } from './db/grants.ts';
import { migrate } from './db/migrate.ts';
import { sealClearValues } from './db/sealed-fields.ts';
import { createLogger } from './kernel/log.ts';
import { fail } from './programs.ts';

/**
 * `npm run migrate` applies what is new, gives the accounts of programs and readers their rights, and seals what stands in clear. There
 * is no way back.
 */
const log = createLogger('migrate', 'info');
try {
  if (process.argv.length > 2) throw new Error('usage: npm run migrate');
  const { databaseUrl, appPassword } = readMigrationConfig();
  const fieldKeys = createFieldKeys(readFieldKeys());
  const migrations = await migrate(databaseUrl);
  const accounts = await grantRights(databaseUrl, DATABASE_ROLES, appPassword);
  const db = createDb(
    createPool({ connectionString: databaseUrl, max: 1, applicationName: 'roomy-migrate' }),
    fieldKeys,
  );
  const sealed = await sealClearValues(db, 'settings').finally(() => db.destroy());
  log.info({ migrations, accounts, sealed }, migrations.length === 0 ? 'nothing to migrate' : 'migrated');
} catch (error) {
  fail('migrate', error);
}
