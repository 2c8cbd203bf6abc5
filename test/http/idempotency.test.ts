import { randomUUID } from 'node:crypto';
import { sql } from 'kysely';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { Db } from '../../src/db/client.ts';
import { pruneKeys } from '../../src/domain/idempotency/prune.ts';
import type { WebhookOutcome, WebhookSender } from '../../src/domain/ports.ts';
import { createOrchestrator } from '../../src/engine/orchestrator.ts';
import { createTokenVerifier } from '../../src/http/auth.ts';
import { createRegister } from '../../src/http/route.ts';
import { systemClock } from '../../src/kernel/clock.ts';
import { InvariantError } from '../../src/kernel/errors.ts';
import { definitionOf } from '../../src/sagas/index.ts';
import { addSaga } from '../setup/ledger.ts';
import { type Answer, API, addReservation, at, type Http, JWT, recordKeeper, startHttp } from './harness.ts';
import {
  digestOfEverything,
  type Fixture,
  fixtureOf,
  MUTATIONS,
  prepareWorld,
  SETTLEMENT_FILE,
  sendTo,
} from './valid-requests.ts';

/** `Idempotency-Key` on every mutation there is (guarantees.md 2.6): one effect, one answer. */

let http: Http;
/** Calls to webhook endpoints that are under way or were made. */
let pings: string[] = [];
let pingGate: Promise<void> = Promise.resolve();
let pingFailure: Error | null = null;
beforeAll(async () => {
  const webhooks: WebhookSender = {
    refusalOf: async () => null,
    send: async ({ id }): Promise<WebhookOutcome> => {
      pings.push(id);
      await pingGate;
      if (pingFailure) throw pingFailure;
      return { taken: true, statusCode: 204, reason: null, ms: 1 };
    },
  };
  http = await startHttp({ webhooks, ports: recordKeeper([]), sagaWaitMs: 0 }, realOrchestrator);
  await prepareWorld(http.db);
}, 60_000);
afterAll(() => http?.stop());
beforeEach(() => {
  pings = [];
  pingGate = Promise.resolve();
  pingFailure = null;
});

/** Accepts for real; nobody works on what it accepts. */
const realOrchestrator = (db: Db) => ({
  orchestrator: createOrchestrator({
    db,
    watcher: { wait: async () => null, close: async () => undefined },
    publish: () => undefined,
    onAnswer: () => undefined,
    definitionOf,
  }),
});

const withKey = (key: string) => ({ 'idempotency-key': key });
const replayed = (answer: Answer) => answer.headers.get('idempotency-replayed');
const REPLAYED_HEADERS = ['content-type', 'etag', 'location', 'cache-control'];
const seen = ({ status, text, headers }: Answer) => ({
  status,
  text,
  headers: REPLAYED_HEADERS.map((name) => headers.get(name)),
});
const CASES: readonly (readonly [string, string, Fixture])[] = [
  ...MUTATIONS.map((endpoint) => [endpoint, endpoint, fixtureOf(endpoint)] as const),
  ['POST a settlement file', `POST ${API}/financial/reconciliations`, SETTLEMENT_FILE],
];

