import { execFile } from 'node:child_process';
import { copyFile, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import manifest from '../../package.json' with { type: 'json' };
import { OPERATIONS } from '../../src/http/openapi/operations/index.ts';
import { POLICIES } from '../../src/http/policy.ts';
import { API, type Http, PUBLIC_URL, startHttp } from '../http/harness.ts';
import { type Contract, createContract, isObject, type Json, type Operation, objectAt } from './contract.ts';

/** The document at /openapi.json, checked by tools that are not ours. */

let http: Http;
let contract: Contract;
let text: string;
beforeAll(async () => {
  http = await startHttp();
  const served = await http.call('GET', '/openapi.json', { as: null });
  text = served.text;
  contract = createContract(served.body);
}, 60_000);
afterAll(() => http?.stop());

const nameOf = ({ method, path: at }: Operation): string => `${method.toUpperCase()} ${at}`;
const parametersOf = ({ operation }: Operation): readonly Json[] =>
  Array.isArray(operation['parameters']) ? operation['parameters'].map(contract.resolve) : [];
/** Every media type of a request or an answer, with where it stands. */
function mediaOf(operation: Operation): { readonly at: string; readonly type: string; readonly media: Json }[] {
  const bodies: [string, unknown][] = [
    ['request', operation.operation['requestBody']],
    ...Object.entries(objectAt(operation.operation, 'responses')),
  ];
  return bodies.flatMap(([part, body]) =>
    Object.entries(objectAt(contract.resolve(body), 'content')).map(([type, media]) => ({
      at: `${nameOf(operation)} ${part} ${type}`,
      type,
      media: contract.resolve(media),
    })),
  );
}
function examplesOf(holder: Json): unknown[] {
  const several = Object.values(objectAt(holder, 'examples')).map((example) => contract.resolve(example)['value']);
  return 'example' in holder ? [holder['example'], ...several] : several;
}

/** Redocly looks for it beside the document. Each entry says why. */
const IGNORE_FILE = '.redocly.lint-ignore.yaml';

describe('the OpenAPI document', () => {
  it('has no error and no warning by Redocly’s recommended rules', { timeout: 60_000 }, async () => {
    const folder = await mkdtemp(path.join(tmpdir(), 'roomy-openapi-'));
    try {
      const root = path.join(import.meta.dirname, '../..');
      await writeFile(path.join(folder, 'openapi.json'), text);
      await copyFile(path.join(root, 'docs/openapi', IGNORE_FILE), path.join(folder, IGNORE_FILE));
      const lint = [path.join(root, 'node_modules/@redocly/cli/bin/cli.js'), 'lint', 'openapi.json'];
      const { stdout, stderr } = await promisify(execFile)(
        process.execPath,
        [...lint, '--extends=recommended', '--format=json', '--max-problems=1000'],
        {
          cwd: folder,
          env: { ...process.env, REDOCLY_TELEMETRY: 'off', REDOCLY_SUPPRESS_UPDATE_NOTICE: 'true' },
          maxBuffer: 2 ** 26,
        },
      ).catch((error: { stdout: string; stderr: string }) => error);
      const report: unknown = JSON.parse(stdout || `{"crashed": ${JSON.stringify(stderr)}}`);
      expect(report).toMatchObject({ totals: { errors: 0, warnings: 0, ignored: 1 }, problems: [] });
    } finally {
      await rm(folder, { recursive: true });
    }
  });

  it('is of version 3.1, of the release in package.json, and at the public address', async () => {
    expect(contract.document['openapi']).toBe('3.1.0');
    expect(objectAt(contract.document, 'info')['version']).toBe(manifest.version);
    const changelog = await readFile(path.join(import.meta.dirname, '../../CHANGELOG.md'), 'utf8');
    expect(/^## (\S+)$/m.exec(changelog)?.[1]).toBe(manifest.version);
    expect(contract.document['servers']).toEqual([{ url: PUBLIC_URL, description: expect.any(String) }]);
  });

  it('has every endpoint of the policy table under /api, and none besides', () => {
    const written = contract.operations
      .filter((operation) => !operation.isWebhook)
      .map((operation) => nameOf(operation).replaceAll(/\{(.+?)\}/g, ':$1'));
    const decided = Object.keys(POLICIES).filter((name) => name.includes('/api/'));
    expect(written.filter((name) => name.includes('/api/')).sort()).toEqual(decided.sort());
  });

  it('names and explains each operation, and explains none that there is not', () => {
    const routes = contract.operations.filter((operation) => !operation.isWebhook);
    const ids = routes.map(({ operation }) => operation['operationId']);
    expect(new Set(ids).size).toBe(routes.length);
    for (const operation of routes) {
      const { operationId, description, summary } = operation.operation;
      expect(operationId, nameOf(operation)).toMatch(/^[a-z]+(?:[A-Z][a-z]*)+$/);
      expect(String(description).length, nameOf(operation)).toBeGreaterThan(100);
      expect(summary, nameOf(operation)).not.toBe(description);
    }
    const known = new Set(routes.map((operation) => nameOf(operation).replaceAll(/\{(.+?)\}/g, ':$1')));
    expect(Object.keys(OPERATIONS).filter((name) => !known.has(name))).toEqual([]);
  });

  it('explains every parameter, and names every one of a path', () => {
    for (const operation of contract.operations) {
      const parameters = parametersOf(operation);
      for (const { name, description } of parameters) {
        expect(String(description ?? '').length, `${nameOf(operation)} ${name}`).toBeGreaterThan(8);
      }
      const inPath = [...operation.path.matchAll(/\{(.+?)\}/g)].map(([, name]) => name);
      expect(
        parameters.filter((p) => p['in'] === 'path').map((p) => p['name']),
        nameOf(operation),
      ).toEqual(inPath);
    }
  });

  it('says what each operation refuses with, and that any of them may fail in another way', () => {
    for (const operation of contract.operations.filter(({ isWebhook }) => !isWebhook)) {
      const responses = objectAt(operation.operation, 'responses');
      const failures = Object.keys(responses).filter((status) => status.startsWith('4') || status === 'default');
      expect(failures.length, nameOf(operation)).toBeGreaterThan(1);
      for (const status of failures) {
        const content = objectAt(contract.resolve(responses[status]), 'content');
        if (content['text/html'] === undefined) {
          expect(Object.keys(content), `${nameOf(operation)} ${status}`).toEqual([
            'application/json',
            'application/problem+json',
          ]);
        }
      }
    }
  });

  it('gives an example of each answer and each body in JSON, which fits its schema', () => {
    let seen = 0;
    for (const operation of contract.operations) {
      for (const { at, type, media } of mediaOf(operation)) {
        const examples = examplesOf(media);
        if (type.endsWith('json')) expect(examples.length, at).toBeGreaterThan(0);
        for (const example of examples) {
          expect(contract.problem(media['schema'], example), `${at}: ${JSON.stringify(example)}`).toBeNull();
          seen += 1;
        }
      }
    }
    expect(seen).toBeGreaterThan(500);
  });

  it('gives examples of fields and parameters that fit, too', () => {
    let seen = 0;
    const walk = (value: unknown, at: string): void => {
      if (Array.isArray(value)) for (const [index, member] of value.entries()) walk(member, `${at}/${index}`);
      if (!isObject(value)) return;
      const { examples, default: fallback } = value;
      const isSchema = ['string', 'object'].includes(typeof value['type']) && !isObject(value['type']);
      const all = [...(Array.isArray(examples) ? examples : []), ...(fallback === undefined ? [] : [fallback])];
      for (const example of isSchema ? all : []) {
        expect(contract.problem(value, example), `${at}: ${JSON.stringify(example)}`).toBeNull();
        seen += 1;
      }
      for (const [key, member] of Object.entries(value)) if (key !== 'example') walk(member, `${at}/${key}`);
    };
    walk(contract.document, '#');
    expect(seen).toBeGreaterThan(50);
  });

  it('has patterns that match something: no flags, no delimiters', () => {
    const patterns = [...text.matchAll(/"pattern":("(?:[^"\\]|\\.)*")/g)].map(([, literal]) =>
      String(JSON.parse(literal ?? '""')),
    );
    expect(new Set(patterns).size).toBeGreaterThan(8);
    for (const pattern of patterns) {
      expect(pattern).not.toMatch(/\/[a-z]*$/);
      expect(() => new RegExp(pattern, 'u')).not.toThrow();
    }
    const name = objectAt(contract.document, 'components', 'schemas', 'NewGuest', 'properties', 'name');
    expect([contract.problem(name, 'John Doe'), contract.problem(name, 'John\u0000Doe')]).toEqual([
      null,
      expect.any(String),
    ]);
  });

  it('takes the brief’s requests', () => {
    const body = (at: string) =>
      objectAt(
        contract.operations.find((operation) => operation.path === `${API}${at}` && operation.method === 'post')
          ?.operation,
        'requestBody',
        'content',
        'application/json',
      )['schema'];
    const payment = {
      amount: 1000,
      currency: 'AED',
      paymentMethod: 'Credit Card',
      gatewayId: 'gateway-123',
      gatewayReference: 'ref-456',
    };
    expect(contract.problem(body('/reservations/{id}/payment'), payment)).toBeNull();
    const confirmation = { confirmedBy: 'agent-1', notes: 'Confirmed after availability check' };
    expect(contract.problem(body('/reservations/{id}/confirm'), confirmation)).toBeNull();
    expect(contract.problem(body('/reservations/{id}/confirm'), { ...confirmation, extra: 1 })).not.toBeNull();
  });

  it('lets a named schema that may be null be null', () => {
    const terms = objectAt(contract.document, 'components', 'schemas', 'OwnerChange', 'properties', 'payoutTerms');
    expect([contract.problem(terms, null), contract.problem(terms, { hold: true })]).toEqual([null, null]);
  });
});
