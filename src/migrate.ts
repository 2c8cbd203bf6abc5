import { readDatabaseUrl } from './config.ts';
import { migrate } from './db/migrate.ts';
import { createLogger } from './kernel/log.ts';
import { fail } from './programs.ts';

/** `npm run migrate` applies what is new; `npm run migrate -- down` empties a database that holds no saga. */
const [direction = 'up'] = process.argv.slice(2);
const log = createLogger('migrate', 'info');
try {
  if (direction !== 'up' && direction !== 'down') throw new Error('usage: npm run migrate [-- up | down]');
  const migrations = await migrate(readDatabaseUrl(), direction);
  log.info({ direction, migrations }, migrations.length === 0 ? 'nothing to migrate' : 'migrated');
} catch (error) {
  fail('migrate', error);
}
