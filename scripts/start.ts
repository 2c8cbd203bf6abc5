import { type ChildProcess, spawnSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import fs from 'node:fs';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { readConfig, readJwtConfig } from '../src/config.ts';
import { DATABASE_ROLES } from '../src/db/grants.ts';
import type { Role } from '../src/http/auth.ts';
import { mintToken } from '../src/http/mint.ts';
import { systemClock } from '../src/kernel/clock.ts';
import { BACKGROUND_ROLES, type WorkerRole } from '../src/workers/roles.ts';
import { type DemoDayOptions, dayToPlay, playDay } from './demo-day.ts';
import { watchLifeline } from './lifeline.ts';
import { createStages, logLineFor, secondsOf } from './progress.ts';
import { choosePort } from './services/ports.ts';
import { type RunningPostgres, startPostgres } from './services/postgres.ts';
import { codeOf, type GuardedProcess, runsWith, spawnGuarded } from './services/process.ts';
import { PROGRAM_FLAGS } from './services/program-flags.ts';
import { type RunningRedis, startRedis } from './services/redis.ts';
import { completedSecrets, hasTokenKeys, keysOfStart } from './services/token-keys.ts';
import { welcome } from './welcome.ts';

/** `npm start`: services, migrations, demo data, API, a worker of sagas, one of everything else and the maintenance, until Ctrl-C. */

const ROOT = path.resolve(import.meta.dirname, '..');
const DATA_DIR = path.resolve(ROOT, process.env['ROOMY_DATA_DIR'] ?? '.roomy');
const RUNTIME_FILE = path.join(DATA_DIR, 'runtime.json');
const SECRETS_FILE = path.join(DATA_DIR, 'secrets.json');
const READY_WITHIN_MS = 60_000;
const MAX_RESTARTS = 20;
const LOCK_ATTEMPTS = 3;
/** Of each log, looked at when it is opened; one older file is kept. */
const LOG_LIMIT_BYTES = 20_000_000;
const TOKEN_LIFETIME_SECONDS = 3_600;
/** Each would reach somebody real for the made-up people of the demo. */
const REAL_PROVIDERS = ['SMTP_URL', 'TWILIO_ACCOUNT_SID', 'STRIPE_SECRET_KEY'];

/** Where the first worker answers probes and shows its metrics; the second one does behind it. */
const WORKER_PORT = 3002;

/** Whoever tries things out is one person with ten hands. */
const TRIAL_LIMITS = 'reads=3000,writes=600,payments=300,open-sagas=500,streams=20,sign-in=300';

const say = (line: string): void => console.log(line);
const stage = createStages(say);
/** When the person pressed Enter: the installation of the dependencies counts too. */
const BEGAN_AT_MS = Number(process.env['ROOMY_BEGAN_AT_MS'] ?? Date.now());
const shown = logLineFor(process.stderr, process.env['NO_COLOR'] === undefined);
const stops: (() => Promise<void> | void)[] = [];
let stopping: Promise<void> | null = null;

function stopAll(): Promise<void> {
  stopping ??= (async () => {
    for (const stop of stops.toReversed())
      await Promise.resolve(stop()).catch((error: unknown) => console.error(error));
  })();
  return stopping;
}

async function end(code: number): Promise<never> {
  await stopAll();
  process.exit(code);
}

for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
  process.on(signal, () => {
    if (!stopping) console.log('\nStopping ...');
    void end(0);
  });
}
watchLifeline(() => void end(0));
// A closed terminal is no reason to fall over: SIGHUP or the lifeline ends us in order.
for (const stream of [process.stdout, process.stderr]) stream.on('error', () => {});

try {
  await main(process.argv.includes('--fresh'));
} catch (error) {
  if (!stopping) {
    console.error(error instanceof Error ? error.message : error);
    await end(1);
  }
}

/** What the programs would refuse at every start, told before anything is started. Throws `ConfigError`. */
function assertConfigured(): void {
  const made = 'local:made-by-npm-start-0123456789-abcdefghijkl';
  readConfig({
    DATABASE_URL: 'postgres://127.0.0.1/embedded',
    REDIS_URL: 'redis://127.0.0.1',
    ...process.env,
    ...(hasTokenKeys(process.env) ? {} : { JWT_KEYS: made }),
    ...((process.env['SEAL_KEYS'] ?? '') === '' ? { SEAL_KEYS: made } : {}),
    NODE_ENV: 'development',
  });
}

