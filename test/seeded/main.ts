import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { startPostgres } from '../../scripts/services/postgres.ts';
import { startRedis } from '../../scripts/services/redis.ts';
import { copyProduct, runTests, type Services, type TestRun } from '../setup/product-copy.ts';
import { BUGS, type Edit, type SeededBug } from './bugs.ts';

/**
 * Plants one bug at a time in a copy of the product and runs the tests that must find it. Exits 1 when the copy is not
 * green without a bug, when an edit does not fit the source any more, or when a bug is not found. Arguments: ids of
 * bugs, for example `B1 B13`; without, all.
 */

async function main(): Promise<number> {
  const chosen = new Set(process.argv.slice(2));
  const bugs = BUGS.filter(({ id }) => chosen.size === 0 || chosen.has(id));
  if (bugs.length === 0) throw new Error('no such bug');
  const home = fs.mkdtempSync(path.join(os.tmpdir(), 'roomy-seeded-'));
  fs.chmodSync(home, 0o755);
  const stops: (() => unknown)[] = [() => fs.rmSync(home, { recursive: true, force: true })];
  try {
    const copy = path.join(home, 'product');
    copyProduct(copy);
    // An edit that no longer fits is told at once.
    for (const bug of bugs) plant(copy, bug)();
    const services = await startServices(home, stops);
    return await tryAll(copy, bugs, services);
  } finally {
    for (const stop of stops.toReversed()) await stop();
  }
}

async function startServices(home: string, stops: (() => unknown)[]): Promise<Services> {
  const given = process.env;
  if (given['DATABASE_URL'] && given['REDIS_URL'])
    return { DATABASE_URL: given['DATABASE_URL'], REDIS_URL: given['REDIS_URL'] };
  const postgres = await startPostgres({ dataDir: path.join(home, 'postgres') });
  stops.push(postgres.stop);
  const redis = await startRedis({ dir: path.join(home, 'redis') });
  stops.push(redis.stop);
  return { DATABASE_URL: postgres.url, REDIS_URL: redis.url };
}

async function tryAll(copy: string, bugs: readonly SeededBug[], services: Services): Promise<number> {
  const files = [...new Set(bugs.flatMap((bug) => bug.files))];
  const healthy = await runTests(copy, files, bugs.map(({ tests }) => tests).join('|'), services);
  row('-', 'the product as it is', healthy.failed === 0 && healthy.passed >= bugs.length, healthy);
  if (healthy.failed > 0 || healthy.passed < bugs.length) return 1;
  let blind = 0;
  for (const bug of bugs) {
    const undo = plant(copy, bug);
    const outcome = await runTests(copy, bug.files, bug.tests, services);
    undo();
    const found = outcome.messages.some((message) => bug.symptom.test(message));
    if (!found) blind += 1;
    row(bug.id, bug.what, found, outcome);
  }
  console.log(blind === 0 ? `all ${bugs.length} bugs were found` : `${blind} of ${bugs.length} bugs were not found`);
  return blind === 0 ? 0 : 1;
}

/** Throws when an edit does not fit exactly once. Answers how to take all edits back. */
function plant(copy: string, bug: SeededBug): () => void {
  const before = new Map(bug.edits.map(({ file }) => [file, fs.readFileSync(path.join(copy, file), 'utf8')]));
  const undo = (): void => {
    for (const [file, text] of before) fs.writeFileSync(path.join(copy, file), text);
  };
  try {
    for (const edit of bug.edits) apply(copy, bug.id, edit);
  } catch (error) {
    undo();
    throw error;
  }
  return undo;
}

function apply(copy: string, id: string, { file, find, put }: Edit): void {
  const target = path.join(copy, file);
  const pieces = fs.readFileSync(target, 'utf8').split(find);
  if (pieces.length !== 2)
    throw new Error(`${id} no longer fits ${file}: its text stands there ${pieces.length - 1} times`);
  fs.writeFileSync(target, pieces.join(put));
}

function row(id: string, what: string, good: boolean, { failed, passed, seconds, messages }: TestRun): void {
  const cells = [
    id.padEnd(4),
    (good ? 'ok' : 'NOT OK').padEnd(7),
    what.padEnd(62),
    `${failed} red, ${passed} green`.padEnd(17),
    `${seconds.toFixed(1)} s`.padStart(7),
    (messages[0] ?? '').split('\n')[0]?.slice(0, 90) ?? '',
  ];
  console.log(cells.join(' '));
}

process.exitCode = await main();
