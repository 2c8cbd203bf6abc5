import { readDatabaseUrl } from './config.ts';
import { readFieldKeys } from './config-fields.ts';
import { createDb, createPool, type Db } from './db/client.ts';
import { rewrapAll } from './db/data-keys.ts';
import { createFieldKeys } from './db/field-keys.ts';
import { sealClearValues } from './db/sealed-fields.ts';
import { createLogger } from './kernel/log.ts';
import { fail } from './programs.ts';

/**
 * `npm run keys:rotate`: has the first of `FIELD_KEYS` wrap every data key, and seals what stands in clear, old messages too, beside
 * the programs that run. Code 1 where data keys are left that none of the keys unwraps.
 */
const log = createLogger('keys', 'info');
let db: Db | undefined;
try {
  if (process.argv.length > 2) throw new Error('usage: npm run keys:rotate');
  const databaseUrl = readDatabaseUrl();
  const keys = createFieldKeys(readFieldKeys());
  if (keys === null) throw new Error('FIELD_KEYS is not set');
  db = createDb(createPool({ connectionString: databaseUrl, max: 1, applicationName: 'roomy-keys' }), keys);
  const { rewrapped, unknown } = await rewrapAll(db, keys);
  // Sealing may take long: whether the old key is still needed is known by now.
  log.info(
    { rewrapped, unknown, wrappedBy: keys.current },
    'data keys were looked at; now what stands in clear is sealed',
  );
  const sealed = await sealClearValues(db, 'all');
  if (Object.keys(unknown).length > 0) {
    log.error({ rewrapped, sealed, unknown }, 'data keys are wrapped by keys that FIELD_KEYS does not have');
    process.exitCode = 1;
  } else {
    log.info({ rewrapped, sealed, wrappedBy: keys.current }, 'all data keys are wrapped by the first key');
  }
} catch (error) {
  fail('keys', error);
} finally {
  await db?.destroy();
}