async function main(fresh: boolean): Promise<void> {
  assertConfigured();
  takeDataDir();
  // Only to refuse a named one at once: what is free now may be taken when the API is started.
  await choosePorts(() => {});
  if (fresh) wipe();
  const given = process.env['DATABASE_URL'];
  const ownerUrl = given ?? (await embeddedPostgres()).url;
  const appPassword = given === undefined ? randomBytes(24).toString('hex') : undefined;
  const databaseUrl = appPassword === undefined ? ownerUrl : urlOfApp(ownerUrl, appPassword);
  const redisUrl = process.env['REDIS_URL'] ?? (await embeddedRedis()).appUrl;
  const keys = keysOfStart(readSecrets(), process.env);
  const env = {
    // What Node has made of the sources is used again.
    NODE_COMPILE_CACHE: path.join(DATA_DIR, 'compile-cache'),
    ...process.env,
    // It is for a trial on this machine, whatever the shell says.
    NODE_ENV: 'development',
    RATE_LIMITS: process.env['RATE_LIMITS'] ?? TRIAL_LIMITS,
    DATABASE_URL: databaseUrl,
    // For migrations and maintenance alone.
    OWNER_DATABASE_URL: undefined,
    APP_DATABASE_PASSWORD: undefined,
    REDIS_URL: redisUrl,
    ...keys,
    ROOMY_DATA_DIR: DATA_DIR,
  };
  const asOwner = {
    ...env,
    // One that the shell has is the owner of the shell's database, and not of ours.
    OWNER_DATABASE_URL: given === undefined ? ownerUrl : (process.env['OWNER_DATABASE_URL'] ?? given),
    ...(appPassword === undefined ? {} : { APP_DATABASE_PASSWORD: appPassword }),
  };
  const { OWNER_DATABASE_URL } = asOwner;
  const runtime = { DATABASE_URL: databaseUrl, OWNER_DATABASE_URL, REDIS_URL: redisUrl, ...keys };
  recordRuntime(runtime);

  await stage('Preparing the database', () => once('src/migrate.ts', asOwner));
  await stage('Loading the demo data', () => once('src/demo.ts', env));
  const [ports] = await stage('Starting the API and two workers', () =>
    Promise.all([
      startApi(env),
      keepWorker('worker', env, ['sagas'], WORKER_PORT),
      keepWorker('background', env, BACKGROUND_ROLES, WORKER_PORT + 1),
    ]),
  );
  if (ports === undefined || stopping) return;
  // Links that programs print lead to the port that was free.
  recordRuntime({ ...runtime, PORT: String(ports.api) });
  await playDemo(env, ports);
  if (stopping) return;
  say(await welcome({ ...ports, logs: path.join(DATA_DIR, 'logs'), tokenOf: (role, sub) => tokenOf(env, role, sub) }));
  say(`Ready in ${secondsOf(Date.now() - BEGAN_AT_MS)}.`);
  // Now and once a day, and nothing that anybody waits for.
  await keepRunning('maintain', ['src/maintain.ts', '--daily'], async () => asOwner);
}

/** Together they serve every role, whatever `ROLES` the shell has. */
function keepWorker(
  name: string,
  env: NodeJS.ProcessEnv,
  roles: readonly WorkerRole[],
  standard: number,
): Promise<void> {
  const host = process.env['OPS_HOST'] ?? '127.0.0.1';
  return keepRunning(name, ['src/worker.ts'], async () => {
    const isOff = process.env['OPS_PORT'] === 'off';
    // Chosen at each start, as another program may have taken it meanwhile.
    const asked = process.env['WORKER_OPS_PORT'];
    // Named for the first of them; the next ones follow it.
    const named = /^[1-9]\d*$/.test(asked ?? '') ? String(Number(asked) + standard - WORKER_PORT) : asked;
    const isNone = isOff || named === 'off';
    const port = isNone ? 'off' : await choosePort({ name: 'WORKER_OPS_PORT', standard, host }, () => {}, named);
    return { ...env, ROLES: roles.join(','), WORKER_OPS_PORT: String(port) };
  });
}

/** Only after the start that loaded it, or after one that was cut short; never a reason not to start. */
async function playDemo(env: NodeJS.ProcessEnv, ports: Ports): Promise<void> {
  const ending = new AbortController();
  stops.push(() => ending.abort());
  const options: DemoDayOptions = {
    api: `http://127.0.0.1:${ports.api}`,
    tokenFor: (role, sub) => tokenOf(env, role, sub),
    say,
    signal: ending.signal,
  };
  try {
    const planned = await dayToPlay(options);
    if (planned === null) return;
    const provider = REAL_PROVIDERS.find((name) => (env[name] ?? '') !== '');
    if (provider === undefined) await stage("Playing the demo's day", () => playDay(options, planned));
    else say(`The demo's day is left out: with ${provider} set, it would reach more than made-up people.`);
  } catch (error) {
    if (!stopping) say(`The demo's day is left out: ${error instanceof Error ? error.message : error}`);
  }
}

