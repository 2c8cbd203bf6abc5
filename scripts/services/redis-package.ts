import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';

export interface RedisProgram {
  readonly command: string;
  readonly env: NodeJS.ProcessEnv;
}

const HOME = path.join(import.meta.dirname, '../../.roomy/programs/redis');
const STEP_WITHIN_MS = 120_000;
const PACKAGES = [
  { server: 'redis-server', packages: ['redis-server', 'redis-tools'] },
  { server: 'valkey-server', packages: ['valkey-server', 'valkey-tools'] },
];

/**
 * Without Redis on the PATH: the package of this Debian or Ubuntu, checked by apt's own signatures, unpacked into the
 * project. Needs no root and changes nothing outside. Throws with the other ways to get one.
 */
export function fetchRedis(say: (line: string) => void): RedisProgram {
  const kept = programIn(HOME);
  if (kept) return kept;
  if (!['apt-get', 'dpkg-deb'].every((tool) => spawnSync(tool, ['--version'], { stdio: 'ignore' }).status === 0)) {
    throw new Error(advice('this system has no apt-get to fetch one with'));
  }
  say('No redis-server on the PATH: fetching the package of this system into .roomy/programs/redis ...');
  fs.mkdirSync(path.dirname(HOME), { recursive: true });
  const workshop = fs.mkdtempSync(`${HOME}-`);
  try {
    unpack(workshop);
    if (!programIn(workshop)) throw new Error(advice(missingLibraries(workshop)));
    fs.rmSync(path.join(workshop, 'apt'), { recursive: true, force: true });
    placeAt(HOME, workshop);
  } finally {
    fs.rmSync(workshop, { recursive: true, force: true });
  }
  const fetched = programIn(HOME);
  if (!fetched) throw new Error(advice('the fetched one does not run'));
  return fetched;
}

function unpack(workshop: string): void {
  const apt = path.join(workshop, 'apt');
  for (const directory of ['lists/partial', 'archives/partial', 'state']) {
    fs.mkdirSync(path.join(apt, directory), { recursive: true });
  }
  const options = [
    ...['-o', `Dir::State=${path.join(apt, 'state')}`, '-o', `Dir::State::lists=${path.join(apt, 'lists')}`],
    ...['-o', 'Dir::State::status=/var/lib/dpkg/status', '-o', `Dir::Cache=${apt}`],
    ...['-o', `Dir::Cache::archives=${path.join(apt, 'archives')}`, '-o', 'Debug::NoLocking=1'],
    // Post-invoke hooks of the system (cleaning its cache, telling other programs) are not for us.
    ...['-o', 'APT::Sandbox::User=root', '-o', 'Acquire::Languages=none', '-o', 'Acquire::Retries=2'],
  ];
  const configuration = path.join(apt, 'apt.conf');
  fs.writeFileSync(configuration, '#clear APT::Update;\n#clear DPkg::Post-Invoke;\n#clear DPkg::Pre-Invoke;\n');
  const env = { ...process.env, APT_CONFIG: configuration, LC_ALL: 'C', DEBIAN_FRONTEND: 'noninteractive' };
  const run = (command: string, args: readonly string[]) =>
    spawnSync(command, args, { env, encoding: 'utf8', timeout: STEP_WITHIN_MS, cwd: apt });

  // Its failure counts only if the package is then not found: one broken source of many is enough for it to fail.
  const updated = run('apt-get', [...options, '-q', 'update']);
  const found = PACKAGES.find(({ server }) => run('apt-cache', [...options, 'show', server]).status === 0);
  if (!found && updated.status !== 0) throw new Error(advice(`apt-get update failed: ${lastLine(updated.stderr)}`));
  if (!found) throw new Error(advice('this distribution has no package redis-server or valkey-server'));
  // With what the package depends on, as far as this system lacks it.
  const install = ['install', '-q', '-y', '--download-only', '--reinstall', '--no-install-recommends'];
  const downloaded = run('apt-get', [...options, ...install, ...found.packages]);
  if (downloaded.status !== 0) {
    const alone = run('apt-get', [...options, '-q', 'download', ...found.packages]);
    if (alone.status !== 0) throw new Error(advice(`apt-get download failed: ${lastLine(alone.stderr)}`));
  }
  for (const directory of [path.join(apt, 'archives'), apt]) {
    for (const file of fs.readdirSync(directory).filter((name) => name.endsWith('.deb'))) {
      const unpacked = run('dpkg-deb', ['-x', path.join(directory, file), workshop]);
      if (unpacked.status !== 0) throw new Error(advice(`dpkg-deb failed: ${lastLine(unpacked.stderr)}`));
    }
  }
}

/** Another process may have been quicker, or an older one no longer runs since the system was upgraded. */
function placeAt(home: string, workshop: string): void {
  if (fs.existsSync(home)) {
    if (programIn(home)) return;
    fs.rmSync(home, { recursive: true, force: true });
  }
  fs.renameSync(workshop, home);
  fs.mkdirSync(workshop);
}

function programIn(root: string): RedisProgram | undefined {
  const env = { PATH: process.env['PATH'], LD_LIBRARY_PATH: libraryDirectories(root).join(path.delimiter) };
  for (const command of candidates(root)) {
    const { status, stdout } = spawnSync(command, ['--version'], { argv0: 'redis-server', env, encoding: 'utf8' });
    if (status === 0 && /server v=\d/i.test(stdout)) return { command, env };
  }
  return undefined;
}

/** Debian's redis-server is a link to redis-check-rdb of another package: one program, which looks at its name. */
function candidates(root: string): readonly string[] {
  const bin = path.join(root, 'usr/bin');
  return ['redis-server', 'valkey-server', 'redis-check-rdb', 'valkey-check-rdb']
    .map((name) => path.join(bin, name))
    .filter((file) => fs.existsSync(file));
}

function libraryDirectories(root: string): readonly string[] {
  const found: string[] = [];
  for (const lib of ['lib', 'usr/lib', 'usr/lib64']) {
    const directory = path.join(root, lib);
    if (!fs.existsSync(directory)) continue;
    found.push(directory);
    for (const entry of fs.readdirSync(directory, { withFileTypes: true })) {
      if (entry.isDirectory() && entry.name.includes('-linux-')) found.push(path.join(directory, entry.name));
    }
  }
  return found;
}

function missingLibraries(root: string): string {
  const [command] = candidates(root);
  if (!command) return 'the package does not hold a server program';
  const env = { PATH: process.env['PATH'], LD_LIBRARY_PATH: libraryDirectories(root).join(path.delimiter) };
  const { stdout } = spawnSync('ldd', [command], { env, encoding: 'utf8' });
  const missing = (stdout ?? '').split('\n').filter((line) => line.includes('not found'));
  return `the package of this distribution lacks ${missing.map((line) => line.trim().split(' ')[0]).join(', ') || 'something'}`;
}

function advice(problem: string): string {
  return `No Redis: ${problem}. Install redis or valkey (6.2 or newer) so that it is on the PATH, or set REDIS_URL.`;
}

function lastLine(text: string | null): string {
  return (text ?? '').trim().split('\n').at(-1) ?? '';
}
