import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { describeApi } from '../../src/http/openapi/document.ts';
import { type Contract, createContract } from '../openapi/contract.ts';
import { endpointFields, withValue } from './body-fields.ts';
import {
  type Answer,
  at,
  countRows,
  declaredRoutes,
  type Http,
  PUBLIC_URL,
  recordKeeper,
  startHttp,
} from './harness.ts';
import { fixtureOf, MUTATIONS, prepareWorld, sendTo, type ValidRequest } from './valid-requests.ts';

/** A body that is no JSON, of another type, or that has unusable text or fields of another kind: every changing route refuses it in the same way. */

let http: Http;
let contract: Contract;
beforeAll(async () => {
  http = await startHttp({ ports: recordKeeper([]) });
  await prepareWorld(http.db);
  contract = createContract(describeApi(http.app, { publicUrl: PUBLIC_URL }));
}, 60_000);
afterAll(() => http?.stop());

/** Those that read JSON; a photo has another type, of which `body-bounds.test.ts` knows. */
const takesJson = (endpoint: string): boolean => {
  const found = declaredRoutes(http.app).find(
    ({ route }) => `${route.method.toUpperCase()} ${route.path.replaceAll(/\{(.+?)\}/g, ':$1')}` === endpoint,
  );
  const content = found?.route.request?.body?.content;
  return content === undefined || Object.hasOwn(content, 'application/json');
};

const JSON_TYPE = 'application/json';
const NO_JSON: readonly (string | Buffer)[] = [
  ...['{', '{"a":}', '{"a":1,}', "{'a':1}", 'NaN', '\ufeff{}', '{}\u0000', 'undefined'],
  Buffer.from('{"a":"b"}', 'utf16le'),
  Buffer.from([0x7b, 0xff, 0x7d]),
];
const OTHER_TYPES = ['text/plain', 'application/x-www-form-urlencoded', 'application/json; charset=utf-16', null];
const WITH_PROTOTYPE = ['{"__proto__":{"role":"ADMIN"}}', '{"constructor":{"prototype":{"role":"ADMIN"}}}'];
const NO_TEXT = ['"\\u0000"', '"a\\u0000b"', '"\\ud800"', '"x\\udc00"'];

async function sendRaw(endpoint: string, request: ValidRequest, raw: string | Buffer, type: string | null = JSON_TYPE) {
  const { body: _body, ...rest } = request;
  const headers = { ...request.headers, ...(type === null ? {} : { 'content-type': type }) };
  // As bytes: of a text, `Request` would say a type by itself.
  return sendTo(http, endpoint, { ...rest, raw: Buffer.from(raw as string), headers });
}
function expectRefusal(answer: Answer, status: number, code: string, sent: unknown): void {
  expect([answer.status, answer.body.code], `${String(sent)}: ${answer.text}`).toEqual([status, code]);
  expect(answer.text).not.toMatch(/\.ts\b|\bat \w+ \(|node:/);
}

describe('every change', () => {
  it.each(MUTATIONS)('N2, N3, N5: %s takes JSON of the right type, which has no prototype', async (endpoint) => {
    if (!takesJson(endpoint)) return;
    const request = await fixtureOf(endpoint).prepare(http);
    const before = await countRows(http.db);
    for (const raw of NO_JSON)
      expectRefusal(await sendRaw(endpoint, request, raw), 400, 'MALFORMED_REQUEST', JSON.stringify(raw));
    for (const type of OTHER_TYPES)
      expectRefusal(await sendRaw(endpoint, request, '{}', type), 415, 'UNSUPPORTED_MEDIA_TYPE', type);
    for (const raw of WITH_PROTOTYPE) {
      const beside = { ...((request.body ?? {}) as object) };
      const added = JSON.stringify(beside) === '{}' ? raw : `${JSON.stringify(beside).slice(0, -1)},${raw.slice(1)}`;
      expectRefusal(await sendRaw(endpoint, request, added), 422, 'VALIDATION_FAILED', added);
    }
    expect(Reflect.get({}, 'role')).toBeUndefined();
    expect(await countRows(http.db)).toEqual(before);
  });

  it.each(MUTATIONS)('N9: %s refuses text that Postgres cannot keep, in each of its fields', async (endpoint) => {
    const fields = endpointFields(contract, endpoint);
    if (fields.length === 0 || !takesJson(endpoint)) return;
    const request = await fixtureOf(endpoint).prepare(http);
    const before = await countRows(http.db);
    for (const { path, schema } of fields) {
      for (const text of NO_TEXT) {
        const body = JSON.stringify(withValue(contract, request.body ?? {}, path, '@@', schema));
        const answer = await sendRaw(
          endpoint,
          request,
          body.replace('"@@"', () => text),
        );
        expectRefusal(answer, 422, 'VALIDATION_FAILED', `${path.join('.')} ${text}`);
        expect(JSON.stringify(at(answer.body, 'details', 'issues'))).toContain('well-formed Unicode');
      }
    }
    expect(await countRows(http.db)).toEqual(before);
  });

  it.each(MUTATIONS)('N6: %s takes no field of another kind, and converts none', async (endpoint) => {
    const fields = endpointFields(contract, endpoint);
    if (fields.length === 0 || !takesJson(endpoint)) return;
    const request = await fixtureOf(endpoint).prepare(http);
    const before = await countRows(http.db);
    let refused = 0;
    for (const { path, schema } of fields) {
      for (const value of ['1000', 'true', 1000, [1000], [], { $gt: 0 }, true, null]) {
        const body = withValue(contract, request.body ?? {}, path, value, schema);
        // What the document permits may be permitted.
        if (contract.problem(schema, body) === null) continue;
        const answer = await sendTo(http, endpoint, { ...request, body });
        expect(answer.status, `${path.join('.')} ${JSON.stringify(value)}: ${answer.text}`).toBe(422);
        refused += 1;
      }
    }
    expect(refused).toBeGreaterThan(fields.length);
    expect(await countRows(http.db)).toEqual(before);
  });
});
