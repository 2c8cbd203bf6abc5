import type { Summary } from './main.ts';

export interface Report {
  readonly concurrency: { readonly system: number; readonly bare: number };
  readonly openLoopPerSecond: number;
  readonly rounds: number;
  readonly system: Summary;
  readonly bare: Summary;
  readonly sweeps: {
    readonly perSecondWithoutSweeps: number;
    readonly cpuMsPerSagaWithoutSweeps: number | null;
    readonly backlogBefore: number;
    readonly backlogAfter: number;
    readonly rowsPerSecond: number;
    readonly cpuMsPerRow: number | null;
  };
}

const shown = (value: number | null, digits = 1): string => (value === null ? 'n/a' : value.toFixed(digits));

const byProgram = ({ cpuMsPerSagaByProgram }: Summary): string =>
  Object.entries(cpuMsPerSagaByProgram)
    .map(([name, ms]) => `${name} ${shown(ms, 2)}`)
    .join(', ');

/** A table for people: what was measured, for each, and how many times the bare loop's the system's is. */
export function renderReport({ concurrency, openLoopPerSecond, rounds, system, bare, sweeps }: Report): string {
  const rows: (readonly [string, number | null, number | null, number])[] = [
    ['sagas/s at saturation', system.perSecond, bare.perSecond, 0],
    ['CPU ms per saga', system.cpuMsPerSaga, bare.cpuMsPerSaga, 2],
    ['idle p50 ms', system.idle.p50, bare.idle.p50, 1],
    ['idle p95 ms', system.idle.p95, bare.idle.p95, 1],
    ['idle p99 ms', system.idle.p99, bare.idle.p99, 1],
    [`p50 ms at ${openLoopPerSecond}/s`, system.atRate.p50, bare.atRate.p50, 1],
    [`p95 ms at ${openLoopPerSecond}/s`, system.atRate.p95, bare.atRate.p95, 1],
    [`p99 ms at ${openLoopPerSecond}/s`, system.atRate.p99, bare.atRate.p99, 1],
    ['rolled-back sagas/s', system.rolledBackPerSecond, bare.rolledBackPerSecond, 0],
    ['CPU ms per rolled-back saga', system.cpuMsPerRollback, bare.cpuMsPerRollback, 2],
    ['rolled back, idle p50 ms', system.rollbackIdleP50, bare.rollbackIdleP50, 1],
    ['concurrency', concurrency.system, concurrency.bare, 0],
  ];
  const line = (cells: readonly string[]): string =>
    `| ${cells.map((cell, index) => (index === 0 ? cell.padEnd(28) : cell.padStart(9))).join(' | ')} |`;
  const table = [
    line(['', 'system', 'bare loop', 'ratio']),
    line(['-'.repeat(28), '-'.repeat(9), '-'.repeat(9), '-'.repeat(9)]),
    ...rows.map(([name, ours, bares, digits]) =>
      line([
        name,
        shown(ours, digits),
        shown(bares, digits),
        ours === null || !bares ? 'n/a' : (ours / bares).toFixed(2),
      ]),
    ),
  ];
  return [
    `\nMedians of ${rounds} rounds:\n`,
    ...table,
    `\nCPU ms per saga by program: system ${byProgram(system)}; bare ${byProgram(bare)}.`,
    `Without assigning and delivering meanwhile: ${shown(sweeps.perSecondWithoutSweeps, 0)} sagas/s, ${shown(sweeps.cpuMsPerSagaWithoutSweeps, 2)} CPU ms per saga.`,
    `Assigning and delivering alone: ${shown(sweeps.rowsPerSecond, 0)} rows/s, ${shown(sweeps.cpuMsPerRow, 2)} CPU ms per row; ${sweeps.backlogBefore} rows were due, ${sweeps.backlogAfter} still are.`,
  ].join('\n');
}
