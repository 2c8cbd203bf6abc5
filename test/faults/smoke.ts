import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Queue } from 'bullmq';
import { Redis } from 'ioredis';
import { startPostgres } from '../../scripts/services/postgres.ts';
import { freePort } from '../../scripts/services/process.ts';
import { startRedis } from '../../scripts/services/redis.ts';
import { readJwtConfig } from '../../src/config.ts';
import { createDb, createPool } from '../../src/db/client.ts';
import { migrate } from '../../src/db/migrate.ts';
import { checkIntegrity } from '../../src/domain/finance/integrity.ts';
import { createPorts } from '../../src/gateways/index.ts';
import { sandboxPayments } from '../../src/gateways/sandbox/provider.ts';
import { mintToken } from '../../src/http/mint.ts';
import { systemClock } from '../../src/kernel/clock.ts';
import { createLogger } from '../../src/kernel/log.ts';
import { keyPrefix } from '../../src/queues/connection.ts';
import { COMPENSATION_QUEUE, FORWARD_QUEUE } from '../../src/queues/names.ts';
import { disagreements } from '../setup/gateway-agreement.ts';
import { crashesIn } from '../setup/server-crashes.ts';
import { connectChaosDatabase, seedStays } from './chaos/database.ts';
import { createDriver, PRINCIPAL } from './chaos/driver.ts';
import { CHAOS_SCHEMA, LINK_ANSWERS, OUTCOME_INVARIANTS, RECOVERY } from './chaos/evidence.ts';
import { createFleet } from './chaos/fleet.ts';
import {
  breakPostgres,
  checkHealth,
  killApis,
  killBetweenCommitAndPublish,
  killWorkers,
  loseRedis,
  repeatAndCollide,
  stopWorkers,
} from './chaos/phases.ts';
import { createRandom } from './chaos/random.ts';
import { CHAOS_GATEWAY, type Stage, settle } from './chaos/stage.ts';
import { INVARIANTS } from './invariants.ts';

/**
 * `npm run faults:smoke [-- seed]`: real processes, their own Postgres with full durability, their own Redis; faults of
 * every kind while sagas are running; then the invariants. Exits 1 for any violation, and when a fault that was planned
 * did not happen. SIGKILL is not power loss, so this says nothing about fsync (guarantees.md 3.4).
 */

const ROOT = path.resolve(import.meta.dirname, '../..');
/** Each fault, and each of these requests, must have happened this often, or the run has shown nothing. */
const MINIMUM: Readonly<Record<string, number>> = {
  'SIGKILL worker': 10,
  'SIGKILL API between commit and publish': 8,
  'SIGKILL API': 4,
  FLUSHALL: 2,
  'Redis SIGKILL, back empty': 2,
  'Redis away, then back': 1,
  'Postgres fast restart': 1,
  'Postgres immediate restart': 1,
  'Postgres SIGKILL': 1,
  pg_terminate_backend: 15,
  'SIGSTOP worker beyond its lock': 2,
  'same key twice': 20,
  'same key, other body': 20,
  'overlapping pairs': 20,
  'forced step failure': 20,
  'replays after the end': 30,
  payment: 300,
  'payment declined': 10,
};
/** guarantees.md G12. */
const RECOVERY_P95_S = 15;
const RECOVERY_MAX_S = 60;

const seed = Number(process.argv[2] ?? Math.floor(Math.random() * 2 ** 31));
if (!Number.isInteger(seed)) throw new RangeError('usage: npm run faults:smoke [-- seed]');
const began = Date.now();
const say = (line: string): void => console.log(line);
const stamp = (): string => `${((Date.now() - began) / 1000).toFixed(0).padStart(3)} s`;

const directory = fs.mkdtempSync(path.join(os.tmpdir(), 'roomy-faults-'));
fs.chmodSync(directory, 0o755);
const cleanUp: (() => Promise<void>)[] = [];
let closing: Promise<void> | undefined;
function close(): Promise<void> {
  closing ??= (async () => {
    for (const end of cleanUp.splice(0).reverse()) await end().catch((error: unknown) => console.error(error));
  })();
  return closing;
}
for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.on(signal, () => {
    say(`${signal}: cleaning up`);
    void close().finally(() => process.exit(130));
  });
}

process.on('uncaughtException', (error) => {
  console.error(error);
  void close().finally(() => process.exit(1));
});

