import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, inject, it, vi } from 'vitest';
import { findChromium } from '../../scripts/services/chromium.ts';
import { DoesNotStart, executablesOnPath, namedExecutable, startFirst } from '../../scripts/services/look-up.ts';
import type { Program } from '../../scripts/services/package.ts';
import { type RunningRedis, startRedis } from '../../scripts/services/redis.ts';

/** The programs that `npm start` and `npm test` find on a machine, with folders that stand for its PATH. */

const root = fs.mkdtempSync(path.join(os.tmpdir(), 'roomy-look up-'));
afterAll(() => fs.rmSync(root, { recursive: true, force: true }));
afterEach(() => vi.unstubAllEnvs());

let folders = 0;
/** A folder with programs: shell scripts by name. */
function folder(programs: Readonly<Record<string, string>>, mode = 0o755): string {
  folders += 1;
  const directory = path.join(root, `bin ${folders}`);
  fs.mkdirSync(directory);
  for (const [name, script] of Object.entries(programs))
    fs.writeFileSync(path.join(directory, name), `#!/bin/sh\n${script}\n`, { mode });
  return directory;
}
const onPath = (...directories: string[]): string => directories.join(path.delimiter);

const BROKEN = 'echo "error while loading shared libraries" >&2; exit 127';
/** Runs a program as from a clean environment, whatever the PATH of the test. */
const running = ({ command, env }: Program): string => {
  const kept = { ...env, HOME: env['HOME'] ?? root, PATH: '/usr/local/bin:/usr/bin:/bin' };
  const assignments = Object.entries(kept)
    .filter(([name]) => /^(LD_LIBRARY_PATH|FONTCONFIG_FILE|HOME|PATH)$/.test(name))
    .map(([name, value]) => `${name}='${value}'`);
  return `exec /usr/bin/env -i ${assignments.join(' ')} '${command}' "$@"`;
};
const SNAP_STUB = 'echo "Command requires the snap to be installed." >&2; exit 1';

describe('the look-up on the PATH', () => {
  const first = folder({ chromium: 'true' });
  const second = folder({ chromium: 'true', 'google-chrome': 'true' });

  it('gives absolute paths, in the order of names and then of the PATH', () => {
    expect(
      executablesOnPath(['google-chrome', 'chromium'], onPath('', first, '/no/such/folder', second, first)),
    ).toEqual([path.join(second, 'google-chrome'), path.join(first, 'chromium'), path.join(second, 'chromium')]);
  });

  it('makes a relative entry of the PATH absolute', () => {
    const relative = path.relative(process.cwd(), first);
    expect(executablesOnPath(['chromium'], relative)).toEqual([path.join(first, 'chromium')]);
  });

  it('leaves out what is a folder, is not executable or leads nowhere, and does not follow links', () => {
    const links = folder({});
    fs.mkdirSync(path.join(links, 'chromium'));
    fs.symlinkSync('/no/such/program', path.join(links, 'chromium-browser'));
    fs.symlinkSync(path.join(first, 'chromium'), path.join(links, 'google-chrome'));
    const closed = folder({ chromium: 'true' }, 0o644);
    expect(executablesOnPath(['chromium', 'chromium-browser', 'google-chrome'], onPath(links, closed))).toEqual([
      path.join(links, 'google-chrome'),
    ]);
  });

  it('is empty without a PATH', () => {
    expect(executablesOnPath(['chromium'], '')).toEqual([]);
  });

  it('reads a setting as a path, a relative path or a name', () => {
    const file = path.join(first, 'chromium');
    expect(namedExecutable(file, '')).toBe(file);
    expect(namedExecutable(path.relative(process.cwd(), file), '')).toBe(file);
    expect(namedExecutable('chromium', onPath(first))).toBe(file);
    expect(namedExecutable('chromium', '')).toBeUndefined();
    expect(namedExecutable(path.join(first, 'firefox'), '')).toBeUndefined();
  });
});

