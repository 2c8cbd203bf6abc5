import { createServer, type IncomingMessage, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Webhook } from 'standardwebhooks';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { systemClock } from '../kernel/clock.ts';
import { createWebhookSender } from './webhooks.ts';

/** A consumer on this machine, where nothing but the list of allowed hosts may reach it. */

const SECRET = `whsec_${Buffer.alloc(32, 7).toString('base64')}`;
const OLD = `whsec_${Buffer.alloc(32, 8).toString('base64')}`;
let server: Server;
let port: number;
let got: { readonly headers: IncomingMessage['headers']; readonly body: string }[];
let connections = 0;
let answer: { status: number; headers?: Record<string, string>; bytes?: number };
beforeAll(async () => {
  server = createServer((request, response) => {
    let body = '';
    request.on('data', (chunk: Buffer) => {
      body += chunk.toString();
    });
    request.on('end', () => {
      got.push({ headers: request.headers, body });
      response.writeHead(answer.status, answer.headers).end('x'.repeat(answer.bytes ?? 2));
    });
  });
  server.on('connection', () => {
    connections += 1;
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  port = (server.address() as AddressInfo).port;
});
afterAll(() => new Promise<void>((resolve) => server.close(() => resolve())));
beforeEach(() => {
  got = [];
  connections = 0;
  answer = { status: 204 };
});
const request = (url: string) => ({ url, id: 'event-1', body: '{"type":"task.created"}', secrets: [SECRET, OLD] });
const allowing = (hostname = '127.0.0.1') =>
  createWebhookSender({ clock: systemClock, allowed: [`${hostname}:${port}`] });

describe('a call to a consumer', () => {
  it('is signed with every secret, as the standard says', async () => {
    const outcome = await allowing().send(request(`http://127.0.0.1:${port}/hook`));
    expect(outcome).toEqual({ taken: true, statusCode: 204, reason: null, ms: expect.any(Number) });
    const [call] = got;
    const headers = Object.fromEntries(
      Object.entries(call?.headers ?? {}).map(([name, value]) => [name, String(value)]),
    );
    expect(headers['webhook-id']).toBe('event-1');
    for (const secret of [SECRET, OLD]) {
      expect(new Webhook(secret).verify(call?.body ?? '', headers)).toEqual({ type: 'task.created' });
    }
    expect(() => new Webhook(SECRET).verify(`${call?.body} `, headers)).toThrow();
  });

  it.each([200, 202, 299])('is taken with %i', async (status) => {
    answer = { status, bytes: 100_000 };
    expect(await allowing().send(request(`http://127.0.0.1:${port}/`))).toMatchObject({
      taken: true,
      statusCode: status,
    });
  });

  it.each([400, 410, 429, 500])('is not taken with %i', async (status) => {
    answer = { status };
    expect(await allowing().send(request(`http://127.0.0.1:${port}/`))).toMatchObject({
      taken: false,
      statusCode: status,
      reason: null,
    });
  });

  it('X7: follows nobody elsewhere', async () => {
    answer = { status: 302, headers: { location: 'http://169.254.169.254/' } };
    expect(await allowing().send(request(`http://127.0.0.1:${port}/`))).toMatchObject({
      taken: false,
      reason: 'REDIRECT',
    });
    expect(got).toHaveLength(1);
  });

  it('says why there was no answer', async () => {
    const nobody = createWebhookSender({ clock: systemClock, allowed: ['127.0.0.1:1'] });
    expect(await nobody.send(request('http://127.0.0.1:1/'))).toMatchObject({
      taken: false,
      statusCode: null,
      reason: 'ECONNREFUSED',
    });
    const lost = createWebhookSender({ clock: systemClock, allowed: [], resolve: async () => [] });
    expect(await lost.send(request('https://nowhere.example/'))).toMatchObject({ reason: 'NAME_UNKNOWN' });
    const unresolved = createWebhookSender({
      clock: systemClock,
      allowed: [],
      resolve: () => Promise.reject(Object.assign(new Error('no'), { code: 'ENOTFOUND' })),
    });
    expect(await unresolved.refusalOf('https://nowhere.example/')).toBe('NAME_UNKNOWN');
  });
});

describe('X7: an address that is not public', () => {
  it.each([
    'http://169.254.169.254/',
    'https://169.254.169.254/latest/meta-data',
    'https://127.1/',
    'https://127.0.0.1/',
    'https://0.0.0.0/',
    'https://2130706433/',
    'https://0x7f000001/',
    'https://0177.0.0.1/',
    'https://[::1]/',
    'https://[::]/',
    'https://[::ffff:10.0.0.1]/',
    'https://[::ffff:7f00:1]/',
    'https://[::127.0.0.1]/',
    'https://[fd00::1]/',
    'https://[fe80::1]/',
    'https://[64:ff9b::a00:1]/',
    'https://10.1.2.3/',
    'https://172.16.0.1/',
    'https://192.168.1.1/',
    'https://100.64.0.1/',
    'https://224.0.0.1/',
    'https://255.255.255.255/',
    'http://example.com/',
    'file:///etc/passwd',
    'gopher://example.com/',
    'https://user:secret@example.com/',
    'not an address',
  ])('%s is neither accepted nor called', async (url) => {
    const sender = createWebhookSender({ clock: systemClock, allowed: [] });
    expect(await sender.refusalOf(url)).toMatch(/^(ADDRESS_NOT_PUBLIC|NOT_HTTPS|HAS_CREDENTIALS)$/);
    expect(await sender.send(request(url))).toMatchObject({ taken: false, statusCode: null });
    expect(connections).toBe(0);
  });

  it('is not reached by a name that answers otherwise a moment later', async () => {
    const answers = [['93.184.216.34'], ['127.0.0.1']];
    let asked = 0;
    const sender = createWebhookSender({
      clock: systemClock,
      allowed: [],
      resolve: async () => answers[Math.min(asked++, 1)] ?? [],
    });
    const url = `https://rebinding.example:${port}/`;
    expect(await sender.refusalOf(url)).toBeNull();
    expect(await sender.send(request(url))).toMatchObject({ taken: false, reason: 'ADDRESS_NOT_PUBLIC' });
    // Nor by one that has both.
    const both = createWebhookSender({
      clock: systemClock,
      allowed: [],
      resolve: async () => ['93.184.216.34', '10.0.0.1'],
    });
    expect(await both.refusalOf(url)).toBe('ADDRESS_NOT_PUBLIC');
    expect(connections).toBe(0);
  });

  it('is connected to as it was looked at, by no second look', async () => {
    let asked = 0;
    const sender = createWebhookSender({
      clock: systemClock,
      allowed: [`consumer.example:${port}`],
      resolve: async () => {
        asked += 1;
        return ['127.0.0.1'];
      },
    });
    expect(await sender.send(request(`http://consumer.example:${port}/`))).toMatchObject({ taken: true });
    expect(asked).toBe(1);
    expect(got[0]?.headers.host).toBe(`consumer.example:${port}`);
  });
});
