import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';

/** A program of this Debian or Ubuntu, checked by apt's own signatures, unpacked into the project. */
export interface PackagedProgram {
  /** Folder of its own below `.roomy/programs`. */
  readonly name: string;
  /** The first set whose first package this distribution has is taken, with what it depends on and this system lacks. */
  readonly packages: readonly (readonly string[])[];
  /** The program in an unpacked folder, if it runs there. */
  find(root: string): Program | undefined;
  /** What to say when it cannot be had: the other ways to get one. */
  advice(problem: string): string;
}
export interface Program {
  readonly command: string;
  readonly env: NodeJS.ProcessEnv;
}

/** The folder of the programs that were downloaded or built for this checkout, one subfolder for each. */
export const PROGRAMS = path.join(import.meta.dirname, '../../.roomy/programs');
const STEP_WITHIN_MS = 300_000;

/** Needs no root and changes nothing outside the project. Throws with the other ways to get the program. */
export function fetchProgram(wanted: PackagedProgram, say: (line: string) => void): Program {
  const home = path.join(PROGRAMS, wanted.name);
  const kept = wanted.find(home);
  if (kept) return kept;
  if (!['apt-get', 'dpkg-deb'].every((tool) => spawnSync(tool, ['--version'], { stdio: 'ignore' }).status === 0)) {
    throw new Error(wanted.advice('this system has no apt-get to fetch one with'));
  }
  say(`No ${wanted.name} on the PATH: fetching the package of this system into .roomy/programs/${wanted.name} ...`);
  fs.mkdirSync(PROGRAMS, { recursive: true });
  const workshop = fs.mkdtempSync(`${home}-`);
  try {
    unpack(wanted, workshop);
    if (!wanted.find(workshop)) throw new Error(wanted.advice('the package of this distribution does not run here'));
    fs.rmSync(path.join(workshop, 'apt'), { recursive: true, force: true });
    placeAt(wanted.find, home, workshop);
  } finally {
    fs.rmSync(workshop, { recursive: true, force: true });
  }
  const fetched = wanted.find(home);
  if (!fetched) throw new Error(wanted.advice('the fetched one does not run'));
  return fetched;
}

function unpack({ packages, advice }: PackagedProgram, workshop: string): void {
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
  const found = packages.find(([first = '']) => run('apt-cache', [...options, 'show', first]).status === 0);
  if (!found && updated.status !== 0) throw new Error(advice(`apt-get update failed: ${lastLine(updated.stderr)}`));
  if (!found)
    throw new Error(advice(`this distribution has no package ${packages.map(([first]) => first).join(' or ')}`));
  // With what the package depends on, as far as this system lacks it.
  const install = ['install', '-q', '-y', '--download-only', '--reinstall', '--no-install-recommends'];
  const downloaded = run('apt-get', [...options, ...install, ...found]);
  if (downloaded.status !== 0) {
    const alone = run('apt-get', [...options, '-q', 'download', ...found]);
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
export function placeAt(find: (root: string) => Program | undefined, home: string, workshop: string): void {
  if (fs.existsSync(home)) {
    if (find(home)) return;
    fs.rmSync(home, { recursive: true, force: true });
  }
  fs.renameSync(workshop, home);
  fs.mkdirSync(workshop);
}

/** Where an unpacked program finds its libraries. */
export function libraryDirectories(root: string): readonly string[] {
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

function lastLine(text: string | null): string {
  return (text ?? '').trim().split('\n').at(-1) ?? '';
}
