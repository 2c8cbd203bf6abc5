import fs from 'node:fs';

/** Where there is no /proc, CPU time is not measured. */
const MEASURABLE = fs.existsSync('/proc/self/stat');
/** Linux shows clock ticks of a hundredth of a second to programs, whatever the kernel counts in. */
const MS_PER_TICK = 10;

interface Process {
  readonly parent: number;
  readonly ownMs: number;
  readonly endedChildrenMs: number;
}

/** CPU time that programs use between two moments, by name and in all. `roots` holds each program's first processes. */
export function cpuMeter(roots: Readonly<Record<string, readonly number[]>>) {
  const read = (): ReadonlyMap<string, number | null> =>
    new Map(Object.entries(roots).map(([name, pids]) => [name, cpuMs(pids)]));
  return {
    start: () => {
      const before = read();
      return (): {
        readonly cpuMs: number | null;
        readonly cpuMsByProgram: Readonly<Record<string, number | null>>;
      } => {
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
  let total = 0;
  for (const [pid, process] of processes) if (within(pid)) total += process.ownMs + process.endedChildrenMs;
  return total;
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
