import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import net from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { Redis } from 'ioredis';
import { sql } from 'kysely';
import { afterAll, afterEach, beforeAll, describe, expect, inject, it } from 'vitest';
import { clockOfThisProcess } from '../../scripts/services/process.ts';
import { startRedis } from '../../scripts/services/redis.ts';
import { readJwtConfig } from '../../src/config.ts';
import { createDb, createPool } from '../../src/db/client.ts';
import { migrate } from '../../src/db/migrate.ts';
import { mintToken } from '../../src/http/mint.ts';
import { systemClock } from '../../src/kernel/clock.ts';
import { type Cuttable, cuttable } from '../faults/cuttable.ts';
import { prepareStays, seedStay } from '../sagas/confirmation.ts';
import { createEmptyDatabase, createTestDatabase, type TestDatabase } from '../setup/database.ts';
import { until } from '../setup/engine.ts';

/** The output of the programs, whatever goes wrong: JSON, line by line, and one line for each outage. */

const ROOT = path.join(import.meta.dirname, '../..');
const JWT_KEYS = 'k1:programs-0123456789-abcdefghijklmnopqrstuv';
interface Line {
  readonly level: number;
  readonly msg: string;
  readonly dependency?: string;
  readonly [field: string]: unknown;
}
interface Run {
  readonly lines: readonly Line[];
  readonly raw: readonly string[];
  readonly ended: Promise<number | null>;
  said(msg: string): readonly Line[];
  /** SIGTERM unless it is said. */
  stop(signal?: NodeJS.Signals): Promise<number | null>;
}

let database: TestDatabase;
let dataDir: string;
const running: ChildProcess[] = [];
beforeAll(async () => {
  database = await createTestDatabase();
  dataDir = await mkdtemp(path.join(tmpdir(), 'roomy-programs-'));
}, 60_000);
afterEach(async () => {
  for (const child of running.splice(0)) {
    if (child.exitCode !== null || child.signalCode !== null) continue;
    const ended = new Promise((resolve) => child.once('exit', resolve));
    child.kill('SIGKILL');
    await ended;
  }
});
afterAll(async () => {
  await database?.drop();
  await rm(dataDir, { recursive: true, force: true });
});