describe('a key on every mutation', () => {
  it.each(CASES)(
    '%s: twice makes one effect, and the same status, bytes and headers',
    async (_name, endpoint, fixture) => {
      const request = await fixture.prepare(http);
      const key = `k-${randomUUID()}`;
      const first = await sendTo(http, endpoint, request, withKey(key));
      expect(first.status, first.text).toBeLessThan(300);
      expect(replayed(first)).toBeNull();
      const after = await digestOfEverything(http.db);
      const again = await sendTo(http, endpoint, request, withKey(key));
      expect(seen(again)).toEqual(seen(first));
      expect(replayed(again)).toBe('true');
      expect(await digestOfEverything(http.db)).toEqual(after);
      expect(pings.length).toBeLessThan(2);
    },
  );

  it.each(CASES)(
    '%s: with another request it is refused, and nothing is executed',
    async (_name, endpoint, fixture) => {
      const request = await fixture.prepare(http);
      const key = `k-${randomUUID()}`;
      expect((await sendTo(http, endpoint, request, withKey(key))).status).toBeLessThan(300);
      const after = await digestOfEverything(http.db);
      const other = fixture.other(request);
      const otherEndpoint = other.path.endsWith('/tasks/nothing/start') ? `POST ${API}/tasks/:id/start` : endpoint;
      const refused = await sendTo(http, otherEndpoint, other, withKey(key));
      expect([refused.status, refused.body.code], refused.text).toEqual([422, 'IDEMPOTENCY_KEY_REUSED']);
      expect(await digestOfEverything(http.db)).toEqual(after);
      expect(pings.length).toBeLessThan(2);
    },
  );

  it.each(CASES)('%s: four at once make one effect', async (_name, endpoint, fixture) => {
    const request = await fixture.prepare(http);
    const key = `k-${randomUUID()}`;
    const answers = await Promise.all([1, 2, 3, 4].map(() => sendTo(http, endpoint, request, withKey(key))));
    // A call to the outside holds no transaction open for others to wait in: they are told that it is under way.
    const waiting = answers.filter((answer) => answer.body.code === 'IDEMPOTENCY_IN_PROGRESS');
    expect(endpoint.endsWith('/test') || waiting.length === 0, waiting[0]?.text).toBe(true);
    for (const answer of waiting) expect(answer.headers.get('retry-after')).toBe('1');
    const done = answers.filter((answer) => !waiting.includes(answer));
    expect(new Set(done.map((answer) => JSON.stringify(seen(answer)))).size).toBe(1);
    expect(done.filter((answer) => replayed(answer) === null)).toHaveLength(1);
    const after = await digestOfEverything(http.db);
    expect(seen(await sendTo(http, endpoint, request, withKey(key)))).toEqual(seen(done[0] ?? expect.fail('none')));
    expect(await digestOfEverything(http.db)).toEqual(after);
    expect(pings.length).toBeLessThan(2);
  });

  it.each(CASES)('%s: empty, too long or not visible ASCII it is malformed', async (_name, endpoint, fixture) => {
    const request = await fixture.prepare(http);
    const before = await digestOfEverything(http.db);
    for (const key of ['', ' ', 'a b', 'k'.repeat(256), 'schl\u00fcssel', 'a\tb']) {
      const answer = await sendTo(http, endpoint, request, withKey(key));
      expect([answer.status, answer.body.code], key).toEqual([400, 'INVALID_IDEMPOTENCY_KEY']);
    }
    expect(await digestOfEverything(http.db)).toEqual(before);
  });

  it.each(MUTATIONS)('%s: a refused request leaves the key free', async (endpoint) => {
    const fixture = fixtureOf(endpoint);
    const request = await fixture.prepare(http);
    const key = `k-${randomUUID()}`;
    const refused = await sendTo(http, endpoint, { ...request, path: `${request.path}?zzz=1` }, withKey(key));
    expect(refused.status).toBe(422);
    const stranger = await sendTo(http, endpoint, { ...request, as: null }, withKey(key));
    expect(stranger.status).toBe(401);
    const answer = await sendTo(http, endpoint, request, withKey(key));
    expect(answer.status, answer.text).toBeLessThan(300);
    expect(replayed(answer)).toBeNull();
  });

  it.each(MUTATIONS)('%s: what is kept tells no secret', async (endpoint) => {
    const request = await fixtureOf(endpoint).prepare(http);
    const key = `k-${randomUUID()}`;
    const { text } = await sendTo(http, endpoint, request, withKey(key));
    const { accepted_body } = await rowOf(key);
    // A webhook's secret, an API key, or a word of 256 random bits such as the address of a calendar.
    for (const [secret] of text.matchAll(/whsec_[\w+/=-]+|rk_live_[\w-]+|(?<![\w-])[\w-]{43}(?![\w-])/g)) {
      if (!/-7[0-9a-f]{3}-/.test(secret)) expect(accepted_body.includes(secret), secret).toBe(false);
    }
  });

  it('is declared for each of them, and for nothing else', async () => {
    const document = (await http.call('GET', '/openapi.json', { as: null })).body;
    for (const [path, methods] of Object.entries(Object(at(document, 'paths')) as object)) {
      for (const [method, operation] of Object.entries(Object(methods) as object)) {
        const parameters = at(operation, 'parameters');
        const has = Array.isArray(parameters) && parameters.some((one) => at(one, 'name') === 'Idempotency-Key');
        const name = `${method.toUpperCase()} ${path.replaceAll(/\{(.+?)\}/g, ':$1')}`;
        expect(has, name).toBe(MUTATIONS.includes(name));
      }
    }
  });
});

const rowOf = (key: string) =>
  http.db.selectFrom('idempotency_key').selectAll().where('key', '=', key).executeTakeFirstOrThrow();
