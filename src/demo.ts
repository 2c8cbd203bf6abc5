import { readDatabaseUrl } from './config.ts';
import { createDb, createPool, type Db } from './db/client.ts';
import { loadDemo } from './demo/load.ts';
import { systemClock } from './kernel/clock.ts';
import { fail } from './programs.ts';

/** `npm start` loads the demo data with this. */

let db: Db | undefined;
try {
  db = createDb(createPool({ connectionString: readDatabaseUrl(), max: 1, applicationName: 'roomy-demo' }));
  await loadDemo(db, systemClock.now());
} catch (error) {
  fail('demo', error);
} finally {
  await db?.destroy();
}
