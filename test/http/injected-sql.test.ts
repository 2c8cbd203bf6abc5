import pg from 'pg';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Role } from '../../src/http/auth.ts';
import { describeApi } from '../../src/http/openapi/document.ts';
import { POLICIES } from '../../src/http/policy.ts';
import { type Contract, createContract, objectAt } from '../openapi/contract.ts';
import { endpointFields, withValue } from './body-fields.ts';
import { API, countRows, declaredRoutes, type Http, PUBLIC_URL, recordKeeper, startHttp } from './harness.ts';
import { fixtureOf, MUTATIONS, prepareWorld, sendTo } from './valid-requests.ts';

/** Whatever a request says is a value of a statement, and never a part of its text. */

const MARK = 'zq7x';
/** Each is recognized by what ends it. */
const TEXTS = ["' OR '1'='1", "'; DROP TABLE saga;--", "\\'", '%27', '$1', '1;SELECT pg_sleep(5)'].map(
  (text) => `${text}${MARK}`,
);

let http: Http;
let contract: Contract;
const spoken: string[] = [];
const { query } = pg.Client.prototype;
beforeAll(async () => {
  pg.Client.prototype.query = function heardQuery(this: pg.Client, ...args: readonly unknown[]): unknown {
    const [first] = args;
    const text: unknown = first instanceof Object ? Reflect.get(first, 'text') : first;
    if (typeof text === 'string' && text.includes(MARK)) spoken.push(text);
    return Reflect.apply(query, this, args);
  } as typeof query;
  http = await startHttp({ closing: AbortSignal.abort(), ports: recordKeeper([]) });
  await prepareWorld(http.db);
  contract = createContract(describeApi(http.app, { publicUrl: PUBLIC_URL }));
}, 60_000);
afterAll(async () => {
  pg.Client.prototype.query = query;
  await http?.stop();
});

describe('text of SQL', () => {
  it.each(MUTATIONS)('N7: in any field of %s is a value', { timeout: 60_000 }, async (endpoint) => {
    const fields = endpointFields(contract, endpoint);
    if (fields.length === 0) return;
    const request = await fixtureOf(endpoint).prepare(http);
    for (const { path, schema } of fields) {
      for (const text of TEXTS) {
        const before = await countRows(http.db);
        const body = withValue(contract, request.body ?? {}, path, text, schema);
        const answer = await sendTo(http, endpoint, { ...request, body });
        expect(answer.status, `${path.join('.')} ${text}: ${answer.text}`).toBeLessThan(500);
        if (answer.status >= 400) expect(await countRows(http.db)).toEqual(before);
      }
    }
    expect(spoken).toEqual([]);
  });

  it('N7: in a path or a query of any route is a value', { timeout: 120_000 }, async () => {
    const before = await countRows(http.db);
    for (const { route } of declaredRoutes(http.app)) {
      const shape: unknown = route.request?.query;
      const names = typeof shape === 'object' && shape !== null ? Object.keys(objectAt(shape, 'shape')) : [];
      const parts = [...route.path.matchAll(/\{(.+?)\}/g)].map(([part]) => part);
      const plain = (address: string): string => address.replaceAll(/\{.+?\}/g, 'nobody');
      for (const text of TEXTS.map(encodeURIComponent)) {
        const addresses = [
          ...parts.map((part) => plain(route.path.replace(part, () => text))),
          ...names.map((name) => `${plain(route.path)}?${name}=${text}`),
        ];
        for (const address of addresses) {
          const answer = await http.call(
            route.method.toUpperCase(),
            address,
            route.method === 'get' ? {} : { body: {} },
          );
          expect(answer.status, `${route.method} ${address} ${answer.text.slice(0, 200)}`).toBeLessThan(500);
        }
      }
    }
    expect(spoken).toEqual([]);
    expect(await countRows(http.db)).toEqual(before);
  });
});

const NO_IDS = ['..%2Fx', 'a'.repeat(65), '%00', '-x', '%F0%9F%98%80', '%E2%80%8Fa', "'%20OR%20'1'%3D'1", 'a%20b'];
/** Somebody who may call it at all. */
const roleFor = (endpoint: string): Role => {
  const policy = POLICIES[endpoint];
  const roles = policy === undefined || policy === 'anonymous' ? [] : policy.roles;
  return roles.includes('ADMIN') ? 'ADMIN' : (roles[0] ?? 'ADMIN');
};
const idsOf = (path: string): readonly string[] => [...path.matchAll(/\{([A-Za-z]*[iI]d)\}/g)].map(([part]) => part);

describe('what is no id', () => {
  it('N8: is absent or invalid in each place of every path', { timeout: 120_000 }, async () => {
    const wrong: string[] = [];
    let tried = 0;
    for (const { route } of declaredRoutes(http.app)) {
      if (!route.path.startsWith(API)) continue;
      const method = route.method.toUpperCase();
      const endpoint = `${method} ${route.path.replaceAll(/\{(.+?)\}/g, ':$1')}`;
      const request = MUTATIONS.includes(endpoint) ? await fixtureOf(endpoint).prepare(http) : { path: '' };
      const { path: _path, ...call } = { as: roleFor(endpoint), ...request };
      const rows = await countRows(http.db);
      for (const part of idsOf(route.path)) {
        for (const id of NO_IDS) {
          const address = route.path.replace(part, () => id).replaceAll(/\{.+?\}/g, 'nobody');
          const answer = await http.call(method, address, call);
          if (![404, 422].includes(answer.status)) wrong.push(`${method} ${address}: ${answer.status} ${answer.text}`);
          tried += 1;
        }
      }
      expect(await countRows(http.db)).toEqual(rows);
    }
    expect(wrong).toEqual([]);
    expect(tried).toBeGreaterThan(300);
  });
});
