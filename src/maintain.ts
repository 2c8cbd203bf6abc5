import { readMaintenanceConfig } from './config.ts';
import { createDb, createPool } from './db/client.ts';
import { pause } from './kernel/clock.ts';
import { createLogger } from './kernel/log.ts';
import { type MaintenanceParts, maintain } from './maintenance.ts';
import { fail } from './programs.ts';

const DAY_MS = 24 * 60 * 60_000;
const AFTER_A_FAILURE_MS = 60 * 60_000;
/** An open partition that holds rows is looked at as a whole. */
const QUERY_TIMEOUT_MS = 30 * 60_000;

/**
 * `npm run maintain`: one round, for cron; code 1 when it fails. `npm run maintain -- --daily` stays, and does one now and
 * one each day. On SIGTERM and SIGINT it ends after the step that it is at.
 */
async function main(): Promise<void> {
  const [option, ...rest] = process.argv.slice(2);
  if (rest.length > 0 || (option !== undefined && option !== '--daily'))
    throw new Error('usage: npm run maintain [-- --daily]');
  const { databaseUrl, logLevel, ...retention } = readMaintenanceConfig();
  const log = createLogger('maintain', logLevel);
  const ending = new AbortController();
  for (const signal of ['SIGTERM', 'SIGINT'] as const) process.on(signal, () => ending.abort());
  const db = createDb(
    createPool({
      connectionString: databaseUrl,
      max: 1,
      applicationName: 'roomy-maintain',
      queryTimeoutMs: QUERY_TIMEOUT_MS,
    }),
  );
  const between = async (): Promise<void> => ending.signal.throwIfAborted();
  const parts: MaintenanceParts = { db, log, ...retention, between };
  const round = async (): Promise<void> => {
    if ((await maintain(parts)) === null) log.warn('another maintenance runs');
    else log.info('maintenance done');
  };
  try {
    if (option !== '--daily') return await round();
    while (!ending.signal.aborted) {
      const done = await round().then(
        () => true,
        (error: unknown) => {
          if (!ending.signal.aborted) log.error({ err: error }, 'maintenance failed');
          return false;
        },
      );
      await pause(done ? DAY_MS : AFTER_A_FAILURE_MS, ending.signal);
    }
  } catch (error) {
    if (!ending.signal.aborted) throw error;
  } finally {
    await db.destroy();
  }
}

main().catch((error: unknown) => fail('maintain', error));
