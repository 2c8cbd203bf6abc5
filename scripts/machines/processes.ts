import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import fs from 'node:fs';
import os from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';
import { codeOf, commandLine, isAlive } from '../services/process.ts';

export interface Started {
  readonly output: () => string;
  /** Exit code; with 128 and the number of a signal as shells count. Undefined while it runs. */
  readonly code: () => number | undefined;
  readonly ended: Promise<number>;
  /** As a terminal does: to the whole group of processes. */
  signal(signal: NodeJS.Signals): void;
}

/** A command as typed into a terminal of its own. */
export function startCommand(
  [command = '', ...args]: readonly string[],
  options: {
    readonly cwd: string;
    readonly env: NodeJS.ProcessEnv;
    readonly account?: { readonly uid: number; readonly gid: number };
  },
): Started {
  const { account, ...rest } = options;
  const child: ChildProcess = spawn(command, args, {
    ...rest,
    ...account,
    detached: true,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let output = '';
  let code: number | undefined;
  for (const stream of [child.stdout, child.stderr])
    stream?.setEncoding('utf8').on('data', (text: string) => {
      output += text;
    });
  child.on('error', (error) => {
    output += `${command}: ${error.message}`;
  });
  const ended = once(child, 'exit').then(
    (said: unknown[]) => {
      const [status, signal] = said;
      code = typeof status === 'number' ? status : 128 + numberOf(signal);
      return code;
    },
    () => {
      code = 127;
      return code;
    },
  );
  return {
    output: () => output,
    code: () => code,
    ended,
    signal: (signal) => {
      if (child.pid === undefined) return;
      try {
        process.kill(-child.pid, signal);
      } catch (error) {
        if (codeOf(error) !== 'ESRCH') throw error;
      }
    },
  };
}

const numberOf = (signal: unknown): number =>
  Object.entries(os.constants.signals).find(([name]) => name === signal)?.[1] ?? 0;

const GONE_WITHIN_MS = 15_000;

/** Processes that work in a folder, or name it, `GONE_WITHIN_MS` after all should have ended. Empty where there is no /proc. */
export async function processesLeft(folder: string): Promise<readonly string[]> {
  const deadline = Date.now() + GONE_WITHIN_MS;
  for (;;) {
    const left = processesOf(folder);
    if (left.length === 0 || Date.now() > deadline)
      return left.map((pid) => `${pid} ${commandLine(pid).slice(0, 100)}`);
    await sleep(100);
  }
}

/** Kills them: a machine that failed must not disturb the next one. */
export function killProcesses(folder: string): void {
  for (const pid of processesOf(folder)) {
    try {
      process.kill(pid, 'SIGKILL');
    } catch (error) {
      if (codeOf(error) !== 'ESRCH') throw error;
    }
  }
}

function processesOf(folder: string): readonly number[] {
  if (!fs.existsSync('/proc/self/cmdline')) return [];
  return fs
    .readdirSync('/proc')
    .map(Number)
    .filter((pid) => Number.isInteger(pid) && pid !== process.pid && isAlive(pid))
    .filter((pid) => workingDirectory(pid).startsWith(`${folder}/`) || commandLine(pid).includes(`${folder}/`));
}

function workingDirectory(pid: number): string {
  try {
    return fs.readlinkSync(`/proc/${pid}/cwd`);
  } catch {
    return '';
  }
}
