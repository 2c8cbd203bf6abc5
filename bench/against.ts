import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import path from 'node:path';
import { median } from './load.ts';
import { type Started, startServices } from './programs.ts';
import { type System, type SystemOptions, startSystem } from './system.ts';
import type { Measured, Outcome } from './types.ts';

/**
 * `npm run bench -- --against <commit>`: that commit and this tree, each with a Postgres and a Redis of its own, take turns in
 * one run. A turn of one and the turn of the other right after it make a pair; the ratio of a pair's CPU time per saga is
 * what is compared, as both have met the same machine in the same moment.
 */

const ROOT = path.join(import.meta.dirname, '..');
/** What "no slower" means. */
const MAX_RATIO = 1.1;
/** What traces and metrics may cost where they are on. */
const MAX_TRACED_RATIO = 1.05;
const CONCURRENCY = 32;
/** Before a turn is measured: who ran just before has what it needs in the caches, and would be the cheaper one for that alone. */
const WARM_UP_SECONDS = 2;
/** More than the fastest machine has gone through. */
const MAX_PER_SECOND = 600;
const OUTCOMES = ['confirm', 'rollback'] as const satisfies readonly Outcome[];
const SIDES = ['here', 'there'] as const;
type Side = (typeof SIDES)[number];
type Cost = Readonly<Record<Side, number>>;

interface Length {
  /** Of one turn. */
  readonly seconds: number;
  readonly rounds: number;
  /** This tree sends traces and metrics, all of them, to a collector that only counts. */
  readonly traced: boolean;
}

/** Answers the exit code: 1 when a median is above the bound. Throws where CPU time cannot be read. */
export async function measureAgainst(commit: string, { seconds, rounds, traced }: Length): Promise<number> {
  const sha = git('rev-parse', '--verify', `${commit}^{commit}`);
  const tree = checkOut(sha);
  const started: Pick<Started, 'stop'>[] = [];
  const systems: System[] = [];
  const end = async (): Promise<void> => {
    for (const system of systems.splice(0)) await system.close().catch((error: unknown) => console.error(error));
    for (const services of started.splice(0)) await services.stop();
  };
  process.once('SIGINT', () => void end().finally(() => process.exit(130)));
  process.once('SIGTERM', () => void end().finally(() => process.exit(143)));
  try {
    const most = (seconds + WARM_UP_SECONDS) * rounds * MAX_PER_SECOND;
    const begin = async (options: Pick<SystemOptions, 'root' | 'env'>): Promise<System> => {
      const services = await startServices({});
      started.push(services);
      const system = await startSystem(services, { confirm: most, rollback: most }, options);
      systems.push(system);
      return system;
    };
    const collector = traced ? await openCollector() : null;
    if (collector) started.push(collector);
    const subjects = { here: await begin({ env: collector?.env ?? {} }), there: await begin({ root: tree }) };
    for (const side of SIDES) {
      // The sweeps work for what stands in the queues, which is not the same moment for both.
      await subjects[side].sweep(false);
      await subjects[side].settle();
    }
    const pairs: Record<Outcome, Cost[]> = { confirm: [], rollback: [] };
    for (let no = 1; no <= rounds; no += 1) {
      for (const outcome of OUTCOMES) {
        // The first of a pair meets a cooler machine, so the two change places each round.
        const order = no % 2 === 0 ? SIDES : SIDES.toReversed();
        const cost: Record<Side, number> = { here: 0, there: 0 };
        for (const side of order) {
          await turn(subjects[side], outcome, WARM_UP_SECONDS);
          cost[side] = await turn(subjects[side], outcome, seconds);
        }
        pairs[outcome].push(cost);
        console.log(`  round ${no}, ${outcome}: ${cost.here.toFixed(2)} ms here, ${cost.there.toFixed(2)} ms there`);
      }
    }
    if (collector) console.log(`  ${collector.received()} batches of spans and metrics were sent`);
    return report(sha, pairs, traced ? MAX_TRACED_RATIO : MAX_RATIO);
  } finally {
    await end();
  }
}

/** CPU milliseconds of all programs per saga. */
async function turn(system: System, outcome: Outcome, seconds: number): Promise<number> {
  const { done, cpuMs, failures }: Measured = await system.measure(outcome, {
    loop: 'closed',
    concurrency: CONCURRENCY,
    seconds,
    maxUnits: seconds * MAX_PER_SECOND,
  });
  if (cpuMs === null) throw new Error('CPU time cannot be read on this system');
  if (done === 0) throw new Error(`all ${outcome} failed: ${failures.join('; ')}`);
  return cpuMs / done;
}

function report(sha: string, pairs: Readonly<Record<Outcome, readonly Cost[]>>, bound: number): number {
  let isSlower = false;
  for (const outcome of OUTCOMES) {
    const ratios = pairs[outcome].map(({ here, there }) => here / there);
    const ratio = median(ratios) ?? Number.NaN;
    isSlower ||= !(ratio <= bound);
    const spread = `${Math.min(...ratios).toFixed(2)} to ${Math.max(...ratios).toFixed(2)}`;
    console.log(`${outcome}: ${ratio.toFixed(2)} of the CPU per saga of ${sha.slice(0, 7)} (${spread})`);
  }
  console.log(isSlower ? `Slower: the bound is ${bound}` : `Within the bound of ${bound}`);
  return isSlower ? 1 : 0;
}

/** Takes what is exported, and throws it away: its own work is in this process, which is not counted. */
async function openCollector() {
  let received = 0;
  const server = createServer((request, response) => {
    received += 1;
    request.resume().once('end', () => response.end());
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  return {
    env: { OTEL_EXPORTER_OTLP_ENDPOINT: `http://127.0.0.1:${port}` },
    received: () => received,
    stop: () =>
      new Promise<void>((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

const git = (...args: readonly string[]): string => execFileSync('git', args, { cwd: ROOT, encoding: 'utf8' }).trim();

/** A worktree of the commit with the packages of its own lockfile; answers where. It stays, so that the next run has it. */
function checkOut(sha: string): string {
  const tree = path.join(ROOT, '.roomy/against', sha);
  git('worktree', 'prune');
  if (!fs.existsSync(tree)) git('worktree', 'add', '--detach', tree, sha);
  const modules = path.join(tree, 'node_modules');
  if (fs.existsSync(modules)) return tree;
  const lock = 'package-lock.json';
  const isSame = fs.readFileSync(path.join(ROOT, lock)).equals(fs.readFileSync(path.join(tree, lock)));
  if (isSame) fs.symlinkSync(path.join(ROOT, 'node_modules'), modules);
  else execFileSync('npm', ['ci', '--omit=dev', '--ignore-scripts'], { cwd: tree, stdio: 'inherit' });
  return tree;
}
