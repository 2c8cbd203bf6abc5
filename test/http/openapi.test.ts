import type { z } from '@hono/zod-openapi';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { POLICIES } from '../../src/http/policy.ts';
import { API, at, declaredRoutes, type Http, startHttp } from './harness.ts';

let http: Http;
let document: Record<string, unknown>;
beforeAll(async () => {
  http = await startHttp();
  document = (await http.call('GET', '/openapi.json', { as: null })).body;
}, 60_000);
afterAll(() => http?.stop());

/** Every endpoint of the brief that is built so far. */
const BRIEF = [
  ['post', `${API}/reservations/{id}/confirm`],
  ['get', `${API}/sagas`],
  ['get', `${API}/sagas/{name}/status`],
] as const;

interface Media {
  readonly schema?: unknown;
  readonly example?: unknown;
}
const examplesOf = (content: Readonly<Record<string, Media>> | undefined) => {
  const media = content?.['application/json'];
  return media?.example === undefined ? [] : [{ schema: media.schema as z.ZodType, example: media.example }];
};

describe('the OpenAPI document', () => {
  it('is of version 3.1 and says how to come in', () => {
    expect(document.openapi).toBe('3.1.0');
    expect(at(document, 'components', 'securitySchemes', 'bearer')).toEqual({
      type: 'http',
      scheme: 'bearer',
      bearerFormat: 'JWT',
    });
  });

  it.each(BRIEF)('has the brief’s %s %s', (method, path) => {
    expect(at(document, 'paths', path, method, 'security')).toEqual([{ bearer: [] }]);
  });

  it('has every endpoint of the policy table under /api, and none besides', () => {
    const written = Object.entries(at(document, 'paths') ?? {}).flatMap(([path, methods]) =>
      Object.keys(Object(methods)).map((method) => `${method.toUpperCase()} ${path.replaceAll(/\{(.+?)\}/g, ':$1')}`),
    );
    const decided = Object.keys(POLICIES).filter((name) => name.includes('/api/'));
    expect(written.filter((name) => name.includes('/api/')).sort()).toEqual(decided.sort());
  });

  it('gives examples that fit their schemas', () => {
    let seen = 0;
    for (const { route } of declaredRoutes(http.app)) {
      const contents = [
        route.request?.body?.content,
        ...Object.values(route.responses).map((response) => at(response, 'content')),
      ];
      for (const content of contents) {
        for (const { schema, example } of examplesOf(content as Readonly<Record<string, Media>> | undefined)) {
          const fits = schema.safeParse(example);
          expect(fits.error?.message, `${route.method} ${route.path}: ${JSON.stringify(example)}`).toBeUndefined();
          seen += 1;
        }
      }
    }
    expect(seen).toBeGreaterThan(100);
  });

  it('resolves all its references', () => {
    const text = JSON.stringify(document);
    for (const [, name] of text.matchAll(/"#\/components\/schemas\/([A-Za-z]+)"/g)) {
      expect(at(document, 'components', 'schemas', name ?? ''), name).toBeDefined();
    }
  });

  it('names every parameter of a path', () => {
    for (const { route } of declaredRoutes(http.app)) {
      const inPath = [...route.path.matchAll(/\{(.+?)\}/g)].map(([, name]) => name);
      const named = at(document, 'paths', route.path, route.method, 'parameters');
      const declared = Array.isArray(named)
        ? named.filter((p) => at(p, 'in') === 'path').map((p) => at(p, 'name'))
        : [];
      expect(declared, route.path).toEqual(inPath);
    }
  });
});

describe('the page that shows it', () => {
  it('loads nothing from elsewhere, and may not', async () => {
    const page = await http.call('GET', '/docs', { as: null });
    expect(page.headers.get('content-type')).toContain('text/html');
    expect(page.headers.get('content-security-policy')).toContain("default-src 'none'; script-src 'self'");
    expect(page.text).not.toMatch(/https?:\/\//);
    const files = [...page.text.matchAll(/(?:src|href)="(\/[^"]+)"/g)].map(([, file]) => file ?? '');
    expect(files).toHaveLength(3);
    for (const file of files) {
      const answer = await http.call('GET', file, { as: null });
      expect([answer.status, answer.headers.get('x-content-type-options')], file).toEqual([200, 'nosniff']);
    }
  });

  it('serves its own files and no others', async () => {
    for (const file of [
      'package.json',
      'index.html',
      'swagger-ui.js',
      '__proto__',
      'constructor',
      '..%2fpackage.json',
    ]) {
      expect((await http.call('GET', `/docs/${file}`, { as: null })).status, file).toBe(404);
    }
  });
});
