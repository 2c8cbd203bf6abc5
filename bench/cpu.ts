import fs from 'node:fs';
import type { Cpu } from './types.ts';

/** Where there is no /proc, CPU time is not measured. */
const MEASURABLE = fs.existsSync('/proc/self/stat');
/** Linux shows clock ticks of a hundredth of a second to programs, whatever the kernel counts in. */
const MS_PER_TICK = 10;

interface Process {
  readonly parent: number;
  readonly ownMs: number;
  readonly endedChildrenMs: number;
}

/**
 * CPU time that programs use between two moments, by name and in all. `roots` holds each program's first processes. `exact`
 * counts in nanoseconds, for what is short: it looks at every thread, so a look costs some milliseconds itself.
 */
export function cpuMeter(roots: Readonly<Record<string, readonly number[]>>, { exact = false } = {}) {
  const read = (): ReadonlyMap<string, number | null> =>
    new Map(Object.entries(roots).map(([name, pids]) => [name, cpuMs(pids)]));
  if (exact) return exactMeter(roots);
  return {
    start: () => {
      const before = read();
      return (): Cpu => {
        const used = [...read()].map(([name, after]) => {
          const since = before.get(name) ?? null;
          return [name, after === null || since === null ? null : after - since] as const;
        });
        const total = used.reduce<number | null>((sum, [, ms]) => (sum === null || ms === null ? null : sum + ms), 0);
        return { cpuMs: total, cpuMsByProgram: Object.fromEntries(used) };
      };
    },
  };
}

/** CPU time so far of processes with all their descendants, in milliseconds; null where it cannot be read. */
function cpuMs(roots: readonly number[]): number | null {
  if (!MEASURABLE) return null;
  let total = 0;
  for (const { ownMs, endedChildrenMs } of treeOf(roots).values()) total += ownMs + endedChildrenMs;
  return total;
}

/** These processes and all that descend from them. */
function treeOf(roots: readonly number[]): ReadonlyMap<number, Process> {
  const processes = new Map<number, Process>();
  for (const entry of fs.readdirSync('/proc')) {
    const process = /^\d+$/.test(entry) ? read(entry) : undefined;
    if (process) processes.set(Number(entry), process);
  }
  const within = (pid: number): boolean => {
    for (let at = pid, depth = 0; depth < 64; depth += 1) {
      if (roots.includes(at)) return true;
      const parent = processes.get(at)?.parent;
      if (parent === undefined || parent <= 1) return false;
      at = parent;
    }
    return false;
  };
  return new Map([...processes].filter(([pid]) => within(pid)));
}

/** Of processes that are there at the end: what one that has ended meanwhile has used is not counted. */
function exactMeter(roots: Readonly<Record<string, readonly number[]>>) {
  const look = () =>
    Object.entries(roots).map(([name, pids]) => {
      const threads = [...treeOf(pids).keys()].map((pid) => [pid, threadsMs(pid)] as const);
      return [name, new Map(threads)] as const;
    });
  return {
    start: () => {
      const before = new Map(look());
      return (): Cpu => {
        if (!MEASURABLE) return { cpuMs: null, cpuMsByProgram: {} };
        const used = look().map(([name, threads]) => {
          let ms = 0;
          for (const [pid, now] of threads) ms += (now ?? 0) - (before.get(name)?.get(pid) ?? 0);
          return [name, ms] as const;
        });
        return { cpuMs: used.reduce((sum, [, ms]) => sum + ms, 0), cpuMsByProgram: Object.fromEntries(used) };
      };
    },
  };
}

const NS_PER_MS = 1e6;

/** Null where the kernel does not say, or when the process has ended. */
function threadsMs(pid: number): number | null {
  try {
    let total = 0;
    for (const thread of fs.readdirSync(`/proc/${pid}/task`))
      total += Number(fs.readFileSync(`/proc/${pid}/task/${thread}/schedstat`, 'utf8').split(' ')[0]) / NS_PER_MS;
    return total;
  } catch {
    return null;
  }
}

function read(pid: string): Process | undefined {
  try {
    const stat = fs.readFileSync(`/proc/${pid}/stat`, 'utf8');
    // The name before may hold spaces and brackets. From the state on: parent is 1, times are 11 to 14.
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    const ticks = (index: number): number => Number(fields[index] ?? 0) * MS_PER_TICK;
    return { parent: Number(fields[1]), ownMs: ticks(11) + ticks(12), endedChildrenMs: ticks(13) + ticks(14) };
  } catch {
    return undefined; // It ended while we looked.
  }
}
