import type { BackgroundFigures } from './background.ts';
import { type Figures, ratio } from './goals.ts';
import type { Sweeps } from './rounds.ts';
import type { DrainedStay, LaterAction, StayFigures } from './stay.ts';
import type { AloneSummary, Summary } from './summary.ts';

export interface Report extends Figures {
  readonly concurrency: { readonly system: number; readonly bare: number; readonly reference: number };
  readonly openLoopPerSecond: number;
  readonly rounds: number;
  readonly sweeps: Sweeps;
}

const shown = (value: number | null, digits = 1): string => (value === null ? 'n/a' : value.toFixed(digits));

const byProgram = (programs: Readonly<Record<string, number | null>>): string =>
  Object.entries(programs)
    .map(([name, ms]) => `${name} ${shown(ms, 2)}`)
    .join(', ');

/** Cells under their headings; the first column to the left, the others to the right. */
export function renderTable(heads: readonly string[], rows: readonly (readonly string[])[]): string {
  const widths = heads.map((head, at) => Math.max(head.length, ...rows.map((row) => row[at]?.length ?? 0)));
  const line = (cells: readonly string[]): string =>
    `| ${cells.map((cell, at) => (at === 0 ? cell.padEnd(widths[at] ?? 0) : cell.padStart(widths[at] ?? 0))).join(' | ')} |`;
  return [line(heads), line(widths.map((width) => '-'.repeat(width))), ...rows.map(line)].join('\n');
}

/** Tables for people: what was measured, for each, and how many times the bare loops' the system's is. */
export const renderReport = (report: Report): string =>
  [
    `\nMedians of ${report.rounds} rounds:\n`,
    sagas(report),
    `\nCPU ms per saga by program: system alone ${byProgram(report.system.alone.cpuMsPerSagaByProgram)}; while assigning and delivering ${byProgram(report.system.cpuMsPerSagaByProgram)}; bare ${byProgram(report.bare.cpuMsPerSagaByProgram)}.`,
    `Assigning and delivering alone: ${shown(report.sweeps.rowsPerSecond, 0)} rows/s, ${shown(report.sweeps.cpuMsPerRow, 2)} CPU ms per row that was done (${report.sweeps.rows}); ${report.sweeps.backlogBefore} rows were due, ${report.sweeps.backlogAfter} still are.`,
    '\nThe whole stay: confirmed, tasks assigned, messages in the mailbox, events numbered\n',
    stays(report.stay),
    `\nWhen nothing happens, over ${report.stay.idleSeconds} s: ${shown(report.stay.idleCpuMsPerSecond)} CPU ms a second (${byProgram(report.stay.idleCpuMsPerSecondByProgram)}).`,
    '\nSagas by kind, alone\n',
    kinds(report),
    '\nThe background\n',
    background(report.background),
  ].join('\n');

function sagas({ system, bare, reference, openLoopPerSecond, concurrency }: Report): string {
  const alone = (name: string, pick: (of: AloneSummary) => number | null, digits: number) =>
    row(name, [pick(system.alone), pick(system), pick(bare.alone), pick(reference.alone)], digits);
  const busy = (name: string, pick: (of: Summary) => number | null, digits: number) =>
    row(name, [null, pick(system), pick(bare), pick(reference)], digits);
  return renderTable(
    ['', 'alone', 'with sweeps', 'bare loop', 'reference', 'alone/bare', 'alone/reference'],
    [
      alone('sagas/s at saturation', (of) => of.perSecond, 0),
      alone('CPU ms per saga', (of) => of.cpuMsPerSaga, 2),
      alone('idle p50 ms', (of) => of.idle.p50, 1),
      alone('idle p95 ms', (of) => of.idle.p95, 1),
      alone('idle p99 ms', (of) => of.idle.p99, 1),
      busy(`p50 ms at ${openLoopPerSecond}/s`, (of) => of.atRate.p50, 1),
      busy(`p95 ms at ${openLoopPerSecond}/s`, (of) => of.atRate.p95, 1),
      busy(`p99 ms at ${openLoopPerSecond}/s`, (of) => of.atRate.p99, 1),
      alone('rolled-back sagas/s', (of) => of.rolledBackPerSecond, 0),
      alone('CPU ms per rolled-back saga', (of) => of.cpuMsPerRollback, 2),
      busy('rolled back, idle p50 ms', (of) => of.rollbackIdleP50, 1),
      row('concurrency', [concurrency.system, concurrency.system, concurrency.bare, concurrency.reference], 0),
    ],
  );
}

type Cells = readonly [alone: number | null, busy: number | null, bare: number | null, reference: number | null];
/** Where there is no figure alone, the ratios are of the one with sweeps. */
function row(name: string, [alone, busy, bare, reference]: Cells, digits: number): readonly string[] {
  const ours = alone ?? busy;
  return [
    name,
    ...[alone, busy, bare, reference].map((value) => shown(value, digits)),
    shown(ratio(ours, bare), 2),
    shown(ratio(ours, reference), 2),
  ];
}

function stays({ burst, atRate, ratePerSecond }: StayFigures): string {
  const line = (name: string, pick: (of: DrainedStay) => number | null, digits: number) => [
    name,
    shown(pick(burst), digits),
    shown(pick(atRate), digits),
  ];
  const programs = Object.keys(burst.cpuMsPerStayByProgram);
  return renderTable(
    ['per stay', 'in a burst', `at ${ratePerSecond}/s`],
    [
      line('stays', (of) => of.stays, 0),
      line('CPU ms', (of) => of.cpuMsPerStay, 2),
      ...programs.map((name) => line(`  of it ${name}`, (of) => of.cpuMsPerStayByProgram[name] ?? null, 2)),
      line('stays/s, until drained', (of) => of.staysPerSecond, 1),
      line('tasks assigned', (of) => of.assignedPerStay, 2),
      line('messages delivered', (of) => of.messagesPerStay, 2),
      line('events numbered', (of) => of.eventsPerStay, 1),
      line('WAL KiB without page images', (of) => of.walKiBPerStay, 1),
      line('WAL KiB of page images', (of) => of.fullPageKiBPerStay, 1),
    ],
  );
}

const KINDS: Readonly<Record<LaterAction, string>> = { pay: 'payment', checkIn: 'check-in', cancel: 'cancellation' };
function kinds({ system, stay: { columns } }: Report): string {
  const later = [columns.pay, columns.checkIn, columns.cancel];
  return renderTable(
    ['', 'confirmation', KINDS.pay, KINDS.checkIn, KINDS.cancel],
    [
      ['sagas/s', ...[system.alone, ...later].map((one) => shown(one.perSecond, 0))],
      ['CPU ms per saga', ...[system.alone, ...later].map((one) => shown(one.cpuMsPerSaga, 2))],
    ],
  );
}

function background({ due, ...works }: BackgroundFigures): string {
  const line = (name: string, { few, many }: BackgroundFigures['task']) => [
    name,
    shown(few.cpuMsPerRow, 2),
    shown(many.cpuMsPerRow, 2),
    shown(ratio(many.cpuMsPerRow, few.cpuMsPerRow), 2),
    shown(few.rowsPerSecond, 0),
    shown(many.rowsPerSecond, 0),
  ];
  return renderTable(
    ['CPU ms per row', `${due.few} due`, `${due.many} due`, 'ratio', `rows/s, ${due.few}`, `rows/s, ${due.many}`],
    [
      line('assigned task', works.task),
      line('message to the mailbox', works.mailbox),
      line('mail by SMTP', works.mail),
    ],
  );
}
