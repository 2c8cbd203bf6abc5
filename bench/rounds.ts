import { type LoadPlan, percentile } from './load.ts';
import type { System } from './system.ts';
import type { Measured, Outcome, Subject } from './types.ts';

/** Confirmations that complete and that are undone: the system beside the two bare loops, in turns. */

export const NAMES = ['system', 'bare', 'reference'] as const;
export type Name = (typeof NAMES)[number];
export type Subjects = { readonly system: System } & Readonly<Record<Name, Subject>>;

export interface Latencies {
  readonly p50: number | null;
  readonly p95: number | null;
  readonly p99: number | null;
}
/** Under load, one at a time, and undone. */
export interface Alone {
  readonly perSecond: number;
  readonly cpuMsPerSaga: number | null;
  readonly cpuMsPerSagaByProgram: Readonly<Record<string, number | null>>;
  readonly idle: Latencies;
  readonly rolledBackPerSecond: number;
  readonly cpuMsPerRollback: number | null;
}
export interface Round extends Alone {
  readonly atRate: Latencies;
  readonly rollbackIdleP50: number | null;
  /** While nothing assigns and delivers; of a bare loop, which has nothing of the kind, the same figures. */
  readonly alone: Alone;
}

export interface Lengths {
  /** Of one measurement under load. */
  readonly seconds: number;
  readonly idleUnits: number;
}

const CONCURRENCIES = [8, 16, 32, 64, 128];
const MAX_PER_SECOND = 2_500;
const ROLLBACKS_ONE_BY_ONE = 50;

const say = (text: string): void => console.log(text);

export const saturation = (concurrency: number, seconds: number): LoadPlan => ({
  loop: 'closed',
  concurrency,
  seconds,
  maxUnits: Math.ceil(seconds * MAX_PER_SECOND),
});
/** One at a time; no longer than the others, and never so many that a slow machine takes minutes. */
const oneByOne = (seconds: number, maxUnits: number): LoadPlan => ({
  loop: 'closed',
  concurrency: 1,
  seconds,
  maxUnits,
});

export const perSecond = ({ done, elapsedMs }: Pick<Measured, 'done' | 'elapsedMs'>): number =>
  (done / elapsedMs) * 1000;
export const perUnit = (cpuMs: number | null, units: number): number | null =>
  cpuMs === null || units <= 0 ? null : cpuMs / units;
export const perUnitByProgram = (byProgram: Measured['cpuMsByProgram'], units: number) =>
  Object.fromEntries(Object.entries(byProgram).map(([name, ms]) => [name, perUnit(ms, units)]));
const latencies = ({ latenciesMs }: Measured): Latencies => ({
  p50: percentile(latenciesMs, 50),
  p95: percentile(latenciesMs, 95),
  p99: percentile(latenciesMs, 99),
});

/** Throws when all have failed, and says so when some have. */
export async function measured(name: string, subject: Subject, outcome: Outcome, plan: LoadPlan): Promise<Measured> {
  const result = await subject.measure(outcome, plan);
  if (result.done === 0 && result.failed > 0)
    throw new Error(`${name}: all ${outcome} failed: ${result.failures.join('; ')}`);
  if (result.failed > 0) say(`  ${name}: ${result.failed} failed: ${result.failures.join('; ')}`);
  return result;
}

export type Best = Readonly<Record<Name, { readonly concurrency: number; readonly perSecond: number }>>;

/** The concurrency with the most sagas a second, for each of them by itself. */
export async function chooseConcurrency(subjects: Subjects, seconds: number): Promise<Best> {
  const none = { concurrency: 0, perSecond: 0 };
  const best = { system: none, bare: none, reference: none };
  for (const concurrency of CONCURRENCIES) {
    for (const name of NAMES) {
      // As in the rounds, or the rate for the open loop would be a share of something else.
      await subjects.system.sweep(name === 'system');
      const rate = perSecond(await measured(name, subjects[name], 'confirm', saturation(concurrency, seconds)));
      say(`  ${name} at concurrency ${concurrency}: ${rate.toFixed(0)} sagas/s`);
      if (rate > best[name].perSecond) best[name] = { concurrency, perSecond: rate };
    }
  }
  return best;
}

export interface Conditions extends Lengths {
  readonly concurrency: number;
  readonly openLoopPerSecond: number;
}

async function alone(name: Name, subject: Subject, conditions: Conditions): Promise<Alone> {
  const { concurrency, seconds, idleUnits } = conditions;
  const full = await measured(name, subject, 'confirm', saturation(concurrency, seconds));
  const idle = await measured(name, subject, 'confirm', oneByOne(seconds, idleUnits));
  const undone = await measured(name, subject, 'rollback', saturation(concurrency, seconds));
  return {
    perSecond: perSecond(full),
    cpuMsPerSaga: perUnit(full.cpuMs, full.done),
    cpuMsPerSagaByProgram: perUnitByProgram(full.cpuMsByProgram, full.done),
    idle: latencies(idle),
    rolledBackPerSecond: perSecond(undone),
    cpuMsPerRollback: perUnit(undone.cpuMs, undone.done),
  };
}

/** The system first with its sweeps held back, then while they assign and deliver. */
export async function round(name: Name, subjects: Subjects, conditions: Conditions): Promise<Round> {
  const { openLoopPerSecond, seconds } = conditions;
  const { system } = subjects;
  const subject = subjects[name];
  await system.sweep(false);
  await subject.settle();
  const byItself = await alone(name, subject, conditions);
  let busy = byItself;
  if (name === 'system') {
    await system.sweep(true);
    await subject.settle();
    busy = await alone(name, subject, conditions);
  }
  const atRate = await measured(name, subject, 'confirm', {
    loop: 'open',
    perSecond: openLoopPerSecond,
    seconds,
    maxUnits: seconds * MAX_PER_SECOND,
  });
  const undoneIdle = await measured(name, subject, 'rollback', oneByOne(seconds, ROLLBACKS_ONE_BY_ONE));
  return { ...busy, atRate: latencies(atRate), rollbackIdleP50: latencies(undoneIdle).p50, alone: byItself };
}

export interface Sweeps {
  readonly backlogBefore: number;
  readonly backlogAfter: number;
  /** Tasks that were assigned and messages that were sent: what was done, whatever became due meanwhile. */
  readonly rows: number;
  readonly rowsPerSecond: number;
  readonly cpuMsPerRow: number | null;
}

/** What follows a saga, out of its way: its tasks are assigned and its messages delivered, by sweeps. */
export async function costOfSweeps(system: System, concurrency: number, seconds: number): Promise<Sweeps> {
  await system.sweep(false);
  // Until there is enough to do for all of the time.
  await measured('system', system, 'confirm', saturation(concurrency, seconds));
  const look = async () => ({
    backlog: await system.backlog(),
    done: (await system.count('assigned')) + (await system.count('sent')),
  });
  const before = await look();
  const stop = system.meter();
  const startedAt = performance.now();
  await system.sweep(true);
  await new Promise((resolve) => setTimeout(resolve, seconds * 1000));
  await system.sweep(false);
  const elapsedMs = performance.now() - startedAt;
  const { cpuMs } = stop();
  const after = await look();
  const rows = after.done - before.done;
  return {
    backlogBefore: before.backlog,
    backlogAfter: after.backlog,
    rows,
    rowsPerSecond: perSecond({ done: rows, elapsedMs }),
    cpuMsPerRow: perUnit(cpuMs, rows),
  };
}