const post = (path: string, body: object, headers: Record<string, string> = {}, sub = 'admin-1') =>
  http.call('POST', `${API}/${path}`, { body, headers, sub });
const task = { type: 'MAINTENANCE', title: 'Drips', propertyId: 'property-1', scheduledDate: '2032-03-01T09:00:00Z' };

describe('the example of the issue', () => {
  it('the same key twice on POST tasks makes one task', async () => {
    const first = await post('tasks', task, withKey('task-1'));
    const again = await post('tasks', task, withKey('task-1'));
    expect([first.status, again.status, again.text]).toEqual([201, 201, first.text]);
    expect(again.headers.get('location')).toBe(first.headers.get('location'));
    const { count } = await http.db
      .selectFrom('task')
      .where('scheduled_at', '=', new Date(task.scheduledDate))
      .select(sql<number>`count(*)::int`.as('count'))
      .executeTakeFirstOrThrow();
    expect(count).toBe(1);
  });
});

describe('a key', () => {
  it('stands for the meaning of a body, not for its spelling', async () => {
    const first = await post('tasks', task, withKey('spelling'));
    const text = `{ "scheduledDate": "${task.scheduledDate}", "propertyId":"property-1", "title": "Drips","type":"MAINTENANCE" }`;
    const headers = { ...withKey('spelling'), 'content-type': 'application/json' };
    const again = await http.call('POST', `${API}/tasks`, { raw: text, headers });
    expect([replayed(again), again.text]).toEqual(['true', first.text]);
  });

  it('N15: of a body that says a field twice stands for what the route reads of it: the last', async () => {
    const endpoint = `POST ${API}/reservations/:id/payment`;
    const { body, ...request } = await fixtureOf(endpoint).prepare(http);
    const { amount: _amount, ...rest } = body as { readonly amount: unknown };
    const sendTwice = (...amounts: readonly number[]) => {
      const raw = `{${amounts.map((amount) => `"amount":${amount}`).join()},${JSON.stringify(rest).slice(1)}`;
      return sendTo(
        http,
        endpoint,
        { ...request, raw },
        { ...withKey('said-twice'), 'content-type': 'application/json' },
      );
    };
    const first = await sendTwice(1, 1000);
    const again = await sendTwice(1, 1000);
    expect([first.status, replayed(again), again.text]).toEqual([202, 'true', first.text]);
    expect((await sendTwice(1000)).text).toBe(first.text);
    expect([(await sendTwice(1000, 1)).status, (await sendTwice(1)).status]).toEqual([422, 422]);
    const started = String(at(first.body, 'data', 'sagaExecutionId'));
    const saga = await http.db.selectFrom('saga').selectAll().where('id', '=', started).executeTakeFirstOrThrow();
    expect(saga.input).toMatchObject({ amountMinor: 100_000 });
  });

  it('is not taken by a dry run, which does nothing that a repeat could do twice', async () => {
    const endpoint = `POST ${API}/reservations/:id/cancel`;
    const request = await fixtureOf(endpoint).prepare(http);
    const dry = { ...request, path: `${request.path}?dryRun=true` };
    const first = await sendTo(http, endpoint, dry, withKey('dry'));
    expect(at(first.body, 'data', 'dryRun')).toBe(true);
    expect((await sendTo(http, endpoint, request, withKey('dry'))).status).toBe(202);
    expect(
      (await sendTo(http, endpoint, { ...request, path: `${request.path}?dryRun=false` }, withKey('dry'))).body.code,
    ).toBe('IDEMPOTENCY_KEY_REUSED');
  });

  it('stands beside If-Match: a repeat with the ETag that the first has made gets the first answer', async () => {
    const made = await post('owners', { name: 'Olga', email: 'olga@example.com' });
    const path = made.headers.get('location') ?? '';
    const change = (tag: string) =>
      http.call('PATCH', path, { body: { name: 'Renamed' }, headers: { ...withKey('tag'), 'if-match': tag } });
    const stale = await change('"7"');
    expect(stale.status).toBe(412);
    const first = await change('"1"');
    expect([first.status, first.headers.get('etag'), replayed(first)]).toEqual([200, '"2"', null]);
    for (const tag of ['"1"', '"2"']) {
      const again = await change(tag);
      expect([again.status, again.text, again.headers.get('etag'), replayed(again)]).toEqual([
        200,
        first.text,
        '"2"',
        'true',
      ]);
    }
  });

  it('is its caller’s own', async () => {
    const body = { name: 'Olga', email: 'olga@example.com' };
    const mine = await post('owners', body, withKey('shared'), 'admin-1');
    const theirs = await post('owners', body, withKey('shared'), 'admin-2');
    expect([mine.status, theirs.status, replayed(theirs)]).toEqual([201, 201, null]);
    expect(at(theirs.body, 'data', 'id')).not.toBe(at(mine.body, 'data', 'id'));
  });

  it('of a refusal by the state of things is free: nothing was done', async () => {
    const owner = { id: 'owner-twice', name: 'Olga', email: 'olga@example.com' };
    await post('owners', owner);
    expect((await post('owners', owner, withKey('twice'))).status).toBe(409);
    expect((await post('owners', { ...owner, id: 'owner-other' }, withKey('twice'))).status).toBe(201);
  });

  it('is replayed before anything else of a request is looked at', async () => {
    const made = await post('webhook-endpoints', { url: 'https://93.184.216.34/gone' });
    const path = `${API}/webhook-endpoints/${at(made.body, 'data', 'id')}`;
    const remove = () => http.call('DELETE', path, { headers: withKey('gone') });
    expect([(await remove()).status, (await remove()).status]).toEqual([204, 204]);
    expect((await http.call('DELETE', path)).status).toBe(404);
  });

  it('whose first request is still at work is told so when it has waited long enough', async () => {
    const client = await http.db.startTransaction().execute();
    try {
      await sql`INSERT INTO idempotency_key (principal, key, request_hash, accepted_status, accepted_body)
        VALUES ('admin-1', 'slow', '\\x00', 0, '')`.execute(client);
      const answer = await post('owners', { name: 'Olga', email: 'olga@example.com' }, withKey('slow'));
      expect([answer.status, answer.body.code, answer.headers.get('retry-after')]).toEqual([
        409,
        'IDEMPOTENCY_IN_PROGRESS',
        '1',
      ]);
    } finally {
      await client.rollback().execute();
    }
    expect((await post('owners', { name: 'Olga', email: 'olga@example.com' }, withKey('slow'))).status).toBe(201);
  }, 20_000);

  it('of a request that was refused but held times keeps those', async () => {
    const body = { ...task, requireAssignment: true, holdAlternatives: true };
    const first = await post('tasks', body, withKey('held'));
    expect([first.status, first.body.code]).toEqual([409, 'NO_STAFF_AVAILABLE']);
    const after = await digestOfEverything(http.db);
    const again = await post('tasks', body, withKey('held'));
    expect([again.status, again.text, replayed(again)]).toEqual([409, first.text, 'true']);
    expect(await digestOfEverything(http.db)).toEqual(after);
  });

  it('costs no statement when there is none', async () => {
    const before = await keys();
    await post('owners', { name: 'Olga', email: 'olga@example.com' });
    expect(await keys()).toBe(before);
  });
});

