import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { Redis } from 'ioredis';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { clockOfThisProcess, freePort } from '../../scripts/services/process.ts';
import { type RunningRedis, startRedis } from '../../scripts/services/redis.ts';
import { readJwtConfig } from '../../src/config.ts';
import { createDb, createPool, type Db } from '../../src/db/client.ts';
import { mintToken } from '../../src/http/mint.ts';
import { systemClock } from '../../src/kernel/clock.ts';
import { createTestDatabase, type TestDatabase } from '../setup/database.ts';
import { until } from '../setup/engine.ts';

/**
 * security.md K1, K3: names that appear nowhere else, of a guest and of secrets, through API and worker as programs: a stay that is
 * confirmed, paid and checked in, and requests that go wrong. Mails and alerts go to where nobody listens.
 */

const ROOT = path.join(import.meta.dirname, '../..');
const GUEST = {
  id: 'guest-seen',
  name: 'Zephyrine Quillfeather',
  email: 'zephyrine.quillfeather@canary-mail.example',
  phone: '+971501239876',
};
const NOTES = 'Allergic to marmalade, knocks twice at the door';
/** In any spelling that a log or a key of Redis could have them. */
const PERSONAL = ['zephyrine', 'quillfeather', 'canary-mail', '1239876', 'marmalade'];
const SECRETS = {
  JWT_KEYS: 'k1:canary-of-tokens-0123456789-abcdefghijklmnop',
  SEAL_KEYS: 's1:canary-of-seals-0123456789-abcdefghijklmnopq',
  FIELD_KEYS: 'f1:canary-of-fields-0123456789-abcdefghijklmno',
  METRICS_TOKEN: 'canary-of-metrics-0123456789-abcdefghijklmnop',
  AMENITIES_SIGNING_SECRET: 'canary-of-devices-0123456789-abcdefghijklmn',
  AMENITIES_HOSTS: '127.0.0.1:9',
  SMTP_URL: 'smtp://mailer:canary-of-mail-0123456789@127.0.0.1:9',
  INCIDENT_WEBHOOK_URL: 'http://127.0.0.1:9/canary-of-incidents-0123456789',
  DEAD_MANS_SWITCH_URL: 'http://127.0.0.1:9/canary-of-the-switch-0123456789',
};

let database: TestDatabase;
let db: Db;
let redis: RunningRedis;
let dir: string;
let api: string;
let token: string;
let secrets: readonly string[];
const running: ChildProcess[] = [];
const output: string[] = [];
/** What was sent to the collector of traces and metrics, by path. */
const measured: { readonly path: string; readonly text: string }[] = [];
let collector: Server;
let collectorUrl: string;
const failures: { readonly sent: string; readonly status: number; readonly text: string }[] = [];

beforeAll(async () => {
  dir = await mkdtemp(path.join(tmpdir(), 'roomy-canaries-'));
  database = await createTestDatabase();
  redis = await startRedis({ dir: path.join(dir, 'redis'), appendonly: false });
  db = createDb(createPool({ connectionString: database.url, max: 2, applicationName: 'canaries-test' }));
  token = await mintToken(readJwtConfig({ JWT_KEYS: SECRETS.JWT_KEYS }), systemClock, {
    sub: 'admin-1',
    grant: { role: 'ADMIN' },
    lifetimeSeconds: 600,
  });
  const passwords = [database.url, redis.url, redis.appUrl].map((url) => decodeURIComponent(new URL(url).password));
  secrets = ['canary-of', token, ...passwords.filter((password) => password.length > 8)];
  collector = createServer((request, answer) => {
    const parts: Buffer[] = [];
    request.on('data', (part: Buffer) => void parts.push(part));
    request.on('end', () => {
      measured.push({ path: request.url ?? '', text: Buffer.concat(parts).toString() });
      answer.writeHead(200, { 'content-type': 'application/json' }).end('{}');
    });
  });
  collectorUrl = `http://127.0.0.1:${await listening(collector)}`;
  const port = String(await freePort());
  api = `http://127.0.0.1:${port}/api/production`;
  await Promise.all(['api', 'worker'].map((program) => start(program, port)));
}, 120_000);
afterAll(async () => {
  await Promise.all(running.map((child) => end(child, 'SIGKILL')));
  await db?.destroy();
  await database?.drop();
  await redis?.stop();
  collector?.close();
  await rm(dir, { recursive: true, force: true });
});

