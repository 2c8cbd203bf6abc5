import { type Config, ConfigError, readConfig } from './config.ts';
import { createDb, createPool, type Db } from './db/client.ts';
import { createPorts, type OpenPorts } from './gateways/index.ts';
import { newProcessId } from './kernel/ids.ts';
import { createLogger, type Logger } from './kernel/log.ts';
import { createOutages, type Outages } from './kernel/outages.ts';
import { definitionOf } from './sagas/index.ts';
import { createEngine, type Engine } from './wiring.ts';

export interface Program {
  readonly config: Config;
  readonly log: Logger;
  readonly outages: Outages;
  readonly db: Db;
  readonly ports: OpenPorts;
  readonly engine: Engine;
}

/** What the API and the workers have in common. Throws `ConfigError`. */
export function assemble(role: 'api' | 'worker'): Program {
  const config = readConfig();
  const log = createLogger(role, config.logLevel);
  const outages = createOutages(log);
  const pool = createPool({
    connectionString: config.databaseUrl,
    max: config.databasePool,
    applicationName: `roomy-${role}`,
    outages,
  });
  const db = createDb(pool);
  const ports = createPorts({ ...config.payments, amenities: config.amenities }, log);
  if (config.payments.gateways.includes('sandbox')) log.warn('the sandbox gateway is on: no real money moves');
  const engine = createEngine({
    db,
    databaseUrl: config.databaseUrl,
    redisUrl: config.redisUrl,
    queuePrefix: config.queuePrefix,
    log,
    outages,
    processId: newProcessId(role),
    definitionOf,
    ports,
  });
  return { config, log, outages, db, ports, engine };
}

/** A program that cannot start says why in a line, when it is the operator's to mend, and ends. */
export function fail(error: unknown): never {
  console.error(error instanceof ConfigError ? error.message : error);
  process.exit(1);
}

const SHUTDOWN_LIMIT_MS = 15_000;

/**
 * Ends a program in order on SIGTERM and SIGINT, and at once, after a log line, on an error that nobody caught: the
 * supervisor restarts it, and Postgres has all that matters.
 */
export function endInOrder(log: Logger, close: () => Promise<void>): void {
  let ending = false;
  const end = (signal: string): void => {
    if (ending) return;
    ending = true;
    log.info({ signal }, 'stopping');
    setTimeout(() => process.exit(1), SHUTDOWN_LIMIT_MS).unref();
    close().then(
      () => process.exit(0),
      (error: unknown) => {
        log.error({ err: error }, 'stopping failed');
        process.exit(1);
      },
    );
  };
  process.on('SIGTERM', end);
  process.on('SIGINT', end);
  process.on('uncaughtException', (error) => {
    log.fatal({ err: error }, 'uncaught error');
    process.exit(1);
  });
  process.on('unhandledRejection', (error) => {
    log.fatal({ err: error }, 'unhandled rejection');
    process.exit(1);
  });
}
