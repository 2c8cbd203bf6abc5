import { readdirSync, readFileSync } from 'node:fs';
import type { Server } from 'node:http';
import net from 'node:net';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { twilioReceipts } from '../../src/gateways/twilio/receipts.ts';
import { closeServer, listen } from '../../src/listen.ts';
import { startHarness } from '../ops/harness.ts';
import { unsignedEvents } from '../setup/receivers.ts';
import { addReservation, declaredRoutes, type Http, seed, startHttp, tokenFor } from './harness.ts';

/** Every body that comes to a port of ours is bounded while it is read, on the wire, and not only by what it announces. */

const MANY_BYTES = 250_000_000;
/** Largest bound of any body, and what a kernel and Node may hold besides. */
const SLACK_BYTES = 1_000_000;
const UNSAFE = new Set(['post', 'put', 'patch', 'delete']);

let http: Http;
let ops: Awaited<ReturnType<typeof startHarness>>;
const servers: Server[] = [];
let publicPort = 0;
let opsPort = 0;
let token = '';
let cookie = '';

const KEEP_ALIVE_MS = 75_000;
async function open(fetch: Parameters<typeof listen>[2], limits?: Parameters<typeof listen>[3]): Promise<number> {
  const at = { host: '127.0.0.1', port: 0, keepAliveMs: KEEP_ALIVE_MS };
  const server = (await listen('PORT', at, fetch, limits)) as Server;
  servers.push(server);
  const address = server.address();
  return typeof address === 'object' && address !== null ? address.port : 0;
}
beforeAll(async () => {
  http = await startHttp({
    receivers: new Map([
      ...unsignedEvents('the right one'),
      ['twilio', twilioReceipts('0123456789abcdef', 'https://api.example.com/x')],
    ]),
  });
  await seed(http.db);
  await addReservation(http.db, 'stay-1');
  ops = await startHarness(inject('redisUrl'));
  publicPort = await open(http.app.fetch);
  opsPort = await open(ops.app.fetch);
  token = await tokenFor({ role: 'ADMIN' }, 'admin-1');
  cookie = await ops.login('olga', 'OPS');
}, 60_000);
afterAll(async () => {
  await Promise.all(servers.map((server) => closeServer(server)));
  await http?.stop();
  await ops?.stop();
});

interface Flood {
  readonly status: number;
  readonly answer: string;
  /** The bytes of it that the server has taken, by its own count. */
  readonly readBytes: number;
}
const CHUNK = Buffer.concat([Buffer.from('4000\r\n'), Buffer.alloc(0x4000, 'a'), Buffer.from('\r\n')]);

/** Sends chunk after chunk until the server cuts the connection, or until there is no more to send. */
async function flood(
  port: number,
  method: string,
  target: string,
  headers: Readonly<Record<string, string>>,
): Promise<Flood> {
  const server = servers.find((one) => (one.address() as net.AddressInfo).port === port);
  const socket = net.connect(port, '127.0.0.1');
  const taken = new Promise<number>((resolve) => {
    const onConnection = (accepted: net.Socket): void => {
      if (accepted.remotePort !== socket.localPort) return;
      server?.off('connection', onConnection);
      accepted.once('close', () => resolve(accepted.bytesRead));
    };
    server?.on('connection', onConnection);
  });
  let answer = '';
  let sent = 0;
  socket.setEncoding('latin1').on('data', (text: string) => {
    answer += text;
  });
  // The server stops reading in the middle: that is the point.
  socket.on('error', () => undefined);
  const closed = new Promise<void>((resolve) => socket.once('close', () => resolve()));
  const lines = Object.entries({ host: `127.0.0.1:${port}`, 'transfer-encoding': 'chunked', ...headers });
  socket.write(`${method} ${target} HTTP/1.1\r\n${lines.map(([name, value]) => `${name}: ${value}\r\n`).join('')}\r\n`);
  const send = (): void => {
    while (!socket.destroyed && sent < MANY_BYTES) {
      sent += CHUNK.length;
      if (!socket.write(CHUNK)) {
        socket.once('drain', send);
        return;
      }
    }
    if (!socket.destroyed) socket.end('0\r\n\r\n');
  };
  send();
  const readBytes = await taken;
  await closed;
  return { status: Number(/^HTTP\/1\.1 (\d{3})/.exec(answer)?.[1] ?? 0), answer, readBytes };
}