const keys = async (): Promise<number> => {
  const { rows } = await sql<{ n: number }>`SELECT count(*)::int AS n FROM idempotency_key`.execute(http.db);
  return rows[0]?.n ?? -1;
};

describe('a call to the outside', () => {
  const endpoint = `POST ${API}/webhook-endpoints/:id/test`;

  it('is under way for a repeat until it has answered, and then answers it', async () => {
    const request = await fixtureOf(endpoint).prepare(http);
    let open = (): void => undefined;
    pingGate = new Promise((resolve) => {
      open = resolve;
    });
    const first = sendTo(http, endpoint, request, withKey('ping'));
    await expect.poll(() => pings.length).toBe(1);
    const early = await sendTo(http, endpoint, request, withKey('ping'));
    expect([early.status, early.body.code]).toEqual([409, 'IDEMPOTENCY_IN_PROGRESS']);
    open();
    expect((await sendTo(http, endpoint, request, withKey('ping-2'))).status).toBe(200);
    const again = await first.then(() => sendTo(http, endpoint, request, withKey('ping')));
    expect([again.text, replayed(again)]).toEqual([(await first).text, 'true']);
  });

  it('that a crash cut short is made again after its lease, under the same id', async () => {
    const request = await fixtureOf(endpoint).prepare(http);
    await sendTo(http, endpoint, request, withKey('crash'));
    await sql`UPDATE idempotency_key SET accepted_status = 0, lease_until = now() - interval '1 second' WHERE key = 'crash'`.execute(
      http.db,
    );
    const again = await sendTo(http, endpoint, request, withKey('crash'));
    expect([again.status, replayed(again)]).toEqual([200, null]);
    expect(new Set(pings).size).toBe(1);
    expect(pings).toHaveLength(2);
  });

  it('that failed leaves the key free', async () => {
    const request = await fixtureOf(endpoint).prepare(http);
    pingFailure = new Error('no network');
    expect((await sendTo(http, endpoint, request, withKey('fail'))).status).toBe(500);
    pingFailure = null;
    const again = await sendTo(http, endpoint, request, withKey('fail'));
    expect([again.status, replayed(again)]).toEqual([200, null]);
  });
});

