import { brotliDecompressSync, gunzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { describeApi, describeApiInTurns } from '../../src/http/openapi/document.ts';
import { POLICIES } from '../../src/http/policy.ts';
import { type Http, PUBLIC_URL, startHttp } from '../http/harness.ts';

/** How the document and the page that shows it are served. */

let http: Http;
beforeAll(async () => {
  http = await startHttp();
}, 60_000);
afterAll(() => http?.stop());

const get = (path: string, headers: Record<string, string> = {}) => http.app.request(path, { headers });

describe.each(['/openapi.json', '/docs', '/docs/try.js'])('%s', (path) => {
  it('may be kept, and is not sent again to those who have it', async () => {
    const first = await get(path);
    const tag = first.headers.get('etag') ?? '';
    expect([first.status, first.headers.get('cache-control')]).toEqual([200, 'public, max-age=300']);
    expect(tag).toMatch(/^"[0-9a-f]{32}"$/);
    for (const known of [tag, `W/${tag}`, `"other", ${tag}`, '*']) {
      const again = await get(path, { 'If-None-Match': known });
      expect([again.status, again.headers.get('etag'), await again.text()], known).toEqual([304, tag, '']);
    }
    expect((await get(path, { 'If-None-Match': '"other"' })).status).toBe(200);
  });

  it('comes packed as the client asks, with a tag of the bytes that are sent', async () => {
    const plain = Buffer.from(await (await get(path)).arrayBuffer());
    const unpack = { br: brotliDecompressSync, gzip: gunzipSync };
    const tags = new Set<string | null>();
    for (const [asked, encoding] of [
      ['gzip, deflate, br', 'br'],
      ['gzip', 'gzip'],
      ['br;q=0.5, gzip;q=0.9', 'gzip'],
      ['*', 'br'],
    ] as const) {
      const packed = await get(path, { 'Accept-Encoding': asked });
      expect([packed.headers.get('content-encoding'), packed.headers.get('vary')], asked).toEqual([
        encoding,
        'Accept-Encoding',
      ]);
      const bytes = Buffer.from(await packed.arrayBuffer());
      expect(unpack[encoding](bytes).equals(plain), asked).toBe(true);
      tags.add(packed.headers.get('etag'));
    }
    expect(tags.size).toBe(2);
    for (const asked of ['identity', 'br;q=0, gzip;q=0', 'deflate', '']) {
      expect((await get(path, { 'Accept-Encoding': asked })).headers.get('content-encoding'), asked).toBeNull();
    }
  });
});

describe('the document', () => {
  it('is made one route to a turn of the event loop, so that nobody waits for all of it', async () => {
    let turns = 0;
    let next = setImmediate(function count() {
      turns += 1;
      next = setImmediate(count);
    });
    const inTurns = await describeApiInTurns(http.app, { publicUrl: PUBLIC_URL });
    clearImmediate(next);
    expect(inTurns).toEqual(describeApi(http.app, { publicUrl: PUBLIC_URL }));
    expect(turns).toBeGreaterThan(Object.keys(POLICIES).length / 2);
  });
});

describe('the style sheet of all pages', () => {
  it('is asked for before each use, and not sent again to those who have it', async () => {
    const first = await get('/style.css');
    expect([first.status, first.headers.get('content-type'), first.headers.get('cache-control')]).toEqual([
      200,
      'text/css; charset=utf-8',
      'no-cache',
    ]);
    const known = { 'If-None-Match': first.headers.get('etag') ?? '' };
    expect((await get('/style.css', known)).status).toBe(304);
  });

  it('is what every page of a browser loads, and all that it may take its style from', async () => {
    for (const path of ['/', '/docs', '/work', '/problems', '/problems/VALIDATION_FAILED', '/nope']) {
      const page = await get(path, { Accept: 'text/html' });
      const text = await page.text();
      expect(
        [...text.matchAll(/<link rel="stylesheet" href="([^"]+)">/g)].map(([, at]) => at?.replace(/^\//, '')),
      ).toEqual(['style.css']);
      expect(text, path).not.toMatch(/<style|\sstyle=|<script(?![^>]* src=)/);
      expect(page.headers.get('content-security-policy'), path).toContain("style-src 'self'");
      expect(page.headers.get('content-security-policy'), path).not.toContain('unsafe');
    }
  });
});

describe('the page that shows the document', () => {
  it('loads nothing from elsewhere, and may not; all its addresses are relative', async () => {
    const page = await get('/docs');
    const text = await page.text();
    expect(page.headers.get('content-security-policy')).toContain("default-src 'none'; script-src 'self'");
    expect([...text.matchAll(/(?:src|href)="([^"#]+)"/g)].map(([, at]) => at)).toEqual([
      'data:,',
      'style.css',
      'openapi.json',
      'docs/try.js',
    ]);
  });

  it('shows every operation and every schema once', async () => {
    const text = await (await get('/docs')).text();
    const ids = [...text.matchAll(/ id="([^"]+)"/g)].map(([, id]) => id);
    expect(new Set(ids).size).toBe(ids.length);
    for (const link of text.matchAll(/href="#([^"]+)"/g)) expect(ids, link[0]).toContain(link[1]);
    expect(ids).toContain('confirmReservation');
    expect(ids).toContain('schema-Reservation');
  });

  it('serves its own files and no others', async () => {
    for (const file of ['package.json', 'page.ts', '__proto__', 'constructor', '..%2fpackage.json']) {
      expect((await get(`/docs/${file}`)).status, file).toBe(404);
    }
  });
});
