import { readMigrationConfig } from './config.ts';
import { DATABASE_ROLES, grantRights } from './db/grants.ts';
import { migrate } from './db/migrate.ts';
import { createLogger } from './kernel/log.ts';
import { fail } from './programs.ts';

/**
 * `npm run migrate` applies what is new, and gives the accounts of programs and readers their rights. There is no way back. It seals
 * nothing: programs of before may still run, which would take what is sealed for the value (`npm run keys:rotate` seals).
 */
const log = createLogger('migrate', 'info');
try {
  if (process.argv.length > 2) throw new Error('usage: npm run migrate');
  const { databaseUrl, appPassword } = readMigrationConfig();
  const migrations = await migrate(databaseUrl);
  const accounts = await grantRights(databaseUrl, DATABASE_ROLES, appPassword);
  log.info({ migrations, accounts }, migrations.length === 0 ? 'nothing to migrate' : 'migrated');
} catch (error) {
  fail('migrate', error);
}