async function run(): Promise<boolean> {
  say(`seed ${seed}, logs in ${directory}`);
  const [postgres, redis] = await Promise.all([
    startPostgres({ dataDir: path.join(directory, 'postgres') }),
    startRedis({ dir: path.join(directory, 'redis'), appendonly: false }),
  ]);
  cleanUp.push(
    () => postgres.stop(),
    () => redis.stop(),
  );
  const client = new Redis(redis.url, { maxRetriesPerRequest: null, retryStrategy: () => 200 });
  client.on('error', () => undefined);
  cleanUp.push(() => Promise.resolve(client.disconnect()));
  await migrate(postgres.url);
  const db = connectChaosDatabase(postgres.url);
  cleanUp.push(() => db.close());
  await db.query(CHAOS_SCHEMA);
  const stays = await seedStays(db);

  const env = {
    DATABASE_URL: postgres.url,
    REDIS_URL: redis.appUrl,
    JWT_KEYS: 'k1:smoke-0123456789-abcdefghijklmnopqrstuvwxyz',
    SEAL_KEYS: 'k1:smoke-0123456789-abcdefghijklmnopqrstuvwxyz',
    NODE_ENV: 'production',
    OPS_PORT: 'off',
    HOST: '127.0.0.1',
    LOG_LEVEL: 'info',
    ROOMY_DATA_DIR: path.join(directory, 'data'),
    PAYMENT_GATEWAYS: 'sandbox',
    SANDBOX_GATEWAYS: CHAOS_GATEWAY,
    // One client does everything, as fast as it can, for few people.
    RATE_LIMITS: 'reads=1000000,writes=1000000,payments=1000000,open-sagas=100000',
    MESSAGES_A_DAY:
      'guest-email=100000,guest-sms=100000,owner-email=100000,owner-sms=100000,staff-email=100000,staff-sms=100000',
  };
  const ports = [await freePort(), await freePort(), await freePort()] as const;
  const urlOf = (port: number): string => `http://127.0.0.1:${port}`;
  const fleet = createFleet(ROOT, directory);
  cleanUp.push(() => fleet.close());
  for (const n of [1, 2] as const) {
    await fleet.launch(`api-${n}`, { program: 'src/api.ts', env: { ...env, PORT: String(ports[n]) } });
  }
  for (const n of [1, 2, 3]) await fleet.launch(`worker-${n}`, { program: 'src/worker.ts', env });
  await Promise.all([...fleet.running('api'), ...fleet.running('worker')].map((name) => fleet.ready(name)));

  const jwt = readJwtConfig(env);
  const token = await mintToken(jwt, systemClock, {
    sub: PRINCIPAL,
    grant: { role: 'ADMIN' },
    lifetimeSeconds: 3600,
  });
  const driver = createDriver([urlOf(ports[1]), urlOf(ports[2])], token);
  const stage: Stage = {
    random: createRandom(seed),
    db,
    fleet,
    driver,
    stays,
    fired: new Map(),
    problems: [],
    expected: new Map(),
    say,
  };
  const dying = { program: 'test/faults/chaos/api-that-dies.ts', env: { ...env, PORT: String(ports[0]) } };

  const phases: readonly (readonly [string, () => Promise<void>])[] = [
    ['workers are killed', () => killWorkers(stage)],
    ['the API dies between commit and publish', () => killBetweenCommitAndPublish(stage, dying, urlOf(ports[0]))],
    ['APIs are killed', () => killApis(stage)],
    ['Redis loses everything', () => loseRedis(stage, redis, client)],
    ['Postgres restarts and cuts connections', () => breakPostgres(stage, postgres)],
    ['workers stop and go on', () => stopWorkers(stage)],
    ['requests repeat and collide', () => repeatAndCollide(stage)],
  ];
  const only = process.env.CHAOS_PHASES?.split(',').map(Number);
  for (const [index, [name, phase]] of phases.entries()) {
    if (only && !only.includes(index + 1)) continue;
    say(`${stamp()}  ${index + 1}. ${name}`);
    driver.phase = name;
    const sent = driver.attempts.length;
    await phase();
    const attempts = driver.attempts.slice(sent);
    const tally = new Map<string, number>();
    for (const { status, problem, code } of attempts) {
      const what =
        status === null
          ? `no answer (${problem?.replace(/^\w*Error: /, '').slice(0, 40)})`
          : `${status}${code ? ` ${code}` : ''}`;
      tally.set(what, (tally.get(what) ?? 0) + 1);
    }
    say(`  ${attempts.length} attempts: ${[...tally].map(([what, n]) => `${n} × ${what}`).join(', ')}`);
  }
  say(`${stamp()}  all faults are over`);
  driver.phase = 'after';
  const quiet = await settle(stage);
  await checkHealth(stage);
  await settle(stage);
  return report(stage, quiet, { redisUrl: redis.url, databaseUrl: postgres.url }, only !== undefined);
}

