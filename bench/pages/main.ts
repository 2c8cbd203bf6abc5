import { randomBytes } from 'node:crypto';
import { parseArgs } from 'node:util';
import pg from 'pg';
import { freePort } from '../../scripts/services/process.ts';
import { insertAccount, updateAccount } from '../../src/domain/people/accounts.ts';
import { openSession } from '../../src/domain/people/sessions.ts';
import { PAGE_POLICIES } from '../../src/http/page-policies.ts';
import { sessionCookie } from '../../src/kernel/session-cookie.ts';
import { BENCH_FIELD_KEYS } from '../field-keys.ts';
import { withDb } from '../growth/history.ts';
import { percentile } from '../load.ts';
import { type Started, startServices } from '../programs.ts';
import { renderTable } from '../report.ts';
import { makeWorld } from './world.ts';

/**
 * `npm run bench:pages`: how long every page of the console takes over years of stays, one reader at a time, through the
 * program of the API.
 *
 * --stays N   finished stays beside today's; 100 000
 * --times N   each page is asked so often; 20
 * --only TEXT only pages whose path holds it
 * --check     exit code 1 when a page takes longer than its bound
 */
const { values: given } = parseArgs({
  options: {
    stays: { type: 'string', default: '100000' },
    times: { type: 'string', default: '20' },
    only: { type: 'string', default: '' },
    check: { type: 'boolean', default: false },
  },
});
const STAYS = Number(given.stays);
const TIMES = Number(given.times);
/** Nineteen of twenty answers are there by then. */
const MAX_P95_MS = 200;
const WARM_UPS = 5;
const SESSION_SECONDS = 36_000;

/** Of each page with an id in its address: SQL that finds one to open. Null: the bench has none of its kind. */
const ONE_OF: Readonly<Record<string, string | null>> = {
  'GET /console/stays/:id': `SELECT subject_id AS id FROM saga WHERE subject_type = 'reservation' ORDER BY requested_at DESC LIMIT 1`,
  'GET /console/incidents/:id': null,
  'GET /console/sagas/:id': 'SELECT id FROM saga ORDER BY requested_at DESC LIMIT 1',
  'GET /console/messages/:id': 'SELECT id FROM notification ORDER BY created_at DESC LIMIT 1',
  'GET /console/texts/:key': `SELECT 'reservation-confirmed.guest@1' AS id`,
  'GET /console/tasks/:id': `SELECT id FROM task WHERE status = 'UNASSIGNED' LIMIT 1`,
  'GET /console/staff/:id': `SELECT id FROM staff WHERE role = 'CLEANER' ORDER BY id LIMIT 1`,
  'GET /console/developers/endpoints/:id': 'SELECT id FROM webhook_endpoint LIMIT 1',
  'GET /console/developers/keys/:id': null,
  // A file.
  'GET /console/metrics/:id': null,
};
const NOT_ASKED = new Set([
  'GET /console',
  'GET /console/live',
  'GET /console/files/:file',
  'GET /console/metrics.csv',
]);

interface Page {
  readonly path: string;
  readonly ms: readonly number[];
  readonly bytes: number;
}
const say = (line: string): void => console.log(line);

async function main(): Promise<number> {
  if (![STAYS, TIMES].every((count) => Number.isInteger(count) && count > 0))
    throw new RangeError('--stays and --times must be whole numbers above 0');
  const started = await startServices({
    max_connections: '100',
    shared_buffers: '512MB',
    fsync: 'off',
    max_wal_size: '4GB',
  });
  process.on('SIGINT', () => void started.stop().finally(() => process.exit(130)));
  process.on('SIGTERM', () => void started.stop().finally(() => process.exit(143)));
  try {
    const startedAt = performance.now();
    const url = await makeWorld(started, STAYS);
    say(`${STAYS} finished stays, made in ${((performance.now() - startedAt) / 1_000).toFixed(0)} s`);
    const ask = await startApi(started, url);
    const pages: Page[] = [];
    for (const path of (await pathsOf(url)).filter((one) => one.includes(given.only)))
      pages.push(await measure(path, ask));
    say(tableOf(pages));
    return given.check && pages.some(({ ms }) => at(ms, 95) > MAX_P95_MS) ? 1 : 0;
  } finally {
    await started.stop();
  }
}

