import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { measureAgainst } from './against.ts';
import { keptByAssignment, measureAssignment, renderAssignment } from './assignment.ts';
import { type BackgroundPlan, measureBackground } from './background.ts';
import { startBare } from './bare.ts';
import { measureBeside } from './beside.ts';
import { judge, renderGoals } from './goals.ts';
import { createProfile, type Profile } from './profile.ts';
import { type Started, startServices } from './programs.ts';
import { renderReport } from './report.ts';
import {
  type Best,
  chooseConcurrency,
  costOfSweeps,
  measured,
  NAMES,
  type Name,
  type Round,
  round,
  type Subjects,
  type Sweeps,
  saturation,
} from './rounds.ts';
import { measureStay, type StayFigures, type StayPlan, staysFor } from './stay.ts';
import { summary } from './summary.ts';
import { type System, startSystem } from './system.ts';
import { WAL_SETTINGS } from './wal.ts';

/**
 * `npm run bench`: the whole system through HTTP beside the same statements in two bare loops, interleaved in one run on
 * this machine; then whole stays, what comes later in their lives, and the background. Absolute numbers belong to the
 * machine; the ratios are what to compare.
 *
 * --quick          shorter measurements, for a first look; not kept
 * --seconds N      length of one measurement under load
 * --rounds N       of everything; medians are reported
 * --check          exit code 1 when the system falls behind its targets or a goal of `goals.ts`
 * --against COMMIT this tree beside that commit instead, by CPU per saga; exit code 1 when it needs over 10 % more
 * --traced         with --against: this tree sends all its traces and metrics; exit code 1 above 5 %
 * --beside         how long people wait while a backlog of the sweeps is worked off, and nothing else; exit code 1 with --check
 * --profile DIR    CPU profiles, statement and command statistics of the run; costs some speed itself
 */

const OPEN_LOOP_SHARE = 0.4;
const MIN_THROUGHPUT_RATIO = 0.33;
const MAX_IDLE_RATIO = 3;
const RATE_PER_SECOND = 20;
/** Of stays, by the fastest machine thought of here. */
const STAYS_PER_SECOND = 700;
const ROLLBACKS_PER_SECOND = 450;
const MAX_STAY_CONCURRENCY = 64;
/** Each of the two bare loops may hold 128 of them. */
const CONNECTIONS = { max_connections: '400' };

const { values: given } = parseArgs({
  options: {
    quick: { type: 'boolean', default: false },
    seconds: { type: 'string' },
    rounds: { type: 'string' },
    check: { type: 'boolean', default: false },
    profile: { type: 'string' },
    against: { type: 'string' },
    traced: { type: 'boolean', default: false },
    beside: { type: 'boolean', default: false },
  },
});
const seconds = bounded('--seconds', given.seconds ?? (given.quick ? '2' : '5'), 1, 60);
const rounds = bounded('--rounds', given.rounds ?? (given.quick ? '1' : '3'), 1, 20);
const calibrationSeconds = Math.max(1, seconds / 3);
const stayPlan: Omit<StayPlan, 'concurrency'> = {
  rounds,
  burst: given.quick ? 200 : 600,
  ratePerSecond: RATE_PER_SECOND,
  rateSeconds: given.quick ? 10 : 20,
  idleSeconds: 20,
};
const backgroundPlan: BackgroundPlan = {
  few: 1_000,
  many: given.quick ? 10_000 : 100_000,
  rounds: given.quick ? 1 : 3,
};

function bounded(name: string, text: string, min: number, max: number): number {
  const value = Number(text);
  if (!Number.isInteger(value) || value < min || value > max)
    throw new RangeError(`${name} must be a whole number from ${min} to ${max}`);
  return value;
}

const say = (text: string): void => console.log(text);

interface SagaFigures {
  readonly best: Best;
  readonly openLoopPerSecond: number;
  readonly results: Readonly<Record<Name, readonly Round[]>>;
  readonly sweeps: Sweeps;
}

/** Sagas by themselves and with the sweeps at work, beside the bare loops. */
async function measureSagas(started: Started, profile: Profile): Promise<SagaFigures> {
  // By choosing, before the sweeps are looked at, and in each round twice under load, twice one at a time and once at a rate.
  const loaded = calibrationSeconds * 5 + seconds * (4 * rounds + 1);
  const stays = {
    confirm: Math.ceil(loaded * STAYS_PER_SECOND) + 2_000,
    rollback: Math.ceil(seconds * 2 * rounds * ROLLBACKS_PER_SECOND) + 1_000,
  };
  say(`Seeding ${stays.confirm + stays.rollback} stays into each of three databases`);
  const nodeArgs = (program: string) => profile.nodeArgs('sagas', program);
  const system = await startSystem(started, stays, { nodeArgs });
  const bare = await startBare(started, stays, 'migrated');
  const reference = await startBare(started, stays, 'reference');
  const subjects: Subjects = { system, bare, reference };
  try {
    for (const name of NAMES) {
      await measured(name, subjects[name], 'confirm', saturation(16, 1));
      await measured(name, subjects[name], 'rollback', saturation(16, 1));
    }
    await system.sweep(false);
    for (const name of NAMES) await subjects[name].settle();
    say('Choosing the concurrency of each');
    const best = await chooseConcurrency(subjects, calibrationSeconds);
    const openLoopPerSecond = Math.max(1, Math.round(best.system.perSecond * OPEN_LOOP_SHARE));
    const sagasBefore = await system.count('sagas');
    await profile.begin(system.databaseUrl, started.redis.url);
    const results: Record<Name, Round[]> = { system: [], bare: [], reference: [] };
    for (let no = 1; no <= rounds; no += 1) {
      for (const name of NAMES) {
        const { concurrency } = best[name];
        const conditions = { concurrency, openLoopPerSecond, seconds, idleUnits: given.quick ? 100 : 300 };
        const one = await round(name, subjects, conditions);
        results[name].push(one);
        say(
          `  round ${no}, ${name}: ${one.alone.perSecond.toFixed(0)} sagas/s, ${one.alone.rolledBackPerSecond.toFixed(0)} rolled back/s`,
        );
      }
    }
    const sweeps = await costOfSweeps(system, best.system.concurrency, seconds);
    const units = (await system.count('sagas')) - sagasBefore;
    await profile.end({ name: 'sagas', unit: 'saga', units }, system.databaseUrl, started.redis.url);
    return { best, openLoopPerSecond, results, sweeps };
  } finally {
    for (const name of NAMES) await subjects[name].close().catch((error: unknown) => console.error(error));
    profile.programs('sagas');
  }
}

