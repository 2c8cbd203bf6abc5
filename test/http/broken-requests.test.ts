import type { Server } from 'node:http';
import net from 'node:net';
import { afterAll, describe, expect, it } from 'vitest';
import { closeServer, listen, type ServerLimits } from '../../src/listen.ts';
import { at } from './harness.ts';

/** security.md N14, H1: what never becomes a request is answered like everything else, and keeps nobody waiting. */

const servers: Server[] = [];
afterAll(() => Promise.all(servers.map((server) => closeServer(server))));

type Fetch = Parameters<typeof listen>[2];
const ok: Fetch = () => new Response('ok');
const QUICK: ServerLimits = { headersTimeoutMs: 300, requestTimeoutMs: 400, checkMs: 20 };
async function open(fetch: Fetch = ok, limits?: ServerLimits): Promise<number> {
  const server = (await listen('PORT', { host: '127.0.0.1', port: 0, keepAliveMs: 5_000 }, fetch, limits)) as Server;
  servers.push(server);
  return (server.address() as net.AddressInfo).port;
}

/** What the server answers to these bytes until it closes the connection. */
function exchange(port: number, bytes: string): { readonly socket: net.Socket; readonly answer: Promise<string> } {
  const socket = net.connect(port, '127.0.0.1');
  let text = '';
  socket.setEncoding('latin1').on('data', (part: string) => {
    text += part;
  });
  socket.on('error', () => undefined);
  socket.write(bytes);
  return { socket, answer: new Promise((resolve) => socket.once('close', () => resolve(text))) };
}

function parsed(answer: string) {
  const [head = '', body = ''] = answer.split('\r\n\r\n');
  const [line = '', ...fields] = head.split('\r\n');
  const headers = new Headers(
    fields.map((field): [string, string] => [field.split(': ')[0] ?? '', field.replace(/^.*?: /, '')]),
  );
  return { status: Number(line.split(' ')[1]), headers, body: JSON.parse(body) as unknown };
}

function expectAnswer(answer: string, status: number, code: string): void {
  const got = parsed(answer);
  expect([got.status, at(got.body, 'code'), at(got.body, 'success')]).toEqual([status, code, false]);
  expect(at(got.body, 'requestId')).toBe(got.headers.get('x-request-id'));
  expect(Object.fromEntries(got.headers)).toMatchObject({
    'content-type': 'application/json; charset=utf-8',
    'cache-control': 'no-store',
    'content-security-policy': "default-src 'none'; frame-ancestors 'none'",
    'referrer-policy': 'no-referrer',
    'strict-transport-security': 'max-age=31536000',
    'x-content-type-options': 'nosniff',
    connection: 'close',
  });
  expect(got.headers.has('server')).toBe(false);
}

