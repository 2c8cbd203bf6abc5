import { type ChildProcess, spawn } from 'node:child_process';
import path from 'node:path';
import { expect, inject } from 'vitest';
import { until } from '../setup/engine.ts';

/** The programs as they run in production, each a process of its own, and what they write. */

const ROOT = path.join(import.meta.dirname, '../..');
export interface Line {
  readonly level: number;
  readonly msg: string;
  readonly dependency?: string;
  readonly [field: string]: unknown;
}
export interface Run {
  readonly lines: readonly Line[];
  readonly raw: readonly string[];
  readonly ended: Promise<number | null>;
  said(msg: string): readonly Line[];
  /** SIGTERM unless it is said. */
  stop(signal?: NodeJS.Signals): Promise<number | null>;
}

export interface Programs {
  /** DATABASE_URL and ROOMY_DATA_DIR must be given; Redis is that of the run unless it is said. */
  run(program: string, env: Readonly<Record<string, string>>, nodeOptions?: readonly string[]): Run;
  /** What still runs, at once. */
  killAll(): Promise<void>;
}

export function createPrograms(): Programs {
  const running: ChildProcess[] = [];
  function run(program: string, env: Readonly<Record<string, string>>, nodeOptions: readonly string[] = []): Run {
    const child = spawn(process.execPath, [...nodeOptions, `src/${program}.ts`], {
      cwd: ROOT,
      env: {
        PATH: process.env['PATH'],
        NODE_ENV: 'test',
        REDIS_URL: inject('redisUrl'),
        JWT_KEYS: 'k1:programs-0123456789-abcdefghijklmnopqrstuv',
        QUEUE_PREFIX: `programs-${process.pid}`,
        HOST: '127.0.0.1',
        PORT: '0',
        OPS_PORT: '0',
        ...env,
      },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    running.push(child);
    const raw: string[] = [];
    const lines: Line[] = [];
    for (const stream of [child.stdout, child.stderr]) {
      let rest = '';
      stream.setEncoding('utf8').on('data', (text: string) => {
        const whole = (rest + text).split('\n');
        rest = whole.pop() ?? '';
        for (const line of whole) {
          raw.push(line);
          if (line.startsWith('{')) lines.push(JSON.parse(line) as Line);
        }
      });
    }
    const ended = new Promise<number | null>((resolve) => child.once('close', (code) => resolve(code)));
    return {
      lines,
      raw,
      ended,
      said: (msg) => lines.filter((line) => line.msg === msg),
      stop: (signal = 'SIGTERM') => {
        child.kill(signal);
        return ended;
      },
    };
  }
  return {
    run,
    killAll: async () => {
      for (const child of running.splice(0)) {
        if (child.exitCode !== null || child.signalCode !== null) continue;
        const ended = new Promise((resolve) => child.once('exit', resolve));
        child.kill('SIGKILL');
        await ended;
      }
    },
  };
}

export const spoken = (program: Run, msg: string, times = 1, withinMs = 30_000): Promise<true> =>
  until(`${msg} is said`, async () => (program.said(msg).length >= times ? true : undefined), withinMs);
export const expectJson = (program: Run): void =>
  expect(program.raw.filter((line) => !line.startsWith('{'))).toEqual([]);
