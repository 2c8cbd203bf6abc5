import { randomBytes, randomUUID } from 'node:crypto';
import http from 'node:http';
import { Queue } from 'bullmq';
import pg from 'pg';
import { codeOf, waitUntil } from '../scripts/services/process.ts';
import { readJwtConfig } from '../src/config.ts';
import { mintToken } from '../src/http/mint.ts';
import { systemClock } from '../src/kernel/clock.ts';
import { COMPENSATION_QUEUE, FORWARD_QUEUE, NOTIFICATION_QUEUE, TASK_QUEUE } from '../src/queues/names.ts';
import { BACKGROUND_ROLES, type WorkerRole } from '../src/workers/roles.ts';
import { cpuMeter } from './cpu.ts';
import { runLoad } from './load.ts';
import { freePort, type Started } from './programs.ts';
import { seed, stayId, vacuum } from './seed.ts';
import type { Outcome, Subject } from './types.ts';

/** The whole system as a client meets it: one API process, one worker process, Postgres and Redis. */
export interface System extends Subject {
  /** Lets the sweeps that assign tasks and deliver messages run, or holds them back. */
  readonly sweep: (run: boolean) => Promise<void>;
  /** How much the sweeps have left to do. */
  readonly backlog: () => Promise<number>;
  /** Begins to count CPU time; what it returns, tells it. */
  readonly meter: () => () => { readonly cpuMs: number | null };
  readonly databaseUrl: string;
  readonly close: () => Promise<void>;
}

const PREFIX = 'bench';
const DRAINED_WITHIN_MS = 60_000;
const LOOK_EVERY_MS = 20;
const ANSWER_WITHIN_MS = 70_000;

export interface SystemOptions {
  readonly nodeArgs?: readonly string[];
  /** The tree whose programs are started; this one, unless it says another. */
  readonly root?: string;
  /** One worker for sagas and one for everything else, as `npm start` has them, instead of one for all. */
  readonly apart?: boolean;
}

export async function startSystem(
  started: Started,
  stays: Readonly<Record<Outcome, number>>,
  { nodeArgs = [], root, apart = false }: SystemOptions = {},
): Promise<System> {
  const databaseUrl = await started.database('bench_system', root);
  const tree = root === undefined ? {} : { root };
  await seed(databaseUrl, stays);
  const port = await freePort();
  const jwtKeys = `k1:${randomBytes(36).toString('base64url')}`;
  const env = {
    NODE_ENV: 'production',
    PAYMENT_GATEWAYS: 'sandbox',
    DATABASE_URL: databaseUrl,
    REDIS_URL: started.redis.url,
    QUEUE_PREFIX: PREFIX,
    JWT_KEYS: jwtKeys,
    HOST: '127.0.0.1',
    PORT: String(port),
    OPS_PORT: 'off',
    LOG_LEVEL: 'info',
    // Longer than any saga of an overloaded machine takes, so that each answer is an end.
    SAGA_WAIT_MS: '60000',
  };
  const queues = [FORWARD_QUEUE, COMPENSATION_QUEUE, NOTIFICATION_QUEUE, TASK_QUEUE].map(
    (name) => new Queue(name, { connection: { url: started.redis.url }, prefix: `{${PREFIX}}` }),
  );
  const [forward, compensation, notifications, tasks] = queues;
  if (!forward || !compensation || !notifications || !tasks) throw new Error('a queue is missing');
  const startWorker = (roles: readonly WorkerRole[] | null, queue: Queue) =>
    started.node('src/worker.ts', {
      env: roles === null ? env : { ...env, ROLES: roles.join(',') },
      nodeArgs,
      ...tree,
      ready: async () => (await queue.getWorkersCount()) > 0,
    });
  const worker = await startWorker(apart ? ['sagas'] : null, forward);
  const background = apart ? await startWorker(BACKGROUND_ROLES, notifications) : null;
  const api = await started.node('src/api.ts', { env, nodeArgs, ...tree, ready: () => isReady(port) });
  const token = await mintToken(readJwtConfig({ JWT_KEYS: jwtKeys }), systemClock, {
    sub: 'bench',
    grant: { role: 'ADMIN' },
    lifetimeSeconds: 3_600,
  });
  const pool = new pg.Pool({ connectionString: databaseUrl, max: 2, application_name: 'bench' });
  // When the bench is interrupted, the servers go first; a query under way fails by itself.
  pool.on('error', () => undefined);
  for (const queue of queues) queue.on('error', () => undefined);
  const agent = new http.Agent({ keepAlive: true, maxSockets: 2_048 });
  const used: Record<Outcome, number> = { confirm: 0, rollback: 0 };
  const meter = cpuMeter({
    api: [api.pid],
    worker: [worker.pid],
    ...(background ? { background: [background.pid] } : {}),
    postgres: [started.postgres.pid],
    redis: [started.redis.pid],
  });

  async function count(text: string): Promise<number> {
    const { rows } = await pool.query<{ n: string }>(text);
    return Number(rows[0]?.n ?? 0);
  }
  async function drained(): Promise<boolean> {
    if ((await count(OPEN_SAGAS)) > 0) return false;
    const counts = await Promise.all(
      [forward, compensation].map((queue) => queue?.getJobCounts('wait', 'active', 'waiting-children', 'delayed')),
    );
    return counts.every((states) => Object.values(states ?? {}).every((jobs) => jobs === 0));
  }

  return {
    databaseUrl,
    meter: meter.start,
    sweep: async (run) => {
      for (const queue of [notifications, tasks]) await (run ? queue.resume() : queue.pause());
      if (run) return;
      const idle = async () => (await notifications.getActiveCount()) + (await tasks.getActiveCount()) === 0;
      if (!(await waitUntil(idle, DRAINED_WITHIN_MS))) throw new Error('the sweeps did not come to rest');
    },
    backlog: () => count(BACKLOG),
    settle: () => vacuum(databaseUrl),
    measure: async (outcome, plan) => {
      const from = used[outcome];
      const maxUnits = Math.min(plan.maxUnits, stays[outcome] - from);
      const expected = outcome === 'confirm' ? 200 : 409;
      const endedBefore = await count(ENDED[outcome]);
      const stop = meter.start();
      const startedAt = performance.now();
      const result = await runLoad({ ...plan, maxUnits }, async (index) => {
        const { status, body } = await confirm(agent, port, token, stayId(outcome, from + index));
        if (status !== expected) throw new Error(`answered ${status}: ${body.slice(0, 200)}`);
      });
      if (!(await waitUntil(drained, DRAINED_WITHIN_MS, LOOK_EVERY_MS))) throw new Error('the queues did not drain');
      const elapsedMs = performance.now() - startedAt;
      const cpu = stop();
      used[outcome] = from + result.done + result.failed;
      const ended = (await count(ENDED[outcome])) - endedBefore;
      if (ended !== result.done)
        throw new Error(`${result.done} sagas were answered for and ${ended} ended: ${result.failures.join('; ')}`);
      return { ...result, elapsedMs, ...cpu };
    },
    close: async () => {
      agent.destroy();
      await Promise.all([pool.end(), ...queues.map((queue) => queue.close())]);
      await Promise.all([api.stop(), worker.stop(), background?.stop()]);
    },
  };
}

