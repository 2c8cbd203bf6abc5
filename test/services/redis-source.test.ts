import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import fs from 'node:fs';
import http from 'node:http';
import os from 'node:os';
import path from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import { installCommand } from '../../scripts/services/install-command.ts';
import { buildRedis, builtRedis, type RedisSource, SOURCES, sourcesOf } from '../../scripts/services/redis-source.ts';

/** Redis without a package of the system: a small source that is served here, and the real tools of this machine. */

const root = fs.mkdtempSync(path.join(os.tmpdir(), "roomy-source it's ü-"));
const served = new Map<string, Buffer>();
const server = http.createServer((request, response) => {
  const file = served.get(request.url ?? '');
  response.writeHead(file ? 200 : 404).end(file);
});
let origin: string;

beforeAll(async () => {
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  origin = `http://127.0.0.1:${address !== null && typeof address === 'object' ? address.port : 0}`;
});
afterAll(() => {
  server.close();
  fs.rmSync(root, { recursive: true, force: true });
});
afterEach(() => vi.unstubAllEnvs());

let sources = 0;
/** A release whose server is what this C program says. */
function release(program: string): RedisSource {
  sources += 1;
  const folder = path.join(root, `redis-${sources}`);
  fs.mkdirSync(path.join(folder, 'src'), { recursive: true });
  fs.writeFileSync(path.join(folder, 'src/server.c'), program);
  fs.writeFileSync(
    path.join(folder, 'Makefile'),
    'redis-server:\n\t@test "$(MALLOC)" = libc\n\t$(CC) -o src/redis-server src/server.c\n',
  );
  const packed = spawnSync('tar', ['-czf', '-', '-C', root, path.basename(folder)], { maxBuffer: 10_000_000 });
  served.set(`/${sources}.tar.gz`, packed.stdout);
  return {
    version: '7.2.99',
    url: `${origin}/${sources}.tar.gz`,
    sha256: createHash('sha256').update(packed.stdout).digest('hex'),
  };
}
const WORKS = '#include <stdio.h>\nint main(void) { puts("Redis server v=7.2.99 sha=00000000:0"); return 0; }\n';
const place = (): string => path.join(fs.mkdtempSync(path.join(root, 'programs-')), 'redis-built');
const silent = (): void => {};

describe('Redis from its source', () => {
  it('is built where it belongs, with nothing else left, and found again', async () => {
    const home = place();
    expect(builtRedis(home)).toBeUndefined();
    const said: string[] = [];
    const built = await buildRedis((line) => said.push(line), { home, sources: [release(WORKS)] });
    expect(built.command).toBe(path.join(home, 'redis-server'));
    expect(builtRedis(home)?.command).toBe(built.command);
    expect(fs.readdirSync(path.dirname(home))).toEqual(['redis-built']);
    expect(fs.readdirSync(home).toSorted()).toEqual(['build.log', 'redis-server']);
    expect(said).toEqual(['Building Redis 7.2.99 in .roomy/programs, which takes a minute or two ...']);
  });

  it('is taken from the next source when one cannot be had or has other bytes', async () => {
    const changed = { ...release(WORKS), sha256: '0'.repeat(64) };
    const missing = { version: '1', url: `${origin}/missing.tar.gz`, sha256: '' };
    const unreachable = { version: '1', url: 'http://127.0.0.1:1/x.tar.gz', sha256: '' };
    const home = place();
    const built = await buildRedis(silent, { home, sources: [changed, missing, unreachable, release(WORKS)] });
    expect(built.command).toBe(path.join(home, 'redis-server'));
    await expect(buildRedis(silent, { home: place(), sources: [changed, missing, unreachable] })).rejects.toThrow(
      /^its source could not be downloaded \(127.0.0.1:\d+ has another file than is expected; 127.0.0.1:\d+ answers 404; 127.0.0.1:1: \w+\)$/,
    );
  });

  it.each([
    ['does not compile', 'int main(void) { return missing; }\n', /^building it failed \(exit 2: .*error:.*missing/],
    ['does not run here', 'int main(void) { return 1; }\n', /^the one that was built does not run here$/],
  ])('that %s is refused with the reason, and leaves nothing', async (_name, program, reason) => {
    const home = place();
    await expect(buildRedis(silent, { home, sources: [release(program)] })).rejects.toThrow(reason);
    expect(fs.readdirSync(path.dirname(home))).toEqual([]);
  });

  it('needs a compiler and make, and downloads nothing without them', async () => {
    vi.stubEnv('PATH', path.join(root, 'nothing'));
    await expect(buildRedis(silent, { home: place(), sources: [] })).rejects.toThrow(
      'no C compiler with make to build one with',
    );
  });

  it('comes from a mirror that is named with its digest first, and from nowhere when only half is named', () => {
    const sha256 = 'a'.repeat(64);
    const url = 'https://mirror.example.com/redis_7.0.15.orig.tar.gz';
    expect(sourcesOf({})).toEqual(SOURCES);
    expect(sourcesOf({ REDIS_SOURCE_URL: url, REDIS_SOURCE_SHA256: sha256 })).toEqual([
      { version: '7.0.15', url, sha256 },
      ...SOURCES,
    ]);
    for (const half of [
      { REDIS_SOURCE_URL: url },
      { REDIS_SOURCE_SHA256: sha256 },
      { REDIS_SOURCE_URL: 'mirror', REDIS_SOURCE_SHA256: sha256 },
      { REDIS_SOURCE_URL: url, REDIS_SOURCE_SHA256: 'x' },
    ])
      expect(() => sourcesOf(half)).toThrow('REDIS_SOURCE_SHA256');
  });

  it('has a pinned digest and an encrypted address for every source', () => {
    for (const { url, sha256, version } of SOURCES) {
      expect(url).toMatch(/^https:\/\//);
      expect(url).toContain(version);
      expect(sha256).toMatch(/^[0-9a-f]{64}$/);
    }
  });
});

describe('the command that installs a program', () => {
  const names = { brew: 'b', apt: 'a', dnf: 'd', zypper: 'z', pacman: 'p', apk: 'k' };
  const machine = (...programs: string[]): string => {
    const directory = fs.mkdtempSync(path.join(root, 'bin-'));
    for (const program of programs) fs.writeFileSync(path.join(directory, program), '#!/bin/sh\n', { mode: 0o755 });
    return directory;
  };

  it.each([
    ['linux', ['apt-get'], 'sudo apt-get install a'],
    ['linux', ['dnf'], 'sudo dnf install d'],
    ['linux', ['zypper'], 'sudo zypper install z'],
    ['linux', ['pacman'], 'sudo pacman -S p'],
    ['linux', ['apk'], 'sudo apk add k'],
    ['linux', ['brew'], 'brew install b'],
    ['linux', ['brew', 'dnf'], 'sudo dnf install d'],
    ['linux', [], undefined],
    ['darwin', [], 'brew install b'],
  ])('on %s with %j', (platform, programs, command) => {
    expect(installCommand(names, { platform, PATH: machine(...programs) })).toBe(command);
  });

  it('is not that of Homebrew for what Homebrew does not have', () => {
    const { brew: _brew, ...others } = names;
    expect(installCommand(others, { platform: 'darwin', PATH: '' })).toBeUndefined();
    expect(installCommand(others, { platform: 'linux', PATH: machine('brew') })).toBeUndefined();
  });
});
