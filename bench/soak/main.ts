import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { Redis } from 'ioredis';
import pg from 'pg';
import { median } from '../load.ts';
import { type Started, startServices } from '../programs.ts';
import { renderTable } from '../report.ts';
import { seedMore } from '../seed.ts';
import { type System, startSystem } from '../system.ts';
import { type Judged, judge, memories, mostConnections, type Sample, type Starts } from './figures.ts';
import { warmStarts, workerStarts } from './starts.ts';

/**
 * `npm run bench:soak`: memory and connections of the programs after a long time at saturation, and how fast they start.
 *
 * --minutes N   of load; an hour unless it says otherwise
 * --check       exit code 1 when a bound is exceeded
 */
const { values: given } = parseArgs({
  options: { minutes: { type: 'string', default: '60' }, check: { type: 'boolean', default: false } },
});
const MINUTES = Number(given.minutes);
const AT_ONCE = 32;
/** Stays of one round: all are confirmed, half of them paid, and of these half check in and half are cancelled. */
const ROUND = 1_000;
const SAMPLE_EVERY_MS = 2_000;
const STARTS = 3;
const MIB = 2 ** 20;
const LONGEST_SECONDS = 300;
const READS = [
  '/api/production/reservations?limit=50',
  '/api/production/tasks?limit=50',
  '/api/production/notifications?limit=50',
  '/api/production/financial/summary',
  '/api/production/sagas?limit=50',
];

const say = (line: string): void => console.log(line);

async function main(): Promise<number> {
  if (!(MINUTES >= 1 && MINUTES <= 24 * 60)) throw new RangeError('--minutes must be from 1 to 1440');
  const started = await startServices({});
  const interrupt = (): void => void started.stop().finally(() => process.exit(130));
  process.on('SIGINT', interrupt).on('SIGTERM', interrupt);
  try {
    const system = await startSystem(started, { confirm: ROUND, rollback: 1 }, { name: 'soak', apart: true });
    const samples = await load(started, system);
    say('Starting');
    const env = {
      NODE_ENV: 'development',
      DATABASE_URL: system.databaseUrl,
      REDIS_URL: started.redis.appUrl,
      QUEUE_PREFIX: 'soak-start',
      ROOMY_DATA_DIR: path.join(started.directory, 'worker'),
      // As `npm start` has it.
      NODE_COMPILE_CACHE: path.join(started.directory, 'compile-cache'),
      JWT_KEYS: 'k1:of-a-start-that-nobody-asks-anything-0123456789',
    };
    const workerMs = await workerStarts(env, STARTS);
    await system.close();
    const starts: Starts = { workerMs, warmMs: await warmStarts(started.directory, STARTS) };
    const judged = judge(samples, starts);
    report(samples, starts, judged);
    return given.check && judged.some(({ isMet }) => !isMet) ? 1 : 0;
  } finally {
    await started.stop();
  }
}

/** Everything at once for so many minutes; a look every two seconds. */
async function load(started: Started, system: System): Promise<readonly Sample[]> {
  const startedAt = performance.now();
  const isOver = (): boolean => performance.now() - startedAt >= MINUTES * 60_000;
  const looking = look(started, system, startedAt, isOver);
  const reading = read(system, isOver);
  let failures: readonly string[] = [];
  let failed = 0;
  for (let from = 0; !isOver(); from += ROUND) {
    const next = seedMore(system.databaseUrl, from + ROUND, ROUND);
    const half = ROUND / 2;
    const quarter = ROUND / 4;
    for (const [action, first, count] of [
      ['confirm', from, ROUND],
      ['pay', from, half],
      ['checkIn', from, quarter],
      ['cancel', from + quarter, quarter],
    ] as const) {
      const plan = { loop: 'closed', concurrency: AT_ONCE, seconds: LONGEST_SECONDS, maxUnits: count } as const;
      const result = await system.send(action, plan, first);
      failed += result.failed;
      if (result.failed > 0) failures = result.failures;
    }
    await next;
  }
  if (failed > 0) throw new Error(`${failed} requests failed: ${failures.join('; ')}`);
  await reading;
  return await looking;
}

/** What people look at meanwhile. */
async function read(system: System, isOver: () => boolean): Promise<void> {
  const client = system.clientOf('ADMIN', 'reader');
  for (let no = 0; !isOver(); no += 1) {
    await client.get(READS[no % READS.length] ?? '/');
    await sleep(50);
  }
  client.close();
}

