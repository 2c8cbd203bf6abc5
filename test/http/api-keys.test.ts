import { createHash } from 'node:crypto';
import { sql } from 'kysely';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { createApiKeyVerifier } from '../../src/http/api-key-auth.ts';
import { SCOPES } from '../../src/http/policy.ts';
import { createLogger } from '../../src/kernel/log.ts';
import { pairOf } from '../setup/forge.ts';
import { API, addReservation, at, type Call, countRows, type Http, JWT, seed, startHttp } from './harness.ts';
import { addPerson } from './people.ts';

/** Keys of machines, from the form to the digest in the table. */

const START = Date.now();
const DAY = 86_400_000;
/** How far the programs' clock is ahead of this machine's. */
let aheadMs = 0;
const clock = { now: () => new Date(Date.now() + aheadMs) };
const logged: string[] = [];
const keep = (...parts: unknown[]): void => void logged.push(JSON.stringify(parts));
const log = Object.assign(Object.create(createLogger('test', 'silent')), { info: keep, warn: keep, error: keep });
let http: Http;
beforeAll(async () => {
  http = await startHttp({ clock, log, jwt: { ...JWT, signing: [pairOf('e1', 'EdDSA')] } });
  await seed(http.db);
  await addReservation(http.db, 'stay');
}, 60_000);
afterAll(() => http?.stop());
beforeEach(() => {
  aheadMs = 0;
});

const inDays = (days: number): string => new Date(START + days * DAY).toISOString();
const make = (fields: object = {}, call: Call = {}) =>
  http.call('POST', `${API}/api-keys`, {
    body: { name: 'Channel manager', scopes: ['reservations:read'], expiresAt: inDays(30), ...fields },
    ...call,
  });
async function madeKey(fields: object = {}): Promise<{ readonly id: string; readonly key: string }> {
  const { body } = await make(fields);
  return { id: String(at(body, 'data', 'id')), key: String(at(body, 'data', 'key')) };
}
const use = (key: string, path = '/reservations/stay', method = 'GET') =>
  http.call(method, `${API}${path}`, { as: null, headers: { authorization: `Bearer ${key}` } });
const revoke = (id: string) => http.call('DELETE', `${API}/api-keys/${id}`);
const rowOf = (id: string) => http.db.selectFrom('api_key').selectAll().where('id', '=', id).executeTakeFirstOrThrow();
const eventsOf = async (id: string): Promise<string[]> => {
  const rows = await http.db
    .selectFrom('audit_log')
    .select('event')
    .where('stream_id', '=', `api-key:${id}`)
    .orderBy('seq')
    .execute();
  return rows.map(({ event }) => event);
};

