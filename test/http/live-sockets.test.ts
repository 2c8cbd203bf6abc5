import type { Server } from 'node:http';
import { type AddressInfo, connect } from 'node:net';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { WebSocket } from 'ws';
import { EVENT_CATALOGUE } from '../../src/domain/events/catalogue.ts';
import { numberEvents } from '../../src/domain/events/feed.ts';
import { DEFAULT_LIMITS } from '../../src/kernel/rate-limits.ts';
import { ROLES, type Role } from '../../src/kernel/roles.ts';
import { closeServer, listen } from '../../src/listen.ts';
import { until } from '../setup/engine.ts';
import { startLimits, type TestLimits } from '../setup/limits.ts';
import { API, at, type Http, PUBLIC_URL, startHttp, tokenFor } from './harness.ts';

/** The stream over a WebSocket: the same address, the same rights, the same events. */

const closing = new AbortController();
let limits: TestLimits;
let http: Http;
let server: Server;
let address: string;
beforeAll(async () => {
  limits = await startLimits({ ...DEFAULT_LIMITS, general: { ...DEFAULT_LIMITS.general, failures: 10_000 } });
  http = await startHttp({ limits, closing: closing.signal, corsOrigins: ['https://office.example'] });
  server = (await listen('PORT', { host: '127.0.0.1', port: 0, keepAliveMs: 5_000 }, http.app.fetch)) as Server;
  address = `ws://127.0.0.1:${(server.address() as AddressInfo).port}${API}/events/stream`;
}, 60_000);
afterAll(async () => {
  await closeServer(server);
  await http?.stop();
  await limits?.limiter.close();
});

type Who = Role | { readonly scope: string };
interface Open {
  readonly socket: WebSocket;
  /** 101, or what was answered instead. */
  readonly status: number;
  heard(): readonly unknown[];
  /** How far it has been told, without an event. */
  places(): readonly unknown[];
  readonly closed: Promise<number>;
}
async function open(query: string, headers: Readonly<Record<string, string>> = {}): Promise<Open> {
  const socket = new WebSocket(`${address}${query}`, { headers });
  const messages: unknown[] = [];
  const places: unknown[] = [];
  socket.on('message', (data) => {
    const message = JSON.parse(String(data));
    (message.event === 'place' ? places : messages).push(message);
  });
  const closed = new Promise<number>((resolve) => socket.once('close', resolve));
  const status = await new Promise<number>((resolve, reject) => {
    socket.once('open', () => resolve(101));
    socket.once('unexpected-response', (_request, answer) => {
      answer.resume();
      resolve(answer.statusCode ?? 0);
    });
    socket.once('error', reject);
  });
  return { socket, status, heard: () => messages, places: () => places, closed };
}
async function bearer(who: Who = 'ADMIN', sub = 'listener'): Promise<Record<string, string>> {
  return { authorization: `Bearer ${await tokenFor(typeof who === 'string' ? { role: who } : who, sub)}` };
}
async function happen(): Promise<number> {
  const start = await numberEvents(http.db);
  await http.db
    .insertInto('domain_event')
    .values(
      EVENT_CATALOGUE.map(({ type, resource, example }, n) => ({
        type,
        resource,
        resource_id: `r-${n}`,
        reservation_id: null,
        data: JSON.stringify(example.data.data),
      })),
    )
    .execute();
  return start;
}

