import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { fetchProgram, libraryDirectories, type Program } from './package.ts';

export type RedisProgram = Program;

/** Without Redis on the PATH: the package of this system. Throws with the other ways to get one. */
export const fetchRedis = (say: (line: string) => void): RedisProgram =>
  fetchProgram(
    {
      name: 'redis',
      packages: [
        ['redis-server', 'redis-tools'],
        ['valkey-server', 'valkey-tools'],
      ],
      find: programIn,
      advice: (problem) =>
        `No Redis: ${problem}. Install redis or valkey (6.2 or newer) so that it is on the PATH, or set REDIS_URL.`,
    },
    say,
  );

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
