import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { sha256OfBytes } from '../kernel/json.ts';
import { STYLE, STYLE_FILE, workFiles } from './files.ts';

const HOME = '<!doctype html>';
const files = workFiles(async () => HOME);
const read = (name: string): Promise<string> => files.get(name)?.read() ?? expect.fail(`${name} is not served`);
const kept = async (): Promise<ReadonlyMap<string, string>> => {
  const [, list = '[]'] = /precaching\.precache\((\[.*\])\);/.exec(await read('sw.js')) ?? [];
  const entries: { readonly url: string; readonly revision: string; readonly integrity: string }[] = JSON.parse(list);
  expect(entries.every(({ revision, integrity }) => integrity.startsWith(`sha256-${revision}`))).toBe(true);
  return new Map(entries.map(({ url, integrity }) => [url, integrity]));
};

describe('the files of the phone page', () => {
  it('are all that its scripts import, its manifest names and its service worker loads', async () => {
    const names = new Set<string>();
    for (const [name, { read: text }] of files) {
      for (const [, imported = ''] of (await text()).matchAll(/\bfrom '\.\/([^']+)'/g)) {
        if (!imported.endsWith('.ts') && name.endsWith('.js') && name !== 'idb.js') names.add(imported);
      }
    }
    for (const [, loaded = ''] of (await read('sw.js')).matchAll(/'(workbox-[a-z]+\.js)'/g)) names.add(loaded);
    for (const { src } of JSON.parse(await read('manifest.webmanifest')).icons) names.add(src);
    // The pattern still finds them.
    expect([...names]).toEqual(expect.arrayContaining(['idb.js', 'view.js', 'workbox-precaching.js', 'icon.svg']));
    expect([...names].filter((name) => !files.has(name))).toEqual([]);
  });

  it('are nothing that only the type check reads', () => {
    expect([...files.keys()].filter((name) => /\.(?:ts|json)$/.test(name))).toEqual([]);
  });

  it('are kept by the service worker, each under the digest of its bytes, with the page and its style', async () => {
    const list = await kept();
    const own = [...files.keys()].filter((name) => name !== 'sw.js' && !name.startsWith('workbox-'));
    expect([...list.keys()].toSorted()).toEqual(['../style.css', '../work', ...own].toSorted());
    const digestOf = (text: string) => `sha256-${sha256OfBytes(Buffer.from(text)).toString('base64')}`;
    expect(list.get('../work')).toBe(digestOf(HOME));
    expect(list.get('../style.css')).toBe(digestOf(await STYLE_FILE.read()));
    for (const name of own) expect(list.get(name), name).toBe(digestOf(await read(name)));
  });

  it('come from packages that are installed where the product runs', () => {
    const manifest = JSON.parse(readFileSync(path.join(import.meta.dirname, '../../package.json'), 'utf8'));
    const workbox = [...files.keys()].filter((name) => name.startsWith('workbox-')).map((name) => name.slice(0, -3));
    expect(workbox).toHaveLength(4);
    expect(Object.keys(manifest.dependencies)).toEqual(expect.arrayContaining(['idb', ...workbox]));
  });
});

it('sends every part of the style sheet, what all pages have in common first', () => {
  const folder = path.join(import.meta.dirname, 'browser/style');
  const parts = readdirSync(folder).map((name) => readFileSync(path.join(folder, name), 'utf8'));
  expect(parts.length).toBeGreaterThan(4);
  expect(parts.filter((part) => !STYLE.includes(part))).toEqual([]);
  expect(STYLE.startsWith(readFileSync(path.join(folder, 'base.css'), 'utf8'))).toBe(true);
});