function run(program: string, env: Readonly<Record<string, string>> = {}, nodeOptions: readonly string[] = []): Run {
  const child = spawn(process.execPath, [...nodeOptions, `src/${program}.ts`], {
    cwd: ROOT,
    env: {
      ...clockOfThisProcess(),
      PATH: process.env['PATH'],
      NODE_ENV: 'test',
      DATABASE_URL: database.url,
      REDIS_URL: inject('redisUrl'),
      JWT_KEYS,
      SEAL_KEYS: JWT_KEYS,
      FIELD_KEYS: JWT_KEYS,
      ROOMY_DATA_DIR: dataDir,
      QUEUE_PREFIX: `programs-${process.pid}`,
      HOST: '127.0.0.1',
      PORT: '0',
      OPS_PORT: '0',
      ...env,
    },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  running.push(child);
  const raw: string[] = [];
  const lines: Line[] = [];
  for (const stream of [child.stdout, child.stderr]) {
    let rest = '';
    stream.setEncoding('utf8').on('data', (text: string) => {
      const whole = (rest + text).split('\n');
      rest = whole.pop() ?? '';
      for (const line of whole) {
        raw.push(line);
        if (line.startsWith('{')) lines.push(JSON.parse(line) as Line);
      }
    });
  }
  const ended = new Promise<number | null>((resolve) => child.once('close', (code) => resolve(code)));
  return {
    lines,
    raw,
    ended,
    said: (msg) => lines.filter((line) => line.msg === msg),
    stop: (signal = 'SIGTERM') => {
      child.kill(signal);
      return ended;
    },
  };
}
const spoken = (program: Run, msg: string, times = 1, withinMs = 30_000): Promise<true> =>
  until(`${msg} is said`, async () => (program.said(msg).length >= times ? true : undefined), withinMs);
async function freePort(): Promise<number> {
  const server = net.createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as net.AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}
const expectJson = (program: Run): void => expect(program.raw.filter((line) => !line.startsWith('{'))).toEqual([]);

describe.each(['api', 'worker'])('the program %s', (program) => {
  it('J13, K2: says all that is wrong with its configuration in one line, without values', async () => {
    const broken = run(program, { DATABASE_URL: 'mysql://secret', REDIS_URL: '', JWT_KEYS: 'hush-hush' });
    expect(await broken.ended).toBe(1);
    expectJson(broken);
    expect(broken.lines).toHaveLength(1);
    expect(broken.lines).toMatchObject([{ level: 60, msg: 'the configuration is not complete' }]);
    for (const name of ['DATABASE_URL', 'REDIS_URL', 'JWT_KEYS']) expect(broken.raw[0]).toContain(name);
    expect(broken.raw[0]).not.toMatch(/mysql:\/\/secret|hush-hush/);
  });

  it('starts, and ends in order on SIGTERM', async () => {
    const well = run(program);
    await spoken(well, 'ready');
    expect(await well.stop()).toBe(0);
    expectJson(well);
    expect(well.said('stopping')).toHaveLength(1);
  });

  it('is not ready without its schema, says what to do, and is ready by itself once it is there', async () => {
    const empty = await createEmptyDatabase();
    try {
      const waiting = run(program, { DATABASE_URL: empty.url });
      await spoken(waiting, 'not ready');
      expect(waiting.said('not ready')[0]).toMatchObject({
        failing: ['migrations'],
        hint: expect.stringContaining('npm run migrate'),
      });
      expect(waiting.said('ready')).toEqual([]);
      await migrate(empty.url);
      await spoken(waiting, 'ready');
      expect(waiting.said('not ready').length).toBeLessThanOrEqual(2);
      expect(await waiting.stop()).toBe(0);
      expectJson(waiting);
    } finally {
      await empty.drop();
    }
  });

  it.each(['postgres', 'redis'])('says in one line that %s is away, and in one that it is back', async (dependency) => {
    const isPostgres = dependency === 'postgres';
    const way: Cuttable = await cuttable(isPostgres ? database.url : inject('redisUrl'));
    try {
      const cut = run(program, { [isPostgres ? 'DATABASE_URL' : 'REDIS_URL']: way.url });
      await spoken(cut, 'ready');
      await way.cut();
      const logged = (msg: string) => cut.said(msg).filter((line) => line.dependency === dependency);
      await until('the outage is told', async () => logged('a dependency is away')[0]);
      // Long enough for every loop of the program to meet it several times.
      const over = performance.now() + 4_000;
      await until('the outage lasts', async () => (performance.now() > over ? true : undefined));
      await way.mend();
      await until('its end is told', async () => logged('a dependency is back')[0]);
      expect(await cut.stop()).toBe(0);
      expectJson(cut);
      const [away, back] = [logged('a dependency is away'), logged('a dependency is back')];
      expect([away.length, back.length]).toEqual([1, 1]);
      expect(Number(back[0]?.['awayMs'])).toBeGreaterThan(3_000);
      expect(cut.lines.filter((line) => line.level >= 40 && !/sandbox/.test(line.msg)).length).toBeLessThanOrEqual(3);
      expect(cut.raw.join('\n').length).toBeLessThan(8_000);
    } finally {
      await way.close();
    }
  });

  it.each(['postgres', 'redis'])('ends in order while %s is away', async (dependency) => {
    const isPostgres = dependency === 'postgres';
    const way: Cuttable = await cuttable(isPostgres ? database.url : inject('redisUrl'));
    try {
      const cut = run(program, { [isPostgres ? 'DATABASE_URL' : 'REDIS_URL']: way.url });
      await spoken(cut, 'ready');
      await way.cut();
      await spoken(cut, 'a dependency is away');
      expect(await cut.stop()).toBe(0);
      expectJson(cut);
    } finally {
      await way.close();
    }
  });

  it.each([
    ['uncaught error', 'setImmediate(() => { throw new Error("nobody catches this") })'],
    ['unhandled rejection', 'Promise.reject(new Error("nobody catches this"))'],
  ])('H9: ends in order and with code 1 after an %s, and says what it was', async (msg, bug) => {
    const planted = `data:text/javascript,${encodeURIComponent(`process.on('SIGUSR2', () => { ${bug} })`)}`;
    const faulty = run(program, {}, [`--import=${planted}`]);
    await spoken(faulty, 'ready');
    expect(await faulty.stop('SIGUSR2')).toBe(1);
    expectJson(faulty);
    expect(faulty.lines.filter((line) => line.level >= 50)).toMatchObject([
      { level: 60, msg, err: { message: expect.stringContaining('nobody catches this') } },
    ]);
    // Cut short after five seconds, it would have nothing to say either; in order it is quicker.
    expect(faulty.said('stopping failed')).toEqual([]);
  });

  it('says once that Redis may throw jobs away, and what to set', async () => {
    const dir = await mkdtemp(path.join(tmpdir(), 'roomy-evicting-'));
    const redis = await startRedis({ dir, appendonly: false });
    try {
      const admin = new Redis(redis.url);
      await admin.config('SET', 'maxmemory-policy', 'allkeys-lru');
      admin.disconnect();
      const evicting = run(program, { REDIS_URL: redis.url });
      await spoken(evicting, 'ready');
      await spoken(evicting, 'redis may throw jobs away');
      expect(await evicting.stop()).toBe(0);
      expectJson(evicting);
      expect(evicting.said('redis may throw jobs away')).toMatchObject([
        { policy: 'allkeys-lru', set: 'maxmemory-policy noeviction' },
      ]);
    } finally {
      await redis.stop();
      await rm(dir, { recursive: true, force: true });
    }
  });
});

it('says once that Redis was emptied while fifty jobs were at hand, and once that all is well again', async () => {
  const dir = await mkdtemp(path.join(tmpdir(), 'roomy-emptied-'));
  const redis = await startRedis({ dir, appendonly: false });
  const own = await createTestDatabase();
  const db = createDb(createPool({ connectionString: own.url, max: 3, applicationName: 'emptied-test' }));
  const admin = new Redis(redis.url);
  try {
    await prepareStays(db);
    const stays: string[] = [];
    for (let n = 0; n < 50; n += 1) stays.push(await seedStay(db));
    const env = { DATABASE_URL: own.url, REDIS_URL: redis.url, WORKER_CONCURRENCY: '64' };
    const port = await freePort();
    const api = run('api', { ...env, PORT: String(port) });
    await spoken(api, 'ready');
    const token = await mintToken(readJwtConfig({ JWT_KEYS }), systemClock, {
      sub: 'admin-1',
      grant: { role: 'ADMIN' },
      lifetimeSeconds: 600,
    });
    for (const stay of stays) {
      const accepted = await fetch(`http://127.0.0.1:${port}/api/production/reservations/${stay}/confirm`, {
        method: 'POST',
        headers: { authorization: `Bearer ${token}`, prefer: 'respond-async' },
      });
      expect([accepted.status, stay], await accepted.text()).toEqual([202, stay]);
    }
    // Each waits for its stay, as long as the test holds it.
    let worker: Run | undefined;
    await db.transaction().execute(async (tx) => {
      await sql`SET LOCAL idle_in_transaction_session_timeout = 0`.execute(tx);
      await sql`SELECT FROM reservation ORDER BY id FOR UPDATE`.execute(tx);
      worker = run('worker', env);
      await until('fifty jobs are at hand', async () => {
        let active = 0;
        for (const key of await admin.keys('*:active')) active += await admin.llen(key);
        return active >= 50 ? true : undefined;
      });
      await admin.flushall();
    });
    if (!worker) throw new Error('there is no worker');
    await until(
      'every stay is confirmed',
      async () => {
        const { rows } = await sql<{ n: number }>`
          SELECT count(*)::int AS n FROM saga WHERE status = 'completed'`.execute(db);
        return rows[0]?.n === 50 ? true : undefined;
      },
      60_000,
    );
    await spoken(worker, 'a worker is well again');
    expect(await worker.stop()).toBe(0);
    expect(await api.stop()).toBe(0);
    for (const program of [api, worker]) expectJson(program);
    expect(worker.said('a worker has trouble with its queue')).toHaveLength(1);
    expect(worker.said('a worker is well again')).toHaveLength(1);
    expect(Number(worker.said('a worker is well again')[0]?.['failures'])).toBeGreaterThanOrEqual(50);
    const loud = [...api.lines, ...worker.lines].filter((line) => line.level >= 40 && !/sandbox/.test(line.msg));
    expect(loud.length, JSON.stringify(loud)).toBeLessThanOrEqual(3);
  } finally {
    admin.disconnect();
    await db.destroy();
    await own.drop();
    await redis.stop();
    await rm(dir, { recursive: true, force: true });
  }
}, 120_000);

it('a port that is taken is one line, and what to do', async () => {
  const holder = net.createServer();
  await new Promise<void>((resolve) => holder.listen(0, '127.0.0.1', resolve));
  const { port } = holder.address() as net.AddressInfo;
  try {
    const second = run('api', { PORT: String(port) });
    expect(await second.ended).toBe(1);
    expectJson(second);
    expect(second.lines.filter((line) => line.level === 60)).toMatchObject([
      { problems: [expect.stringContaining(`PORT ${port} is already in use`)] },
    ]);
  } finally {
    holder.close();
  }
});

it.each(['migrate', 'demo', 'rotate-keys'])('%s writes JSON, also when it fails', async (program) => {
  const done = run(program);
  expect(await done.ended).toBe(0);
  expectJson(done);
  const broken = run(program, { DATABASE_URL: 'postgres://127.0.0.1:9/none' });
  expect(await broken.ended).toBe(1);
  expectJson(broken);
  expect(broken.lines).toMatchObject([{ level: 60, msg: 'could not start' }]);
});
