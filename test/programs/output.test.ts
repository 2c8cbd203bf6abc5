import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import net from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { Redis } from 'ioredis';
import { afterAll, afterEach, beforeAll, describe, expect, inject, it } from 'vitest';
import { startRedis } from '../../scripts/services/redis.ts';
import { migrate } from '../../src/db/migrate.ts';
import { type Cuttable, cuttable } from '../faults/cuttable.ts';
import { createEmptyDatabase, createTestDatabase, type TestDatabase } from '../setup/database.ts';
import { until } from '../setup/engine.ts';

/** What the programs write, whatever goes wrong: JSON, line by line, and one line for each outage. */

const ROOT = path.join(import.meta.dirname, '../..');
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
      PATH: process.env['PATH'],
      NODE_ENV: 'test',
      DATABASE_URL: database.url,
      REDIS_URL: inject('redisUrl'),
      JWT_KEYS: 'k1:programs-0123456789-abcdefghijklmnopqrstuv',
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
const expectJson = (program: Run): void => expect(program.raw.filter((line) => !line.startsWith('{'))).toEqual([]);

describe.each(['api', 'worker'])('the program %s', (program) => {
  it('says all that is wrong with its configuration in one line, without values', async () => {
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
      const told = (msg: string) => cut.said(msg).filter((line) => line.dependency === dependency);
      await until('the outage is told', async () => told('a dependency is away')[0]);
      // Long enough for every loop of the program to meet it several times.
      const over = performance.now() + 4_000;
      await until('the outage lasts', async () => (performance.now() > over ? true : undefined));
      await way.mend();
      await until('its end is told', async () => told('a dependency is back')[0]);
      expect(await cut.stop()).toBe(0);
      expectJson(cut);
      const [away, back] = [told('a dependency is away'), told('a dependency is back')];
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
  ])('ends in order and with code 1 after an %s, and says what it was', async (msg, bug) => {
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

it.each(['migrate', 'demo'])('%s writes JSON, also when it fails', async (program) => {
  const done = run(program);
  expect(await done.ended).toBe(0);
  expectJson(done);
  const broken = run(program, { DATABASE_URL: 'postgres://127.0.0.1:9/none' });
  expect(await broken.ended).toBe(1);
  expectJson(broken);
  expect(broken.lines).toMatchObject([{ level: 60, msg: 'could not start' }]);
});
