import { spawnSync } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import fs from 'node:fs';
import net from 'node:net';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { DoesNotStart, startFirst } from './look-up.ts';
import { freePort, type GuardedProcess, isAlive, runsWith, spawnGuarded, tailOf, waitUntil } from './process.ts';
import { fetchRedis, type RedisProgram } from './redis-package.ts';
import { REDIS_USER, redisUser } from './redis-rights.ts';

export interface RedisOptions {
  /** Made if missing. Holds `data/`, `password`, `app-password`, `redis.pid` and `redis.log`; safe to delete as a whole when stopped. */
  readonly dir: string;
  /** Default: a free one. */
  readonly port?: number;
  /** Append-only file, synced every second. Default: true. Without it nothing is kept over a restart. */
  readonly appendonly?: boolean;
  /** Called with a line for people when a server has to be fetched first. */
  readonly say?: (line: string) => void;
  /** Stops a server left over on the same directory instead of refusing. For callers that hold a lock of their own. */
  readonly takeOver?: boolean;
}

export interface RunningRedis {
  /** Of the default user, who may do everything. Stays the same across `restart`. */
  readonly url: string;
  /** Of the account that the programs have (`redis-rights.ts`). */
  readonly appUrl: string;
  readonly port: number;
  /** The one that was found. */
  readonly program: RedisProgram;
  readonly pid: number;
  readonly running: () => boolean;
  /** Resolves when the present server process ends for whatever reason, with how. */
  readonly ended: () => Promise<string>;
  readonly stop: () => Promise<void>;
  /** SIGKILL, as a crash does: up to a second of writes may be missing afterwards. */
  readonly kill: () => Promise<void>;
  /** Stops if running, and starts again on the same port; `empty` deletes its data in between. */
  readonly restart: (options?: { readonly empty?: boolean }) => Promise<void>;
}

const OLDEST_VERSION = [6, 2];
const START_WITHIN_MS = 30_000;
const STOP_WITHIN_MS = 10_000;
const VERSION_WITHIN_MS = 10_000;
const PING_WITHIN_MS = 1_000;
const PORT_ATTEMPTS = 5;

/**
 * Starts Redis or Valkey on loopback: the first one on the PATH that is new enough and starts, else the distribution's
 * package fetched into the project.
 */
export async function startRedis(options: RedisOptions): Promise<RunningRedis> {
  return startFirst(
    { names: ['redis-server', 'valkey-server'], faultOf, fetch: fetchRedis },
    (program) => startProgram(program, options),
    options.say ?? (() => {}),
  );
}

async function startProgram(program: RedisProgram, options: RedisOptions): Promise<RunningRedis> {
  const dir = path.resolve(options.dir);
  const data = path.join(dir, 'data');
  fs.mkdirSync(data, { recursive: true, mode: 0o700 });
  const password = keptPassword(path.join(dir, 'password'));
  const appPassword = keptPassword(path.join(dir, 'app-password'));
  const appendonly = options.appendonly ?? true;

  let port = options.port ?? (await freePort());
  const start = () =>
    launch({ program, dir, data, port, password, appPassword, appendonly, takeOver: options.takeOver ?? false });
  let redis: GuardedProcess | undefined;
  for (let attempt = 1; redis === undefined; attempt++) {
    try {
      redis = await start();
    } catch (error) {
      if (!(error instanceof PortTaken) || options.port !== undefined || attempt >= PORT_ATTEMPTS) throw error;
      port = await freePort();
    }
  }
  let current = redis;
  const pidFile = path.join(dir, 'redis.pid');
  return {
    url: `redis://:${password}@127.0.0.1:${port}`,
    appUrl: `redis://${REDIS_USER}:${appPassword}@127.0.0.1:${port}`,
    port,
    program,
    get pid() {
      return current.pid;
    },
    running: () => current.running(),
    ended: () => current.ended,
    stop: async () => {
      await current.stop();
      fs.rmSync(pidFile, { force: true });
    },
    kill: () => current.kill(),
    restart: async ({ empty = false } = {}) => {
      await current.stop();
      if (empty) fs.rmSync(data, { recursive: true, force: true });
      fs.mkdirSync(data, { recursive: true, mode: 0o700 });
      current = await start();
    },
  };
}

class PortTaken extends Error {}

interface Launch {
  readonly program: RedisProgram;
  readonly dir: string;
  readonly data: string;
  readonly port: number;
  readonly password: string;
  readonly appPassword: string;
  readonly appendonly: boolean;
  readonly takeOver: boolean;
}