describe('an answer that holds a secret', () => {
  it('is kept sealed, and is lost with its key: a repeat is told so and carries nothing out', async () => {
    const body = { url: 'https://93.184.216.34/sealed' };
    const first = await post('webhook-endpoints', body, withKey('sealed'));
    expect(at(first.body, 'data', 'secret')).toMatch(/^whsec_/);
    expect((await rowOf('sealed')).sealed_by).toBe('new/ed0f59a25dfe');
    await http.db.updateTable('idempotency_key').set({ sealed_by: 'retired' }).where('key', '=', 'sealed').execute();
    const after = await digestOfEverything(http.db);
    const lost = await post('webhook-endpoints', body, withKey('sealed'));
    expect([lost.status, lost.body.code]).toEqual([409, 'IDEMPOTENT_ANSWER_LOST']);
    expect(await digestOfEverything(http.db)).toEqual(after);
  });

  it('opens only for the caller, the key and the request that it was given to', async () => {
    const body = { url: 'https://93.184.216.34/moved' };
    await post('webhook-endpoints', body, withKey('moved'));
    await http.db.updateTable('idempotency_key').set({ principal: 'admin-2' }).where('key', '=', 'moved').execute();
    const stolen = await post('webhook-endpoints', body, withKey('moved'), 'admin-2');
    expect([stolen.status, stolen.text.includes('whsec_')]).toEqual([500, false]);
  });
});

describe('old keys', () => {
  it('are forgotten after 30 days, those of sagas 30 days after their end and never before', async () => {
    const old = async (key: string, sagaId: string | null, age: string) =>
      sql`INSERT INTO idempotency_key (principal, key, request_hash, saga_id, accepted_status, accepted_body, created_at)
        VALUES ('old', ${key}, '\\x00', ${sagaId}, 200, '', now() - ${age}::interval)`.execute(http.db);
    const saga = async (ended: string | null): Promise<string> => {
      const subjectId = await addReservation(http.db, `of-${randomUUID()}`, await flat());
      const id = await addSaga(http.db, { subjectId, status: 'running' });
      if (ended !== null) {
        await sql`UPDATE saga SET status = 'completed', response_status = 200, response_body = '{}',
          finished_at = now() - ${ended}::interval WHERE id = ${id}`.execute(http.db);
      }
      return id;
    };
    await old('change-old', null, '31 days');
    await old('change-young', null, '29 days');
    await old('open', await saga(null), '80 days');
    await old('ended-late', await saga('29 days'), '80 days');
    await old('ended-old', await saga('31 days'), '80 days');
    expect(await pruneKeys(http.db)).toBe(2);
    const left = await http.db.selectFrom('idempotency_key').select('key').where('principal', '=', 'old').execute();
    expect(left.map(({ key }) => key).sort()).toEqual(['change-young', 'ended-late', 'open']);
  });
});

let flats = 0;
async function flat(): Promise<string> {
  flats += 1;
  const id = `flat-${flats}`;
  await http.db.insertInto('property').values({ id, name: id, owner_id: 'owner-1' }).execute();
  return id;
}

describe('a mutation that would ignore keys', () => {
  it('is not registered', () => {
    const register = createRegister(http.app, {} as never, createTokenVerifier(JWT, systemClock));
    const route = (method: string, path: string) => ({ method, path, responses: {} }) as never;
    const serve = (() => new Response()) as never;
    for (const [method, path] of [
      ['post', '/api/production/owners'],
      ['delete', '/api/production/me/calendar'],
      ['post', '/api/production/webhooks/{provider}'],
    ]) {
      expect(() => register(route(method ?? '', path ?? ''), serve)).toThrow(InvariantError);
    }
    expect(() => register.unkeyed(route('post', '/api/production/owners'), serve)).toThrow(InvariantError);
    expect(() => register.mutation(route('post', '/api/production/webhooks/{provider}'), serve)).toThrow(
      InvariantError,
    );
    expect(() => register.mutation(route('get', '/api/production/owners'), serve)).toThrow(InvariantError);
  });
});
