import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { sql } from 'kysely';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { clockOfThisProcess } from '../../scripts/services/process.ts';
import { createDb, createPool, type Db } from '../../src/db/client.ts';
import { noOutages } from '../../src/kernel/outages.ts';
import { connectQueues, type QueueConnection } from '../../src/queues/connection.ts';
import { JOBS, type SweepQueueRow } from '../../src/workers/jobs.ts';
import { createTestDatabase, type TestDatabase } from '../setup/database.ts';
import { until } from '../setup/engine.ts';

/** Workers that share the roles between them, as programs. */

const ROOT = path.join(import.meta.dirname, '../..');
const PREFIX = `roles-${process.pid}`;
let database: TestDatabase;
let db: Db;
let queues: QueueConnection;
let dataDir: string;
const running: ChildProcess[] = [];
beforeAll(async () => {
  database = await createTestDatabase();
  db = createDb(createPool({ connectionString: database.url, max: 2, applicationName: 'onlooker' }));
  queues = connectQueues(inject('redisAdminUrl'), PREFIX, noOutages);
  dataDir = await mkdtemp(path.join(tmpdir(), 'roomy-roles-'));
});
afterAll(async () => {
  await Promise.all(running.map((child) => stop(child, 'SIGKILL')));
  await Promise.all(queues.queues.map((queue) => queue.obliterate({ force: true })));
  await queues.close();
  await db.destroy();
  await database.drop();
  await rm(dataDir, { recursive: true, force: true });
});

async function startWorker(roles: string): Promise<{ readonly child: ChildProcess; readonly first: unknown }> {
  const child = spawn(process.execPath, ['src/worker.ts'], {
    cwd: ROOT,
    env: {
      ...clockOfThisProcess(),
      PATH: process.env['PATH'],
      NODE_ENV: 'test',
      DATABASE_URL: database.url,
      REDIS_URL: inject('redisUrl'),
      JWT_KEYS: 'k1:roles-0123456789-abcdefghijklmnopqrstuvwxyz',
      ROOMY_DATA_DIR: dataDir,
      QUEUE_PREFIX: PREFIX,
      ROLES: roles,
    },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  running.push(child);
  let text = '';
  child.stdout.setEncoding('utf8').on('data', (part: string) => {
    text += part;
  });
  await until('the worker is ready', async () => (text.includes('"msg":"ready"') ? true : undefined), 30_000);
  return { child, first: JSON.parse(text.split('\n')[0] ?? '') };
}
async function stop(child: ChildProcess, signal: NodeJS.Signals = 'SIGTERM'): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const ended = new Promise((resolve) => child.once('exit', resolve));
  child.kill(signal);
  await ended;
}

/** By the query that the manual gives to operators. */
async function unserved(): Promise<readonly string[]> {
  const manual = await readFile(path.join(ROOT, 'docs/deploy.md'), 'utf8');
  const query = /```sql\n(SELECT role FROM [\s\S]+?)```/.exec(manual)?.[1] ?? '';
  const { rows } = await sql.raw<{ role: string }>(query).execute(db);
  return rows.map(({ role }) => role);
}
const servedQueues = async (): Promise<readonly string[]> => {
  const counts = await Promise.all(queues.queues.map(async (queue) => [queue.name, await queue.getWorkersCount()]));
  return counts.filter(([, count]) => count === 1).map(([name]) => String(name));
};

describe('workers with roles', () => {
  it('serve their own queues, and have the schedules of all roles made, whichever starts first', async () => {
    expect(await unserved()).toEqual(['sagas', 'messages', 'tasks', 'finance', 'webhooks', 'recurring']);
    const background = await startWorker('webhooks,tasks');
    expect(background.first).toMatchObject({ msg: 'starting', roles: ['tasks', 'webhooks'] });
    expect((await servedQueues()).toSorted()).toEqual(['tasks', 'webhooks']);
    expect(await unserved()).toEqual(['sagas', 'messages', 'finance', 'recurring']);
    const wanted = Object.values<SweepQueueRow<never>>(JOBS).flatMap(({ jobs }) =>
      Object.values(jobs).map(({ scheduler }) => scheduler),
    );
    const schedulers = () => Promise.all(queues.queues.map((queue) => queue.getJobSchedulers()));
    await until('every schedule exists', async () =>
      (await schedulers()).flat().length >= wanted.length ? true : undefined,
    );
    expect(
      (await schedulers())
        .flat()
        .map(({ key }) => key)
        .toSorted(),
    ).toEqual(wanted.toSorted());

    const others = await startWorker('sagas,messages,finance,recurring');
    expect(others.first).toMatchObject({ roles: ['sagas', 'messages', 'finance', 'recurring'] });
    expect((await servedQueues()).toSorted()).toEqual(queues.queues.map(({ name }) => name).toSorted());
    expect(await unserved()).toEqual([]);
    await stop(background.child);
    await until('its roles are missed', async () =>
      (await unserved()).join() === 'tasks,webhooks' ? true : undefined,
    );
    const all = await startWorker('');
    expect(all.first).toMatchObject({ roles: ['sagas', 'messages', 'tasks', 'finance', 'webhooks', 'recurring'] });
    expect(await unserved()).toEqual([]);
    await Promise.all([others, all].map(({ child }) => stop(child)));
    expect([background, others, all].map(({ child }) => child.exitCode)).toEqual([0, 0, 0]);
  });
});
