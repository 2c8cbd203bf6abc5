import { readdirSync, readFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import path from 'node:path';
import { sha256OfBytes } from '../kernel/json.ts';

/** The files that a browser gets: ours as they are written, and those of libraries as they are published. */

const browserFile = (name: string): string => path.join(import.meta.dirname, 'browser', name);
/** Wherever npm has put the package. */
const packageFile = createRequire(import.meta.url).resolve;

export interface WebFile {
  readonly type: string;
  read(): Promise<string>;
}

/** By the end of the name. What has another end is for the type check alone, and not served. */
const TYPES: Readonly<Record<string, string>> = {
  '.css': 'text/css; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.svg': 'image/svg+xml',
  '.webmanifest': 'application/manifest+json',
};

const fileAt = (at: string): WebFile => ({
  type: TYPES[path.extname(at)] ?? 'application/octet-stream',
  read: () => readFile(at, 'utf8'),
});

/** What all pages have in common, then a part for each look, which may overrule it. */
const STYLE_PARTS = ['base', 'card', 'paper', 'phone', 'docs', 'ops', 'console', 'console-pages'];
/** The one style sheet of all pages. */
export const STYLE = STYLE_PARTS.map((part) => readFileSync(browserFile(`style/${part}.css`), 'utf8')).join('\n');
export const STYLE_FILE: WebFile = { type: 'text/css; charset=utf-8', read: async () => STYLE };
/** Of the pages that sign people in, by name. */
export const PASSKEY_FILES: ReadonlyMap<string, WebFile> = new Map([
  ['passkeys.js', fileAt(browserFile('accounts/passkeys.js'))],
  ['simplewebauthn.js', { type: TYPES['.js'] ?? '', read: webAuthnModule }],
]);
/** Of the console, by name. */
export const CONSOLE_FILES: ReadonlyMap<string, WebFile> = new Map([
  ['live.js', fileAt(browserFile('console/live.js'))],
  ['htmx.js', fileAt(packageFile('htmx.org/dist/htmx.esm.min.js'))],
  ['hx-sse.js', fileAt(packageFile('htmx.org/dist/ext/hx-sse.min.js'))],
]);
export const DOCS_SCRIPT = { name: 'try.js', file: fileAt(browserFile('docs/try.js')) };

/** Of the pages with charts, by name. */
export const CHART_FILES: ReadonlyMap<string, WebFile> = new Map([
  ['charts.js', fileAt(browserFile('charts/charts.js'))],
  ['uplot.js', { type: TYPES['.js'] ?? '', read: uPlotModule }],
  ['uplot.css', fileAt(packageFile('uplot/dist/uPlot.min.css'))],
]);

/** The package's small file makes a variable of what our module imports. */
async function uPlotModule(): Promise<string> {
  return `${await readFile(packageFile('uplot/dist/uPlot.iife.min.js'), 'utf8')}\nexport default uPlot;\n`;
}

/** The package's one file for browsers makes a global of what a module of ours imports. */
async function webAuthnModule(): Promise<string> {
  const bundle = path.resolve(packageFile('@simplewebauthn/browser'), '../../dist/bundle/index.umd.min.js');
  const names = 'startAuthentication, startRegistration';
  return `${await readFile(bundle, 'utf8')}\nexport const { ${names} } = globalThis.SimpleWebAuthnBrowser;\n`;
}

/** In the order in which the service worker loads them: each uses those before it. */
const WORKBOX = ['core', 'routing', 'strategies', 'precaching'].map((part) => `workbox-${part}`);

/**
 * The files under `/work/`, by name. `home` is the page itself: its service worker keeps it with the files and the
 * style sheet, so that it opens without a network.
 */
export function workFiles(home: () => Promise<string>): ReadonlyMap<string, WebFile> {
  const kept = new Map([
    ...readdirSync(browserFile('work'))
      .filter((name) => Object.hasOwn(TYPES, path.extname(name)))
      .map((name) => [name, fileAt(browserFile(`work/${name}`))] as const),
    ['idb.js', fileAt(packageFile('idb/build/index.js'))],
  ]);
  const besides = { '../work': home, '../style.css': STYLE_FILE.read };
  const worker = fileAt(browserFile('service-worker/sw.js'));
  return new Map([
    ...kept,
    ...WORKBOX.map((part) => [`${part}.js`, fileAt(packageFile(`${part}/build/${part}.prod.js`))] as const),
    ['sw.js', { type: worker.type, read: () => workerWith(worker, { ...readsOf(kept), ...besides }) }],
  ]);
}

type Reads = Readonly<Record<string, () => Promise<string>>>;
const readsOf = (files: ReadonlyMap<string, WebFile>): Reads =>
  Object.fromEntries([...files].map(([name, { read }]) => [name, read]));

/** Where Workbox expects the list of what is to be kept, each file with its revision. */
const MANIFEST = '__WB_MANIFEST';

/**
 * A browser sees a new version by the bytes of the service worker, so a change of any file has to be one of them. It keeps
 * nothing that has another digest: while an update is under way, another process may answer with the file of before.
 */
async function workerWith(worker: WebFile, reads: Reads): Promise<string> {
  const entries = await Promise.all(
    Object.entries(reads).map(async ([url, read]) => {
      const digest = sha256OfBytes(Buffer.from(await read())).toString('base64');
      return { url, revision: digest.slice(0, 16), integrity: `sha256-${digest}` };
    }),
  );
  const text = await worker.read();
  return text.replace(MANIFEST, () => JSON.stringify(entries));
}