describe('a WebSocket', () => {
  it.each<Who>(['ADMIN', 'OPS', { scope: 'events:read' }])(
    'tells every event as the feed does, and goes on: %j',
    async (who) => {
      const headers = await bearer(who);
      const now = await open('', headers);
      const start = await happen();
      const later = await open(`?after=${start + 3}`, headers);
      const { body } = await http.call('GET', `${API}/events?after=${start}&limit=1000`, { as: who, sub: 'listener' });
      const feed = body.data as readonly { readonly seq: number; readonly type: string }[];
      const messages = feed.map((event) => ({ id: String(event.seq), event: event.type, data: event }));
      await expect.poll(now.heard, { timeout: 10_000 }).toEqual(messages);
      await expect.poll(later.heard, { timeout: 10_000 }).toEqual(messages.slice(3));
      expect(later.places()[0]).toEqual({ id: String(start + 3), event: 'place', data: null });
      for (const { socket, closed } of [now, later]) {
        socket.close();
        await closed;
      }
    },
  );

  it('is refused to everybody to whom the feed is', async () => {
    for (const role of ROLES) {
      const { status } = await http.call('GET', `${API}/events`, { as: role, sub: `a-${role}` });
      const opened = await open('', await bearer(role, `a-${role}`));
      expect([role, opened.status]).toEqual([role, status === 200 ? 101 : status]);
      opened.socket.close();
    }
    expect((await open('')).status).toBe(401);
    expect((await open('?after=99999999', await bearer())).status).toBe(409);
    expect((await open('?steps=true', await bearer({ scope: 'events:read' }))).status).toBe(403);
  });

  it('is opened in a browser by a ticket, once, and by no page of somebody else', async () => {
    const ticket = async (): Promise<string> =>
      String(at((await http.call('POST', `${API}/events/tickets`, { sub: 'browser' })).body, 'data', 'ticket'));
    for (const origin of [PUBLIC_URL, 'https://office.example']) {
      const query = `?ticket=${await ticket()}`;
      const opened = await open(query, { origin });
      expect([origin, opened.status]).toEqual([origin, 101]);
      expect((await open(query, { origin })).status).toBe(401);
      opened.socket.close();
      await opened.closed;
    }
    expect((await open(`?ticket=${await ticket()}`, { origin: 'https://elsewhere.example' })).status).toBe(403);
  });

  it('takes one of the places of its caller, and gives it back', async () => {
    const headers = await bearer('ADMIN', 'greedy');
    const sockets = await Promise.all(Array.from({ length: 5 }, () => open('', headers)));
    expect(sockets.map(({ status }) => status)).toEqual(Array(5).fill(101));
    expect((await open('', headers)).status).toBe(429);
    for (const { socket, closed } of sockets) {
      socket.close();
      await closed;
    }
    await expect
      .poll(async () => {
        const again = await open('', headers);
        again.socket.close();
        return again.status;
      })
      .toBe(101);
  });

  it('reads little of what a client says, and is nothing at other addresses', async () => {
    const opened = await open('', await bearer('ADMIN', 'talker'));
    opened.socket.send('x'.repeat(10_000));
    expect(await opened.closed).toBe(1009);
    const plain = address.replace('ws:', 'http:').replace('/events/stream', '/events');
    const answer = await fetch(plain, { headers: await bearer() });
    expect(answer.status).toBe(200);
  });

  it('refuses a handshake that is none as it refuses any request', async () => {
    const { hostname, port, pathname } = new URL(address);
    const { authorization = '' } = await bearer('ADMIN', 'shaking');
    const version = 'Sec-WebSocket-Version: 13';
    for (const more of [
      [version],
      [version, 'Sec-WebSocket-Key: short'],
      ['Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=='],
    ]) {
      const client = connect({ host: hostname, port: Number(port) });
      const lines = [`GET ${pathname} HTTP/1.1`, `Host: ${hostname}`, 'Connection: Upgrade', 'Upgrade: websocket'];
      client.write(`${[...lines, `Authorization: ${authorization}`, ...more].join('\r\n')}\r\n\r\n`);
      const answered = await new Promise<string>((resolve, reject) => {
        let text = '';
        client.on('data', (bytes) => {
          text += String(bytes);
        });
        client.once('error', reject);
        client.once('close', () => resolve(text));
      });
      expect(answered).toMatch(/^HTTP\/1\.1 400 /);
      expect(answered).toMatch(/^x-request-id: request-/im);
      expect(answered).toMatch(/^x-content-type-options: nosniff/im);
    }
    // None of them has kept a place.
    const opened = await open('', await bearer('ADMIN', 'shaking'));
    expect(opened.status).toBe(101);
    opened.socket.close();
    await opened.closed;
  });

  it('ends with the process', async () => {
    const opened = await open('', await bearer('ADMIN', 'last'));
    closing.abort();
    expect(await opened.closed).toBe(1001);
  });
});

it('cuts a handshake that was refused, whether its client closes or not', async () => {
  const { hostname, port, pathname } = new URL(address);
  const client = connect({ host: hostname, port: Number(port), allowHalfOpen: true });
  const lines = [`GET ${pathname} HTTP/1.1`, `Host: ${hostname}`, 'Connection: Upgrade', 'Upgrade: websocket'];
  const key = ['Sec-WebSocket-Version: 13', 'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=='];
  client.write(`${[...lines, ...key].join('\r\n')}\r\n\r\n`);
  const held = await new Promise<string>((resolve, reject) => {
    let text = '';
    client.on('data', (bytes) => {
      text += String(bytes);
    });
    client.once('error', reject);
    // Its own half stays open: a server that only ends the other half never gets rid of it.
    client.once('end', () => resolve(text));
  });
  expect(held).toMatch(/^HTTP\/1\.1 401 /);
  const open = promisify(server.getConnections.bind(server));
  const before = await open();
  await until('it is cut', async () => ((await open()) < before ? true : undefined));
  client.destroy();
});