describe('an API key', () => {
  it('is shown once, and kept as a digest', async () => {
    const made = await make();
    const { key, id, prefix } = made.body['data'] as Record<string, string>;
    expect(made.status).toBe(201);
    expect(made.headers.get('cache-control')).toBe('no-store');
    expect(key).toMatch(/^rk_live_[\w-]{49}$/);
    expect(prefix).toBe(key?.slice(0, 12));
    const { rows } = await sql<{
      row: string;
    }>`SELECT to_jsonb(k)::text AS row FROM api_key k WHERE id = ${id}`.execute(http.db);
    expect(rows[0]?.row).not.toContain(key);
    expect((await rowOf(id ?? '')).key_hash).toEqual(
      createHash('sha256')
        .update(key ?? '')
        .digest(),
    );
    const shown = await http.call('GET', `${API}/api-keys/${id}`);
    const listed = await http.call('GET', `${API}/api-keys`);
    for (const answer of [shown, listed]) expect(answer.text).not.toContain(key);
    expect(at(shown.body, 'data')).toMatchObject({ id, prefix, name: 'Channel manager', lastUsedAt: null });
    expect(await eventsOf(id ?? '')).toEqual(['API_KEY_CREATED']);
    const trail = await http.call('GET', `${API}/audit?event=API_KEY_CREATED`);
    expect(trail.text).not.toMatch(/rk_live_/);
  });

  it('J12: opens what its scopes say, and nothing else', async () => {
    const { id, key } = await madeKey();
    expect((await use(key)).status).toBe(200);
    expect((await use(key, '/guests')).body.code).toBe('FORBIDDEN');
    expect((await use(key, '/api-keys')).body.code).toBe('FORBIDDEN');
    expect((await use(key, '/owners')).body.code).toBe('FORBIDDEN');
    const denied = await http.call('GET', `${API}/audit?actor=service:${id}`);
    expect(at(denied.body, 'data', 0)).toMatchObject({ event: 'ACCESS_DENIED', userId: `service:${id}` });
  });

  it('J12: with every scope there is opens no route that is for people', async () => {
    const { key } = await madeKey({ scopes: SCOPES });
    for (const [method, path] of [
      ['POST', '/api-keys'],
      ['GET', '/audit'],
      ['POST', '/transactions/nothing/payout'],
      ['GET', '/owners'],
    ] as const)
      expect((await use(key, path, method)).body.code, path).toBe('FORBIDDEN');
  });

  it('honours the Idempotency-Key: the same key is answered, and kept sealed', async () => {
    const call = { headers: { 'idempotency-key': 'make-once' } };
    const first = await make({}, call);
    const again = await make({}, call);
    expect([again.status, again.text, again.headers.get('idempotency-replayed')]).toEqual([201, first.text, 'true']);
    const kept = await http.db
      .selectFrom('idempotency_key')
      .select(['accepted_body', 'sealed_by'])
      .where('key', '=', 'make-once')
      .executeTakeFirstOrThrow();
    expect(kept.sealed_by).toBe('new/ed0f59a25dfe');
    expect(kept.accepted_body.includes('rk_live_')).toBe(false);
  });

  it.each<[string, object]>([
    ['no end', { expiresAt: undefined }],
    ['an end that is over', { expiresAt: inDays(-1) }],
    ['an end in more than a year', { expiresAt: inDays(367) }],
    ['no scope', { scopes: [] }],
    ['a scope that there is not', { scopes: ['everything'] }],
    ['a permission that is for people', { scopes: ['payouts:write'] }],
    ['no name', { name: '' }],
    ['a key of one’s own', { key: `rk_live_${'a'.repeat(49)}` }],
  ])('is not made with %s', async (_name, fields) => {
    const before = await countRows(http.db);
    const answer = await make(fields);
    expect([answer.status, answer.body.code]).toEqual([422, 'VALIDATION_FAILED']);
    expect(await countRows(http.db)).toEqual(before);
  });

  it('may end on the last day of the year to come', async () => {
    expect((await make({ expiresAt: inDays(364) })).status).toBe(201);
  });

  it('is for administrators alone to see and to make', async () => {
    for (const as of ['OPS', 'FINANCE', 'AGENT', 'OWNER'] as const) {
      expect((await http.call('GET', `${API}/api-keys`, { as })).status).toBe(403);
      expect((await make({}, { as })).status).toBe(403);
    }
  });
});

