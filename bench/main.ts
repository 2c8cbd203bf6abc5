import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { measureAgainst } from './against.ts';
import { keptByAssignment, measureAssignment, renderAssignment } from './assignment.ts';
import { startBare } from './bare.ts';
import { measureBeside } from './beside.ts';
import { type LoadPlan, median, percentile } from './load.ts';
import { createProfile } from './profile.ts';
import { startServices } from './programs.ts';
import { renderReport } from './report.ts';
import { type System, startSystem } from './system.ts';
import type { Measured, Outcome, Subject } from './types.ts';

/**
 * `npm run bench`: the whole system through HTTP beside the same statements in a bare loop, interleaved in one run on
 * this machine. Absolute numbers belong to the machine; the ratios are what to compare.
 *
 * --quick          shorter measurements, for a first look
 * --seconds N      length of one measurement under load
 * --rounds N       of everything; medians are reported
 * --check          exit code 1 when the system falls behind its targets
 * --against COMMIT this tree beside that commit instead, by CPU per saga; exit code 1 when it needs over 10 % more
 * --beside         how long people wait while a backlog of the sweeps is worked off, and nothing else; exit code 1 with --check
 * --profile DIR    CPU profiles, statement and command statistics of the run; costs some speed itself
 */

const CONCURRENCIES = [8, 16, 32, 64, 128];
const OPEN_LOOP_SHARE = 0.4;
const MIN_THROUGHPUT_RATIO = 0.33;
const MAX_IDLE_RATIO = 3;
const MAX_PER_SECOND = 2_500;
const NAMES = ['system', 'bare'] as const;
type Name = (typeof NAMES)[number];

export interface Round {
  readonly perSecond: number;
  readonly cpuMsPerSaga: number | null;
  readonly cpuMsPerSagaByProgram: Readonly<Record<string, number | null>>;
  readonly idle: Latencies;
  readonly atRate: Latencies;
  readonly rolledBackPerSecond: number;
  readonly cpuMsPerRollback: number | null;
  readonly rollbackIdleP50: number | null;
}
export interface Latencies {
  readonly p50: number | null;
  readonly p95: number | null;
  readonly p99: number | null;
}

const { values: given } = parseArgs({
  options: {
    quick: { type: 'boolean', default: false },
    seconds: { type: 'string' },
    rounds: { type: 'string' },
    check: { type: 'boolean', default: false },
    profile: { type: 'string' },
    against: { type: 'string' },
    beside: { type: 'boolean', default: false },
  },
});
const seconds = bounded('--seconds', given.seconds ?? (given.quick ? '2' : '5'), 1, 60);
const rounds = bounded('--rounds', given.rounds ?? '3', 1, 20);
const calibrationSeconds = Math.max(1, seconds / 3);
/** One at a time; no longer than the others, and never so many that a slow machine takes minutes. */
const idlePlan: LoadPlan = { loop: 'closed', concurrency: 1, seconds, maxUnits: given.quick ? 100 : 300 };
const rollbackIdlePlan: LoadPlan = { ...idlePlan, maxUnits: 50 };

function bounded(name: string, text: string, min: number, max: number): number {
  const value = Number(text);
  if (!Number.isInteger(value) || value < min || value > max)
    throw new RangeError(`${name} must be a whole number from ${min} to ${max}`);
  return value;
}

const saturation = (concurrency: number, forSeconds: number): LoadPlan => ({
  loop: 'closed',
  concurrency,
  seconds: forSeconds,
  maxUnits: forSeconds * MAX_PER_SECOND,
});
const perSecond = ({ done, elapsedMs }: Measured): number => (done / elapsedMs) * 1000;
const perSaga = ({ done, cpuMs }: Measured): number | null => (cpuMs === null || done === 0 ? null : cpuMs / done);
const perSagaByProgram = ({ done, cpuMsByProgram }: Measured) =>
  Object.fromEntries(
    Object.entries(cpuMsByProgram).map(([name, ms]) => [name, ms === null || done === 0 ? null : ms / done]),
  );
const latencies = ({ latenciesMs }: Measured): Latencies => ({
  p50: percentile(latenciesMs, 50),
  p95: percentile(latenciesMs, 95),
  p99: percentile(latenciesMs, 99),
});

const say = (text: string): void => console.log(text);

async function measured(name: Name, subject: Subject, outcome: Outcome, plan: LoadPlan): Promise<Measured> {
  const result = await subject.measure(outcome, plan);
  if (result.done === 0 && result.failed > 0)
    throw new Error(`${name}: all ${outcome} failed: ${result.failures.join('; ')}`);
  if (result.failed > 0) say(`  ${name}: ${result.failed} failed: ${result.failures.join('; ')}`);
  return result;
}

