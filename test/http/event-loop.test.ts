import { monitorEventLoopDelay } from 'node:perf_hooks';
import { setImmediate as turn } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { API, declaredRoutes, type Http, startHttp, tokenFor } from './harness.ts';
import { fixtureOf, MUTATIONS, methodOf, prepareWorld } from './valid-requests.ts';

/** security.md Q7, N4, N10: no request holds up the others, whatever it sends. */

const MAX_P99_MS = 50;
const RESOLUTION_MS = 5;

let http: Http;
let token = '';
beforeAll(async () => {
  http = await startHttp();
  await prepareWorld(http.db);
  token = await tokenFor({ role: 'ADMIN' }, 'admin-1');
}, 60_000);
afterAll(() => http?.stop());

/** Milliseconds that this thread was busy since `before`; what other programs take of the machine meanwhile is not counted. */
const busyMs = (before?: NodeJS.CpuUsage): number => {
  const { user, system } = process.threadCpuUsage(before);
  return (user + system) / 1_000;
};
/** Of each request since the last look. */
let busy: number[] = [];

async function send(method: string, path: string, body?: string): Promise<number> {
  const headers = { authorization: `Bearer ${token}`, 'content-type': 'application/json' };
  const before = process.threadCpuUsage();
  const answer = await http.app.request(path, { method, headers, ...(body === undefined ? {} : { body }) });
  await answer.text();
  busy.push(busyMs(before));
  // As from a socket, each begins with a turn of its own.
  await turn();
  return answer.status;
}

interface Away {
  /** How long a request keeps the thread, in ms, p99. */
  readonly busyMs: number;
  /** How long the event loop was away from others, in ms, p99, if the machine had nothing else to do. */
  readonly delayMs: number;
}
async function p99Of(load: () => Promise<void>): Promise<Away> {
  // What is compiled at its first use is compiled once in a process.
  await load();
  busy = [];
  const delay = monitorEventLoopDelay({ resolution: RESOLUTION_MS });
  const [began, before] = [performance.now(), process.threadCpuUsage()];
  delay.enable();
  await load();
  delay.disable();
  const share = Math.min(1, busyMs(before) / (performance.now() - began));
  const sorted = busy.toSorted((one, other) => one - other);
  return {
    busyMs: sorted[Math.floor(sorted.length * 0.99)] ?? Number.NaN,
    delayMs: (delay.percentile(99) / 1e6) * share,
  };
}
function expectShort({ busyMs: ms, delayMs }: Away): void {
  expect(ms).toBeLessThan(MAX_P99_MS);
  expect(delayMs).toBeLessThan(MAX_P99_MS);
}

/** The same value with one text in it after another replaced, and the texts of keys as well. */
function* withEachText(value: unknown, text: string): Generator<unknown> {
  if (typeof value === 'string') yield text;
  if (Array.isArray(value)) {
    for (const [n, member] of value.entries())
      for (const other of withEachText(member, text)) yield value.with(n, other);
  } else if (typeof value === 'object' && value !== null) {
    for (const [name, member] of Object.entries(value))
      for (const other of withEachText(member, text)) yield { ...value, [name]: other };
  }
}

const DEEP = [
  '['.repeat(30_000) + ']'.repeat(30_000),
  `${'{"a":'.repeat(10_000)}1${'}'.repeat(10_000)}`,
  `{"name":${'['.repeat(30_000)}`,
  `[${'[],'.repeat(20_000)}[]]`,
  `{${Array.from({ length: 5_000 }, (_, n) => `"k${n}":1`).join()}}`,
];
const LONG = [
  `${'a'.repeat(60_000)}!`,
  '@'.repeat(60_000),
  `a@${'a.'.repeat(30_000)}`,
  `https://${'a'.repeat(60_000)}!`,
  ' '.repeat(60_000),
  '1'.repeat(60_000),
  `2024-01-01T${'0'.repeat(60_000)}`,
  `+${'1 '.repeat(30_000)}x`,
  `{${'{'.repeat(60_000)}`,
];

describe('the event loop', () => {
  it('Q7, N4: is away for no longer than 50 ms while bodies nest, are broken off, or have thousands of parts', async () => {
    const statuses = new Set<number>();
    const away = await p99Of(async () => {
      for (let round = 0; round < 10; round += 1)
        for (const body of DEEP) statuses.add(await send('POST', `${API}/owners`, body));
    });
    expect([...statuses].toSorted()).toEqual([400, 422]);
    expectShort(away);
  });

  it('Q7, N10: is away for no longer than 50 ms while any field of any request holds 60 kB', async () => {
    const requests: { readonly method: string; readonly path: string; readonly body: string }[] = [];
    for (const endpoint of MUTATIONS) {
      const { path, body } = await fixtureOf(endpoint).prepare(http);
      if (body === undefined) continue;
      for (const text of LONG)
        for (const other of withEachText(body, text))
          requests.push({ method: methodOf(endpoint), path, body: JSON.stringify(other) });
    }
    expect(requests.length).toBeGreaterThan(500);
    const unexpected = new Set<string>();
    const away = await p99Of(async () => {
      for (const { method, path, body } of requests) {
        const status = await send(method, path, body);
        if (status >= 500 || status < 300) unexpected.add(`${method} ${path}: ${status}`);
      }
    });
    expectShort(away);
    expect([...unexpected]).toEqual([]);
  });

  it('Q7, N10: is away for no longer than 50 ms while any parameter of a query holds 8 kB', async () => {
    const queries = declaredRoutes(http.app).flatMap(({ route }) => {
      const shape: unknown =
        route.method === 'get' && route.request?.query ? Reflect.get(route.request.query, 'shape') : {};
      return Object.keys(shape ?? {}).map((name) => `${route.path.replaceAll(/\{.+?\}/g, 'x')}?${name}=`);
    });
    expect(queries.length).toBeGreaterThan(50);
    const away = await p99Of(async () => {
      for (const query of queries.filter((one) => !one.includes('/stream')))
        for (const text of LONG) await send('GET', `${query}${encodeURIComponent(text.slice(0, 2_600))}`);
    });
    expectShort(away);
  });
});