async function look(
  started: Started,
  system: System,
  startedAt: number,
  isOver: () => boolean,
): Promise<readonly Sample[]> {
  const samples: Sample[] = [];
  const redis = new Redis(started.redis.url);
  const pool = new pg.Pool({ connectionString: system.databaseUrl, max: 1, application_name: 'bench' });
  while (!isOver()) {
    await sleep(SAMPLE_EVERY_MS);
    const { rows } = await pool.query<{ name: string; n: number }>(
      `SELECT application_name AS name, count(*)::int AS n FROM pg_stat_activity
        WHERE datname = current_database() AND application_name LIKE 'roomy%' GROUP BY 1 ORDER BY 1`,
    );
    const { api = [], worker = [], background = [] } = system.processes;
    samples.push({
      minutes: (performance.now() - startedAt) / 60_000,
      rssMiB: { api: rssMiB(api), worker: rssMiB(worker), background: rssMiB(background) },
      redisMiB: Number(/used_memory:(\d+)/.exec(await redis.info('memory'))?.[1] ?? 0) / MIB,
      connections: Object.fromEntries(rows.map(({ name, n }) => [name, n])),
      sagas: await system.count('sagas'),
    });
    const last = samples.at(-1);
    if (last && samples.length % 15 === 0)
      say(
        `  ${last.minutes.toFixed(1)} min, ${last.sagas} sagas: ${Object.entries(last.rssMiB)
          .map(([name, mib]) => `${name} ${mib.toFixed(0)}`)
          .join(', ')}, redis ${last.redisMiB.toFixed(0)} MiB`,
      );
  }
  redis.disconnect();
  await pool.end();
  return samples;
}

/** Of the program itself; 0 where the system does not tell. */
function rssMiB(pids: readonly number[]): number {
  const kib = pids.map((pid) => {
    try {
      return Number(/VmRSS:\s+(\d+) kB/.exec(fs.readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1] ?? 0);
    } catch {
      return 0;
    }
  });
  return kib.reduce((sum, one) => sum + one, 0) / 1_024;
}

function report(samples: readonly Sample[], starts: Starts, judged: readonly Judged[]): void {
  const sagas = samples.at(-1)?.sagas ?? 0;
  say(`\nAfter ${MINUTES} minutes at saturation, with ${sagas} finished sagas\n`);
  say(
    renderTable(
      ['', 'most, MiB', 'rise over the last two thirds, MiB', 'MiB an hour'],
      memories(samples).map(({ name, ...of }) => [
        name,
        ...[of.maxMiB, of.riseMiB, of.riseMiBPerHour].map((mib) => mib.toFixed(1)),
      ]),
    ),
  );
  const connections = Object.entries(mostConnections(samples)).map(([name, most]) => `${name} ${most}`);
  say(`\nMost connections to Postgres: ${connections.join(', ')}`);
  say(`Warm start ${shown(starts.warmMs)}, worker ready ${shown(starts.workerMs)} (the fastest is judged)\n`);
  for (const { name, value, bound, isMet } of judged.toSorted((a, b) => Number(a.isMet) - Number(b.isMet)))
    say(`  ${isMet ? 'met   ' : 'missed'}  ${name}: ${value.toFixed(2)} (at most ${bound})`);
  const at = new Date().toISOString();
  const directory = path.join(import.meta.dirname, MINUTES >= 60 ? '../results' : '../../.roomy/bench');
  const file = path.join(directory, `soak-${at.replaceAll(/[:.]/g, '-')}.json`);
  fs.mkdirSync(directory, { recursive: true });
  const about = { at, node: process.version, cpus: os.availableParallelism(), minutes: MINUTES };
  fs.writeFileSync(file, `${JSON.stringify({ ...about, starts, judged, samples }, null, 2)}\n`);
  say(`\nWritten to ${path.relative(process.cwd(), file)}`);
}

const shown = (ms: readonly number[]): string =>
  `${(median(ms) ?? 0).toFixed(0)} ms (${ms.map((one) => one.toFixed(0)).join(', ')})`;

process.exitCode = await main().catch((error: unknown) => {
  console.error(error);
  return 1;
});
process.exit();
