import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { pino } from 'pino';
import { Webhook } from 'standardwebhooks';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { numberEvents } from '../../src/domain/events/feed.ts';
import type { WebhookSender } from '../../src/domain/ports.ts';
import { deliverWebhooks } from '../../src/domain/webhooks/deliver.ts';
import { retryDelayMs } from '../../src/domain/webhooks/retries.ts';
import { createWebhookSender } from '../../src/gateways/webhooks.ts';
import { systemClock } from '../../src/kernel/clock.ts';
import { createOutages, describeFailure } from '../../src/kernel/outages.ts';
import { prepareStays, seedStay } from '../sagas/confirmation.ts';
import { createSimulatedDatabase, type SimulatedDatabase } from '../setup/database.ts';
import { NEXT_YEAR } from '../setup/dates.ts';
import { type System, startSystem } from '../setup/system.ts';

/** Endpoints through HTTP, and a real consumer that keeps an inbox; days pass on a clock that the test moves. */

let simulated: SimulatedDatabase;
let system: System;
let server: Server;
let url: string;
let sender: WebhookSender;
/** Statuses to answer with, one after the other; then 204. */
let answers: number[];
let calls: { readonly id: string; readonly seq: number; readonly type: string }[];
let inbox: Map<string, number>;
let secrets: string[];
let now = Date.parse(`${NEXT_YEAR + 1}-01-01T00:00:00Z`);

