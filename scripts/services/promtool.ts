import { spawnSync } from 'node:child_process';
import path from 'node:path';
import { installCommand, type PackageNames } from './install-command.ts';
import { namedExecutable, startFirst } from './look-up.ts';
import { fetchProgram, libraryDirectories, type Program } from './package.ts';

const NAMES = ['promtool'];
const VERSION_WITHIN_MS = 15_000;

const PACKAGE_NAMES: PackageNames = {
  brew: 'prometheus',
  apt: 'prometheus',
  dnf: 'prometheus',
  zypper: 'golang-github-prometheus-prometheus',
  pacman: 'prometheus',
  apk: 'prometheus',
};

let known: Promise<Program> | undefined;

/**
 * The promtool of Prometheus, which tests alert rules: `PROMTOOL_PATH`, the first one on the PATH that runs, or the package of this
 * Debian or Ubuntu unpacked into the project. Throws with these ways when there is none. Looks once per process.
 */
export function findPromtool(say: (line: string) => void): Promise<Program> {
  known ??= lookUp(say);
  return known;
}

async function lookUp(say: (line: string) => void): Promise<Program> {
  const given = process.env['PROMTOOL_PATH'];
  if (given) {
    const command = namedExecutable(given);
    if (command === undefined) throw new Error(advice(`PROMTOOL_PATH=${given} is not a program`));
    const program = { command, env: process.env };
    const fault = faultOf(program);
    if (fault !== undefined) throw new Error(advice(`PROMTOOL_PATH=${given} ${fault}`));
    return program;
  }
  return startFirst({ names: NAMES, faultOf, fetch: fetchPromtool }, async (program) => program, say);
}

const fetchPromtool = (say: (line: string) => void): Program =>
  fetchProgram({ name: 'promtool', packages: [['prometheus']], find: programIn, advice }, say);

const advice = (problem: string): string => {
  const command = installCommand(PACKAGE_NAMES);
  const how = command === undefined ? 'Install prometheus so that promtool is on the PATH' : `Run "${command}"`;
  return `No promtool: ${problem}. ${how}, or set PROMTOOL_PATH.`;
};

function faultOf({ command, env }: Program): string | undefined {
  const { status, stdout, stderr } = spawnSync(command, ['--version'], {
    env,
    encoding: 'utf8',
    timeout: VERSION_WITHIN_MS,
  });
  return status === 0 && /promtool, version \d/.test(`${stdout}${stderr}`) ? undefined : 'does not run';
}

function programIn(root: string): Program | undefined {
  const env = { PATH: process.env['PATH'], LD_LIBRARY_PATH: libraryDirectories(root).join(path.delimiter) };
  const program = { command: path.join(root, 'usr/bin/promtool'), env };
  return faultOf(program) === undefined ? program : undefined;
}