const OPEN_SAGAS = `SELECT count(*) AS n FROM saga WHERE status IN ('pending', 'running', 'compensating')`;
const ENDED: Readonly<Record<Outcome, string>> = {
  confirm: `SELECT count(*) AS n FROM saga WHERE status = 'completed'`,
  rollback: `SELECT count(*) AS n FROM saga WHERE status = 'compensated'`,
};
const BACKLOG = `SELECT (SELECT count(*) FROM task WHERE status = 'UNASSIGNED' AND next_assign_at <= now())
  + (SELECT count(*) FROM notification WHERE status IN ('QUEUED', 'SENDING')) AS n`;

const isReady = (port: number): Promise<boolean> =>
  new Promise((resolve) => {
    http
      .get({ host: '127.0.0.1', port, path: '/readyz' }, (response) => {
        response.resume();
        resolve(response.statusCode === 200);
      })
      .on('error', () => resolve(false));
  });

interface Answer {
  readonly status: number;
  readonly body: string;
}

/** A connection that the server closed just when it was used again: asked once more, under the same key. */
async function confirm(agent: http.Agent, port: number, token: string, stay: string): Promise<Answer> {
  const key = randomUUID();
  try {
    return await post(agent, port, token, stay, key);
  } catch (error) {
    if (codeOf(error) !== 'ECONNRESET') throw error;
    return await post(agent, port, token, stay, key);
  }
}

function post(agent: http.Agent, port: number, token: string, stay: string, key: string): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const request = http.request(
      {
        agent,
        host: '127.0.0.1',
        port,
        method: 'POST',
        path: `/api/production/reservations/${stay}/confirm`,
        headers: {
          Authorization: `Bearer ${token}`,
          'Content-Type': 'application/json',
          'Content-Length': 2,
          'Idempotency-Key': key,
        },
        timeout: ANSWER_WITHIN_MS,
      },
      (response) => {
        const chunks: Buffer[] = [];
        response.on('data', (chunk: Buffer) => chunks.push(chunk));
        response.on('end', () => resolve({ status: response.statusCode ?? 0, body: Buffer.concat(chunks).toString() }));
        response.on('error', reject);
      },
    );
    request.on('timeout', () => request.destroy(new Error('no answer in time')));
    request.on('error', reject);
    request.end('{}');
  });
}
