import { describe, expect, it } from 'vitest';
import { type Figures, GOALS, judge, ratio, renderGoals } from '../../bench/goals.ts';
import type { Alone } from '../../bench/rounds.ts';
import type { DrainedStay } from '../../bench/stay.ts';
import { summary } from '../../bench/summary.ts';

const alone = (factor: number): Alone => ({
  perSecond: 300 / factor,
  cpuMsPerSaga: 3 * factor,
  cpuMsPerSagaByProgram: { postgres: 2 * factor },
  idle: { p50: 5 * factor, p95: 6 * factor, p99: 7 * factor },
  rolledBackPerSecond: 200 / factor,
  cpuMsPerRollback: 5 * factor,
});
const loop = (factor: number) =>
  summary([{ ...alone(factor), atRate: alone(factor).idle, rollbackIdleP50: 9 * factor, alone: alone(factor) }]);
const drained = (cpuMsPerStay: number): DrainedStay => ({
  stays: 600,
  cpuMsPerStay,
  cpuMsPerStayByProgram: { postgres: cpuMsPerStay / 2 },
  staysPerSecond: 80,
  assignedPerStay: 4,
  messagesPerStay: 12,
  eventsPerStay: 20,
  walKiBPerStay: 55,
  fullPageKiBPerStay: 30,
});
const cost = (cpuMsPerRow: number) => ({ cpuMsPerRow, rows: 3_000, rowsPerSecond: 900 });
const column = { perSecond: 100, cpuMsPerSaga: 9 };
const FIGURES: Figures = {
  system: loop(1),
  bare: loop(1),
  reference: loop(1),
  stay: {
    burst: drained(8.9),
    atRate: drained(19),
    ratePerSecond: 20,
    idleCpuMsPerSecond: 14,
    idleCpuMsPerSecondByProgram: {},
    idleSeconds: 20,
    columns: { pay: column, checkIn: column, cancel: column },
  },
  background: {
    due: { few: 1_000, many: 100_000 },
    task: { few: cost(0.4), many: cost(0.44) },
    mailbox: { few: cost(0.3), many: cost(0.3) },
    mail: { few: cost(0.9), many: cost(0.9) },
  },
};
const missedOf = (figures: Figures) =>
  judge(figures)
    .filter(({ isMet }) => !isMet)
    .map(({ name }) => name);

describe('the goals of the bench', () => {
  it('are met at their bounds', () => {
    expect(missedOf(FIGURES)).toEqual([]);
  });

  it('hold the ratio to both bare loops, so that slower triggers of ours win nothing', () => {
    expect(missedOf({ ...FIGURES, system: loop(1.5), bare: loop(1.5) })).toEqual([
      'sagas/s of the reference',
      'rolled-back sagas/s of the reference',
    ]);
  });

  it('judge the system without its sweeps', () => {
    const system = { ...loop(1), cpuMsPerSaga: 14, perSecond: 10 };
    expect(missedOf({ ...FIGURES, system })).toEqual([]);
  });

  it('are missed by a stay that is cheap because its tasks have nobody', () => {
    const burst = { ...drained(2), assignedPerStay: 3.9 };
    expect(missedOf({ ...FIGURES, stay: { ...FIGURES.stay, burst } })).toEqual(['tasks assigned per drained stay']);
  });

  it('are missed by work that costs more when more is due', () => {
    const task = { few: cost(0.3), many: cost(0.34) };
    expect(missedOf({ ...FIGURES, background: { ...FIGURES.background, task } })).toEqual([
      'task: with many due, of few',
    ]);
  });

  it('are missed where nothing could be measured', () => {
    expect(missedOf({ ...FIGURES, stay: { ...FIGURES.stay, idleCpuMsPerSecond: null } })).toEqual([
      'CPU ms a second when nothing happens',
    ]);
  });

  it('have names of their own', () => {
    expect(new Set(GOALS.map(({ name }) => name)).size).toBe(GOALS.length);
  });

  it('print those that are missed first, with their numbers', () => {
    const figures = { ...FIGURES, stay: { ...FIGURES.stay, idleCpuMsPerSecond: 41 } };
    const [head, first] = renderGoals(judge(figures)).split('\n');
    expect(head).toBe(`Goals: ${GOALS.length - 1} of ${GOALS.length} met`);
    expect(first).toBe('  missed  CPU ms a second when nothing happens: 41.00 (at most 15)');
  });
});

describe('a ratio', () => {
  it('is unknown where one side is', () => {
    expect([ratio(1, null), ratio(null, 1), ratio(1, 0), ratio(3, 2)]).toEqual([null, null, null, 1.5]);
  });
});