async function report(
  stage: Stage,
  quiet: boolean,
  { redisUrl, databaseUrl }: { readonly redisUrl: string; readonly databaseUrl: string },
  partial: boolean,
): Promise<boolean> {
  const { db, driver, fleet, fired, problems } = stage;
  await driver.save(db);
  const expected = JSON.stringify([...stage.expected].map(([key, ending]) => ({ key, ending })));
  await db.query(
    `INSERT INTO chaos.expected (idem_key, ending) SELECT key, ending FROM jsonb_to_recordset($1::jsonb) r(key text, ending text)`,
    [expected],
  );
  await db.query(LINK_ANSWERS);
  if (!quiet) problems.push('sagas were still open 60 s after the last fault');
  for (const key of driver.unanswered) problems.push(`never answered: key ${key}`);
  for (const surprise of fleet.surprises) problems.push(`a process crashed: ${surprise}`);
  for (const end of fleet.interferences) say(`somebody else's signal: ${end}`);
  for (const name of fs.readdirSync(path.join(directory, 'postgres')).filter((file) => /^postgres\.log/.test(file)))
    for (const crash of crashesIn(fs.readFileSync(path.join(directory, 'postgres', name), 'utf8')))
      problems.push(`Postgres: ${crash}`);
  await checkQueues(redisUrl, problems);

  say('recovery after the last fault before each saga ended, in seconds:');
  const recovery = await db.query<{ kind: string; sagas: number; p50: number; p95: number; max: number }>(RECOVERY);
  for (const { kind, sagas, p50, p95, max } of recovery) {
    say(
      `  ${kind.padEnd(40)} ${String(sagas).padStart(5)} sagas  p50 ${p50.toFixed(1)}  p95 ${p95.toFixed(1)}  max ${max.toFixed(1)}`,
    );
    const late = max > RECOVERY_MAX_S || (p95 > RECOVERY_P95_S && !isOverloaded());
    if (late) problems.push(`recovery from ${kind}: p95 ${p95.toFixed(1)} s, max ${max.toFixed(1)} s`);
  }

  say('faults:');
  for (const [kind, least] of Object.entries(MINIMUM)) {
    const count = fired.get(kind) ?? 0;
    say(`  ${kind.padEnd(40)} ${String(count).padStart(5)}`);
    if (count < least && !partial) problems.push(`planned ${least} × ${kind}, fired ${count}`);
  }

  const sagas = await db.query<{ status: string; n: number; redispatched: number }>(
    `SELECT status, count(*)::int AS n, count(*) FILTER (WHERE generation > 1 + (status = 'compensated')::int)::int AS redispatched FROM saga GROUP BY 1 ORDER BY 1`,
  );
  say(`sagas: ${sagas.map((row) => `${row.n} ${row.status} (${row.redispatched} dispatched anew)`).join(', ')}`);
  say(`requests: ${driver.attempts.length} attempts; processes started: ${fleet.starts()}`);

  let violations = 0;
  const invariants = Object.entries({ ...INVARIANTS, ...OUTCOME_INVARIANTS });
  for (const [name, query] of invariants) {
    const rows = await db.query(query);
    if (rows.length === 0) continue;
    violations += rows.length;
    problems.push(`${name}: ${rows.length} rows, such as ${JSON.stringify(rows.slice(0, 3))}`);
  }
  say(`invariants: ${invariants.length} checked, ${violations} violations`);
  await checkMoney(databaseUrl, problems);
  for (const [line, count] of errorsIn(directory)) say(`  logged ${count} × ${line}`);
  if (problems.length > 0) say(`FAILED, seed ${seed}:\n${problems.map((problem) => `  - ${problem}`).join('\n')}`);
  else say(`passed, seed ${seed}, in ${stamp().trim()}`);
  return problems.length === 0;
}