describe('what is no request', () => {
  const HOST = 'Host: x\r\n';
  it.each([
    ['a line of something else', 'NONSENSE\r\n\r\n', 400, 'MALFORMED_REQUEST'],
    ['another protocol', '\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03', 400, 'MALFORMED_REQUEST'],
    ['a header without a name', `GET / HTTP/1.1\r\n${HOST}: x\r\n\r\n`, 400, 'MALFORMED_REQUEST'],
    [
      'two lengths',
      `POST / HTTP/1.1\r\n${HOST}Content-Length: 1\r\nContent-Length: 2\r\n\r\n`,
      400,
      'MALFORMED_REQUEST',
    ],
    [
      'a length and chunks',
      `POST / HTTP/1.1\r\n${HOST}Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n`,
      400,
      'MALFORMED_REQUEST',
    ],
    [
      'a return inside a header',
      `GET / HTTP/1.1\r\n${HOST}X-Request-Id: a\rX-Evil: 1\r\n\r\n`,
      400,
      'MALFORMED_REQUEST',
    ],
    ['a line end inside a name', `GET / HTTP/1.1\r\n${HOST}X-Req\nuest-Id: a\r\n\r\n`, 400, 'MALFORMED_REQUEST'],
    ['no host', 'GET / HTTP/1.1\r\nConnection: close\r\n\r\n', 400, 'MALFORMED_REQUEST'],
    ['no name of a host', 'GET / HTTP/1.1\r\nHost: a b/c?d\r\nConnection: close\r\n\r\n', 400, 'MALFORMED_REQUEST'],
    ['a target that is no address', `GET \\x HTTP/1.1\r\n${HOST}Connection: close\r\n\r\n`, 400, 'MALFORMED_REQUEST'],
    ['large headers', `GET / HTTP/1.1\r\n${HOST}X-Large: ${'x'.repeat(20_000)}\r\n\r\n`, 431, 'HEADERS_TOO_LARGE'],
    ['a large address', `GET /${'x'.repeat(20_000)} HTTP/1.1\r\n${HOST}\r\n`, 431, 'HEADERS_TOO_LARGE'],
  ])('N1, N13, N14, H1, H2, H5: is answered in the envelope: %s', async (_what, bytes, status, code) => {
    expectAnswer(await exchange(await open(), bytes).answer, status, code);
  });

  it('N13: puts nothing of its headers into those of the answer', async () => {
    const lines = 'X-Request-Id: a\r\nSet-Cookie: evil=1\r\nX-Evil: 1\r\nConnection: close\r\n';
    const answer = await exchange(await open(), `GET / HTTP/1.1\r\n${HOST}${lines}\r\n`).answer;
    expect(answer).toMatch(/^HTTP\/1\.1 200 /);
    expect(answer).not.toMatch(/evil/i);
  });

  it('N14: with an expectation that nobody knows is a request like any other', async () => {
    const bytes = `GET / HTTP/1.1\r\n${HOST}Expect: miracles\r\nConnection: close\r\n\r\n`;
    expect(await exchange(await open(), bytes).answer).toMatch(/^HTTP\/1\.1 200 /);
  });

  it('N14: does not spoil an answer that is under way', async () => {
    const port = await open(() => {
      let end = (): void => undefined;
      const body = new ReadableStream({
        start: (controller) => {
          controller.enqueue(Buffer.from('first'));
          end = () => controller.close();
        },
        cancel: () => end(),
      });
      return new Response(body);
    });
    const { socket, answer } = exchange(port, `GET / HTTP/1.1\r\n${HOST}\r\n`);
    socket.once('data', () => socket.write('NONSENSE\r\n\r\n'));
    expect([...(await answer).matchAll(/HTTP\/1\.1/g)]).toHaveLength(1);
  });
});

describe('a client that takes its time', () => {
  it.each([
    ['over its headers', 'GET / HTTP/1.1\r\nHost: x\r\nX-Slow: '],
    ['over its first byte', ''],
    ['over its body', 'POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{'],
  ])('N14: %s is answered 408 and cut', async (_what, bytes) => {
    const reads: Fetch = async (request) => new Response(await (request as Request).text());
    expectAnswer(await exchange(await open(reads, QUICK), bytes).answer, 408, 'REQUEST_TIMEOUT');
  });

  it('N14: keeps nobody else waiting, two hundred of them together', async () => {
    const port = await open(ok, { headersTimeoutMs: 3_000, requestTimeoutMs: 4_000, checkMs: 50 });
    const p95Of = async (): Promise<number> => {
      const took: number[] = [];
      for (let n = 0; n < 100; n += 1) {
        const began = performance.now();
        const answer = await fetch(`http://127.0.0.1:${port}/`);
        expect(await answer.text()).toBe('ok');
        took.push(performance.now() - began);
      }
      return took.toSorted((a, b) => a - b)[94] ?? Number.NaN;
    };
    const before = await p95Of();
    const slow = Array.from({ length: 200 }, () => exchange(port, 'GET / HTTP/1.1\r\nHost: x\r\nX-Slow: a'));
    const connected = ({ socket }: (typeof slow)[number]) =>
      socket.connecting ? new Promise((resolve) => socket.once('connect', resolve)) : undefined;
    await Promise.all(slow.map(connected));
    // A machine that is busy with something else now and then takes some milliseconds more for anything.
    expect(await p95Of()).toBeLessThan(Math.max(2 * before, 25));
    for (const answer of await Promise.all(slow.map(({ answer: text }) => text)))
      expectAnswer(answer, 408, 'REQUEST_TIMEOUT');
  });
});
