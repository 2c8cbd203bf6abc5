import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer, request, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { Redis } from 'ioredis';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { clockOfThisProcess, freePort } from '../../scripts/services/process.ts';
import { type RunningRedis, startRedis } from '../../scripts/services/redis.ts';
import { readJwtConfig } from '../../src/config.ts';
import { createDb, createPool, type Db } from '../../src/db/client.ts';
import { readDevMail } from '../../src/domain/messages/delivery-mailbox.ts';
import { mintToken } from '../../src/http/mint.ts';
import { systemClock } from '../../src/kernel/clock.ts';
import { addPerson } from '../http/people.ts';
import { createTestDatabase, type TestDatabase } from '../setup/database.ts';
import { until } from '../setup/engine.ts';

/**
 * Two APIs and a worker as programs, behind a proxy that gives each request to the other one, with the Redis user of
 * docker-compose.yml: sessions, keys of idempotency and streams need no stickiness, and no command is missing.
 */

const ROOT = path.join(import.meta.dirname, '../..');
const KEYS = {
  JWT_KEYS: 'k1:two-apis-0123456789-abcdefghijklmnopq',
  SEAL_KEYS: 's1:two-apis-0123456789-abcdefghijklm',
};

let database: TestDatabase;
let db: Db;
let redis: RunningRedis;
let admin: Redis;
let dir: string;
let proxy: Server;
let base: string;
let token: string;
/** By which API requests were answered, in their order. */
const served: number[] = [];
const running: ChildProcess[] = [];

beforeAll(async () => {
  dir = await mkdtemp(path.join(tmpdir(), 'roomy-two-'));
  database = await createTestDatabase();
  redis = await startRedis({ dir: path.join(dir, 'redis'), appendonly: false });
  admin = new Redis(redis.url);
  db = createDb(createPool({ connectionString: database.url, max: 2, applicationName: 'two-apis-test' }));
  token = await mintToken(readJwtConfig({ JWT_KEYS: KEYS.JWT_KEYS }), systemClock, {
    sub: 'admin-1',
    grant: { role: 'ADMIN' },
    lifetimeSeconds: 600,
  });
  const ports = [await freePort(), await freePort()];
  proxy = startProxy(ports);
  await new Promise<void>((resolve) => proxy.listen(0, '127.0.0.1', resolve));
  base = `http://127.0.0.1:${(proxy.address() as AddressInfo).port}`;
  await Promise.all([start('api', ports[0]), start('api', ports[1]), start('worker')]);
}, 120_000);
afterAll(async () => {
  proxy?.closeAllConnections();
  proxy?.close();
  await Promise.all(running.map(end));
  admin?.disconnect();
  await db?.destroy();
  await database?.drop();
  await redis?.stop();
  await rm(dir, { recursive: true, force: true });
});

