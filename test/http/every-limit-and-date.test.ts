import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Role } from '../../src/http/auth.ts';
import { describeApi } from '../../src/http/openapi/document.ts';
import { POLICIES } from '../../src/http/policy.ts';
import { type Contract, createContract, objectAt } from '../openapi/contract.ts';
import { endpointFields, type Path, withValue } from './body-fields.ts';
import { API, at, countRows, declaredRoutes, type Http, PUBLIC_URL, recordKeeper, startHttp } from './harness.ts';
import { fixtureOf, MUTATIONS, prepareWorld, sendTo } from './valid-requests.ts';

/** Sizes of pages, dates and free texts, by one rule wherever a request has them. */

let http: Http;
let contract: Contract;
beforeAll(async () => {
  http = await startHttp({ closing: AbortSignal.abort(), ports: recordKeeper([]) });
  await prepareWorld(http.db);
  contract = createContract(describeApi(http.app, { publicUrl: PUBLIC_URL }));
}, 60_000);
afterAll(() => http?.stop());

/** Somebody who may call it at all. */
const roleFor = (endpoint: string): Role => {
  const policy = POLICIES[endpoint];
  const roles = policy === undefined || policy === 'anonymous' ? [] : policy.roles;
  return roles.includes('ADMIN') ? 'ADMIN' : (roles[0] ?? 'ADMIN');
};
interface Read {
  readonly as: Role;
  readonly address: string;
  readonly names: readonly string[];
}
const reads = (): readonly Read[] =>
  declaredRoutes(http.app).flatMap(({ route }) => {
    const shape: unknown = route.request?.query;
    if (route.method !== 'get' || !route.path.startsWith(API) || shape === undefined) return [];
    const as = roleFor(`GET ${route.path.replaceAll(/\{(.+?)\}/g, ':$1')}`);
    const names = Object.keys(objectAt(shape, 'shape'));
    return [{ as, address: route.path.replaceAll(/\{.+?\}/g, 'nobody'), names }];
  });

describe('the size of a page', () => {
  it('N11: is bounded in every list', async () => {
    const lists = reads().filter(({ names }) => names.includes('limit'));
    expect(lists.length).toBeGreaterThan(15);
    for (const { as, address } of lists) {
      const most = address.endsWith('/events') ? 1_000 : 100;
      for (const limit of ['0', '-1', `${most + 1}`, '1e9', 'abc', '1.5', '']) {
        const answer = await http.call('GET', `${address}?limit=${limit}`, { as });
        expect([answer.status, answer.body.code], `${address} ${limit}`).toEqual([422, 'VALIDATION_FAILED']);
      }
    }
  });
});

const DATES = /Date$|At$|^(?:from|to|since|until|asOf|date|effectiveFrom|(?:PRE_|POST_)?(?:ARRIVAL|DEPARTURE))$/;
/** No days, beyond the range, without an offset or a number. */
const NO_DATES = ['2024-02-30', '9999-12-31', '9999-12-31T00:00:00Z', '2024-02-30T09:00:00Z', '2024-02-01T09:00:00'];
const lastOf = (path: Path): string => String(path.findLast((part) => typeof part === 'string'));

describe('a date', () => {
  it('N12: of any body is a real one, within the range and with its offset', async () => {
    let tried = 0;
    for (const endpoint of MUTATIONS) {
      const dates = endpointFields(contract, endpoint).filter(({ path }) => DATES.test(lastOf(path)));
      if (dates.length === 0) continue;
      const request = await fixtureOf(endpoint).prepare(http);
      const before = await countRows(http.db);
      for (const { path, schema } of dates) {
        for (const date of [...NO_DATES, 1_706_745_600]) {
          const body = withValue(contract, request.body ?? {}, path, date, schema);
          const answer = await sendTo(http, endpoint, { ...request, body });
          expect(answer.status, `${endpoint} ${path.join('.')} ${date}: ${answer.text}`).toBe(422);
          tried += 1;
        }
      }
      expect(await countRows(http.db)).toEqual(before);
    }
    expect(tried).toBeGreaterThan(100);
  });

  it('N12: of any query is a real one, within the range and with its offset', async () => {
    let tried = 0;
    for (const { as, address, names } of reads()) {
      for (const name of names.filter((one) => DATES.test(one))) {
        for (const date of [...NO_DATES, '1706745600']) {
          const answer = await http.call('GET', `${address}?${name}=${date}`, { as });
          expect(answer.status, `${address} ${name} ${date}: ${answer.text}`).toBe(422);
          tried += 1;
        }
      }
    }
    expect(tried).toBeGreaterThan(100);
  });
});

describe('a free text', () => {
  it.each([
    'حجز مؤكد',
    '👩‍👩‍👧',
    'e\u0301 and \u00e9',
    '\u202eabc\u202c',
    '\u200b\ufeff',
    'a\r\n\tb',
    'x'.repeat(2_000),
  ])('N9: is read back as it was sent: %j', async (notes) => {
    const { path, body } = await fixtureOf(`POST ${API}/reservations`).prepare(http);
    const made = await http.call('POST', path, { body: { ...(body as object), notes } });
    expect([made.status, at(made.body, 'data', 'notes')], made.text).toEqual([201, notes]);
    const read = await http.call('GET', `${path}/${String(at(made.body, 'data', 'id'))}`);
    expect(at(read.body, 'data', 'notes')).toBe(notes);
  });

  it('N9: of more characters than its bound is refused', async () => {
    const { path, body } = await fixtureOf(`POST ${API}/reservations`).prepare(http);
    const answer = await http.call('POST', path, { body: { ...(body as object), notes: 'ع'.repeat(5_000) } });
    expect([answer.status, answer.body.code]).toEqual([422, 'VALIDATION_FAILED']);
  });
});