describe('an endless body', () => {
  it('N1: is read no further than its bound by any route of the API, and cuts the connection', async () => {
    const routes = declaredRoutes(http.app).filter(({ route }) => UNSAFE.has(route.method));
    expect(routes.length).toBeGreaterThan(40);
    const wrong: string[] = [];
    // Each provider has a bound of its own.
    const addresses = routes.flatMap(({ route }) =>
      route.path.includes('{provider}')
        ? ['stripe', 'twilio'].map((id) => ({ ...route, path: route.path.replace('{provider}', id) }))
        : [route],
    );
    const requests = addresses.flatMap((route) => {
      const target = route.path.replaceAll('{reservationId}', 'stay-1').replaceAll(/\{.+?\}/g, 'stay-1');
      const types = Object.keys(route.request?.body?.content ?? { 'application/octet-stream': {} });
      return types.map((type) => ({ method: route.method, target, type }));
    });
    const floodNext = async (): Promise<void> => {
      for (let next = requests.shift(); next; next = requests.shift()) {
        const { method, target, type } = next;
        const query = type === 'text/csv' ? '?gatewayId=sandbox' : '';
        const { status, answer, readBytes } = await flood(publicPort, method.toUpperCase(), target + query, {
          authorization: `Bearer ${token}`,
          'content-type': type,
          'if-match': '"1"',
        });
        const reads = type === 'application/json' || target.includes('/webhooks/');
        const isRefused = reads && !target.endsWith('-endpoints') ? status === 413 : status >= 200 && status < 500;
        const bound = type === 'text/csv' ? 5 * 1024 * 1024 : type.startsWith('image/') ? 2 * 1024 * 1024 : 256 * 1024;
        const isBounded = readBytes < bound + SLACK_BYTES && /^connection: close\r$/im.test(answer);
        if (!isRefused || !isBounded) wrong.push(`${method} ${target} ${type}: ${status}, ${readBytes} bytes`);
      }
    };
    // Each connection lingers for a moment: a few at a time.
    await Promise.all(Array.from({ length: 6 }, floodNext));
    expect(wrong).toEqual([]);
  }, 120_000);

  it.each([
    ['POST', '/login', false],
    ['POST', '/logout', true],
    ['PUT', '/queues/api/queues/tasks/pause', true],
    ['PUT', '/queues/api/queues/tasks/1/retry', true],
    ['POST', '/nothing', true],
    ['GET', '/mailbox', true],
    ['POST', '/logout', false],
  ])(
    'N1: is read no further than its bound by the port for operators: %s %s, logged in: %s',
    async (method, target, as) => {
      const { status, answer, readBytes } = await flood(opsPort, method, target, {
        'sec-fetch-site': 'same-origin',
        'content-type': 'application/x-www-form-urlencoded',
        ...(as ? { cookie } : {}),
      });
      expect(readBytes).toBeLessThan(16 * 1024 + SLACK_BYTES);
      expect(answer).toMatch(/^connection: close\r$/im);
      const reads = method !== 'GET' && (as || target === '/login');
      expect(reads ? status === 413 : status >= 200 && status < 500).toBe(true);
    },
  );

  it('N1: is not needed to be refused: an announced length is enough', async () => {
    const answer = await fetch(`http://127.0.0.1:${publicPort}/api/production/webhooks/stripe`, {
      method: 'POST',
      body: Buffer.alloc(256 * 1024 + 1),
    });
    expect([answer.status, answer.headers.get('connection')]).toEqual([413, 'close']);
  });

  it('leaves the connection open when a body was read to its end', async () => {
    const answer = await fetch(`http://127.0.0.1:${publicPort}/api/production/owners`, {
      method: 'POST',
      headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
      body: '{}',
    });
    expect([answer.status, answer.headers.get('connection')]).toEqual([422, 'keep-alive']);
  });
});

describe('a proxy that keeps connections for a minute', () => {
  it('is not told that they end before', async () => {
    for (const target of ['/health/live', '/api/production/owners', '/no-such-place']) {
      const { headers } = await fetch(`http://127.0.0.1:${publicPort}${target}`);
      expect([headers.get('connection'), headers.get('keep-alive')]).toEqual(['keep-alive', 'timeout=75']);
    }
  });
});

describe('a client that takes its time', () => {
  it.each([
    ['its headers', 'GET / HTTP/1.1\r\nHost: x\r\nX-Slow: '],
    ['its body', 'POST /api/production/webhooks/stripe HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{'],
  ])('over %s is answered 408 and cut', async (_what, begun) => {
    const limits = { headersTimeoutMs: 150, requestTimeoutMs: 200, checkMs: 20 };
    const port = await open(http.app.fetch, limits);
    const socket = net.connect(port, '127.0.0.1');
    let answer = '';
    socket.setEncoding('latin1').on('data', (text: string) => {
      answer += text;
    });
    const closed = new Promise((resolve) => socket.once('close', resolve));
    socket.write(begun);
    await closed;
    expect(answer).toMatch(/^HTTP\/1\.1 4(?:08|00) /);
  });
});

describe('the source', () => {
  it('reads streams of bytes in one place, and forms only behind it', () => {
    const root = path.join(import.meta.dirname, '../../src');
    const reads = /\.getReader\(|\.arrayBuffer\(|\.formData\(|\breq\.(?:json|text|blob|parseBody)\(|raw\.body\b/;
    const files = readdirSync(root, { recursive: true, encoding: 'utf8' })
      .filter((file) => file.endsWith('.ts') && !file.endsWith('.test.ts'))
      .map((file) => file.split(path.sep).join('/'))
      .filter((file) => reads.test(readFileSync(path.join(root, file), 'utf8')));
    expect(files.toSorted()).toEqual([
      // Our own answer, to be kept.
      'http/idempotent.ts',
      'http/middleware/body.ts',
      // Whether there is a body at all; what `jsonBody` has read, within its bound.
      'http/middleware/empty-body.ts',
      'http/routes/reconciliations.ts',
      'kernel/bounded.ts',
      'ops/app.ts',
    ]);
  });
});