describe('an API key that does not count', () => {
  it('is 401 when it was never one, with or without the right form', async () => {
    const { key } = await madeKey();
    const withOther = (at: number): string => `${key.slice(0, at)}${key[at] === 'A' ? 'B' : 'A'}${key.slice(at + 1)}`;
    for (const wrong of [
      'rk_live_',
      'rk_',
      `rk_live_${'a'.repeat(49)}`,
      `${key}A`,
      key.slice(0, -1),
      withOther(key.length - 1),
      withOther(8),
      key.toUpperCase(),
      `${key}, ${key}`,
    ])
      expect((await use(wrong)).status, wrong).toBe(401);
    expect((await http.call('GET', `${API}/guests?access_token=${key}`, { as: null })).status).toBe(401);
  });

  it('J14, Z12: is out within 30 seconds of its revocation, on every process that has believed it', async () => {
    const { id, key } = await madeKey();
    expect((await use(key)).status).toBe(200);
    expect((await revoke(id)).status).toBe(204);
    aheadMs = 30_001;
    const refused = await use(key);
    expect([refused.status, refused.headers.get('www-authenticate')]).toEqual([401, 'Bearer realm="roomy"']);
    expect((await revoke(id)).status).toBe(204);
    expect(await eventsOf(id)).toEqual(['API_KEY_CREATED', 'API_KEY_REVOKED']);
    const again = await http.call('POST', `${API}/api-keys/${id}/rotate`, { body: { expiresAt: inDays(9) } });
    expect(again.body.code).toBe('INVALID_STATE_TRANSITION');
    expect((await revoke('nothing')).body.code).toBe('NOT_FOUND');
  });

  it('Z12: ends what it has opened: no stream goes on after its revocation', async () => {
    const { id, key } = await madeKey({ scopes: ['events:read'] });
    const headers = { authorization: `Bearer ${key}` };
    const stream = await http.app.request(`${API}/events/stream`, { headers });
    expect(stream.status).toBe(200);
    const heard = stream.text();
    await revoke(id);
    aheadMs = 30_001;
    const secret = await addReservation(http.db, 'stay-after-the-revocation');
    expect(await heard).not.toContain(secret);
  });

  it('is out at its end, however lately it was looked up', async () => {
    const { key } = await madeKey({ expiresAt: new Date(Date.now() + 20_000).toISOString() });
    expect((await use(key)).status).toBe(200);
    aheadMs = 20_000;
    expect((await use(key)).status).toBe(401);
  });

  it('is the old one after a rotation; the new one is the same caller', async () => {
    const { id, key } = await madeKey();
    expect((await use(key)).status).toBe(200);
    const rotated = await http.call('POST', `${API}/api-keys/${id}/rotate`, { body: { expiresAt: inDays(60) } });
    const fresh = String(at(rotated.body, 'data', 'key'));
    expect([rotated.status, at(rotated.body, 'data', 'id'), at(rotated.body, 'data', 'expiresAt')]).toEqual([
      200,
      id,
      inDays(60),
    ]);
    expect(fresh).not.toBe(key);
    aheadMs = 30_001;
    expect([(await use(fresh)).status, (await use(key)).status]).toEqual([200, 401]);
    expect(await eventsOf(id)).toEqual(['API_KEY_CREATED', 'API_KEY_ROTATED']);
    for (const wrong of [{}, { expiresAt: inDays(-1) }, { expiresAt: inDays(400) }])
      expect((await http.call('POST', `${API}/api-keys/${id}/rotate`, { body: wrong })).status).toBe(422);
  });
});

describe('the use of an API key', () => {
  it('is noted once a minute, and no request waits for it', async () => {
    const { id, key } = await madeKey();
    await use(key);
    await expect.poll(async () => (await rowOf(id)).last_used_at, { timeout: 5_000 }).not.toBeNull();
    const version = (await rowOf(id)).version;
    const hourAgo = new Date(Date.now() - 3_600_000);
    await http.db.updateTable('api_key').set({ last_used_at: hourAgo }).where('id', '=', id).execute();
    aheadMs = 40_000;
    expect((await use(key)).status).toBe(200);
    expect((await rowOf(id)).last_used_at).toEqual(hourAgo);
    // Somebody holds the row: the answer comes all the same.
    const held = await http.db.startTransaction().execute();
    try {
      await held.selectFrom('api_key').select('id').where('id', '=', id).forUpdate().execute();
      aheadMs = 61_000;
      expect((await use(key)).status).toBe(200);
      expect((await rowOf(id)).last_used_at).toEqual(hourAgo);
    } finally {
      await held.rollback().execute();
    }
    await expect.poll(async () => (await rowOf(id)).last_used_at, { timeout: 5_000 }).not.toEqual(hourAgo);
    expect((await rowOf(id)).version).toBe(version);
  });

  it('costs one statement for all requests that come at once, and none for what cannot be a key', async () => {
    let selects = 0;
    const counting = http.db.withPlugin({
      transformQuery: ({ node }) => {
        if (JSON.stringify(node).includes('key_hash')) selects += 1;
        return node;
      },
      transformResult: async ({ result }) => result,
    });
    const { verify } = createApiKeyVerifier({ db: counting, clock, log });
    const { key } = await madeKey();
    await Promise.all(Array.from({ length: 20 }, () => verify(key)));
    expect(selects).toBe(1);
    for (let n = 0; n < 20; n += 1)
      await expect(verify(`rk_live_${'b'.repeat(43)}${String(n).padStart(6, 'c')}`)).rejects.toMatchObject({
        code: 'UNAUTHENTICATED',
      });
    expect(selects).toBe(1);
  });
});