/** The concurrency with the most sagas a second, for each of the two by itself. */
async function chooseConcurrency(subjects: { readonly system: System; readonly bare: Subject }) {
  const best: Record<Name, { concurrency: number; perSecond: number }> = {
    system: { concurrency: 0, perSecond: 0 },
    bare: { concurrency: 0, perSecond: 0 },
  };
  for (const concurrency of CONCURRENCIES) {
    for (const name of NAMES) {
      // As in the rounds, or the rate for the open loop would be a share of something else.
      await subjects.system.sweep(name === 'system');
      const rate = perSecond(
        await measured(name, subjects[name], 'confirm', saturation(concurrency, calibrationSeconds)),
      );
      say(`  ${name} at concurrency ${concurrency}: ${rate.toFixed(0)} sagas/s`);
      if (rate > best[name].perSecond) best[name] = { concurrency, perSecond: rate };
    }
  }
  return best;
}

interface Conditions {
  readonly concurrency: number;
  readonly openLoopPerSecond: number;
}

async function round(name: Name, subject: Subject, conditions: Conditions): Promise<Round> {
  const { concurrency, openLoopPerSecond } = conditions;
  const full = await measured(name, subject, 'confirm', saturation(concurrency, seconds));
  const idle = await measured(name, subject, 'confirm', idlePlan);
  const atRate = await measured(name, subject, 'confirm', {
    loop: 'open',
    perSecond: openLoopPerSecond,
    seconds,
    maxUnits: seconds * MAX_PER_SECOND,
  });
  const undone = await measured(name, subject, 'rollback', saturation(concurrency, seconds));
  const undoneIdle = await measured(name, subject, 'rollback', rollbackIdlePlan);
  return {
    perSecond: perSecond(full),
    cpuMsPerSaga: perSaga(full),
    cpuMsPerSagaByProgram: perSagaByProgram(full),
    idle: latencies(idle),
    atRate: latencies(atRate),
    rolledBackPerSecond: perSecond(undone),
    cpuMsPerRollback: perSaga(undone),
    rollbackIdleP50: latencies(undoneIdle).p50,
  };
}

/** What follows a saga, out of its way: its tasks are assigned and its messages delivered, by sweeps. */
async function costOfSweeps(system: System, concurrency: number) {
  await system.sweep(false);
  const without = await measured('system', system, 'confirm', saturation(concurrency, seconds));
  const before = { backlog: await system.backlog(), at: performance.now() };
  const stop = system.meter();
  await system.sweep(true);
  await new Promise((resolve) => setTimeout(resolve, seconds * 1000));
  await system.sweep(false);
  const { cpuMs } = stop();
  const after = { backlog: await system.backlog(), at: performance.now() };
  // Each assigned task becomes a message, so this counts rows that left, not all the work.
  const rows = before.backlog - after.backlog;
  return {
    perSecondWithoutSweeps: perSecond(without),
    cpuMsPerSagaWithoutSweeps: perSaga(without),
    backlogBefore: before.backlog,
    backlogAfter: after.backlog,
    rowsPerSecond: (rows / (after.at - before.at)) * 1000,
    cpuMsPerRow: cpuMs === null || rows <= 0 ? null : cpuMs / rows,
  };
}

const middle = (list: readonly Round[], pick: (one: Round) => number | null): number | null =>
  median(list.map(pick).filter((value) => value !== null));
const middleLatencies = (list: readonly Round[], pick: (one: Round) => Latencies): Latencies => ({
  p50: middle(list, (one) => pick(one).p50),
  p95: middle(list, (one) => pick(one).p95),
  p99: middle(list, (one) => pick(one).p99),
});
const summary = (list: readonly Round[]) => ({
  perSecond: middle(list, (one) => one.perSecond),
  cpuMsPerSaga: middle(list, (one) => one.cpuMsPerSaga),
  cpuMsPerSagaByProgram: Object.fromEntries(
    Object.keys(list[0]?.cpuMsPerSagaByProgram ?? {}).map((name) => [
      name,
      middle(list, (one) => one.cpuMsPerSagaByProgram[name] ?? null),
    ]),
  ),
  idle: middleLatencies(list, (one) => one.idle),
  atRate: middleLatencies(list, (one) => one.atRate),
  rolledBackPerSecond: middle(list, (one) => one.rolledBackPerSecond),
  cpuMsPerRollback: middle(list, (one) => one.cpuMsPerRollback),
  rollbackIdleP50: middle(list, (one) => one.rollbackIdleP50),
});
export type Summary = ReturnType<typeof summary>;