function tokenOf(env: NodeJS.ProcessEnv, role: Role, sub: string): Promise<string> {
  return mintToken(readJwtConfig(env), systemClock, { sub, grant: { role }, lifetimeSeconds: TOKEN_LIFETIME_SECONDS });
}

interface Ports {
  readonly api: number;
  readonly ops: number | 'off';
}

async function choosePorts(tell: (line: string) => void): Promise<Ports> {
  const api = await choosePort({ name: 'PORT', standard: 3000, host: process.env['HOST'] ?? '0.0.0.0' }, tell);
  if (process.env['OPS_PORT'] === 'off') return { api, ops: 'off' };
  const host = process.env['OPS_HOST'] ?? '127.0.0.1';
  return { api, ops: await choosePort({ name: 'OPS_PORT', standard: 3001, host }, tell) };
}

/**
 * Resolves with its ports when the API is ready; with nothing when it is stopped before. They are chosen again at each
 * start until then, because another program may have taken one in between, and kept afterwards.
 */
async function startApi(env: NodeJS.ProcessEnv): Promise<Ports | undefined> {
  let ports: Ports | undefined;
  let listens = false;
  let ready = false;
  const environment = async (): Promise<NodeJS.ProcessEnv> => {
    if (!ready || ports === undefined) {
      listens = false;
      ports = await choosePorts(say);
    }
    return { ...env, PORT: String(ports.api), OPS_PORT: String(ports.ops) };
  };
  await keepRunning('api', ['src/api.ts'], environment, (line) => {
    listens ||= /"msg":"ready"/.test(line);
  });
  const deadline = Date.now() + READY_WITHIN_MS;
  while (Date.now() < deadline && !stopping) {
    // Only when it says itself that it listens: another program might answer at its port.
    if (listens && ports !== undefined && (await isReady(ports.api))) {
      ready = true;
      return ports;
    }
    await sleep(100);
  }
  if (stopping) return undefined;
  throw new Error(`The API was not ready within ${READY_WITHIN_MS / 1000} s. See ${path.join(DATA_DIR, 'logs')}.`);
}

async function isReady(port: number): Promise<boolean> {
  const answer = await fetch(`http://127.0.0.1:${port}/health/ready`).catch(() => null);
  return answer?.ok ?? false;
}

/** The record of a running start is its lock as well, made in one step: two that begin together must not share data. */
function takeDataDir(): void {
  fs.mkdirSync(DATA_DIR, { recursive: true });
  for (let attempt = 1; ; attempt += 1) {
    try {
      fs.writeFileSync(RUNTIME_FILE, JSON.stringify({ pid: process.pid }), { mode: 0o600, flag: 'wx' });
      stops.push(() => fs.rmSync(RUNTIME_FILE, { force: true }));
      return;
    } catch (error) {
      if (codeOf(error) !== 'EEXIST' || attempt === LOCK_ATTEMPTS) throw error;
    }
    const pid = readJson<{ pid?: number }>(RUNTIME_FILE)?.pid;
    if (pid !== undefined && pid !== process.pid && runsWith(pid, 'start.ts')) {
      throw new Error(
        `npm start is already running on ${DATA_DIR} (process ${pid}). Stop it, or set ROOMY_DATA_DIR and PORT for a second one.`,
      );
    }
    fs.rmSync(RUNTIME_FILE, { force: true });
  }
}

/** For `npm run token`, `npm run account` and `npm run migrate`. Replaced in one step, so that nobody reads half of it. */
function recordRuntime(variables: Readonly<Record<string, string>>): void {
  const unfinished = `${RUNTIME_FILE}.unfinished`;
  fs.writeFileSync(unfinished, JSON.stringify({ pid: process.pid, ...variables }), { mode: 0o600 });
  fs.renameSync(unfinished, RUNTIME_FILE);
}

/** Only what `npm start` made itself; databases of others are not ours to empty. */
function wipe(): void {
  console.log('Beginning anew ...');
  // What the sandbox's gateway and devices remember belongs to the stays of the database.
  const isOwn = process.env['DATABASE_URL'] === undefined;
  const sandbox = isOwn ? fs.readdirSync(DATA_DIR).filter((name) => name.startsWith('sandbox-')) : [];
  for (const name of ['postgres', 'redis', 'secrets.json', 'logs', ...sandbox])
    fs.rmSync(path.join(DATA_DIR, name), { recursive: true, force: true });
  for (const name of ['DATABASE_URL', 'REDIS_URL']) {
    if (process.env[name] !== undefined)
      console.log(`${name} is set, so that store is left as it is: --fresh empties only the embedded one.`);
  }
}

/** On a server of ours the programs have an account that owns nothing, with a new password each time. */
function urlOfApp(ownerUrl: string, password: string): string {
  const url = new URL(ownerUrl);
  url.username = DATABASE_ROLES.app;
  url.password = password;
  return url.href;
}