describe('the first program that works', () => {
  const lookUp = (fetch: () => { command: string; env: NodeJS.ProcessEnv }) => ({
    names: ['server', 'other-server'],
    faultOf: ({ command }: { readonly command: string }) =>
      fs.readFileSync(command, 'utf8').includes('exit') ? 'does not run' : undefined,
    fetch,
  });
  const nothing = () => {
    throw new Error('No server: this system has none.');
  };

  it('is started, whatever stands before it', async () => {
    const directory = folder({ server: BROKEN, 'other-server': 'true' });
    vi.stubEnv('PATH', directory);
    const said: string[] = [];
    expect(
      await startFirst(
        lookUp(nothing),
        async ({ command }) => command,
        (line) => said.push(line),
      ),
    ).toBe(path.join(directory, 'other-server'));
    expect(said).toEqual([`${path.join(directory, 'server')} does not run. Looking further.`]);
  });

  it('is the fetched one when those on the PATH do not start', async () => {
    vi.stubEnv('PATH', folder({ server: 'true', 'other-server': BROKEN }));
    const fetched = { command: '/fetched', env: {} };
    const start = async ({ command }: { readonly command: string }) => {
      if (command !== '/fetched') throw new DoesNotStart('It said nothing.');
      return command;
    };
    expect(
      await startFirst(
        lookUp(() => fetched),
        start,
        () => {},
      ),
    ).toBe('/fetched');
  });

  it('is missed with every reason', async () => {
    const directory = folder({ server: 'true', 'other-server': BROKEN });
    vi.stubEnv('PATH', directory);
    const start = async () => Promise.reject(new DoesNotStart('It said nothing.'));
    await expect(startFirst(lookUp(nothing), start, () => {})).rejects.toThrow(
      `${path.join(directory, 'server')} does not start. It said nothing.\n` +
        `${path.join(directory, 'other-server')} does not run.\nNo server: this system has none.`,
    );
  });

  it('is not looked for when the fault is not that of the program', async () => {
    vi.stubEnv('PATH', folder({ server: 'true', 'other-server': 'true' }));
    const start = async () => Promise.reject(new Error('The folder belongs to somebody else.'));
    await expect(startFirst(lookUp(nothing), start, () => {})).rejects.toThrow(/^The folder belongs/);
  });
});

describe('Redis', () => {
  const started: RunningRedis[] = [];
  afterEach(async () => {
    for (const redis of started.splice(0)) await redis.stop();
  });
  /** A script that runs the one that this machine has, or the fetched one. */
  let working: string;
  beforeAll(async () => {
    const redis = await startRedis({ dir: path.join(root, 'probe'), appendonly: false });
    await redis.stop();
    working = running(redis.program);
  });

  it.each([
    ['a broken one', BROKEN],
    ['a stub of a package manager', SNAP_STUB],
    ['one that is too old', 'echo "Redis server v=5.0.14 sha=00000000:0 malloc=libc bits=64"'],
    ['one that only knows its version', '[ "$1" = --version ] && echo "Redis server v=7.2.0 bits=64" || exit 1'],
  ])('is found behind %s', async (_name, script) => {
    const directory = folder({ 'redis-server': script, 'valkey-server': working });
    vi.stubEnv('PATH', directory);
    const said: string[] = [];
    const dir = path.join(directory, 'data with spaces ü');
    const redis = await startRedis({ dir, appendonly: false, say: (line) => said.push(line) });
    started.push(redis);
    expect(redis.running()).toBe(true);
    expect(said).toHaveLength(1);
    expect(said[0]).toContain(path.join(directory, 'redis-server'));
  });

  it('is found through a link', async () => {
    const directory = folder({ 'valkey-server-9': working });
    fs.symlinkSync('valkey-server-9', path.join(directory, 'valkey-server'));
    vi.stubEnv('PATH', directory);
    const redis = await startRedis({ dir: path.join(directory, 'data'), appendonly: false });
    started.push(redis);
    expect(redis.running()).toBe(true);
  });
});

describe('a browser', () => {
  it('is an absolute path, although there are only names and stubs on the PATH', async () => {
    const real = inject('chromium') ?? (await findChromium(() => {}));
    expect(path.isAbsolute(real.command)).toBe(true);

    const { findChromium: findAgain } = await freshModule();
    const directory = folder({
      chromium: SNAP_STUB,
      'chromium-browser': 'echo "Chromium 150.0.1.1 snap"',
      'google-chrome': 'echo "Google Chrome 60.0.3112.78"',
      'google-chrome-stable': running(real),
    });
    vi.stubEnv('PATH', directory);
    const said: string[] = [];
    const found = await findAgain((line) => said.push(line));
    expect(found.command).toBe(path.join(directory, 'google-chrome-stable'));
    expect(said.map((line) => line.replace(`${directory}/`, ''))).toEqual([
      'chromium does not run. Looking further.',
      'chromium-browser does not show a page. Looking further.',
      'google-chrome is version 60, and 115 or newer is needed. Looking further.',
    ]);
  });

  it('that is named and cannot be used is refused by name', async () => {
    vi.stubEnv('CHROMIUM_PATH', path.join(folder({ chromium: SNAP_STUB }), 'chromium'));
    const { findChromium: findNamed } = await freshModule();
    await expect(findNamed(() => {})).rejects.toThrow(/CHROMIUM_PATH=.*chromium does not run/);
  });
});

/** One that has not looked yet. */
async function freshModule(): Promise<typeof import('../../scripts/services/chromium.ts')> {
  vi.resetModules();
  return import('../../scripts/services/chromium.ts');
}