async function main(): Promise<number> {
  const profile = createProfile(given.profile);
  const started = await startServices(profile.postgresSettings);
  let interrupted = false;
  const interrupt = (): void => {
    interrupted = true;
    void started.stop().finally(() => process.exit(130));
  };
  process.on('SIGINT', interrupt).on('SIGTERM', interrupt);
  let system: System | undefined;
  try {
    // As many stays as the fastest machine thought of here would use up.
    const loaded = calibrationSeconds * CONCURRENCIES.length + seconds * 2 * rounds + seconds * 2;
    const stays = {
      confirm: Math.ceil(loaded * (given.quick ? 600 : 800)) + 2_000,
      rollback: Math.ceil(seconds * rounds * 600) + 1_000,
    };
    say(`Seeding ${stays.confirm + stays.rollback} stays into each of two databases`);
    system = await startSystem(started, stays, { nodeArgs: profile.nodeArgs });
    const bare = await startBare(started, stays);
    const subjects = { system, bare };
    for (const name of NAMES) {
      await measured(name, subjects[name], 'confirm', saturation(16, 1));
      await measured(name, subjects[name], 'rollback', saturation(16, 1));
    }

    await system.sweep(false);
    for (const name of NAMES) await subjects[name].settle();
    say('Choosing the concurrency of each');
    const best = await chooseConcurrency(subjects);
    const openLoopPerSecond = Math.max(1, Math.round(best.system.perSecond * OPEN_LOOP_SHARE));
    await profile.begin(system.databaseUrl, started.redis.url);

    const results: Record<Name, Round[]> = { system: [], bare: [] };
    for (let no = 1; no <= rounds; no += 1) {
      for (const name of NAMES) {
        // While the bare loop runs, nothing of the system has work.
        await system.sweep(name === 'system');
        await subjects[name].settle();
        const { concurrency } = best[name];
        const one = await round(name, subjects[name], { concurrency, openLoopPerSecond });
        results[name].push(one);
        say(
          `  round ${no}, ${name}: ${one.perSecond.toFixed(0)} sagas/s, ${one.rolledBackPerSecond.toFixed(0)} rolled back/s`,
        );
      }
    }
    const sweeps = await costOfSweeps(system, best.system.concurrency);
    await profile.end(system.databaseUrl, started.redis.url, path.join(started.directory, 'postgres', 'postgres.log'));

    say('Assignment');
    const assignment = await measureAssignment(started);

    const report = {
      at: new Date().toISOString(),
      node: process.version,
      platform: `${process.platform} ${process.arch}`,
      cpus: os.availableParallelism(),
      seconds,
      rounds,
      openLoopPerSecond,
      concurrency: { system: best.system.concurrency, bare: best.bare.concurrency },
      system: summary(results.system),
      bare: summary(results.bare),
      sweeps,
      assignment,
      raw: results,
    };
    const ratio = (report.system.perSecond ?? 0) / (report.bare.perSecond ?? 1);
    const idleRatio = (report.system.idle.p50 ?? 0) / (report.bare.idle.p50 ?? 1);
    say(renderReport(report));
    say(renderAssignment(assignment));
    const file = path.join(import.meta.dirname, 'results', `${report.at.replaceAll(/[:.]/g, '-')}.json`);
    fs.mkdirSync(path.dirname(file), { recursive: true });
    fs.writeFileSync(file, `${JSON.stringify(report, null, 2)}\n`);
    say(`\nWritten to ${path.relative(process.cwd(), file)}`);

    const kept = ratio >= MIN_THROUGHPUT_RATIO && idleRatio < MAX_IDLE_RATIO && keptByAssignment(assignment);
    const verdict = `${ratio.toFixed(2)} of the bare loop's sagas/s (at least ${MIN_THROUGHPUT_RATIO}), idle p50 ${idleRatio.toFixed(2)} times its (below ${MAX_IDLE_RATIO})`;
    say(`${kept ? 'Targets met' : 'Targets missed'}: ${verdict}`);
    return given.check && !kept ? 1 : 0;
  } catch (error) {
    // What the interruption broke off is no news; its end is near.
    if (interrupted) await new Promise(() => {});
    throw error;
  } finally {
    await system?.close().catch((error: unknown) => console.error(error));
    await started.stop();
  }
}

function run(): Promise<number> {
  if (given.beside) return measureBeside({ check: given.check });
  return given.against === undefined ? main() : measureAgainst(given.against, { seconds, rounds });
}
process.exitCode = await run().catch((error: unknown) => {
  console.error(error);
  return 1;
});
process.exit();
