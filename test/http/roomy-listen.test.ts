import { type ChildProcess, spawn } from 'node:child_process';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import path from 'node:path';
import { Webhook } from 'standardwebhooks';
import { afterAll, afterEach, beforeAll, expect, it } from 'vitest';
import { EVENT_CATALOGUE } from '../../src/domain/events/catalogue.ts';
import { numberEvents } from '../../src/domain/events/feed.ts';
import { listen } from '../../src/listen.ts';
import { API, at, type Http, startHttp } from './harness.ts';

/** `roomy listen`: forwards events to a program of this machine, signed as webhooks are, and goes on after a cut. */

const SECRET = `whsec_${Buffer.from('a secret of the tests, 32 bytes!').toString('base64')}`;
let http: Http;
let api: Server;
let hook: Server;
let key: string;
const got: { readonly type: string; readonly data: { readonly seq: number } }[] = [];
/** What the program answers. */
let status = 204;
const wrong: unknown[] = [];
beforeAll(async () => {
  http = await startHttp();
  api = (await listen('PORT', { host: '127.0.0.1', port: 0, keepAliveMs: 5_000 }, http.app.fetch)) as Server;
  const webhook = new Webhook(SECRET);
  hook = createServer((request, response) => {
    let body = '';
    request.on('data', (part) => {
      body += String(part);
    });
    request.on('end', () => {
      try {
        const names = ['webhook-id', 'webhook-timestamp', 'webhook-signature'];
        webhook.verify(body, Object.fromEntries(names.map((name) => [name, String(request.headers[name])])));
        got.push(JSON.parse(body));
      } catch (error) {
        wrong.push(error);
      }
      response.writeHead(status).end();
    });
  });
  await new Promise<void>((resolve) => hook.listen(0, '127.0.0.1', resolve));
  const expiresAt = new Date(Date.now() + 86_400_000).toISOString();
  const made = await http.call('POST', `${API}/api-keys`, {
    body: { name: 'Mine', scopes: ['events:read'], expiresAt },
  });
  key = String(at(made.body, 'data', 'key'));
}, 60_000);
afterAll(async () => {
  hook?.close();
  api?.closeAllConnections();
  api?.close();
  await http?.stop();
});

const portOf = (server: Server): number => (server.address() as AddressInfo).port;
let program: ChildProcess | null = null;
afterEach(() => {
  program?.kill('SIGKILL');
  program = null;
});
function start(options: readonly string[], env: Readonly<Record<string, string>> = {}) {
  const hookAt = `http://127.0.0.1:${portOf(hook)}/hook`;
  const child = spawn(
    process.execPath,
    [path.join(import.meta.dirname, '../../bin/roomy.mjs'), 'listen', '--to', hookAt, ...options],
    {
      env: {
        PATH: process.env['PATH'] ?? '',
        ROOMY_URL: `http://127.0.0.1:${portOf(api)}`,
        ROOMY_API_KEY: key,
        ROOMY_WEBHOOK_SECRET: SECRET,
        ...env,
      },
    },
  );
  program = child;
  let said = '';
  for (const stream of [child.stdout, child.stderr])
    stream?.on('data', (part) => {
      said += String(part);
    });
  const ended = new Promise<number | null>((resolve) => child.once('exit', resolve));
  return { said: () => said, ended };
}
async function happen(): Promise<readonly number[]> {
  const before = await numberEvents(http.db);
  await http.db
    .insertInto('domain_event')
    .values(
      EVENT_CATALOGUE.map(({ type, resource, example }) => ({
        type,
        resource,
        resource_id: 'r',
        reservation_id: null,
        data: JSON.stringify(example.data.data),
      })),
    )
    .execute();
  return EVENT_CATALOGUE.map((_, n) => before + 1 + n);
}
const places = () => got.map(({ data }) => data.seq);

it('forwards each event once and in order, also over cuts, and says so in a line each', {
  timeout: 60_000,
}, async () => {
  const { said } = start([]);
  await expect.poll(said, { timeout: 20_000 }).toContain('listening to');
  // Cut before anything came: it knows the place at which it began.
  api.closeAllConnections();
  const first = await happen();
  await expect.poll(places, { timeout: 20_000 }).toEqual(first);
  api.closeAllConnections();
  const second = await happen();
  await expect.poll(places, { timeout: 20_000 }).toEqual([...first, ...second]);
  expect(wrong).toEqual([]);
  expect(got.map(({ type }) => type)).toEqual([...EVENT_CATALOGUE, ...EVENT_CATALOGUE].map(({ type }) => type));
  const lines = said().match(/^\d\d:\d\d:\d\d \d+ \S+ event-\d+ -> 204 \(\d+ ms\)$/gm);
  await expect.poll(() => said().match(/-> 204/g)?.length).toBe(first.length + second.length);
  expect(lines?.length).toBeGreaterThan(0);
});

it('chooses, begins where it is told, and goes on when the program takes nothing', { timeout: 60_000 }, async () => {
  got.length = 0;
  const [begin = 0] = await happen();
  status = 500;
  const { said } = start(['--type', 'task.*', '--after', String(begin - 1)]);
  const tasks = EVENT_CATALOGUE.filter(({ type }) => type.startsWith('task.'));
  await expect.poll(() => said().match(/-> 500/g)?.length, { timeout: 20_000 }).toBe(tasks.length);
  expect(got.map(({ type }) => type)).toEqual(tasks.map(({ type }) => type));
  status = 204;
});

it('ends with a reason where no waiting helps', { timeout: 60_000 }, async () => {
  const refused = start([], { ROOMY_API_KEY: 'rk_live_nobody' });
  expect([await refused.ended, refused.said()]).toEqual([1, expect.stringContaining('UNAUTHENTICATED')]);
  const beyond = start(['--after', '999999999']);
  expect([await beyond.ended, beyond.said()]).toEqual([1, expect.stringContaining('EVENTS_NOT_REACHED')]);
  const nothing = start(['--type', 'no.such']);
  expect([await nothing.ended, nothing.said()]).toEqual([1, expect.stringContaining('EVENT_TYPE_UNKNOWN')]);
  const keyless = start([], { ROOMY_API_KEY: '' });
  expect([await keyless.ended, keyless.said()]).toEqual([1, expect.stringContaining('ROOMY_API_KEY')]);
});