/** In turns, whoever asks; what comes is passed on as it comes. */
function startProxy(ports: readonly number[]): Server {
  let turn = 0;
  return createServer((incoming, outgoing) => {
    const at = turn % ports.length;
    turn += 1;
    served.push(at);
    const { method, url, headers } = incoming;
    const passed = request({ host: '127.0.0.1', port: ports[at], method, path: url, headers }, (answer) => {
      outgoing.writeHead(answer.statusCode ?? 502, answer.headers);
      answer.pipe(outgoing);
    });
    passed.once('error', () => outgoing.destroy());
    outgoing.once('close', () => passed.destroy());
    incoming.pipe(passed);
  });
}
async function start(program: string, port = 0): Promise<void> {
  const child = spawn(process.execPath, [`src/${program}.ts`], {
    cwd: ROOT,
    env: {
      ...{ ...clockOfThisProcess(), PATH: process.env['PATH'], NODE_ENV: 'development', LOG_LEVEL: 'info' },
      ...{ DATABASE_URL: database.url, REDIS_URL: redis.appUrl, ROOMY_DATA_DIR: dir, PUBLIC_URL: base },
      ...{ HOST: '127.0.0.1', PORT: String(port), OPS_PORT: '0', WORKER_OPS_PORT: '0', ...KEYS },
    },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  running.push(child);
  let said = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    said += text;
  });
  await until(`${program} is ready`, async () => (said.includes('"msg":"ready"') ? true : undefined), 60_000);
}
async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const ended = new Promise((resolve) => child.once('close', resolve));
  child.kill('SIGKILL');
  await ended;
}
async function call(method: string, at: string, body?: object, headers: Readonly<Record<string, string>> = {}) {
  const answer = await fetch(`${base}/api/production/${at}`, {
    method,
    headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json', prefer: 'wait=30', ...headers },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  return { status: answer.status, text: await answer.text() };
}
async function done(at: string, body: object, headers: Readonly<Record<string, string>> = {}): Promise<string> {
  const { status, text } = await call('POST', at, body, headers);
  expect([200, 201], `${at}: ${text}`).toContain(status);
  return text;
}
/** In the mail that the worker has delivered to the mailbox of development. */
async function linkFor(email: string): Promise<string | undefined> {
  const mails = await db.selectFrom('dev_mail').select('id').where('recipient', '=', email).execute();
  for (const { id } of mails) {
    const found = /https?:[^"\s]*?(\/sign-in\/[\w-]{43})/.exec((await readDevMail(db, id))?.body ?? '')?.[1];
    if (found !== undefined) return found;
  }
  return undefined;
}
/** Both have answered since then. */
const both = (from: number): boolean => new Set(served.slice(from)).size === 2;

describe('two APIs without sticky sessions', () => {
  beforeAll(async () => {
    await done('owners', { id: 'owner-1', name: 'Olga', email: 'olga@example.com' });
    await done('properties', { id: 'property-1', name: 'Marina 1204', ownerId: 'owner-1' });
    await done('guests', { id: 'guest-1', name: 'Gus', email: 'gus@example.com' });
  });
  const stay = (id: string, month: string) => ({
    ...{ id, propertyId: 'property-1', guestId: 'guest-1', totalAmount: 1000, currency: 'AED' },
    ...{ checkInDate: `2040-${month}-01`, checkOutDate: `2040-${month}-03` },
  });

  it('run a saga that one has accepted, and tell its answer by whichever is asked', async () => {
    const from = served.length;
    await done('reservations', stay('stay-1', '02'));
    await done('reservations/stay-1/confirm', { requireAssignment: false });
    expect((await call('GET', 'reservations/stay-1')).text).toContain('CONFIRMED');
    expect(both(from)).toBe(true);
  }, 60_000);

  it('know a key of idempotency that the other was given', async () => {
    const from = served.length;
    const key = { 'idempotency-key': 'made-once' };
    const first = await done('reservations', stay('stay-2', '03'), key);
    expect(await done('reservations', stay('stay-2', '03'), key)).toBe(first);
    expect((await call('POST', 'reservations', stay('stay-3', '04'), key)).status).toBe(422);
    expect(both(from)).toBe(true);
  });

  it('know a session that the other has begun, and no longer when the other has ended it', async () => {
    const from = served.length;
    const { email } = await addPerson(db, 'AGENT');
    const post = (at: string, form: Readonly<Record<string, string>>, cookie = '') =>
      fetch(`${base}${at}`, {
        method: 'POST',
        redirect: 'manual',
        headers: { 'sec-fetch-site': 'same-origin', ...(cookie === '' ? {} : { cookie }) },
        body: new URLSearchParams(form),
      });
    await post('/sign-in', { email });
    const signedIn = await post(await until('the link is mailed', () => linkFor(email)), {});
    const cookie = signedIn.headers
      .getSetCookie()
      .map((set) => set.split(';')[0])
      .join('; ');
    const account = async () => (await fetch(`${base}/account`, { headers: { cookie }, redirect: 'manual' })).status;
    expect([await account(), await account()]).toEqual([200, 200]);
    await post('/sign-out', {}, cookie);
    expect([await account(), await account()]).toEqual([303, 303]);
    expect(both(from)).toBe(true);
  });

  it('tell in a stream of one what was done by the other', async () => {
    const gone = new AbortController();
    const stream = await fetch(`${base}/api/production/events/stream`, {
      headers: { authorization: `Bearer ${token}` },
      signal: gone.signal,
    });
    const listens = served.at(-1);
    const reader = stream.body?.pipeThrough(new TextDecoderStream()).getReader();
    let text = '';
    const heard = (async () => {
      while (!text.includes('stay-4')) {
        const part = await reader?.read();
        if (part === undefined || part.done) return;
        text += part.value;
      }
    })();
    await done('reservations', stay('stay-4', '05'));
    expect(served.at(-1)).not.toBe(listens);
    await heard;
    expect(text).toContain('stay-4');
    gone.abort();
  }, 30_000);
});

describe('the Redis user of the programs', () => {
  it('K12: has every command that they sent', async () => {
    const log = (await admin.call('ACL', 'LOG')) as readonly unknown[];
    expect(log).toEqual([]);
  });
});
