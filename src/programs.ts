import { flushCompileCache } from 'node:module';
import { type Config, ConfigError, readConfig } from './config.ts';
import { createDb, createPool, type Db } from './db/client.ts';
import { missingKey } from './db/data-keys.ts';
import { classifyDbError } from './db/errors.ts';
import { createFieldKeys } from './db/field-keys.ts';
import { isThisMachine } from './db/transport.ts';
import { createPorts, type OpenPorts } from './gateways/index.ts';
import { pause } from './kernel/clock.ts';
import { consoleToLog } from './kernel/console.ts';
import { newProcessId } from './kernel/ids.ts';
import { createLogger, type Logger } from './kernel/log.ts';
import { createOutages, type Outages } from './kernel/outages.ts';
import type { MetricsAccess } from './ops/probes.ts';
import { queueDepths } from './queues/depths.ts';
import { definitionOf } from './sagas/index.ts';
import { startTelemetry, type Telemetry } from './telemetry/start.ts';
import { createEngine, type Engine } from './wiring.ts';
import { WORKER_ROLES, workerName } from './workers/roles.ts';

export interface Program {
  readonly config: Config;
  readonly log: Logger;
  readonly outages: Outages;
  readonly db: Db;
  readonly ports: OpenPorts;
  readonly engine: Engine;
  /** Names this process in Postgres and in the log. */
  readonly processId: string;
  readonly telemetry: Telemetry;
  /** Circuits of message channels, where this program has any. */
  readonly channels: { circuits: OpenPorts['circuits'] };
}

/**
 * The common part of the API and the workers. Throws `ConfigError`. With `NODE_COMPILE_CACHE` set, what was compiled so far is
 * kept at once, some seconds of work the first time and none after: Node keeps it at an orderly end alone, so a program
 * that is always killed would compile everything anew, and it is started again when the machine is busiest.
 */
export async function assemble(role: 'api' | 'worker'): Promise<Program> {
  flushCompileCache();
  const config = readConfig();
  const log = createLogger(role, config.logLevel);
  consoleToLog(log);
  if (role === 'worker') log.info({ roles: config.workerRoles }, 'starting');
  const outages = createOutages(log);
  const pool = createPool({
    connectionString: config.databaseUrl,
    max: config.databasePool,
    applicationName: role === 'worker' ? workerName(config.workerRoles) : `roomy-${role}`,
    outages,
  });
  const db = createDb(pool, createFieldKeys(config.fieldKeys));
  const ports = await createPorts({ providers: config.payments, amenities: config.amenities }, log);
  const pretending = config.payments.flatMap(({ id, pretends }) => (pretends ? [id] : []));
  if (pretending.length > 0) log.warn(`the ${pretending.join(' and ')} gateway is on: no real money moves`);
  const processId = newProcessId(role);
  const engine = createEngine({
    db,
    databaseUrl: config.databaseUrl,
    redisUrl: config.redisUrl,
    queuePrefix: config.queuePrefix,
    log,
    outages,
    processId,
    definitionOf,
    ports,
  });
  const channels: Program['channels'] = { circuits: () => new Map() };
  const telemetry = await startTelemetry({
    settings: config.telemetry,
    program: role,
    processId,
    sources: {
      db,
      pool,
      queueDepths: () => queueDepths(engine.queues),
      circuits: () => ({ ...ports.circuitsByKind(), channel: channels.circuits() }),
      relayDrainedAt: engine.relay.lastDrainedAt,
      roles: WORKER_ROLES,
      log,
    },
  });
  return { config, log, outages, db, ports, engine, telemetry, channels, processId };
}

/** Who may read the metrics of a port: in production a port that other machines reach asks for a token. */
export function metricsAccess({ telemetry }: Config, host: string): MetricsAccess {
  const { metricsToken: token, production } = telemetry;
  if (token !== null) return { token };
  return production && !isThisMachine(host) ? 'closed' : 'open';
}

/** A program that cannot start says why in one line, with all that is the operator's to mend, and ends with code 1. */
export function fail(role: string, error: unknown): never {
  const log = createLogger(role, 'info');
  if (error instanceof ConfigError) {
    const problems = error.message.split('\n').map((line) => line.trim());
    log.fatal({ problems }, 'the configuration is not complete');
  } else {
    log.fatal({ err: error }, 'could not start');
  }
  process.exit(1);
}

const SHUTDOWN_LIMIT_MS = 15_000;
/** Nobody knows what still works. */
const AFTER_A_BUG_LIMIT_MS = 5_000;

/**
 * Ends a program in order: on SIGTERM and SIGINT with code 0; on an error that nobody caught, after a log line with its
 * cause, with code 1, so that the supervisor starts it again. Postgres has all that matters.
 */
export function endInOrder(log: Logger, close: () => Promise<void>): void {
  let ending = false;
  const end = (code: number, limitMs: number): void => {
    if (ending) return;
    ending = true;
    setTimeout(() => process.exit(1), limitMs).unref();
    close().then(
      () => process.exit(code),
      (error: unknown) => {
        log.error({ err: error }, 'stopping failed');
        process.exit(1);
      },
    );
  };
  const onSignal = (signal: string): void => {
    if (!ending) log.info({ signal }, 'stopping');
    end(0, SHUTDOWN_LIMIT_MS);
  };
  const onBug = (error: unknown, message: string): void => {
    log.fatal({ err: error }, message);
    end(1, AFTER_A_BUG_LIMIT_MS);
  };
  process.on('SIGTERM', onSignal);
  process.on('SIGINT', onSignal);
  process.on('uncaughtException', (error) => onBug(error, 'uncaught error'));
  process.on('unhandledRejection', (error) => onBug(error, 'unhandled rejection'));
}

const LOOK_EVERY_MS = 500;

/**
 * Says `ready` when everything is, and until then once for each new set of what is missing; `/health/ready` says the
 * same. Resolves with true once nothing is failing, or false when the signal was aborted before.
 */
export async function untilReady(
  log: Logger,
  readiness: () => Promise<{ readonly failing: readonly string[] }>,
  signal: AbortSignal,
): Promise<boolean> {
  let logged = '';
  while (!signal.aborted) {
    const { failing } = await readiness();
    if (failing.length === 0) return true;
    if (logged !== failing.join()) log.warn({ failing, ...hintsOf(failing) }, 'not ready');
    logged = failing.join();
    await pause(LOOK_EVERY_MS, signal);
  }
  return false;
}

/**
 * To be called once the schema is there. Throws `ConfigError` when this program lacks a key that wraps any data key: it would fail
 * wherever something is sealed by it. A database that is away by now is waited for, until the signal is aborted.
 */
export async function assertFieldKeys({ db, log }: Pick<Program, 'db' | 'log'>, signal: AbortSignal): Promise<void> {
  while (!signal.aborted) {
    try {
      const key = await missingKey(db);
      if (key === null) return;
      throw new ConfigError(`FIELD_KEYS: it does not have the key ${key}, by which fields of this database are sealed`);
    } catch (error) {
      if (error instanceof ConfigError || classifyDbError(error).kind === 'other') throw error;
      log.warn({ err: error }, 'the keys of sealed fields could not be looked at');
    }
    await pause(LOOK_EVERY_MS, signal);
  }
}

const hintsOf = (failing: readonly string[]): object =>
  failing.includes('migrations') ? { hint: 'the database has no schema of this version: npm run migrate' } : {};
