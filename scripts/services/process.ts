import { type ChildProcess, type SpawnOptions, spawn } from 'node:child_process';
import { once } from 'node:events';
import fs from 'node:fs';
import net from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';

/** A child process that cannot outlive this one, whatever ends this one. */
export interface GuardedProcess {
  readonly child: ChildProcess;
  readonly pid: number;
  /** Resolves once, with how it ended, for example `exit 1` or `SIGKILL`. */
  readonly ended: Promise<string>;
  readonly running: () => boolean;
  /** Sends its stop signal, SIGKILL after the grace period, and waits for the end. */
  readonly stop: () => Promise<void>;
  readonly kill: () => Promise<void>;
}

export interface GuardOptions {
  readonly stopSignal: 'SIGTERM' | 'SIGINT' | 'SIGQUIT';
  readonly graceMs: number;
  readonly spawn: SpawnOptions;
}

// Reads a line: the process has ended by itself. Reads the end of the pipe: the parent has died, so the process must go.
const WATCHDOG = `
read -r line && exit 0
kill -s "$2" "$1" 2>/dev/null || exit 0
tenths=0
while kill -0 "$1" 2>/dev/null; do
  case "$(cat "/proc/$1/stat" 2>/dev/null)" in *") Z "*) exit 0 ;; esac
  tenths=$((tenths + 1))
  [ "$tenths" -ge "$3" ] && { kill -s KILL "$1" 2>/dev/null; exit 0; }
  sleep 0.1
done`;

/** The process leads a session of its own: a Ctrl-C in the terminal reaches only us, and we decide the order of stopping. */
export async function spawnGuarded(command: string, args: readonly string[], options: GuardOptions) {
  const child = spawn(command, args, { ...options.spawn, detached: true });
  const { pid } = child;
  if (pid === undefined) {
    const [error] = await once(child, 'error');
    throw error;
  }
  const watchdog = spawn(
    '/bin/sh',
    ['-c', WATCHDOG, 'watchdog', String(pid), options.stopSignal.slice(3), String(Math.ceil(options.graceMs / 100))],
    { cwd: '/', detached: true, stdio: ['pipe', 'ignore', 'ignore'], env: { PATH: process.env['PATH'] } },
  );
  watchdog.on('error', () => child.kill('SIGKILL'));
  watchdog.stdin?.on('error', () => {});
  watchdog.unref();
  if (watchdog.stdin instanceof net.Socket) watchdog.stdin.unref();

  let running = true;
  const ended = new Promise<string>((resolve) => {
    child.once('exit', (code, signal) => {
      running = false;
      watchdog.stdin?.end('ended\n');
      resolve(signal ?? `exit ${code}`);
    });
  });
  const finish = async (signal: NodeJS.Signals) => {
    if (!running) return;
    child.kill(signal);
    const timer = setTimeout(() => child.kill('SIGKILL'), options.graceMs);
    await ended;
    clearTimeout(timer);
  };
  const guarded: GuardedProcess = {
    child,
    pid,
    ended,
    running: () => running,
    stop: () => finish(options.stopSignal),
    kill: () => finish('SIGKILL'),
  };
  return guarded;
}

/** A TCP port that was free a moment ago. Whoever uses it must be ready to find it taken. */
export async function freePort(host = '127.0.0.1'): Promise<number> {
  const server = net.createServer();
  server.listen(0, host);
  await once(server, 'listening');
  const address = server.address();
  server.close();
  await once(server, 'close');
  if (address === null || typeof address === 'string') throw new Error('no TCP port available');
  return address.port;
}

/** A process that has ended and waits to be reaped (which some containers never do) counts as gone. */
export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return !statusOf(pid).startsWith('Z');
  } catch (error) {
    return codeOf(error) === 'EPERM';
  }
}

/** State letter, then the further fields of /proc/<pid>/stat from the parent on; empty where there is no /proc. */
export function statusOf(pid: number): string {
  try {
    const stat = fs.readFileSync(`/proc/${pid}/stat`, 'utf8');
    return stat.slice(stat.lastIndexOf(')') + 2);
  } catch {
    return '';
  }
}

/** The command line of a running process, arguments separated by spaces; empty when there is none. */
export function commandLine(pid: number): string {
  try {
    return fs.readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ').trim();
  } catch {
    return '';
  }
}

/** True when `pid` is alive and, as far as this system lets us see, runs with `marker` in its command line. */
export function runsWith(pid: number, marker: string): boolean {
  if (!Number.isInteger(pid) || pid <= 1 || !isAlive(pid)) return false;
  return fs.existsSync('/proc/self/cmdline') ? commandLine(pid).includes(marker) : true;
}

/** Polls until `condition` holds; false when it did not within the time. */
export async function waitUntil(condition: () => boolean | Promise<boolean>, withinMs: number, everyMs = 20) {
  const deadline = Date.now() + withinMs;
  while (!(await condition())) {
    if (Date.now() >= deadline) return false;
    await sleep(everyMs);
  }
  return true;
}

export function codeOf(error: unknown): string | undefined {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : undefined;
}

/** What was appended to a file since `offset`, its last lines only. */
export function tailOf(file: string, offset: number, lines = 8): string {
  try {
    return fs.readFileSync(file).subarray(offset).toString('utf8').trim().split('\n').slice(-lines).join('\n');
  } catch {
    return '';
  }
}

const MOVED_CLOCK = /^(LD_PRELOAD|FAKETIME\w*|DONT_FAKE_MONOTONIC)$/;

/**
 * For a program that is given variables of its own: what moves the clock of this process, if a library does (`npm run
 * test:machines -- clocks`). The two would disagree on what the time is.
 */
export const clockOfThisProcess = (): NodeJS.ProcessEnv =>
  Object.fromEntries(Object.entries(process.env).filter(([name]) => MOVED_CLOCK.test(name)));
