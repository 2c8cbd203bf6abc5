import net from 'node:net';
import { afterAll, afterEach, beforeAll, describe, expect, inject, it } from 'vitest';
import { createRateLimiter } from '../../src/queues/rate-limiter.ts';
import { type Cuttable, cuttable } from '../faults/cuttable.ts';
import { countsInRedis, startLimits, type TestLimits } from '../setup/limits.ts';
import { API, type Http, startHttp } from './harness.ts';

/** security.md Q4: limits hold while Redis is away or does not answer, and nobody waits for it. */

let way: Cuttable;
let limits: TestLimits;
let http: Http;
beforeAll(async () => {
  way = await cuttable(inject('redisUrl'));
  limits = await startLimits(undefined, way.url);
  http = await startHttp({ limits });
}, 60_000);
afterAll(async () => {
  await http?.stop();
  await limits?.limiter.close();
  await way?.close();
});

const confirm = (sub: string) =>
  http.call('POST', `${API}/reservations/stay-1/confirm`, { sub, headers: { prefer: 'respond-async' } });

describe('while Redis is away', () => {
  it('Q4: each process counts for itself, up to a lower number, and what is allowed is done', async () => {
    expect((await confirm('before')).headers.get('ratelimit-policy')).toBe('"writes";q=60;w=60');
    await way.cut();
    const statuses: number[] = [];
    const began = performance.now();
    for (let n = 0; n < 200; n += 1) statuses.push((await confirm('flood')).status);
    const meanMs = (performance.now() - began) / 200;
    expect(statuses.slice(0, 30)).toEqual(Array(30).fill(202));
    expect(statuses.slice(30)).toEqual(Array(170).fill(429));
    expect(meanMs).toBeLessThan(50);
    const other = await confirm('other');
    expect([other.status, other.headers.get('ratelimit-policy')]).toEqual([202, '"writes";q=30;w=60']);
    await way.mend();
    await countsInRedis(limits.limiter);
    expect((await confirm('after')).headers.get('ratelimit-policy')).toBe('"writes";q=60;w=60');
  });
});

describe('while Redis does not answer', () => {
  const sockets = new Set<net.Socket>();
  let server: net.Server;
  afterEach(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });

  it('Q4: a request waits a tenth of a second for it, and those after that not at all', async () => {
    const target = new URL(inject('redisUrl'));
    let isDeaf = false;
    server = net.createServer((near) => {
      const far = net.connect(Number(target.port), target.hostname);
      for (const socket of [near, far]) sockets.add(socket.on('error', () => undefined));
      near.on('data', (bytes) => void far.write(bytes));
      far.on('data', (bytes) => void (isDeaf ? 0 : near.write(bytes)));
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const url = new URL(target);
    url.port = String((server.address() as net.AddressInfo).port);
    url.hostname = '127.0.0.1';
    const limiter = createRateLimiter({ redisUrl: url.href, prefix: `deaf-${process.pid}` });
    const quota = { name: 'writes', times: 10, windowSeconds: 60 };
    await countsInRedis(limiter);
    isDeaf = true;
    const began = performance.now();
    const together = await Promise.all(Array.from({ length: 3 }, () => limiter.take(quota, 'one')));
    const waitedMs = performance.now() - began;
    expect(together.map(({ times, isAllowed }) => [times, isAllowed])).toEqual(Array(3).fill([5, true]));
    expect(waitedMs).toBeGreaterThan(90);
    expect(waitedMs).toBeLessThan(1_000);
    const again = performance.now();
    const [fourth, fifth, sixth] = [
      await limiter.take(quota, 'one'),
      await limiter.take(quota, 'one'),
      await limiter.take(quota, 'one'),
    ];
    expect([fourth.isAllowed, fifth.isAllowed, sixth.isAllowed]).toEqual([true, true, false]);
    expect(performance.now() - again).toBeLessThan(90);
    await limiter.close();
  });
});
