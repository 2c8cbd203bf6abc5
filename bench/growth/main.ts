import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { parseArgs } from 'node:util';
import type { Request } from '../../test/history/requests.ts';
import { type Started, startServices } from '../programs.ts';
import { type Cost, type Operation, operationsOf, type Runs } from './figures.ts';
import { forgetHistories, type Histories, makeHistories } from './history.ts';
import { renderGrowth } from './report.ts';
import { type Subject, startSubject } from './subject.ts';

/**
 * `npm run bench:growth`: what the sagas, a drained stay and every GET cost over a short, a middle and a long history, through
 * the programs of the product, in turns.
 *
 * --quick      3 000 and 30 000 finished sagas, three runs; not kept with the tree
 * --full       1 000 000 beside them, which takes some 60 GB of disk
 * --sizes A,B  other numbers of finished sagas, the smallest first; not kept with the tree
 * --runs N     medians of so many
 * --only TEXT  only operations whose name holds it
 * --keep       keeps the long history in `.roomy/growth` for the next run, which finds it there
 * --check      exit code 1 when anything exceeds its bound
 */
const { values: given } = parseArgs({
  options: {
    quick: { type: 'boolean', default: false },
    full: { type: 'boolean', default: false },
    sizes: { type: 'string' },
    runs: { type: 'string' },
    only: { type: 'string', default: '' },
    keep: { type: 'boolean', default: false },
    check: { type: 'boolean', default: false },
  },
});
const RUNS = Number(given.runs ?? (given.quick ? 3 : 5));
const SIZES =
  given.sizes?.split(',').map(Number) ??
  (given.quick ? [3_000, 30_000] : [3_000, 30_000, 300_000, ...(given.full ? [1_000_000] : [])]);
const STAYS = given.quick ? 40 : 60;
/** How often a GET is asked in one run. */
const TIMES = 5;
/** What seems to cost too much is asked this often again, in each of as many runs. */
const TIMES_AGAIN = 20;
const MEASURING = {
  max_connections: '200',
  shared_preload_libraries: 'pg_stat_statements',
  'pg_stat_statements.max': '20000',
  shared_buffers: '512MB',
  // It would work on a small table and not on a large one, whenever it likes; tables are vacuumed before they are measured.
  autovacuum: 'off',
};

const say = (line: string): void => console.log(line);

async function main(): Promise<number> {
  if (SIZES.length < 2 || SIZES.some((size) => !Number.isInteger(size) || size < 3_000 || size > 1_000_000))
    throw new RangeError('--sizes must be whole numbers from 3000 to 1000000, at least two');
  if (!Number.isInteger(RUNS) || RUNS < 1 || RUNS > 20) throw new RangeError('--runs must be from 1 to 20');
  say(`Histories of ${SIZES.join(', ')} finished sagas`);
  const histories = await makeHistories(SIZES, say);
  const started = await startServices(MEASURING, { postgresDir: histories.postgresDir });
  let interrupted = false;
  const interrupt = (): void => {
    interrupted = true;
    void started.stop().finally(() => process.exit(130));
  };
  process.on('SIGINT', interrupt).on('SIGTERM', interrupt);
  const subjects: Subject[] = [];
  try {
    for (const history of histories.databases) {
      const subject = await startSubject(started, history);
      subjects.push(subject);
      await subject.settle();
      await subject.sleep();
    }
    const operations = await measure(subjects, histories);
    report(operations);
    return given.check && operations.some(({ exceeded }) => exceeded.length > 0) ? 1 : 0;
  } catch (error) {
    // What the interruption broke off is no news; its end is near.
    if (interrupted) await new Promise(() => {});
    throw error;
  } finally {
    await close(subjects, started);
    if (!given.keep) forgetHistories();
  }
}

async function close(subjects: readonly Subject[], started: Started): Promise<void> {
  for (const subject of subjects) await subject.close().catch((error: unknown) => console.error(error));
  await started.stop();
}

async function measure(subjects: readonly Subject[], histories: Histories): Promise<readonly Operation[]> {
  const requests = histories.requests.filter(({ name }) => isSimple(name) && name.includes(given.only));
  const runs = new Map<string, Cost[][]>();
  const note = (name: string, size: number, cost: Cost): void => {
    const sizes = runs.get(name) ?? subjects.map(() => []);
    sizes[size]?.push(cost);
    runs.set(name, sizes);
  };
  const hasStays = 'drained stay, confirmation, payment, check-in, check-out, cancellation'.includes(given.only);
  for (const subject of subjects) {
    for (const request of requests) await subject.read(request, 2);
    if (hasStays) await awake(subject, () => subject.stays(STAYS));
    say(`  ${subject.history.sagas}: warm`);
  }
  for (let no = 1; no <= RUNS; no += 1) {
    for (const [size, subject] of subjects.entries()) {
      const costs = hasStays ? await awake(subject, () => subject.stays(STAYS)) : [];
      for (const [name, cost] of costs) note(name, size, cost);
    }
    await readAll(subjects, requests, TIMES, note);
    say(`  run ${no} of ${RUNS}`);
  }
  const suspects = new Set(operationsOf(runs).flatMap(({ name, exceeded }) => (exceeded.length > 0 ? [name] : [])));
  const again = requests.filter(({ name }) => suspects.has(name));
  if (again.length > 0) {
    say(`  ${again.length} seem to cost too much, and are asked again`);
    for (const { name } of again) runs.delete(name);
    for (let no = 1; no <= RUNS; no += 1) await readAll(subjects, again, TIMES_AGAIN, note);
  }
  return operationsOf(runs satisfies Runs);
}

async function readAll(
  subjects: readonly Subject[],
  requests: readonly Request[],
  times: number,
  note: (name: string, size: number, cost: Cost) => void,
): Promise<void> {
  for (const request of requests)
    for (const [size, subject] of subjects.entries()) note(request.name, size, await subject.read(request, times));
}

async function awake<T>(subject: Subject, work: () => Promise<T>): Promise<T> {
  await subject.wake();
  return await work().finally(() => subject.sleep());
}

/** With one filter at the most: what two of them read is what the more selective one does (`test/history` asks for pairs). */
const isSimple = (name: string): boolean => !name.includes('&');

function report(operations: readonly Operation[]): void {
  say(renderGrowth(operations, SIZES));
  const at = new Date().toISOString();
  const isWhole = !given.quick && given.only === '' && given.sizes === undefined;
  const directory = path.join(import.meta.dirname, isWhole ? '../results' : '../../.roomy/bench');
  const file = path.join(directory, `growth-${at.replaceAll(/[:.]/g, '-')}.json`);
  fs.mkdirSync(directory, { recursive: true });
  const about = { at, node: process.version, cpus: os.availableParallelism(), sizes: SIZES, runs: RUNS };
  fs.writeFileSync(file, `${JSON.stringify({ ...about, operations }, null, 2)}\n`);
  say(`\nWritten to ${path.relative(process.cwd(), file)}`);
}

process.exitCode = await main().catch((error: unknown) => {
  console.error(error);
  return 1;
});
process.exit();
