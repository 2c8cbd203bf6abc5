import { readDatabaseUrl } from './config.ts';
import { migrate } from './db/migrate.ts';
import { createLogger } from './kernel/log.ts';
import { fail } from './programs.ts';

/** `npm run migrate` applies what is new. There is no way back. */
const log = createLogger('migrate', 'info');
try {
  if (process.argv.length > 2) throw new Error('usage: npm run migrate');
  const migrations = await migrate(readDatabaseUrl());
  log.info({ migrations }, migrations.length === 0 ? 'nothing to migrate' : 'migrated');
} catch (error) {
  fail('migrate', error);
}
