import { execFile } from 'node:child_process';
import { cp, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { SOURCES } from './sources.ts';

/** security.md C: what is shipped, and what gets into it. npm is asked without a network. */

const ROOT = path.join(import.meta.dirname, '../..');
const read = (file: string): Promise<string> => readFile(path.join(ROOT, file), 'utf8');
const linesOf = (text: string): readonly string[] => text.split('\n').map((line) => line.trim());

interface Manifest {
  readonly scripts: Readonly<Record<string, string>>;
  readonly dependencies: Readonly<Record<string, string>>;
  readonly devDependencies: Readonly<Record<string, string>>;
  readonly allowScripts: Readonly<Record<string, boolean>>;
}
interface Lockfile {
  readonly packages: Readonly<
    Record<string, { readonly hasInstallScript?: boolean; readonly dev?: boolean; readonly optional?: boolean }>
  >;
}
const DEVELOPMENT = 'cdx:npm:package:development';
/** Of CycloneDX. */
interface Component {
  readonly 'bom-ref': string;
  readonly name: string;
  readonly scope?: string;
  readonly hashes?: readonly unknown[];
  readonly properties?: readonly { readonly name: string }[];
}
let manifest: Manifest;
let lock: Lockfile;
let dir: string;
beforeAll(async () => {
  manifest = JSON.parse(await read('package.json'));
  lock = JSON.parse(await read('package-lock.json'));
  dir = await mkdtemp(path.join(tmpdir(), 'roomy-shipping-'));
});
afterAll(() => rm(dir, { recursive: true, force: true }));

/** What it prints. Nothing of the npm that runs these tests, nor of its user, is known to it. */
async function npm(args: readonly string[], cwd: string): Promise<string> {
  const { PATH } = process.env;
  const env = { PATH, HOME: dir, npm_config_cache: path.join(dir, 'cache'), npm_config_offline: 'true' };
  const run = await promisify(execFile)('npm', args, { cwd, env, maxBuffer: 16_000_000 }).catch((error: unknown) => {
    throw new Error(String(Reflect.get(Object(error), 'stderr')));
  });
  return run.stdout;
}

describe('C2: the image', () => {
  it('is built in two stages, and gets nothing but the packages and the files of the product', async () => {
    const lines = linesOf(await read('Dockerfile'));
    const from = lines.filter((line) => line.startsWith('FROM '));
    expect(from).toHaveLength(2);
    expect(lines).toContain('RUN npm ci --omit=dev --no-audit --no-fund');
    const last = lines.slice(lines.lastIndexOf(from[1] ?? ''));
    expect(last.filter((line) => /^(COPY|ADD) /.test(line))).toEqual([
      'COPY --from=dependencies /app/node_modules ./node_modules',
      'COPY package.json ./',
      'COPY migrations ./migrations',
      'COPY src ./src',
    ]);
    expect(last.filter((line) => /\bnpm\b/.test(line))).toEqual([]);
  });

  it('is built from what .dockerignore lets in: no tests, no history of versions, no settings', async () => {
    const rules = linesOf(await read('.dockerignore')).filter((line) => line !== '');
    expect(rules[0]).toBe('*');
    const letIn = rules.filter((rule) => rule.startsWith('!'));
    expect(letIn).toEqual(['!package.json', '!package-lock.json', '!.npmrc', '!src', '!migrations']);
    // The last rule that fits decides.
    expect(rules.slice(rules.lastIndexOf('!migrations') + 1)).toEqual(['**/*.test.ts', '**/.env*', '**/.git']);
  });

  it('has no file in it that only tests load', () => {
    const outside = /from '(?:\.\.\/)+(?:test|bench|scripts)\/|from '(?:vitest|fast-check|playwright-core)'/;
    expect([...SOURCES].filter(([, text]) => outside.test(text)).map(([file]) => file)).toEqual([]);
    const development = Object.keys(manifest.devDependencies);
    const imported = [...SOURCES.values()].flatMap((text) =>
      [...text.matchAll(/^import (?!type )[^;]*? from '([^'.][^']*)'/gm)].map(([, name = '']) => name),
    );
    expect(imported.length).toBeGreaterThan(100);
    expect(imported.filter((name) => development.includes(name))).toEqual([]);
  });
});

describe('C3: scripts of packages', () => {
  it('run for none that is not named, and no package comes from anywhere but the registry', async () => {
    const settings = linesOf(await read('.npmrc'));
    for (const setting of ['strict-allow-scripts=true', 'allow-git=none', 'allow-remote=none', 'save-exact=true'])
      expect(settings).toContain(setting);
    expect(await read('Dockerfile')).toMatch(/^COPY package\.json package-lock\.json \.npmrc \.\/$/m);
  });

  it('are allowed for no more packages than have some', () => {
    const having = Object.entries(lock.packages)
      .filter(([, { hasInstallScript }]) => hasInstallScript === true)
      .map(([place]) => place.replace(/^.*node_modules\//, ''));
    expect(having.filter((name) => !Object.hasOwn(manifest.allowScripts, name))).toEqual([]);
    expect(Object.keys(manifest.allowScripts).filter((name) => !having.includes(name))).toEqual([]);
    const inProduction = Object.keys(manifest.allowScripts).filter(
      (name) => manifest.allowScripts[name] && lock.packages[`node_modules/${name}`]?.dev !== true,
    );
    expect(inProduction).toEqual([]);
  });

  it('stop the installation of a package that nobody has named', async () => {
    const known = JSON.parse(await npm(['config', 'ls', '-l', '--json'], dir)) as object;
    // An npm that is older than the setting knows nothing that would stop it.
    if (!Object.hasOwn(known, 'strict-allow-scripts')) return;
    const [sly, app] = [path.join(dir, 'sly'), path.join(dir, 'app')];
    for (const folder of [sly, app]) await mkdir(folder);
    const scripts = { postinstall: `node -e "fs.writeFileSync('${path.join(dir, 'ran')}', '')"` };
    await writeFile(path.join(sly, 'package.json'), JSON.stringify({ name: 'sly', version: '1.0.0', scripts }));
    await npm(['pack', '--pack-destination', app], sly);
    const dependencies = { sly: 'file:sly-1.0.0.tgz' };
    await writeFile(path.join(app, 'package.json'), JSON.stringify({ name: 'app', version: '1.0.0', dependencies }));
    await cp(path.join(ROOT, '.npmrc'), path.join(app, '.npmrc'));
    await expect(npm(['install', '--no-audit', '--no-fund'], app)).rejects.toThrow('ESTRICTALLOWSCRIPTS');
    expect(await readdir(dir)).not.toContain('ran');
  }, 60_000);
});

describe('C6: the list of what the product is made of', () => {
  it('is written by one command, without a network, into a file that is not kept', async () => {
    const [command, file] = (manifest.scripts['sbom'] ?? '').split(' > ');
    expect(command).toBe('npm sbom --sbom-format cyclonedx --package-lock-only --include dev');
    expect(linesOf(await read('.gitignore'))).toContain(file);
    const sbom = JSON.parse(await npm((command ?? '').split(' ').slice(1), ROOT)) as {
      readonly bomFormat: string;
      readonly components: readonly Component[];
    };
    expect(sbom.bomFormat).toBe('CycloneDX');
    const listed = new Map(sbom.components.map((component) => [component['bom-ref'], component]));
    // npm leaves out what production and development share when it is told to omit development.
    for (const [name, version] of Object.entries(manifest.dependencies)) {
      const component = listed.get(`${name}@${version}`);
      expect(component?.name).toBe(name);
      expect(component?.properties?.map((property) => property.name) ?? []).not.toContain(DEVELOPMENT);
    }
    expect(listed.get(`vitest@${manifest.devDependencies['vitest']}`)?.properties).toContainEqual({
      name: DEVELOPMENT,
      value: 'true',
    });
    const names = new Set(sbom.components.map(({ name }) => name));
    const locked = Object.entries(lock.packages).filter(([place, { optional }]) => place !== '' && optional !== true);
    expect(locked.length).toBeGreaterThan(300);
    expect(locked.filter(([place]) => !names.has(place.replace(/^.*node_modules\//, '')))).toEqual([]);
    const required = sbom.components.filter(({ scope }) => scope === 'required');
    expect(required.filter(({ hashes }) => (hashes?.length ?? 0) === 0).map(({ name }) => name)).toEqual([]);
  }, 60_000);
});

describe('C7: the packages that run in production', () => {
  it('are those that somebody has looked at, with a reason each', async () => {
    const rows = [...(await read('docs/dependencies.md')).matchAll(/^\| `([^`]+)`\s*\| (.+?)\s*\|$/gm)];
    expect(rows.map(([, name]) => name)).toEqual(Object.keys(manifest.dependencies).toSorted());
    expect(rows.filter(([, , reason = '']) => reason.length < 4)).toEqual([]);
  });
});

describe('C8: what only tests need', () => {
  it('is no failpoint: programs give none to the engine, and no variable does', () => {
    const programs = [...SOURCES].filter(([file]) => !file.includes('/'));
    expect(programs.length).toBeGreaterThan(10);
    const giving = programs.filter(([file, text]) => file !== 'wiring.ts' && /failpoint/i.test(text));
    expect(giving.map(([file]) => file)).toEqual([]);
    const variables = [...SOURCES].filter(([, text]) => /FAIL_?POINT/.test(text));
    expect(variables.map(([file]) => file)).toEqual([]);
  });
});
