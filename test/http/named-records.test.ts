import { z } from '@hono/zod-openapi';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { POLICIES } from '../../src/http/policy.ts';
import { addSaga } from '../setup/ledger.ts';
import {
  type Answer,
  API,
  addReservation,
  at,
  type Call,
  declaredRoutes,
  type Http,
  responseOf,
  seed,
  startHttp,
} from './harness.ts';

/** A query that names a record which does not exist, or is not the caller's, is answered by one rule: `src/http/named.ts`. */

let http: Http;
beforeAll(async () => {
  http = await startHttp({ closing: AbortSignal.abort() });
  const { db } = http;
  await seed(db);
  await addReservation(db, 'stay-1');
  await db.insertInto('owner').values({ id: 'owner-2', name: 'Two', email: 'two@example.com' }).execute();
  await addSaga(db, { name: 'confirmReservation', subjectId: 'stay-1', status: 'completed' });
}, 60_000);
afterAll(() => http?.stop());

/** Ids that stand in the database, all of them beyond an agent, an owner and a cleaner without any property. */
const FOREIGN: Readonly<Record<string, string>> = {
  propertyId: 'property-1',
  ownerId: 'owner-1',
  reservationId: 'stay-1',
  guestId: 'guest-1',
  assigneeId: 'cleaner-1',
  recipientId: 'guest-1',
};
/** Not records: one of a closed list of words, whose own tests are below. */
const WORDS = ['gatewayId'];
const STRANGERS: readonly Call[] = [
  { as: 'AGENT', sub: 'agent-none' },
  { as: 'OWNER', sub: 'owner-2' },
  { as: 'CLEANER', sub: 'cleaner-none' },
];

interface Named {
  readonly name: string;
  readonly endpoint: string;
  readonly path: string;
  readonly key: string;
  readonly kind: 'list' | 'stream' | 'report';
}
function kindOf(responses: object): Named['kind'] {
  const content = responseOf(responses, 200)?.content ?? {};
  if ('text/event-stream' in content) return 'stream';
  const schema = content['application/json']?.schema;
  return schema instanceof z.ZodObject && 'nextCursor' in schema.shape ? 'list' : 'report';
}
const namedBy = (app: Http['app']): readonly Named[] =>
  declaredRoutes(app).flatMap(({ route }) => {
    const { query } = route.request ?? {};
    if (route.method !== 'get' || !(query instanceof z.ZodObject)) return [];
    const endpoint = `GET ${route.path.replaceAll(/\{(.+?)\}/g, ':$1')}`;
    const path = route.path.replace('{name}', 'confirmReservation');
    return Object.keys(query.shape)
      .filter((key) => key.endsWith('Id') && !WORDS.includes(key))
      .map((key) => ({ name: `${endpoint}?${key}`, endpoint, path, key, kind: kindOf(route.responses) }));
  });
const ask = ({ path, key }: Named, id: string, call: Call = {}): Promise<Answer> =>
  http.call('GET', `${path}?${key}=${id}`, call);
/** All but what is of the one request. */
const withoutId = ({ status, body: { requestId: _id, ...body } }: Answer) => ({ status, body });