describe('the log', () => {
  it('J16: has no key and no token in it, whatever became of the request', async () => {
    const { id, key } = await madeKey();
    await use(key);
    await use(key, '/guests');
    await use(`${key.slice(0, -1)}_`);
    await use('eyJhbGciOiJub25lIn0.e30.x');
    await revoke(id);
    aheadMs = 30_001;
    await use(key);
    await http.call('GET', `${API}/guests?access_token=${key}`, { as: null });
    await http.call('GET', `/${key}`, { as: null });
    const text = logged.join('\n');
    expect(text).toContain('api_key_revoked');
    expect(text).not.toMatch(/rk_live_|eyJ/);
  });
});

describe('the keys of our tokens', () => {
  it('are published where everybody looks for them, and may be kept for minutes', async () => {
    const answer = await http.call('GET', '/.well-known/jwks.json', { as: null });
    expect([answer.status, answer.headers.get('content-type')]).toEqual([200, 'application/json; charset=utf-8']);
    expect(answer.headers.get('cache-control')).toBe('public, max-age=300');
    expect(at(answer.body, 'keys')).toMatchObject([{ kid: 'e1', alg: 'EdDSA', kty: 'OKP', use: 'sig' }]);
    expect(answer.text).not.toContain('"d"');
    const tag = answer.headers.get('etag') ?? '';
    const again = await http.call('GET', '/.well-known/jwks.json', { as: null, headers: { 'if-none-match': tag } });
    expect(again.status).toBe(304);
  });
});

describe('the maker of an API key', () => {
  it('may be sent away: the key is the agency’s and goes on, and the list says how its maker stands', async () => {
    const maker = await addPerson(http.db, 'ADMIN');
    const made = await make({}, { sub: maker.principal });
    const [id, key] = [String(at(made.body, 'data', 'id')), String(at(made.body, 'data', 'key'))];
    expect(at(made.body, 'data', 'maker')).toEqual({ role: 'ADMIN', isActive: true });
    await http.db
      .updateTable('account')
      .set({ role: 'OPS', status: 'DEACTIVATED' })
      .where('id', '=', maker.id)
      .execute();
    const list = await http.call('GET', `${API}/api-keys`);
    const listed = (list.body['data'] as readonly { readonly id: string }[]).find((one) => one.id === id);
    for (const shown of [listed, at((await http.call('GET', `${API}/api-keys/${id}`)).body, 'data')])
      expect(shown).toMatchObject({ createdBy: maker.principal, maker: { role: 'OPS', isActive: false } });
    expect((await use(key)).status).toBe(200);
    expect(at((await make()).body, 'data', 'maker')).toBeNull();
  });
});

describe('seals', () => {
  it('are by keys of their own: what one key of tokens could open, another of seals cannot', async () => {
    const seals = (kid: string) => ({
      kid,
      secret: new TextEncoder().encode(`${kid}-0123456789-0123456789-0123456789`),
    });
    const appWith = (...kids: string[]) => startHttp({ sealKeys: kids.map(seals) });
    const [one, both, other] = [await appWith('s1'), await appWith('s2', 's1'), await appWith('s2')];
    try {
      await one.call('POST', `${API}/owners`, { body: { name: 'Olga', email: 'o@example.com' } });
      await one.call('POST', `${API}/owners`, { body: { name: 'Olga', email: 'o@example.com' } });
      const page = await one.call('GET', `${API}/owners?limit=1`);
      const next = `${API}/owners?limit=1&cursor=${String(at(page.body, 'nextCursor'))}`;
      expect((await one.call('GET', next)).status).toBe(200);
      expect((await both.call('GET', next)).status).toBe(200);
      expect((await other.call('GET', next)).body.code).toBe('INVALID_CURSOR');
      expect((await http.call('GET', next)).body.code).toBe('INVALID_CURSOR');
    } finally {
      for (const app of [one, both, other]) await app.stop();
    }
  });
});
