import { request } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { closeServer, listen } from '../../src/listen.ts';
import { API, type Http, startHttp, tokenFor } from './harness.ts';

/** Bearer tokens that are too long, at a real port: Node itself has a bound on headers, and ours is lower. */

let http: Http;
let server: Awaited<ReturnType<typeof listen>>;
let port: number;
beforeAll(async () => {
  http = await startHttp();
  server = await listen('PORT', { host: '127.0.0.1', port: 0, keepAliveMs: 5_000 }, http.app.fetch);
  ({ port } = server.address() as AddressInfo);
}, 60_000);
afterAll(async () => {
  if (server) await closeServer(server);
  await http?.stop();
});

/** Node may cut a client that is still sending, before it has read its 431. */
const statusOf = (token: string): Promise<number | 'cut'> =>
  new Promise((resolve, reject) => {
    const headers = { authorization: `Bearer ${token}`, connection: 'close' };
    const sent = request({ host: '127.0.0.1', port, path: `${API}/owners`, headers }, (answer) => {
      answer.resume();
      resolve(answer.statusCode ?? 0);
    });
    sent.on('error', ({ code }: NodeJS.ErrnoException) =>
      code === 'ECONNRESET' || code === 'EPIPE' ? resolve('cut') : reject(new Error(code)),
    );
    sent.end();
  });

it('J15: a bearer token of 100 kB is refused by its size, and costs nobody else anything', async () => {
  const good = await tokenFor({ role: 'ADMIN' }, 'admin-1');
  expect(await statusOf(good)).toBe(200);
  const long = `${good}${'A'.repeat(100_000)}`;
  const before = process.cpuUsage();
  const answers = await Promise.all(Array.from({ length: 20 }, () => statusOf(long)));
  const { user, system } = process.cpuUsage(before);
  expect(answers.filter((answer) => answer !== 431 && answer !== 'cut')).toEqual([]);
  // Client and server are one process here.
  expect((user + system) / 1_000 / answers.length).toBeLessThan(25);
  for (const chars of [8_193, 12_000]) {
    expect(await statusOf(`${good}${'A'.repeat(chars - good.length)}`)).toBe(401);
    expect(await statusOf(`rk_live_${'a'.repeat(chars)}`)).toBe(401);
  }
  expect(await statusOf(good)).toBe(200);
});
