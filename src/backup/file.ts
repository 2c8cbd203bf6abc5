import fs from 'node:fs';
import { link, open, rename, rm, stat, unlink } from 'node:fs/promises';
import path from 'node:path';
import type { Readable, Writable } from 'node:stream';
import { newProcessId } from '../kernel/ids.ts';
import { BackupError } from './format.ts';

/** Where backups go to and come from: a file, or the standard streams under the name `-`. */
const STANDARD = '-';
/** Of a person's own account alone. */
const MODE = 0o600;

/**
 * Gives `work` a stream to end. A file is there as a whole or not at all: it is written under another name beside its own, flushed to
 * the disk, and then named. One that is there already is not written over.
 */
export async function writingTo<T>(name: string, work: (to: Writable) => Promise<T>): Promise<T> {
  if (name === STANDARD) {
    if (process.stdout.isTTY) throw new BackupError('A backup is not shown on a terminal: name a file, or use a pipe');
    return work(process.stdout);
  }
  const file = path.resolve(name);
  await assertAbsent(file);
  const part = path.join(path.dirname(file), `.${path.basename(file)}.${newProcessId('part')}`);
  const to = (await open(part, 'wx', MODE)).createWriteStream({ flush: true });
  try {
    const made = await work(to);
    await nameAs(part, file);
    await flushFolder(path.dirname(file));
    return made;
  } catch (error) {
    to.destroy();
    await rm(part, { force: true });
    throw error;
  }
}

/** Of file systems without a second name for a file. */
const NO_LINKS = new Set(['EPERM', 'ENOTSUP', 'EOPNOTSUPP', 'ENOSYS']);

/** In one step, which fails where somebody else has made a file of this name meanwhile. */
async function nameAs(part: string, file: string): Promise<void> {
  try {
    await link(part, file);
  } catch (error) {
    const code = error instanceof Error ? (error as { readonly code?: unknown }).code : undefined;
    if (code === 'EEXIST') throw new BackupError(`${file} is there already`, { cause: error });
    if (typeof code !== 'string' || !NO_LINKS.has(code)) throw error;
    await assertAbsent(file);
    return rename(part, file);
  }
  await unlink(part);
}

async function assertAbsent(file: string): Promise<void> {
  const there = await stat(file).catch(() => null);
  if (there !== null) throw new BackupError(`${file} is there already`);
}

/** A name is on the disk when its folder is. */
async function flushFolder(folder: string): Promise<void> {
  const handle = await open(folder, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

export function readingFrom(name: string): Readable {
  return name === STANDARD ? process.stdin : fs.createReadStream(path.resolve(name), { highWaterMark: 64 * 1024 });
}