async function embeddedPostgres(): Promise<RunningPostgres> {
  const postgres = await stage('Starting Postgres', () =>
    startPostgres({ dataDir: path.join(DATA_DIR, 'postgres'), takeOver: true }),
  );
  stops.push(postgres.stop);
  watchService('Postgres', postgres);
  return postgres;
}

async function embeddedRedis(): Promise<RunningRedis> {
  const redis = await stage('Starting Redis', () =>
    startRedis({
      dir: path.join(DATA_DIR, 'redis'),
      takeOver: true,
      say,
    }),
  );
  stops.push(redis.stop);
  watchService('Redis', redis);
  return redis;
}

/** Starts a service again on its port when it ends by itself; the API and the workers reconnect. */
function watchService(name: string, service: RunningPostgres | RunningRedis): void {
  void (async () => {
    for (let restarts = 1; restarts <= MAX_RESTARTS; restarts += 1) {
      const how = await service.ended();
      if (stopping) return;
      console.error(`${name} ended unexpectedly (${how}); starting it again. Its log is in ${DATA_DIR}.`);
      await sleep(pauseMs(restarts));
      if (stopping) return;
      await service.restart();
    }
    throw new Error(`${name} keeps ending; giving up.`);
  })().catch(giveUp);
}

function giveUp(error: unknown): void {
  if (stopping) return;
  console.error(error instanceof Error ? error.message : error);
  void end(1);
}

function pauseMs(restarts: number): number {
  return Math.min(125 * 2 ** restarts, 10_000);
}

/** Made once for each data folder. */
function readSecrets(): Readonly<Record<string, string>> {
  const known = readJson<Record<string, string>>(SECRETS_FILE) ?? {};
  const secrets = completedSecrets(known);
  if (Object.keys(secrets).length > Object.keys(known).length)
    fs.writeFileSync(SECRETS_FILE, JSON.stringify(secrets), { mode: 0o600 });
  return secrets;
}

function once(program: string, env: NodeJS.ProcessEnv): void {
  const { status, stdout, stderr } = spawnSync(process.execPath, [program], { cwd: ROOT, env, encoding: 'utf8' });
  if (status !== 0) throw new Error(`${program} failed:\n${stderr}${stdout}`);
}

/** Runs a program, and runs it again with a growing pause when it ends by itself; each time in a new environment. */
async function keepRunning(
  name: string,
  program: readonly string[],
  environment: () => Promise<NodeJS.ProcessEnv>,
  onLine: (line: string) => void = () => {},
): Promise<void> {
  const logs = path.join(DATA_DIR, 'logs');
  fs.mkdirSync(logs, { recursive: true });
  const logFile = path.join(logs, `${name}.log`);
  if ((fs.statSync(logFile, { throwIfNoEntry: false })?.size ?? 0) > LOG_LIMIT_BYTES)
    fs.renameSync(logFile, `${logFile}.1`);
  const file = fs.createWriteStream(logFile, { flags: 'a' });
  const launch = async (): Promise<GuardedProcess> => {
    const started = await spawnGuarded(process.execPath, [...PROGRAM_FLAGS, ...program], {
      stopSignal: 'SIGTERM',
      graceMs: 15_000,
      spawn: { cwd: ROOT, env: await environment(), stdio: ['ignore', 'pipe', 'pipe'] },
    });
    follow(name, started.child, file, onLine);
    return started;
  };
  let current = await launch();
  stops.push(async () => {
    await current.stop();
    file.end();
  });
  void (async () => {
    for (let restarts = 1; restarts <= MAX_RESTARTS; restarts += 1) {
      const how = await current.ended;
      if (stopping) return;
      console.error(`The ${name} ended (${how}); starting it again. Its log: ${file.path}`);
      await sleep(pauseMs(restarts));
      if (stopping) return;
      current = await launch();
    }
    throw new Error(`The ${name} keeps ending; giving up.`);
  })().catch(giveUp);
}

/** Everything goes into the log file; what is an error is said here too. */
function follow(name: string, child: ChildProcess, file: fs.WriteStream, onLine: (line: string) => void): void {
  for (const stream of [child.stdout, child.stderr]) {
    let rest = '';
    stream?.setEncoding('utf8').on('data', (text: string) => {
      file.write(text);
      const lines = (rest + text).split('\n');
      rest = lines.pop() ?? '';
      for (const line of lines) {
        onLine(line);
        if (!line.startsWith('{') || /"level":(50|60)/.test(line)) console.error(`[${name}] ${shown(line)}`);
      }
    });
  }
}

function readJson<T>(file: string): T | undefined {
  try {
    return JSON.parse(fs.readFileSync(file, 'utf8'));
  } catch {
    return undefined;
  }
}
