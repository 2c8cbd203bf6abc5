import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { findChromium } from '../services/chromium.ts';
import { waitUntil } from '../services/process.ts';
import { startRedis } from '../services/redis.ts';
import { CLOCKS, playClock } from './clocks.ts';
import { MACHINES } from './list.ts';
import type { Machine, Play, RealPrograms } from './machine.ts';
import { play, type Stage } from './play.ts';
import { killProcesses, startCommand } from './processes.ts';
import { makeStage, makeWorkshop, type Workshop } from './stage.ts';
import { printTable, type Row } from './table.ts';

/**
 * `npm run test:machines [-- WORD ...]`: plays the machines on which `npm start` and `npm test` must work, and prints a
 * table of them. With words, those only whose group or name has one of them: `programs`, `node`, `account`, `place`,
 * `locale`, `ports`, `network`. `clocks` runs the whole suite by other clocks and zones, and only when asked for.
 * `--list` prints the names. Exits 1 when one failed. What failed stays in its folder.
 */

const ROOT = path.resolve(import.meta.dirname, '../..');
const OFFLINE_WITHIN_MS = 900_000;

const [first, ...rest] = process.argv.slice(2);
if (first === '--list') {
  for (const { group, name } of [...MACHINES, ...CLOCKS]) console.log(`${group}: ${name}`);
} else if (first === '--play') {
  await playHere(rest);
} else {
  process.exitCode = await main(process.argv.slice(2));
}

async function main(words: readonly string[]): Promise<number> {
  const named = ({ group, name }: { readonly group: string; readonly name: string }): boolean =>
    words.some((word) => group === word || name.toLowerCase().includes(word.toLowerCase()));
  const machines = MACHINES.filter((machine) => words.length === 0 || named(machine));
  const clocks = CLOCKS.filter(named);
  if (machines.length + clocks.length === 0) throw new Error(`No machine is called ${words.join(' or ')}; see --list.`);
  const base = fs.realpathSync(fs.mkdtempSync(path.join(os.tmpdir(), 'roomy-machines-')));
  fs.chmodSync(base, 0o755);
  // What it has started leads sessions of its own, and would stay.
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const)
    process.on(signal, () => {
      killProcesses(base);
      process.exit(1);
    });
  const workshop = makeWorkshop(base, path.join(ROOT, '.roomy/machines'), await realPrograms(base));
  const rows: Row[] = [];
  const note = (row: Row): void => {
    rows.push(row);
    printTable([row], { head: rows.length === 1 });
  };
  for (const [index, machine] of machines.entries()) note(await playMachine(machine, index + 1, workshop));
  for (const clock of clocks) note(await playClock(clock, workshop));
  const failed = rows.filter(({ result }) => result === 'FAILED');
  console.log(`\n${rows.length - failed.length} passed, ${failed.length} failed`);
  if (failed.length === 0) fs.rmSync(base, { recursive: true, force: true });
  else console.log(`What failed is in ${base}.`);
  return failed.length === 0 ? 0 : 1;
}

/** What stand-ins on the PATH of a machine run in the end. */
async function realPrograms(base: string): Promise<RealPrograms> {
  const say = (line: string): void => console.log(line);
  const redis = await startRedis({ dir: path.join(base, 'redis'), appendonly: false, say });
  await redis.stop();
  return { redis: redis.program, chromium: await findChromium(say) };
}

async function playMachine(machine: Machine, number: number, workshop: Workshop): Promise<Row> {
  const began = Date.now();
  const seconds = (): number => Math.round((Date.now() - began) / 1000);
  const row = { group: machine.group, name: machine.name };
  const done: string[] = [];
  const others: Disposable[] = [];
  try {
    const stage = makeStage(machine, number, workshop);
    for (const taken of machine.taken ?? []) others.push(await listenAt(taken));
    for (const [index, each] of machine.plays.entries()) {
      const playBegan = Date.now();
      const missing = each.offline ? await playOffline(machine, index, stage) : await play(each, stage);
      done.push(`${nameOf(each)} ${missing ?? `${Math.round((Date.now() - playBegan) / 1000)} s`}`);
    }
    if (stage.folder !== stage.checkout) fs.rmSync(stage.folder, { recursive: true, force: true });
    return { ...row, result: 'passed', seconds: seconds(), detail: done.join(', ') };
  } catch (error) {
    killProcesses(workshop.base);
    const next = machine.plays[done.length];
    const problem = error instanceof Error ? error.message : String(error);
    const detail = [...done, `${next ? nameOf(next) : ''}: ${problem}`].join(', ');
    return { ...row, result: 'FAILED', seconds: seconds(), detail: `${detail} (folder ${number})` };
  } finally {
    for (const other of others) other[Symbol.dispose]();
  }
}

function nameOf({ what, refused, offline }: Play): string {
  return `${what}${refused ? ' refused' : ''}${offline ? ' offline' : ''}`;
}

/** A program of somebody else; one that is there already will do. */
async function listenAt({ port, host }: { readonly port: number; readonly host: string }): Promise<Disposable> {
  const { createServer } = await import('node:net');
  const server = createServer((socket) => socket.destroy());
  await new Promise<void>((resolve, reject) => {
    server.once('error', (error: NodeJS.ErrnoException) => (error.code === 'EADDRINUSE' ? resolve() : reject(error)));
    server.listen(port, host, resolve);
  });
  return { [Symbol.dispose]: () => server.close() };
}

/** In a network namespace with nothing but loopback. Returns why it could not be played here, if so. */
async function playOffline(machine: Machine, index: number, stage: Stage): Promise<string | undefined> {
  const ways = [['-n'], ['-rn']].filter(
    (way) => spawnSync('unshare', [...way, 'ip', 'link', 'set', 'lo', 'up']).status === 0,
  );
  const [way] = ways;
  if (way === undefined) return 'not played: this system lets us make no network namespace';
  const file = path.join(stage.folder, 'stage.json');
  fs.writeFileSync(file, JSON.stringify(stage));
  const script = 'ip link set lo up && exec "$@"';
  const args = [...way, 'sh', '-c', script, 'sh', process.execPath, import.meta.filename, '--play', machine.name];
  const run = startCommand(['unshare', ...args, String(index), file], { cwd: stage.folder, env: process.env });
  if (!(await waitUntil(() => run.code() !== undefined, OFFLINE_WITHIN_MS, 100))) throw new Error('it does not end');
  if (run.code() !== 0) throw new Error(run.output().trim().split('\n').at(-1) ?? `ended with ${run.code()}`);
  return undefined;
}

/** The other side of `playOffline`. */
async function playHere([name, index, file = '']: readonly string[]): Promise<void> {
  const each = MACHINES.find((machine) => machine.name === name)?.plays[Number(index)];
  if (each === undefined) throw new Error(`no such play: ${name} ${index}`);
  try {
    await play(each, JSON.parse(fs.readFileSync(file, 'utf8')));
  } catch (error) {
    console.error(error instanceof Error ? error.message : error);
    process.exitCode = 1;
  }
}