/** Every page there is, and those views of one that read more than its first. */
async function pathsOf(url: string): Promise<readonly string[]> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  const paths: string[] = [];
  try {
    for (const route of Object.keys(PAGE_POLICIES)) {
      if (!route.startsWith('GET /console') || NOT_ASKED.has(route)) continue;
      const path = route.slice('GET '.length);
      if (!path.includes(':')) {
        paths.push(path);
        continue;
      }
      const find = ONE_OF[route];
      if (find === undefined) throw new Error(`which one is asked for of ${route}?`);
      if (find === null) continue;
      const { rows } = await client.query<{ id: string }>(find);
      if (rows[0] === undefined) throw new Error(`nothing for ${route}`);
      paths.push(path.replace(/:\w+$/, encodeURIComponent(rows[0].id)));
    }
  } finally {
    await client.end();
  }
  return [
    ...paths,
    '/console/stays/stay-today-0',
    '/console/sagas?status=parked',
    '/console/messages?reservationId=stay-today-0',
    '/console/find?q=john',
    '/console/find?q=stay-today-0',
    `/console/find?q=${dayFromNow(0)}`,
    `/console/metrics?from=${dayFromNow(-365)}&to=${dayFromNow(0)}`,
  ];
}

const dayFromNow = (days: number): string => new Date(Date.now() + days * 86_400_000).toISOString().slice(0, 10);

type Ask = (path: string) => Promise<{ readonly ms: number; readonly bytes: number }>;

/** The API alone, and somebody of ADMIN who has signed in with a second factor. */
async function startApi(started: Started, url: string): Promise<Ask> {
  const port = await freePort();
  const keys = `k1:${randomBytes(36).toString('base64url')}`;
  const origin = `http://127.0.0.1:${port}`;
  await started.node('src/api.ts', {
    env: {
      NODE_ENV: 'production',
      PAYMENT_GATEWAYS: 'sandbox',
      DATABASE_URL: url,
      REDIS_URL: started.redis.appUrl,
      QUEUE_PREFIX: 'bench-pages',
      ROOMY_DATA_DIR: started.directory,
      JWT_KEYS: keys,
      SEAL_KEYS: keys,
      FIELD_KEYS: BENCH_FIELD_KEYS,
      HOST: '127.0.0.1',
      PORT: String(port),
      OPS_PORT: 'off',
      LOG_LEVEL: 'warn',
      RATE_LIMITS: 'reads=100000000',
    },
    ready: async () => (await fetch(`${origin}/health/ready`).catch(() => null))?.ok === true,
  });
  const key = await withDb(url, (db) =>
    db.transaction().execute(async (tx) => {
      const { id } = await insertAccount(tx, {
        email: 'reader@example.com',
        name: 'Rita',
        role: 'ADMIN',
        invitedBy: null,
      });
      await updateAccount(tx, id, { status: 'ACTIVE' });
      const session = { accountId: id, method: 'PASSKEY', mfaAt: new Date(), ip: null, userAgent: null } as const;
      return (await openSession(tx, { ...session, lifetime: SESSION_SECONDS })).key;
    }),
  );
  const headers = { cookie: `${sessionCookie(true)}=${key}` };
  return async (path) => {
    const startedAt = performance.now();
    const response = await fetch(`${origin}${path}`, { headers, redirect: 'manual' });
    const { byteLength: bytes } = await response.arrayBuffer();
    if (response.status !== 200) throw new Error(`${path} answered ${response.status}`);
    return { ms: performance.now() - startedAt, bytes };
  };
}

async function measure(path: string, ask: Ask): Promise<Page> {
  for (let no = 0; no < WARM_UPS; no += 1) await ask(path);
  const ms: number[] = [];
  let bytes = 0;
  for (let no = 0; no < TIMES; no += 1) {
    const answer = await ask(path);
    ms.push(answer.ms);
    bytes = answer.bytes;
  }
  return { path, ms, bytes };
}

const at = (ms: readonly number[], percent: number): number => percentile(ms, percent) ?? Number.NaN;

function tableOf(pages: readonly Page[]): string {
  const slowestFirst = pages.toSorted((a, b) => at(b.ms, 95) - at(a.ms, 95));
  const rows = slowestFirst.map(({ path, ms, bytes }) => [
    `${at(ms, 95) > MAX_P95_MS ? '! ' : ''}${path}`,
    at(ms, 50).toFixed(0),
    at(ms, 95).toFixed(0),
    (bytes / 1_024).toFixed(0),
  ]);
  return renderTable(['', 'p50 ms', 'p95 ms', 'KB'], rows);
}

process.exitCode = await main().catch((error: unknown) => {
  console.error(error);
  return 1;
});