/** In a database of its own, without what sagas have left behind. */
async function measureStays(started: Started, profile: Profile, best: Best): Promise<StayFigures> {
  const plan = { ...stayPlan, concurrency: Math.min(best.system.concurrency, MAX_STAY_CONCURRENCY) };
  const nodeArgs = (program: string) => profile.nodeArgs('stays', program);
  const system: System = await startSystem(
    started,
    { confirm: staysFor(plan), rollback: 1 },
    { name: 'stays', nodeArgs },
  );
  try {
    await profile.begin(system.databaseUrl, started.redis.url);
    const figures = await measureStay(system, plan);
    await profile.end({ name: 'stays', unit: 'stay', units: staysFor(plan) }, system.databaseUrl, started.redis.url);
    return figures;
  } finally {
    await system.close().catch((error: unknown) => console.error(error));
    profile.programs('stays');
  }
}

async function main(): Promise<number> {
  const profile = createProfile(given.profile);
  const started = await startServices({ ...CONNECTIONS, ...WAL_SETTINGS, ...profile.postgresSettings });
  let interrupted = false;
  const interrupt = (): void => {
    interrupted = true;
    void started.stop().finally(() => process.exit(130));
  };
  process.on('SIGINT', interrupt).on('SIGTERM', interrupt);
  try {
    const { best, openLoopPerSecond, results, sweeps } = await measureSagas(started, profile);
    say('Whole stays');
    const stay = await measureStays(started, profile, best);
    say('The background');
    const background = await measureBackground(started, backgroundPlan);
    say('Assignment');
    const assignment = await measureAssignment(started);
    profile.keepLog(path.join(started.directory, 'postgres', 'postgres.log'));

    const figures = {
      system: summary(results.system),
      bare: summary(results.bare),
      reference: summary(results.reference),
      stay,
      background,
    };
    const goals = judge(figures);
    const report = {
      at: new Date().toISOString(),
      node: process.version,
      platform: `${process.platform} ${process.arch}`,
      cpus: os.availableParallelism(),
      seconds,
      rounds,
      openLoopPerSecond,
      concurrency: {
        system: best.system.concurrency,
        bare: best.bare.concurrency,
        reference: best.reference.concurrency,
      },
      ...figures,
      sweeps,
      assignment,
      goals,
      raw: results,
    };
    say(renderReport(report));
    say(renderAssignment(assignment));
    say(`\n${renderGoals(goals)}`);
    keep(report.at, report);

    const ratio = (report.system.perSecond ?? 0) / (report.bare.perSecond ?? 1);
    const idleRatio = (report.system.idle.p50 ?? 0) / (report.bare.idle.p50 ?? 1);
    const kept = ratio >= MIN_THROUGHPUT_RATIO && idleRatio < MAX_IDLE_RATIO && keptByAssignment(assignment);
    const verdict = `while assigning and delivering, ${ratio.toFixed(2)} of the bare loop's sagas/s (at least ${MIN_THROUGHPUT_RATIO}), idle p50 ${idleRatio.toFixed(2)} times its (below ${MAX_IDLE_RATIO})`;
    say(`${kept ? 'Targets met' : 'Targets missed'}: ${verdict}`);
    return given.check && !(kept && goals.every(({ isMet }) => isMet)) ? 1 : 0;
  } catch (error) {
    // What the interruption broke off is no news; its end is near.
    if (interrupted) await new Promise(() => {});
    throw error;
  } finally {
    await started.stop();
  }
}

/** A look is no record: only whole runs are kept with the tree. */
function keep(at: string, report: unknown): void {
  const directory = path.join(import.meta.dirname, given.quick ? '../.roomy/bench' : 'results');
  const file = path.join(directory, `${at.replaceAll(/[:.]/g, '-')}.json`);
  fs.mkdirSync(directory, { recursive: true });
  fs.writeFileSync(file, `${JSON.stringify(report, null, 2)}\n`);
  say(`\nWritten to ${path.relative(process.cwd(), file)}`);
}

function run(): Promise<number> {
  if (given.beside) return measureBeside({ check: given.check });
  return given.against === undefined
    ? main()
    : measureAgainst(given.against, { seconds, rounds, traced: given.traced });
}
process.exitCode = await run().catch((error: unknown) => {
  console.error(error);
  return 1;
});
process.exit();
