import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';

const ROOT = path.resolve(import.meta.dirname, '../..');
const NOT_OURS = new Set(['node_modules', '.roomy', '.git']);

/** What a clone of this state would hold: the files of the last commit as they are now, and new ones; nothing installed. */
export function makeCheckout(folder: string): void {
  fs.mkdirSync(folder, { recursive: true });
  for (const file of trackedFiles()) {
    const from = path.join(ROOT, file);
    if (!fs.existsSync(from)) continue;
    fs.mkdirSync(path.dirname(path.join(folder, file)), { recursive: true });
    fs.cpSync(from, path.join(folder, file), { recursive: true, verbatimSymlinks: true });
  }
}

/** Without git, everything but what is made by installing and running. */
function trackedFiles(): readonly string[] {
  const args = ['ls-files', '-z', '--cached', '--others', '--exclude-standard'];
  const { status, stdout } = spawnSync('git', args, { cwd: ROOT, encoding: 'utf8', maxBuffer: 50_000_000 });
  if (status === 0) return stdout.split('\0').filter((file) => file !== '');
  return fs.readdirSync(ROOT).filter((name) => !NOT_OURS.has(name));
}

/** Of this checkout, so that nothing has to be downloaded again; as hard links where the file system lets us. */
export function copyModules(folder: string): void {
  const from = path.join(ROOT, 'node_modules');
  const to = path.join(folder, 'node_modules');
  if (spawnSync('cp', ['-al', from, to]).status === 0) return;
  fs.rmSync(to, { recursive: true, force: true });
  fs.cpSync(from, to, { recursive: true, verbatimSymlinks: true });
}

export function give(folder: string, uid: number, gid: number): void {
  const { status, stderr } = spawnSync('chown', ['-R', '-h', `${uid}:${gid}`, folder], { encoding: 'utf8' });
  if (status !== 0) throw new Error(`chown failed: ${stderr}`);
}