beforeAll(async () => {
  server = createServer((request, response) => {
    let body = '';
    request.on('data', (chunk: Buffer) => {
      body += chunk.toString();
    });
    request.on('end', () => {
      const headers = Object.fromEntries(Object.entries(request.headers).map(([name, value]) => [name, String(value)]));
      const status = answers.shift() ?? 204;
      const known = secrets.some((secret) => {
        try {
          new Webhook(secret).verify(body, headers);
          return true;
        } catch {
          return false;
        }
      });
      const { type, data } = JSON.parse(body);
      const id = headers['webhook-id'] ?? '';
      calls.push({ id, seq: data.seq, type });
      // A consumer that counts each id once, in the commit of what it does with it.
      if (known && status < 300) inbox.set(id, (inbox.get(id) ?? 0) + 1);
      response.writeHead(known ? status : 401).end();
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  url = `http://127.0.0.1:${port}/hook`;
  sender = createWebhookSender({ clock: systemClock, allowed: [`127.0.0.1:${port}`] });
  simulated = await createSimulatedDatabase();
  system = await startSystem(simulated, { webhooks: sender });
  await prepareStays(system.bed.db);
});
afterAll(async () => {
  await system?.close();
  await new Promise<void>((resolve) => server.close(() => resolve()));
});
beforeEach(async () => {
  answers = [];
  logged.length = 0;
  calls = [];
  inbox = new Map();
  secrets = [];
  await system.bed.db.deleteFrom('webhook_endpoint').execute();
  await pass(60_000);
});

async function pass(ms: number): Promise<void> {
  now += ms;
  await simulated.clock.moveTo(new Date(now));
}
/** An answer's times are cut to milliseconds, so the row's may be a fraction of one later. */
const passTo = (at: string): Promise<void> => pass(Math.max(0, Date.parse(at) + 1 - now));
const call = (method: string, path = '', body?: object) =>
  system.call(method, `/webhook-endpoints${path}`, body === undefined ? {} : { body });
async function subscribe(types: readonly string[] = []): Promise<string> {
  const { status, body, text } = await call('POST', '', { url, types });
  expect(status, text).toBe(201);
  secrets.push(body.data.secret);
  return body.data.id;
}
/** The lines of a worker's log about endpoints. */
const logged: Record<string, unknown>[] = [];
const log = pino(
  { base: null, timestamp: false, serializers: { err: describeFailure } },
  { write: (line) => logged.push(JSON.parse(line)) },
);
const outages = createOutages(log);
const deps = (of: WebhookSender = sender) => ({
  db: system.bed.db,
  sender: of,
  random: () => 0.5,
  outages,
});
const deliver = async (of?: WebhookSender): Promise<void> => {
  while ((await deliverWebhooks(deps(of))) > 0);
};
const happen = async (times: number): Promise<void> => {
  for (let n = 0; n < times; n += 1) await seedStay(system.bed.db);
};
const stateOf = async (id: string) => (await call('GET', `/${id}`)).body.data;

describe('an endpoint', () => {
  it('gets what happens from then on, in order, once by id', async () => {
    await happen(2);
    const id = await subscribe();
    const start = await numberEvents(system.bed.db);
    await happen(3);
    await deliver();
    const last = await numberEvents(system.bed.db);
    expect(calls.map(({ seq }) => seq)).toEqual(Array.from({ length: last - start }, (_, n) => start + 1 + n));
    expect([...inbox.values()].every((times) => times === 1)).toBe(true);
    expect(inbox.size).toBe(last - start);
    expect(await stateOf(id)).toMatchObject({ status: 'ACTIVE', nextSeq: last + 1, failedAttempts: 0 });
    const tried = await call('GET', `/${id}/deliveries?limit=2`);
    expect(tried.body.data).toMatchObject([
      { seq: last, attempt: 1, statusCode: 204, reason: null },
      { seq: last - 1, attempt: 1 },
    ]);
    const older = await call('GET', `/${id}/deliveries?before=${tried.body.data[1].id}`);
    expect(older.body.data).toHaveLength(last - start - 2);
  });

  it('may ask for some types only', async () => {
    await subscribe(['reservation.created', 'saga.*']);
    const id = await seedStay(system.bed.db);
    await system.call('POST', `/reservations/${id}/confirm`, { body: {} });
    await deliver();
    expect(calls.map(({ type }) => type)).toEqual(['reservation.created', 'saga.accepted', 'saga.completed']);
  });

  it('that is down for a day gets everything afterwards, in order', async () => {
    const id = await subscribe(['reservation.*']);
    const down = [503, 500, 502, 429, 408, 500, 503];
    answers = [...down];
    const waits: number[] = [];
    for (const _ of down) {
      await happen(1);
      await deliver();
      const { failedAttempts, nextAttemptAt } = await stateOf(id);
      waits.push(Math.round((Date.parse(nextAttemptAt) - now) / 1_000));
      expect(failedAttempts).toBe(waits.length);
      await passTo(nextAttemptAt);
    }
    expect(waits.reduce((sum, wait) => sum + wait, 0)).toBeGreaterThan(24 * 3_600);
    // One event was tried again and again; those after it waited.
    expect(new Set(calls.map(({ seq }) => seq)).size).toBe(1);
    await deliver();
    const taken = calls.slice(down.length).map(({ seq }) => seq);
    expect(taken).toHaveLength(down.length);
    expect(taken).toEqual(taken.toSorted((a, b) => a - b));
    expect([...inbox.values()]).toEqual(down.map(() => 1));
    expect(await stateOf(id)).toMatchObject({ status: 'ACTIVE', failedAttempts: 0 });
    const dependency = `webhook endpoint ${id}`;
    expect(logged).toMatchObject([
      { level: 40, dependency, msg: 'a dependency is away', err: { message: 'HTTP 503' } },
      { level: 30, dependency, msg: 'a dependency is back', failures: down.length },
    ]);
  });

  it('that takes nothing for three days is disabled, and somebody is told; nothing is lost', async () => {
    const id = await subscribe(['reservation.*']);
    await happen(1);
    answers = Array(10).fill(500);
    const began = now;
    for (let n = 0; n < 10; n += 1) {
      await deliver();
      await passTo((await stateOf(id)).nextAttemptAt);
    }
    expect(calls).toHaveLength(10);
    expect((now - began) / 3_600_000).toBeGreaterThan(72);
    expect(await stateOf(id)).toMatchObject({ status: 'DISABLED', disabledReason: 'EVENT_NOT_TAKEN' });
    const alert = await system.bed.db
      .selectFrom('notification')
      .select('params')
      .where('effect_key', 'like', `alert-webhook-${id}-%`)
      .executeTakeFirstOrThrow();
    expect(alert.params).toMatchObject({ code: 'WEBHOOK_DISABLED_EVENT_NOT_TAKEN' });
    await happen(1);
    await deliver();
    expect(calls).toHaveLength(10);
    expect((await call('POST', `/${id}/enable`)).body.data.status).toBe('ACTIVE');
    await deliver();
    expect(inbox.size).toBe(2);
  });

  it('that is gone is not called again', async () => {
    const id = await subscribe();
    await happen(1);
    answers = [410];
    await deliver();
    await pass(86_400_000);
    await deliver();
    expect(calls).toHaveLength(1);
    expect(await stateOf(id)).toMatchObject({ status: 'DISABLED', disabledReason: 'GONE' });
  });

  it('gets an event again under its id when a worker dies before it could note that it was taken', async () => {
    await subscribe(['reservation.*']);
    await happen(2);
    let died = false;
    const dying: WebhookSender = {
      ...sender,
      send: async (request) => {
        const outcome = await sender.send(request);
        if (died) return outcome;
        died = true;
        // As its last statement would end: not by a fault of the endpoint.
        throw new Error('Connection terminated');
      },
    };
    await expect(deliverWebhooks(deps(dying))).rejects.toThrow('Connection terminated');
    await deliver();
    expect(calls).toHaveLength(1);
    await pass(61_000);
    await deliver();
    expect(calls.map(({ id }) => id)).toEqual([calls[0]?.id, calls[0]?.id, calls[2]?.id]);
    expect(inbox.size).toBe(2);
  });

  it('is served by one worker at a time', async () => {
    await subscribe();
    const start = await numberEvents(system.bed.db);
    await happen(10);
    const last = await numberEvents(system.bed.db);
    await Promise.all(Array.from({ length: 4 }, () => deliverWebhooks(deps())));
    await deliver();
    expect(calls.map(({ seq }) => seq)).toEqual(Array.from({ length: last - start }, (_, n) => start + 1 + n));
  });

  it('gets it all again when somebody asks for that', async () => {
    const id = await subscribe(['reservation.*']);
    await happen(3);
    await deliver();
    const first = calls.map(({ id: event }) => event);
    const [before] = calls;
    expect((await call('POST', `/${id}/replay`, { afterSeq: (before?.seq ?? 0) - 1 })).status).toBe(200);
    await deliver();
    expect(calls.map(({ id: event }) => event)).toEqual([...first, ...first]);
    expect((await call('POST', `/${id}/replay`, { since: new Date(now - 1_000).toISOString() })).status).toBe(200);
    await deliver();
    expect(calls).toHaveLength(9);
    expect((await call('POST', `/${id}/replay`, { afterSeq: 1_000_000 })).status).toBe(409);
    // Events that are not delivered yet are not left out by a replay from a later position.
    await happen(2);
    const newest = await numberEvents(system.bed.db);
    expect((await call('POST', `/${id}/replay`, { afterSeq: newest })).status).toBe(200);
    await deliver();
    expect(calls).toHaveLength(11);
    expect((await call('POST', `/${id}/replay`, {})).status).toBe(422);
  });

  it('verifies with the new secret and, for a day, with the old one', async () => {
    const id = await subscribe(['reservation.*']);
    const rotated = await call('POST', `/${id}/rotate-secret`);
    expect(rotated.body.data.secret).not.toBe(secrets[0]);
    await happen(1);
    await deliver();
    expect(inbox.size).toBe(1);
    secrets = [rotated.body.data.secret];
    await happen(1);
    await deliver();
    expect(inbox.size).toBe(2);
    expect(JSON.stringify(await stateOf(id))).not.toContain('whsec_');
  });

  it('is tried with a ping, changed, listed and removed, by those who may', async () => {
    const id = await subscribe();
    expect((await call('POST', `/${id}/test`)).body.data).toMatchObject({ taken: true, statusCode: 204 });
    expect(calls).toMatchObject([{ type: 'webhook.ping' }]);
    const changed = await call('PATCH', `/${id}`, { types: ['task.*'], description: 'the PMS' });
    expect(changed.body.data).toMatchObject({ types: ['task.*'], description: 'the PMS', version: 2 });
    const stale = await system.call('PATCH', `/webhook-endpoints/${id}`, {
      body: { types: [] },
      headers: { 'if-match': '"1"' },
    });
    expect(stale.status).toBe(412);
    expect((await call('GET')).body.data).toMatchObject([{ id }]);
    expect((await system.call('GET', '/webhook-endpoints', { role: 'AGENT' })).status).toBe(403);
    expect((await system.call('POST', '/webhook-endpoints', { role: 'OPS', body: { url } })).status).toBe(403);
    const { app, headers } = await system.as({});
    const removed = await app.request(`/api/production/webhook-endpoints/${id}`, { method: 'DELETE', headers });
    expect(removed.status).toBe(204);
    expect((await call('GET', `/${id}`)).status).toBe(404);
  });

  it.each([
    'http://169.254.169.254/',
    'https://127.1/',
    'https://[::ffff:10.0.0.1]/',
    'file:///etc/passwd',
    'gopher://x/',
  ])('X7: cannot be %s', async (address) => {
    const refused = await call('POST', '', { url: address });
    expect([refused.status, refused.body.code]).toEqual([422, 'WEBHOOK_URL_REFUSED']);
    const id = await subscribe();
    expect((await call('PATCH', `/${id}`, { url: address })).body.code).toBe('WEBHOOK_URL_REFUSED');
  });
});

describe('the retries', () => {
  it('come after seconds, minutes, hours, for three days', () => {
    const delays = Array.from({ length: 10 }, (_, n) => retryDelayMs(n + 1, 0.5));
    expect(delays.map((delay) => (delay === null ? null : delay / 1_000))).toEqual([
      5,
      300,
      1_800,
      7_200,
      18_000,
      36_000,
      50_400,
      72_000,
      86_400,
      null,
    ]);
    expect(retryDelayMs(1, 0)).toBe(4_000);
    expect(retryDelayMs(1, 1)).toBe(6_000);
  });
});