/** Others are using this machine so much that the typical recovery says more about them; the longest one counts all the same. */
const isOverloaded = (): boolean => (os.loadavg()[1] ?? 0) > 4 * os.availableParallelism();

/** I16 to I18 of guarantees.md 3.5: the books agree with themselves, and with what the gateway says that it has done. */
async function checkMoney(databaseUrl: string, problems: string[]): Promise<void> {
  const db = createDb(createPool({ connectionString: databaseUrl, max: 2, applicationName: 'chaos' }));
  const settings = { dir: path.join(directory, 'data'), feeBp: 290, gatewayIds: [CHAOS_GATEWAY] };
  const ports = await createPorts({ providers: [sandboxPayments.with(settings)] }, createLogger('chaos', 'silent'));
  try {
    const { differences, checked } = await checkIntegrity(db);
    for (const difference of differences.slice(0, 20)) problems.push(`integrity: ${JSON.stringify(difference)}`);
    const movements = await ports.gateway(CHAOS_GATEWAY).movements(CHAOS_GATEWAY, new Date(0), new Date(4e12), 100_000);
    const odd = await disagreements(db, CHAOS_GATEWAY, movements);
    for (const reference of odd.slice(0, 20)) problems.push(`gateway: ${reference}`);
    const twice = movements.length - new Set(movements.map(({ kind, reference }) => `${kind} ${reference}`)).size;
    if (twice > 0) problems.push(`gateway: ${twice} references moved twice`);
    say(
      `money: ${checked.payments} payments, ${movements.length} movements at the gateway, ${differences.length + odd.length} differences`,
    );
  } finally {
    await ports.close();
    await db.destroy();
  }
}

/** I31 of guarantees.md 3.5: when all is done, Redis holds no saga job that could still run. */
async function checkQueues(redisUrl: string, problems: string[]): Promise<void> {
  for (const name of [FORWARD_QUEUE, COMPENSATION_QUEUE]) {
    const queue = new Queue(name, { connection: { url: redisUrl }, prefix: keyPrefix('roomy') });
    try {
      const deadline = Date.now() + 20_000;
      for (;;) {
        const counts = await queue.getJobCounts(
          'active',
          'wait',
          'waiting-children',
          'delayed',
          'prioritized',
          'failed',
        );
        const left = (counts.active ?? 0) + (counts.wait ?? 0) + (counts['waiting-children'] ?? 0);
        if (left === 0 || Date.now() > deadline) {
          say(`queue ${name}: ${JSON.stringify(counts)}`);
          if (left > 0) problems.push(`I31: ${name} still holds ${JSON.stringify(counts)}`);
          break;
        }
        await sleep(250);
      }
    } finally {
      await queue.close();
    }
  }
}

/** Warnings and errors that the processes wrote, by message. */
function errorsIn(folder: string): [string, number][] {
  const tally = new Map<string, number>();
  for (const file of fs.readdirSync(folder).filter((name) => /^(api|worker|dying).*\.log$/.test(name))) {
    for (const line of fs.readFileSync(path.join(folder, file), 'utf8').split('\n')) {
      if (line === '') continue;
      const text = summaryOf(line);
      if (text !== null) tally.set(text, (tally.get(text) ?? 0) + 1);
    }
  }
  return [...tally].sort((a, b) => b[1] - a[1]).slice(0, 40);
}

function summaryOf(line: string): string | null {
  try {
    const entry = JSON.parse(line) as { level: number; role: string; msg: string; err?: { message?: string } };
    if (entry.level < 40) return null;
    return `${entry.role} ${entry.level} "${entry.msg}"${entry.err?.message ? `: ${entry.err.message.slice(0, 100)}` : ''}`;
  } catch {
    return `not a log line: ${line.slice(0, 120)}`;
  }
}

try {
  const passed = await run();
  process.exitCode = passed ? 0 : 1;
} catch (error) {
  console.error(error);
  say(`FAILED, seed ${seed}`);
  process.exitCode = 1;
} finally {
  await close();
}
if (process.exitCode === 0 && process.env.CHAOS_KEEP === undefined)
  fs.rmSync(directory, { recursive: true, force: true });
process.exit();
