import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import fs from 'node:fs';
import http from 'node:http';
import os from 'node:os';
import path from 'node:path';
import { PROGRAMS, type Program, placeAt } from './package.ts';
import { codeOf, spawnGuarded, tailOf } from './process.ts';

/** A release of Redis as source, which must have exactly these bytes. */
export interface RedisSource {
  readonly version: string;
  readonly url: string;
  /** In hexadecimal digits. */
  readonly sha256: string;
}

/** The digest is that of the Redis project's own list (redis/redis-hashes); 7.2 is its newest line under the BSD licence. */
export const SOURCES: readonly RedisSource[] = [
  {
    version: '7.2.11',
    url: 'https://download.redis.io/releases/redis-7.2.11.tar.gz',
    sha256: '2f9886eca68d30114ad6a01da65631f8007d802fd3e6c9fac711251e6390323d',
  },
];

/**
 * For networks that reach a mirror of their own only: `REDIS_SOURCE_URL` names a release as `.tar.gz`, `REDIS_SOURCE_SHA256`
 * its digest. It is tried first. Throws the end of the sentence `No Redis:` when one of them is missing or malformed.
 */
export function sourcesOf(env: NodeJS.ProcessEnv): readonly RedisSource[] {
  const { REDIS_SOURCE_URL: url, REDIS_SOURCE_SHA256: sha256 } = env;
  if (!url && !sha256) return SOURCES;
  if (!url || !URL.canParse(url) || !sha256 || !/^[0-9a-f]{64}$/.test(sha256))
    throw new Error('REDIS_SOURCE_URL needs an address, and REDIS_SOURCE_SHA256 the 64 hexadecimal digits of its file');
  return [
    { version: /\d+(?:\.\d+)+/.exec(path.basename(new URL(url).pathname))?.[0] ?? 'of REDIS_SOURCE_URL', url, sha256 },
    ...SOURCES,
  ];
}

const DOWNLOADED_WITHIN_MS = 120_000;
const BUILT_WITHIN_MS = 900_000;
/** Those that are built have no further libraries, and a server on loopback needs no TLS. */
const BUILD_SETTINGS = ['MALLOC=libc', 'BUILD_TLS=no', 'USE_SYSTEMD=no'];

/** The one that was built before, if it runs here still. */
export function builtRedis(home: string = path.join(PROGRAMS, 'redis-built')): Program | undefined {
  const command = path.join(home, 'redis-server');
  const { status, stdout } = spawnSync(command, ['--version'], { encoding: 'utf8' });
  return status === 0 && /server v=\d/i.test(stdout) ? { command, env: process.env } : undefined;
}

/**
 * Downloads the source of Redis, checks it against the digest that is written here, and builds the server with the C
 * compiler of this system. Changes nothing outside of `home`. Throws an error that is the end of the sentence `No Redis:`.
 */
export async function buildRedis(
  say: (line: string) => void,
  { home = path.join(PROGRAMS, 'redis-built'), sources = sourcesOf(process.env) } = {},
): Promise<Program> {
  const tools = toolsToBuild();
  if (typeof tools === 'string') throw new Error(tools);
  fs.mkdirSync(path.dirname(home), { recursive: true });
  const workshop = fs.mkdtempSync(`${home}-`);
  try {
    const archive = path.join(workshop, 'source.tar.gz');
    const { version } = await download(sources, archive);
    say(`Building Redis ${version} in .roomy/programs, which takes a minute or two ...`);
    const folder = path.join(workshop, 'source');
    fs.mkdirSync(folder);
    const unpacked = spawnSync('tar', ['-xzf', archive, '-C', folder, '--strip-components=1'], { encoding: 'utf8' });
    if (unpacked.status !== 0) throw new Error('its source could not be unpacked, which needs tar and gzip');
    await make(tools, folder, path.join(workshop, 'build.log'));
    fs.renameSync(path.join(folder, 'src/redis-server'), path.join(workshop, 'redis-server'));
    for (const name of ['source', 'source.tar.gz']) fs.rmSync(path.join(workshop, name), { recursive: true });
    if (!builtRedis(workshop)) throw new Error('the one that was built does not run here');
    placeAt(builtRedis, home, workshop);
  } finally {
    fs.rmSync(workshop, { recursive: true, force: true });
  }
  const built = builtRedis(home);
  if (!built) throw new Error('the one that was built does not run here');
  return built;
}

interface Tools {
  readonly compiler: string;
  readonly make: string;
}

/** The tools; or, when one is missing, the end of the sentence `No Redis:` that says which. */
function toolsToBuild(): Tools | string {
  // On a Mac without its command line tools the compiler is a stub that opens a window.
  const stub = process.platform === 'darwin' && spawnSync('xcode-select', ['-p'], { stdio: 'ignore' }).status !== 0;
  const runs = (tool: string): boolean => spawnSync(tool, ['--version'], { stdio: 'ignore' }).status === 0;
  const compiler = stub ? undefined : ['cc', 'gcc', 'clang'].find(runs);
  const makes = stub ? undefined : ['gmake', 'make'].find(runs);
  if (compiler === undefined || makes === undefined) return 'no C compiler with make to build one with';
  return { compiler, make: makes };
}

async function download(sources: readonly RedisSource[], file: string): Promise<RedisSource> {
  const problems: string[] = [];
  // HTTPS_PROXY and NO_PROXY, as npm follows them too.
  const restore = http.setGlobalProxyFromEnv();
  try {
    for (const source of sources) {
      const problem = await downloadOne(source, file);
      if (problem === undefined) return source;
      problems.push(problem);
    }
  } finally {
    restore();
  }
  throw new Error(`its source could not be downloaded (${problems.join('; ')})`);
}

/** Returns what went wrong. */
async function downloadOne({ url, sha256 }: RedisSource, file: string): Promise<string | undefined> {
  const { host } = new URL(url);
  try {
    const answer = await fetch(url, { signal: AbortSignal.timeout(DOWNLOADED_WITHIN_MS) });
    if (!answer.ok) return `${host} answers ${answer.status}`;
    const bytes = Buffer.from(await answer.arrayBuffer());
    if (createHash('sha256').update(bytes).digest('hex') !== sha256) return `${host} has another file than is expected`;
    fs.writeFileSync(file, bytes);
    return undefined;
  } catch (error) {
    const cause = error instanceof Error && error.cause !== undefined ? error.cause : error;
    return `${host}: ${codeOf(cause) ?? (cause instanceof Error ? cause.name : String(cause))}`;
  }
}

async function make({ compiler, make: program }: Tools, folder: string, logFile: string): Promise<void> {
  const log = fs.openSync(logFile, 'w');
  const jobs = String(Math.min(os.availableParallelism(), 8));
  const building = await spawnGuarded(program, ['-j', jobs, ...BUILD_SETTINGS, `CC=${compiler}`, 'redis-server'], {
    stopSignal: 'SIGTERM',
    graceMs: 5_000,
    // Not the settings of another make that started us.
    spawn: {
      cwd: folder,
      env: { ...process.env, LC_ALL: 'C', MAKEFLAGS: '', MFLAGS: '' },
      stdio: ['ignore', log, log],
    },
  }).finally(() => fs.closeSync(log));
  const timer = setTimeout(() => void building.stop(), BUILT_WITHIN_MS);
  const ended = await building.ended;
  clearTimeout(timer);
  if (ended === 'exit 0') return;
  const said = tailOf(logFile, 0, 1_000).split('\n');
  const error = said.find((line) => /\berror:/.test(line)) ?? said.at(-1) ?? '';
  throw new Error(`building it failed (${ended}: ${error.trim()})`);
}
