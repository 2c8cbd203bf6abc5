import { readDatabaseUrl } from './config.ts';
import { migrate } from './db/migrate.ts';

/** `npm run migrate` applies what is new; `npm run migrate -- down` empties a database that holds no saga. */
const [direction = 'up'] = process.argv.slice(2);
try {
  if (direction !== 'up' && direction !== 'down') throw new Error('usage: npm run migrate [-- up | down]');
  const applied = await migrate(readDatabaseUrl(), direction);
  console.log(applied.length === 0 ? 'nothing to migrate' : `${direction}: ${applied.join(', ')}`);
} catch (error) {
  console.error(error instanceof Error ? error.message : error);
  process.exit(1);
}
