import fs from 'node:fs';
import path from 'node:path';
import { fetchProgram, libraryDirectories, type Program } from '../services/package.ts';
import { waitUntil } from '../services/process.ts';
import type { Machine } from './machine.ts';
import { killProcesses, processesLeft, startCommand } from './processes.ts';
import { makeStage, type Workshop } from './stage.ts';
import type { Row } from './table.ts';

/** The whole suite by the clock of another zone, or of another day, which runs on from there. */
export interface Clock {
  readonly group: 'clocks';
  readonly name: string;
  readonly zone: string;
  /** ISO 8601; the machine's own time when it is left out. Shortly before what is to happen while the tests run. */
  readonly from?: string;
}

export const CLOCKS: readonly Clock[] = [
  { group: 'clocks', name: 'Asia/Shanghai', zone: 'Asia/Shanghai' },
  { group: 'clocks', name: 'America/Los_Angeles', zone: 'America/Los_Angeles' },
  { group: 'clocks', name: '29 February', zone: 'UTC', from: '2028-02-29T10:00:00Z' },
  { group: 'clocks', name: 'forward in Europe', zone: 'Europe/Berlin', from: '2027-03-28T00:58:00Z' },
  { group: 'clocks', name: 'back in Europe', zone: 'Europe/Berlin', from: '2027-10-31T00:58:00Z' },
  { group: 'clocks', name: 'forward in America', zone: 'America/Los_Angeles', from: '2027-03-14T09:58:00Z' },
  { group: 'clocks', name: 'back in America', zone: 'America/Los_Angeles', from: '2027-11-07T08:58:00Z' },
];

const TESTED_WITHIN_MS = 2_700_000;

export async function playClock(clock: Clock, workshop: Workshop): Promise<Row> {
  const began = Date.now();
  const row = { group: clock.group, name: clock.from ? `${clock.name}: ${clock.zone}, ${clock.from}` : clock.name };
  const result = (what: Row['result'], detail: string): Row => ({
    ...row,
    result: what,
    seconds: Math.round((Date.now() - began) / 1000),
    detail,
  });
  const stage = makeStage(machineOf(clock, workshop.base), 1000 + CLOCKS.indexOf(clock), workshop);
  const run = startCommand(['npm', 'test', '--', '--no-coverage'], { ...stage, cwd: stage.checkout });
  try {
    if (!(await waitUntil(() => run.code() !== undefined, TESTED_WITHIN_MS, 500)))
      return result('FAILED', `not done within ${TESTED_WITHIN_MS / 1000} s`);
    const output = plain(run.output());
    const counted = /^\s+Tests {2}(.*)$/m.exec(output)?.[1] ?? `npm test ended with ${run.code()}`;
    const left = await processesLeft(workshop.base);
    if (left.length > 0) return result('FAILED', `processes are left: ${left.join('; ')}`);
    const failed = [...new Set(output.match(/^ FAIL .*$/gm) ?? [])].map((line) => line.trim());
    return result(run.code() === 0 ? 'passed' : 'FAILED', [counted, ...failed].join('; '));
  } finally {
    killProcesses(workshop.base);
    fs.writeFileSync(path.join(stage.folder, 'test.log'), run.output());
  }
}

const plain = (text: string): string => text.replaceAll(new RegExp(`${String.fromCharCode(27)}\\[[0-9;]*m`, 'g'), '');

/** Its clock is moved by a library that is loaded into Node, Postgres and their children before their own code. */
function machineOf({ name, zone, from }: Clock, base: string): Machine {
  const common = { group: 'locale', name, plays: [] } as const;
  if (from === undefined) return { ...common, env: { TZ: zone } };
  const ahead = Math.round((Date.parse(from) - Date.now()) / 1000);
  return {
    ...common,
    env: {
      TZ: zone,
      LD_PRELOAD: preloadable(fetchFaketime(), base),
      // Relative to the real time, so that all processes agree however late they start.
      FAKETIME: `${ahead < 0 ? '' : '+'}${ahead}s`,
      FAKETIME_DONT_FAKE_MONOTONIC: '1',
      DONT_FAKE_MONOTONIC: '1',
    },
    // Allocators of their own and the library wait for each other for ever. Both only measure spans of time for us.
    programs: {
      'redis-server': ({ redis }) => ({ script: onRealTime(redis) }),
      chromium: ({ chromium }) => ({ script: onRealTime(chromium) }),
    },
  };
}

function onRealTime({ command, env }: Program): string {
  const variables = Object.entries(env).filter(([name]) => /^(LD_LIBRARY_PATH|FONTCONFIG_FILE)$/.test(name));
  return `unset LD_PRELOAD\nexec env ${variables.map(([name, value]) => `${name}='${value}'`).join(' ')} '${command}' "$@"`;
}

/** A copy at a path that may stand in LD_PRELOAD, which is separated by spaces and colons. */
function preloadable(library: string, base: string): string {
  const copy = path.join(base, 'faketime.so');
  fs.writeFileSync(copy, withoutEpollWait(fs.readFileSync(library)));
  return copy;
}

/**
 * The library says the real time for as long as its own `epoll_wait` waits, also to a signal handler that interrupts it.
 * By such a handler Postgres ends what waits for a lock: by a moved clock never (`lock_timeout`). A wait that is given
 * as a span needs no moved clock, so the first of the names, the exported one, becomes another: libc's is called.
 */
function withoutEpollWait(library: Buffer): Buffer {
  const at = library.indexOf('\0epoll_wait\0');
  if (at < 0) throw new Error('This libfaketime exports no epoll_wait: see whether it still needs to be left out');
  const patched = Buffer.from(library);
  patched.write('x', at + 1, 'latin1');
  return patched;
}

/** The library of the distribution's package; its path. */
function fetchFaketime(): string {
  const find = (root: string): Program | undefined => {
    const files = libraryDirectories(root).map((folder) => path.join(folder, 'faketime/libfaketimeMT.so.1'));
    const command = files.find((file) => fs.existsSync(file));
    return command === undefined ? undefined : { command, env: {} };
  };
  const advice = (problem: string): string => `No libfaketime to move the clock with: ${problem}.`;
  const packages = [['libfaketime']];
  return fetchProgram({ name: 'faketime', packages, find, advice }, (line) => console.log(line)).command;
}