describe('a record that does not exist', () => {
  it('is nothing in a list, and not found in a report, on every route that takes an id in its query', async () => {
    const all = namedBy(http.app);
    expect(all.length).toBeGreaterThan(18);
    for (const one of all) {
      const answer = await ask(one, 'nothing-like-this');
      expect(answer.status, one.name).toBe(one.kind === 'report' ? 404 : 200);
      if (one.kind === 'list') expect([answer.body.data, answer.body.nextCursor], one.name).toEqual([[], null]);
      if (one.kind === 'report') expect(answer.body.code, one.name).toMatch(/(?:^|_)NOT_FOUND$/);
    }
    expect(all.filter(({ kind }) => kind === 'report').map(({ name }) => name.replace(API, ''))).toEqual([
      'GET /day?propertyId',
      'GET /search?propertyId',
      'GET /sagas/:name/status?reservationId',
      'GET /sagas/:name/status?executionId',
      'GET /sagas/failures?reservationId',
      'GET /tasks/statistics?propertyId',
      'GET /financial/summary?propertyId',
      'GET /financial/summary?ownerId',
      'GET /financial/summary?reservationId',
      'GET /analytics/conversion?propertyId',
      'GET /analytics/payments?propertyId',
      'GET /analytics/tasks?propertyId',
      'GET /analytics/satisfaction?propertyId',
      'GET /analytics/payouts?propertyId',
    ]);
  });

  it('Z1: cannot be told from one that is not the caller’s', async () => {
    let tried = 0;
    for (const one of namedBy(http.app)) {
      const foreign = FOREIGN[one.key];
      const policy = POLICIES[one.endpoint];
      if (foreign === undefined || policy === undefined || policy === 'anonymous') continue;
      for (const stranger of STRANGERS) {
        if (typeof stranger.as !== 'string' || !policy.roles.includes(stranger.as)) continue;
        const absent = withoutId(await ask(one, 'nothing-like-this', stranger));
        expect(withoutId(await ask(one, foreign, stranger)), `${one.name} ${stranger.as}`).toEqual(absent);
        tried += 1;
      }
    }
    expect(tried).toBeGreaterThan(15);
  });

  it('is one that does, for those who may see it', async () => {
    for (const [path, call] of [
      ['tasks/statistics?propertyId=property-1', {}],
      ['tasks/statistics?propertyId=property-1', { as: 'OWNER', sub: 'owner-1' }],
      ['financial/summary?propertyId=property-1', { as: 'OWNER', sub: 'owner-1' }],
      ['financial/summary?reservationId=stay-1', { as: 'FINANCE' }],
      ['sagas/confirmReservation/status?reservationId=stay-1', {}],
      ['sagas/failures?reservationId=stay-1', {}],
    ] as const) {
      expect((await http.call('GET', `${API}/${path}`, call)).status, path).toBe(200);
    }
  });
});

describe('a gateway that does not exist', () => {
  const PATH = `${API}/financial/reconciliations`;
  it.each(['Sandbox', 'Stripe', 'gateway-nope'])('is refused with those there are: %s', async (gatewayId) => {
    const answer = await http.call('GET', `${PATH}?gatewayId=${gatewayId}`);
    expect([answer.status, answer.body.code]).toEqual([422, 'GATEWAY_UNKNOWN']);
    expect(at(answer.body, 'details')).toMatchObject({ gatewayId, known: ['sandbox'] });
    expect(answer.body.error).toContain('There is sandbox');
  });
  it('has its reconciliations from when it did', async () => {
    const days = { from_at: '2024-02-01T00:00:00Z', to_at: '2024-02-02T00:00:00Z' };
    const old = { id: 'reconciliation-old', occasion: 'old', gateway_id: 'gateway-old', started_by: 'admin-1' };
    await http.db
      .insertInto('reconciliation')
      .values({ ...old, ...days, source: 'GATEWAY' })
      .execute();
    const answer = await http.call('GET', `${PATH}?gatewayId=gateway-old`);
    expect([answer.status, (answer.body.data as unknown[]).length]).toEqual([200, 1]);
    expect((await http.call('GET', `${PATH}?gatewayId=sandbox`)).body).toMatchObject({ data: [], nextCursor: null });
  });
});

describe('keys that contradict each other', () => {
  it.each(['from=2024-01-01', 'to=2024-01-02', 'from=2024-01-01&to=2024-01-02'])(
    'are refused: a moment beside %s',
    async (period) => {
      const answer = await http.call('GET', `${API}/financial/summary?asOf=2024-01-01&${period}`);
      expect([answer.status, at(answer.body, 'details', 'issues', 0, 'path')]).toEqual([422, 'asOf']);
    },
  );
});

describe('a place in the feed', () => {
  const place = ['01', '00', '1.0', '+1', '1e3', '0x1', ' 1', '１'] as const;
  it.each(place)('is not %j: every way to give it refuses it', async (text) => {
    for (const path of [`events?after=`, `events/stream?after=`]) {
      const answer = await http.call('GET', `${API}/${path}${encodeURIComponent(text)}`);
      expect([answer.status, answer.body.code], path).toEqual([422, 'VALIDATION_FAILED']);
    }
    if (text.trim() !== text || /[^\x20-\x7e]/.test(text)) return;
    const answer = await http.call('GET', `${API}/events/stream`, { headers: { 'last-event-id': text } });
    expect([answer.status, answer.body.code]).toEqual([422, 'VALIDATION_FAILED']);
  });
  it('is 0 or a number as it is written', async () => {
    expect((await http.call('GET', `${API}/events?after=0`)).status).toBe(200);
    expect((await http.call('GET', `${API}/events?after=999999999999999`)).body.code).toBe('EVENTS_NOT_REACHED');
  });
});