async function launch({
  program,
  dir,
  data,
  port,
  password,
  appPassword,
  appendonly,
  takeOver,
}: Launch): Promise<GuardedProcess> {
  const pidFile = path.join(dir, 'redis.pid');
  await clearLeftover(dir, pidFile, takeOver);
  const logFile = path.join(dir, 'redis.log');
  const offset = fs.existsSync(logFile) ? fs.statSync(logFile).size : 0;
  const configuration = [
    `requirepass ${password}`,
    redisUser(`#${createHash('sha256').update(appPassword).digest('hex')}`),
    'bind 127.0.0.1',
    `dir ${quoted(data)}`,
    'daemonize no',
    'save ""',
    `appendonly ${appendonly ? 'yes' : 'no'}`,
    'appendfsync everysec',
    // Its rewrites cost by how often the file doubles; it may be three times as large as what it holds before the next.
    'auto-aof-rewrite-percentage 200',
    'maxmemory-policy noeviction',
  ];
  const log = fs.openSync(logFile, 'a', 0o600);
  // The configuration comes by standard input, which keeps the password out of the process list.
  const guarded = await spawnGuarded(program.command, ['-', '--port', String(port), '--logfile', ''], {
    stopSignal: 'SIGTERM',
    graceMs: STOP_WITHIN_MS,
    spawn: { argv0: 'redis-server', cwd: dir, env: { ...program.env, LC_ALL: 'C' }, stdio: ['pipe', log, log] },
  }).finally(() => fs.closeSync(log));
  fs.writeFileSync(pidFile, `${guarded.pid}\n`);
  guarded.child.stdin?.on('error', () => {});
  guarded.child.stdin?.end(`${configuration.join('\n')}\n`);

  const ready = async () => !guarded.running() || (await answersPing(port, password));
  await waitUntil(ready, START_WITHIN_MS, 10);
  if (guarded.running() && (await answersPing(port, password))) return guarded;
  await guarded.stop();
  fs.rmSync(pidFile, { force: true });
  const said = tailOf(logFile, offset);
  if (/address already in use|could not create server tcp/i.test(said)) throw new PortTaken(`Port ${port} is taken.`);
  throw new DoesNotStart(`Redis did not start:\n${said}`);
}

/** Two servers appending to one file would spoil it. A left one is being stopped by its watchdog, when its starter died. */
async function clearLeftover(dir: string, pidFile: string, takeOver: boolean): Promise<void> {
  if (!fs.existsSync(pidFile)) return;
  const pid = Number(fs.readFileSync(pidFile, 'utf8'));
  if (runsWith(pid, 'redis-server') && workingDirectory(pid, dir)) {
    const gone = () => !isAlive(pid);
    if (!(await waitUntil(gone, takeOver ? 1_000 : 3_000)) && takeOver) {
      process.kill(pid, 'SIGTERM');
      if (!(await waitUntil(gone, STOP_WITHIN_MS))) process.kill(pid, 'SIGKILL');
      await waitUntil(gone, 2_000);
    }
    if (!gone()) throw new Error(`Redis is already running in ${dir} (process ${pid}).`);
  }
  fs.rmSync(pidFile, { force: true });
}

/** Where the system does not tell, the process is taken for ours. */
function workingDirectory(pid: number, dir: string): boolean {
  try {
    return fs.readlinkSync(`/proc/${pid}/cwd`).startsWith(fs.realpathSync(dir));
  } catch {
    return true;
  }
}

function faultOf({ command, env }: RedisProgram): string | undefined {
  const asked = spawnSync(command, ['--version'], {
    argv0: 'redis-server',
    env,
    encoding: 'utf8',
    timeout: VERSION_WITHIN_MS,
  });
  const [, major, minor] = /v=(\d+)\.(\d+)/.exec(asked.stdout ?? '') ?? [];
  if (asked.status !== 0 || major === undefined) return 'does not run';
  const [oldestMajor = 0, oldestMinor = 0] = OLDEST_VERSION;
  if (Number(major) > oldestMajor || (Number(major) === oldestMajor && Number(minor) >= oldestMinor)) return undefined;
  return `is version ${major}.${minor}, and ${OLDEST_VERSION.join('.')} or newer is needed`;
}

function keptPassword(file: string): string {
  if (!fs.existsSync(file)) fs.writeFileSync(file, randomBytes(24).toString('base64url'), { mode: 0o600 });
  return fs.readFileSync(file, 'utf8').trim();
}

function quoted(text: string): string {
  return `"${text.replaceAll('\\', '\\\\').replaceAll('"', '\\"')}"`;
}

/** False while the server is still reading its append-only file, too. */
async function answersPing(port: number, password: string): Promise<boolean> {
  const socket = net.connect(port, '127.0.0.1');
  const answered = new Promise<boolean>((resolve) => {
    let said = '';
    socket.setTimeout(PING_WITHIN_MS, () => resolve(false));
    socket.on('error', () => resolve(false)).on('close', () => resolve(false));
    socket.on('connect', () => socket.write(`AUTH ${password}\r\nPING\r\n`));
    socket.on('data', (chunk) => {
      said += chunk.toString('utf8');
      if (said.includes('+PONG')) resolve(true);
      else if (said.includes('-')) resolve(false);
    });
  });
  const answer = await answered;
  socket.destroy();
  if (!answer) await sleep(5);
  return answer;
}
