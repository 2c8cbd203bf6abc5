import { readDatabaseUrl } from './config.ts';
import { readFieldKeys } from './config-fields.ts';
import { createDb, createPool, type Db } from './db/client.ts';
import { createFieldKeys } from './db/field-keys.ts';
import { sealClearValues } from './db/sealed-fields.ts';
import { loadDemo } from './demo/load.ts';
import { systemClock } from './kernel/clock.ts';
import { fail } from './programs.ts';

/** `npm start` loads the demo data with this. */

let db: Db | undefined;
try {
  db = createDb(
    createPool({ connectionString: readDatabaseUrl(), max: 1, applicationName: 'roomy-demo' }),
    createFieldKeys(readFieldKeys()),
  );
  await loadDemo(db, systemClock.now());
  // What it has written stands in clear.
  await sealClearValues(db, 'settings');
} catch (error) {
  fail('demo', error);
} finally {
  await db?.destroy();
}