/** Until it is ready. */
async function start(program: string, PORT: string): Promise<void> {
  const child = spawn(process.execPath, [`src/${program}.ts`], {
    cwd: ROOT,
    env: {
      ...{ ...clockOfThisProcess(), PATH: process.env['PATH'], NODE_ENV: 'test', LOG_LEVEL: 'debug' },
      ...{ DATABASE_URL: database.url, REDIS_URL: redis.appUrl, ROOMY_DATA_DIR: dir, QUEUE_PREFIX: 'canaries' },
      ...{ OTEL_EXPORTER_OTLP_ENDPOINT: collectorUrl, OTEL_METRIC_EXPORT_INTERVAL: '1000' },
      ...{ HOST: '127.0.0.1', PORT, OPS_PORT: '0', WORKER_OPS_PORT: '0', ...SECRETS },
    },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  running.push(child);
  const mine: string[] = [];
  for (const stream of [child.stdout, child.stderr])
    stream.setEncoding('utf8').on('data', (text: string) => {
      mine.push(text);
      output.push(text);
    });
  const isReady = async () => (mine.join('').includes('"msg":"ready"') ? true : undefined);
  await until(`${program} is ready`, isReady, 60_000);
}
async function end(child: ChildProcess, signal: NodeJS.Signals): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const ended = new Promise((resolve) => child.once('close', resolve));
  child.kill(signal);
  await ended;
}

async function call(method: string, at: string, body?: unknown, headers: Record<string, string> = {}) {
  const answer = await fetch(`${api}/${at}`, {
    method,
    headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json', ...headers },
    ...(body === undefined ? {} : { body: typeof body === 'string' ? body : JSON.stringify(body) }),
  });
  const text = await answer.text();
  if (answer.status >= 400) failures.push({ sent: `${method} ${at}`, status: answer.status, text });
  return { status: answer.status, text };
}
const done = async (method: string, at: string, body?: unknown): Promise<void> => {
  const { status, text } = await call(method, at, body, { prefer: 'wait=30' });
  expect([200, 201], `${method} ${at}: ${text}`).toContain(status);
};

async function liveThroughAStay(): Promise<void> {
  await done('POST', 'owners', { id: 'owner-seen', name: 'Olga', email: 'olga@owners.example' });
  const property = { id: 'property-seen', name: 'Marina 1204', ownerId: 'owner-seen', amenityDevice: 'lock-seen' };
  await done('POST', 'properties', property);
  await done('POST', 'guests', GUEST);
  const dates = { checkInDate: '2024-02-01', checkOutDate: '2024-02-03', totalAmount: 1000, currency: 'AED' };
  const stay = { id: 'stay-seen', propertyId: property.id, guestId: GUEST.id, ...dates, notes: NOTES };
  await done('POST', 'reservations', stay);
  await done('POST', 'reservations/stay-seen/confirm', { requireAssignment: false, notes: NOTES });
  const payment = { amount: 1000, currency: 'AED', gatewayId: 'gateway-123', notes: NOTES };
  await call('POST', 'reservations/stay-seen/payment', { ...payment, gatewayReference: 'ref-declined-seen' });
  await done('POST', 'reservations/stay-seen/payment', { ...payment, gatewayReference: 'ref-seen' });
  await done('POST', 'reservations/stay-seen/check-in', {});
  await done('GET', 'guests/guest-seen');
  await done('GET', 'search?q=Zephyrine');
}

/** Each has the guest, or a secret, in something that is refused; but in no name of a field, which is told back. */
async function goWrong(): Promise<void> {
  const { id: _id, ...person } = GUEST;
  await call('POST', 'guests', GUEST);
  await call('POST', 'guests', { name: GUEST.name, email: `${GUEST.email} ${GUEST.phone}` });
  await call('POST', 'guests', `{"name":"${GUEST.name}"`);
  await call('POST', 'guests', { ...person, name: `${GUEST.name} 4111 1111 1111 1111` });
  await call('GET', `guests/${GUEST.phone}`);
  await call('GET', `guests?email=${encodeURIComponent(GUEST.email)}`);
  await call('POST', 'reservations/stay-seen/cancel', { reason: NOTES });
  await call('POST', 'reservations/stay-seen/confirm', { notes: NOTES });
  await call('GET', 'guests', undefined, { authorization: `Bearer ${token}x` });
  await call('GET', 'guests', undefined, { authorization: `Basic ${token}` });
  await call('GET', `guests?access_token=${token}`);
  await call('GET', `nothing/${token}`);
  await call('POST', 'accounts', { name: GUEST.name, email: GUEST.email, role: 'OPS' });
  await call('POST', 'accounts', { name: GUEST.name, email: GUEST.email, role: 'OPS' });
}

const found = (text: string, canaries: readonly string[]): readonly string[] =>
  canaries.filter((canary) => text.toLowerCase().includes(canary.toLowerCase()));

describe('a guest and the secrets', () => {
  beforeAll(async () => {
    await liveThroughAStay();
    await goWrong();
    await until('mails have been tried', async () => {
      const tried = db.selectFrom('notification').select('id').where('channel', '=', 'EMAIL').where('attempts', '>', 0);
      return (await tried.execute()).length > 0 ? true : undefined;
    });
  }, 120_000);

  it('K1: are in no answer that refuses something', () => {
    expect(failures.length).toBeGreaterThan(12);
    for (const { sent, status, text } of failures)
      expect(found(text, [...secrets, ...PERSONAL]), `${sent}: ${status} ${text}`).toEqual([]);
  });

  it('K3: are in no key and no value of Redis', async () => {
    const client = new Redis(redis.url);
    const held: string[] = [];
    const stream = client.scanStream({ count: 1_000 });
    for await (const keys of stream)
      for (const key of keys as string[]) {
        const dump = await client.dumpBuffer(key);
        held.push(key, dump?.toString('latin1') ?? '', ...(await textsOf(client, key)));
      }
    client.disconnect();
    expect(held.length).toBeGreaterThan(30);
    expect(held.join('\n')).toContain('saga');
    expect(found(held.join('\n'), [...secrets, ...PERSONAL])).toEqual([]);
  });

  it('K12: come from programs that never asked Redis for more than their account may do', async () => {
    const admin = new Redis(redis.url);
    expect(await admin.acl('LOG')).toEqual([]);
    admin.disconnect();
    const program = new Redis(redis.appUrl);
    await program.set('{canaries}:probe', '1');
    const beyond = [
      ...[
        ['FLUSHALL'],
        ['FLUSHDB'],
        ['KEYS', '*'],
        ['SCAN', '0'],
        ['RANDOMKEY'],
        ['DBSIZE'],
        ['CONFIG', 'SET', 'maxmemory', '1'],
        ['CONFIG', 'GET', '*'],
        ['SHUTDOWN'],
      ],
      ...[
        ['ACL', 'LIST'],
        ['ACL', 'SETUSER', 'x', 'on'],
        ['CLIENT', 'LIST'],
        ['CLIENT', 'KILL', 'TYPE', 'normal'],
      ],
      ...[['MONITOR'], ['REPLICAOF', 'NO', 'ONE'], ['SCRIPT', 'FLUSH'], ['FUNCTION', 'FLUSH']],
      ...[
        ['MODULE', 'LIST'],
        ['SAVE'],
        ['BGREWRITEAOF'],
        ['MIGRATE', '127.0.0.1', '1', 'x', '0', '1'],
        ['SWAPDB', '0', '1'],
      ],
      ...[
        ['SET', 'elsewhere', '1'],
        ['GET', 'elsewhere'],
        ['PUBLISH', 'elsewhere', '1'],
        ['SLOWLOG', 'GET'],
        ['LATENCY', 'RESET'],
      ],
      ['EVAL', "return redis.call('SET', KEYS[1], '1')", '1', 'elsewhere'],
      ['EVAL', "return redis.call('FLUSHALL')", '0'],
    ] as const;
    for (const [command, ...given] of beyond)
      await expect(program.call(command, ...given), command).rejects.toThrow(
        /NOPERM|permission|can't run this command/i,
      );
    program.disconnect();
  });

  it('K1: are not in what API and worker write at level debug, up to their end', async () => {
    await Promise.all(running.map((child) => end(child, 'SIGTERM')));
    const lines = output.join('').split('\n');
    expect(lines.filter((line) => line.includes('"level":20')).length).toBeGreaterThan(0);
    expect(lines.filter((line) => line.includes('"msg":"request"')).length).toBeGreaterThan(20);
    const leaking = lines.filter((line) => found(line, [...secrets, ...PERSONAL]).length > 0);
    expect(leaking).toEqual([]);
  });

  it('K1: are in no trace and no metric', () => {
    for (const path of ['/v1/traces', '/v1/metrics']) {
      const sent = measured.filter((one) => one.path === path).map(({ text }) => text);
      expect(sent.join('\n')).toContain(path === '/v1/traces' ? 'confirmReservation' : 'roomy_');
      expect(sent.filter((text) => found(text, [...secrets, ...PERSONAL]).length > 0)).toEqual([]);
    }
  });
});

/** The port on which it listens then. */
const listening = (server: Server): Promise<number> =>
  new Promise((resolve) => {
    server.listen(0, '127.0.0.1', () => {
      const address = server.address();
      resolve(typeof address === 'object' && address !== null ? address.port : 0);
    });
  });

/** What a dump may hold compressed. */
async function textsOf(client: Redis, key: string): Promise<readonly string[]> {
  switch (await client.type(key)) {
    case 'string':
      return [(await client.get(key)) ?? ''];
    case 'hash':
      return Object.entries(await client.hgetall(key)).flat();
    case 'list':
      return client.lrange(key, 0, -1);
    case 'set':
      return client.smembers(key);
    case 'zset':
      return client.zrange(key, '0', '-1');
    case 'stream':
      return [JSON.stringify(await client.xrange(key, '-', '+'))];
    default:
      return [];
  }
}
