import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { clockOfThisProcess } from '../../scripts/services/process.ts';
import { confirmReservation } from '../../src/sagas/index.ts';
import { expectInvariants } from '../faults/invariants.ts';
import { prepareStays, seedStay } from '../sagas/confirmation.ts';
import { expectIntegrity } from '../sagas/money.ts';
import { createTestbed, restOf, type Testbed, type TestProcess, until } from '../setup/engine.ts';

/** security.md H9: a worker that ends by a bug of its own while sagas are on their way, and the one that is started after it. */

const ROOT = path.join(import.meta.dirname, '../..');
/** Whatever moves them, these say in the middle of it what nobody catches. */
const BUGS = {
  'an error in a timer': 'setTimeout(() => { throw new Error("nobody catches this") }, 1)',
  'a rejection in a timer': 'setTimeout(async () => { throw new Error("nobody catches this") }, 1)',
};
const STAYS = 30;
let bed: Testbed;
let accepting: TestProcess;
let prefix: string;
let dataDir: string;
const running: ChildProcess[] = [];
beforeAll(async () => {
  bed = await createTestbed([confirmReservation]);
  prefix = bed.newPrefix();
  accepting = await bed.start({ prefix, works: false });
  dataDir = await mkdtemp(path.join(tmpdir(), 'roomy-uncaught-'));
  await prepareStays(bed.db);
}, 60_000);
afterAll(async () => {
  await Promise.all(running.map((child) => ended(child, 'SIGKILL')));
  await bed?.drop();
  await rm(dataDir, { recursive: true, force: true });
});

async function startWorker(bug: string): Promise<ChildProcess> {
  const planted = `data:text/javascript,${encodeURIComponent(`process.on('SIGUSR2', () => { ${bug} })`)}`;
  const child = spawn(process.execPath, [`--import=${planted}`, 'src/worker.ts'], {
    cwd: ROOT,
    env: {
      ...{ ...clockOfThisProcess(), PATH: process.env['PATH'], NODE_ENV: 'test', WORKER_CONCURRENCY: '4' },
      ...{ DATABASE_URL: bed.url, REDIS_URL: bed.redisUrl, QUEUE_PREFIX: prefix, ROOMY_DATA_DIR: dataDir },
      ...{ JWT_KEYS: 'k1:uncaught-0123456789-abcdefghijklmnopqrstuvwxyz', ROLES: 'sagas' },
    },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  running.push(child);
  let text = '';
  child.stdout?.setEncoding('utf8').on('data', (part: string) => {
    text += part;
  });
  await until('the worker is ready', async () => (text.includes('"msg":"ready"') ? true : undefined), 30_000);
  return child;
}
async function ended(child: ChildProcess, signal: NodeJS.Signals): Promise<number | null> {
  if (child.exitCode !== null || child.signalCode !== null) return child.exitCode;
  const end = new Promise<number | null>((resolve) => child.once('close', resolve));
  child.kill(signal);
  return end;
}
const countOf = async (status: string): Promise<number> =>
  (await bed.db.selectFrom('saga').select('status').execute()).filter((saga) => saga.status === status).length;

it.each(Object.entries(BUGS))(
  'H9: %s ends a worker with code 1, and the next one ends every saga well',
  async (_what, bug) => {
    const worker = await startWorker(bug);
    const before = await countOf('completed');
    const sagaIds: string[] = [];
    for (let n = 0; n < STAYS; n += 1) {
      const subjectId = await seedStay(bed.db);
      const input = { reservationId: subjectId, requireAssignment: false };
      sagaIds.push((await bed.accept(accepting, confirmReservation, { subjectId, input })).sagaId);
    }
    await until('some have moved', async () => ((await countOf('completed')) > before ? true : undefined));
    expect(await ended(worker, 'SIGUSR2')).toBe(1);
    const next = await startWorker(bug);
    for (const sagaId of sagaIds) expect(await restOf(bed.db, sagaId, 60_000)).toBe('completed');
    expect(await ended(next, 'SIGTERM')).toBe(0);
    await expectInvariants(bed.db);
    await expectIntegrity(bed.db);
  },
  120_000,
);
