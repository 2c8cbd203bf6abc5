import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { installCommand, type PackageNames } from './install-command.ts';
import { fetchProgram, libraryDirectories, type PackagedProgram, PROGRAMS, type Program } from './package.ts';
import { buildRedis, builtRedis } from './redis-source.ts';

export type RedisProgram = Program;

/** Redis left some distributions for Valkey, which does the same. */
const NAMES: PackageNames = {
  brew: 'redis',
  apt: 'redis-server',
  dnf: 'valkey || sudo dnf install redis',
  zypper: 'valkey || sudo zypper install redis',
  pacman: 'valkey',
  apk: 'valkey',
};

const PACKAGE: PackagedProgram = {
  name: 'redis',
  packages: [
    ['redis-server', 'redis-tools'],
    ['valkey-server', 'valkey-tools'],
  ],
  find: programIn,
  advice: (problem) => problem,
};

/**
 * Without Redis on the PATH: the one that was fetched or built before, else the package of this system, else one built
 * from its source. Throws with the command that installs one here.
 */
export async function fetchRedis(say: (line: string) => void): Promise<RedisProgram> {
  const kept = programIn(path.join(PROGRAMS, PACKAGE.name)) ?? builtRedis();
  if (kept) return kept;
  const problems: string[] = [];
  try {
    return fetchProgram(PACKAGE, say);
  } catch (error) {
    problems.push(messageOf(error));
  }
  try {
    return await buildRedis(say);
  } catch (error) {
    problems.push(messageOf(error));
  }
  const command = installCommand(NAMES);
  throw new Error(
    `No Redis: ${problems.join(', and ')}. ` +
      `${command === undefined ? 'Install redis or valkey (6.2 or newer) so that it is on the PATH' : `Run "${command}"`}, or set REDIS_URL.`,
  );
}

const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));

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
