import { randomBytes } from 'node:crypto';
import path from 'node:path';
import { Queue } from 'bullmq';
import pg from 'pg';
import { waitUntil } from '../scripts/services/process.ts';
import { type JwtConfig, readJwtConfig } from '../src/config.ts';
import type { Role } from '../src/http/auth.ts';
import { mintToken, type TokenRequest } from '../src/http/mint.ts';
import { systemClock } from '../src/kernel/clock.ts';
import { COMPENSATION_QUEUE, FORWARD_QUEUE, NOTIFICATION_QUEUE, TASK_QUEUE } from '../src/queues/names.ts';
import { BACKGROUND_ROLES, type WorkerRole } from '../src/workers/roles.ts';
import { letIn } from './accounts.ts';
import { ACTIONS, type Action } from './actions.ts';
import { cpuMeter } from './cpu.ts';
import { BENCH_FIELD_KEYS } from './field-keys.ts';
import { type Client, createClient, isReady } from './http.ts';
import { type LoadPlan, type LoadResult, runLoad } from './load.ts';
import { freePort, type Started } from './programs.ts';
import { refuseAndNumber, seed, vacuum } from './seed.ts';
import type { Cpu, Measured, Outcome, Subject } from './types.ts';
import { type Wal, walMeter } from './wal.ts';

/** The whole system as a client meets it: one API process, one worker process, Postgres and Redis. */
export interface System extends Subject {
  /** Lets the sweeps that assign tasks and deliver messages run, or holds them back. */
  readonly sweep: (run: boolean) => Promise<void>;
  /** How much the sweeps have left to do by now. */
  readonly backlog: () => Promise<number>;
  readonly count: (what: keyof typeof COUNTS) => Promise<number>;
  /** Begins to count CPU time; what it returns, tells it. */
  readonly meter: () => () => Cpu;
  /** Begins to count WAL; what it returns, tells it. */
  readonly wal: () => Promise<() => Promise<Wal>>;
  /** One request for each stay from the `from`th on, with its answer; what follows may still be under way. */
  readonly send: (action: Action, plan: LoadPlan, from: number) => Promise<LoadResult>;
  /** `send`, until every saga has ended and the queues are empty. Throws when not all that were answered for have. */
  readonly act: (action: Action, plan: LoadPlan, from: number) => Promise<Measured>;
  /** Waits until nothing of stays is left to do: no open saga, no task or message due, every event numbered. */
  readonly rest: () => Promise<void>;
  /** Waits until the integrity of all that was changed has been looked at, which a sweep does once a minute. */
  readonly checked: () => Promise<void>;
  /** What a consumer of the feed does; it is by this that events get their numbers. */
  readonly readFeed: () => Promise<void>;
  readonly databaseUrl: string;
  /** The first process of each program. */
  readonly processes: Readonly<Record<string, readonly number[]>>;
  /** As `meter`, for what is short (`cpu.ts`). */
  readonly exactMeter: () => () => Cpu;
  /** A client with the rights of that role. */
  readonly clientOf: (role: Role, sub: string) => Client;
  /** Stops the workers where they are, and lets them go on: so that several systems do not disturb each other. */
  readonly freeze: () => void;
  readonly thaw: () => void;
}
export interface SystemOptions {
  /** Of the database and in Redis. */
  readonly name?: string;
  readonly nodeArgs?: (program: 'api' | 'worker') => readonly string[];
  /** The tree that runs; this one, unless it says another. */
  readonly root?: string;
  /** One worker for sagas and one for everything else, as `npm start` has them, instead of one for all. */
  readonly apart?: boolean;
  /** A database that has its schema and its stays; it stays when the system is closed. */
  readonly existing?: string;
  readonly env?: Readonly<Record<string, string>>;
}

const TOKEN_SECONDS = 3_600;
const DRAINED_WITHIN_MS = 60_000;
const AT_REST_WITHIN_MS = 180_000;
const LOOK_EVERY_MS = 20;
const LOOK_FOR_REST_EVERY_MS = 500;

export async function startSystem(
  started: Started,
  stays: Readonly<Record<Outcome, number>>,
  { name = 'system', nodeArgs = () => [], root, apart = false, existing, env = {} }: SystemOptions = {},
): Promise<System> {
  const databaseUrl = existing ?? (await started.database(`bench_${name}`, root));
  if (existing === undefined) {
    await seed(databaseUrl, stays);
    await refuseAndNumber(databaseUrl);
  }
  const programs = await startPrograms(started, databaseUrl, { name, nodeArgs, root, apart, env });
  const { client, notifications, tasks } = programs;
  const pool = new pg.Pool({ connectionString: databaseUrl, max: 2, application_name: 'bench' });
  // When the bench is interrupted, the servers go first; a query under way fails by itself.
  pool.on('error', () => undefined);
  const used: Record<Outcome, number> = { confirm: 0, rollback: 0 };
  const processes = {
    api: [programs.api.pid],
    worker: [programs.worker.pid],
    ...(programs.background ? { background: [programs.background.pid] } : {}),
    postgres: [started.postgres.pid],
    redis: [started.redis.pid],
  };
  const meter = cpuMeter(processes);
  const workers = [programs.worker, ...(programs.background ? [programs.background] : [])];

  const { number, drained } = looksAt(pool, programs);
  const send = sender(client);
  const act: System['act'] = async (action, plan, from) => {
    const { saga, ends } = ACTIONS[action];
    const since = await number('SELECT extract(epoch FROM now()) AS n');
    const stop = meter.start();
    const startedAt = performance.now();
    const result = await send(action, plan, from);
    if (!(await waitUntil(drained, DRAINED_WITHIN_MS, LOOK_EVERY_MS))) throw new Error('the queues did not drain');
    const elapsedMs = performance.now() - startedAt;
    const cpu = stop();
    const came = await number(ENDED_SINCE, [saga, ends, since]);
    if (came !== result.done)
      throw new Error(`${result.done} sagas were answered for and ${came} ended: ${result.failures.join('; ')}`);
    return { ...result, elapsedMs, ...cpu };
  };

  return {
    databaseUrl,
    processes,
    meter: meter.start,
    exactMeter: cpuMeter(processes, { exact: true }).start,
    clientOf: programs.clientOf,
    freeze: () => {
      for (const { pid } of workers) process.kill(pid, 'SIGSTOP');
    },
    thaw: () => {
      for (const { pid } of workers) process.kill(pid, 'SIGCONT');
    },
    wal: () => walMeter(pool),
    send,
    act,
    backlog: () => number(BACKLOG),
    count: (what) => number(COUNTS[what]),
    sweep: async (run) => {
      for (const queue of [notifications, tasks]) await (run ? queue.resume() : queue.pause());
      if (run) return;
      const idle = async () => (await notifications.getActiveCount()) + (await tasks.getActiveCount()) === 0;
      if (!(await waitUntil(idle, DRAINED_WITHIN_MS))) throw new Error('the sweeps did not come to rest');
    },
    rest: async () => {
      const left = leftIn((await number(`SELECT (to_regclass('reminder_mark') IS NOT NULL)::int AS n`)) === 1);
      const atRest = async () => (await number(left)) === 0;
      if (!(await waitUntil(atRest, AT_REST_WITHIN_MS, LOOK_FOR_REST_EVERY_MS)))
        throw new Error('the stays did not come to rest');
    },
    checked: async () => {
      const isChecked = async () => (await number('SELECT count(*) AS n FROM integrity_mark')) === 0;
      if (!(await waitUntil(isChecked, AT_REST_WITHIN_MS, LOOK_FOR_REST_EVERY_MS)))
        throw new Error('not all that was changed was looked at');
    },
    readFeed: async () => {
      const { status } = await client.get('/api/production/events?after=0&limit=1');
      if (status !== 200) throw new Error(`the feed answered ${status}`);
    },
    settle: () => vacuum(databaseUrl),
    measure: async (outcome, plan) => {
      const from = used[outcome];
      const measured = await act(outcome, { ...plan, maxUnits: Math.min(plan.maxUnits, stays[outcome] - from) }, from);
      used[outcome] = from + measured.done + measured.failed;
      return measured;
    },
    close: async () => {
      await pool.end();
      await programs.close();
      if (existing === undefined) await started.drop(databaseUrl);
    },
  };
}

/** A token lives an hour at the most, and some benches take longer. */
function renewed(jwt: JwtConfig, request: Omit<TokenRequest, 'lifetimeSeconds'>): () => Promise<string> {
  let token: Promise<string> | undefined;
  let until = 0;
  return () => {
    const now = performance.now();
    if (token !== undefined && now < until) return token;
    until = now + (TOKEN_SECONDS / 2) * 1_000;
    token = mintToken(jwt, systemClock, { ...request, lifetimeSeconds: TOKEN_SECONDS });
    return token;
  };
}

type Programs = Awaited<ReturnType<typeof startPrograms>>;

/** `number` answers the column `n` of the only row; `drained` whether no saga is open and no step waits in Redis. */
function looksAt(pool: pg.Pool, programs: Pick<Programs, 'forward' | 'compensation'>) {
  async function number(text: string, values: readonly unknown[] = []): Promise<number> {
    const { rows } = await pool.query<{ n: string }>(text, [...values]);
    return Number(rows[0]?.n ?? 0);
  }
  async function drained(): Promise<boolean> {
    if ((await number(OPEN_SAGAS)) > 0) return false;
    const counts = await Promise.all(
      [programs.forward, programs.compensation].map((queue) =>
        queue.getJobCounts('wait', 'active', 'waiting-children', 'delayed'),
      ),
    );
    return counts.every((states) => Object.values(states).every((jobs) => jobs === 0));
  }
  return { number, drained };
}

const sender =
  (client: Client): System['send'] =>
  (action, plan, from) => {
    const { path: pathOf, body, status: expected } = ACTIONS[action];
    return runLoad(plan, async (index) => {
      const answer = await client.post(pathOf(from + index), body(from + index));
      if (answer.status !== expected) throw new Error(`answered ${answer.status}: ${answer.body.slice(0, 200)}`);
    });
  };

async function startPrograms(
  started: Started,
  databaseUrl: string,
  {
    name,
    nodeArgs,
    root,
    apart,
    env: more,
  }: Required<Pick<SystemOptions, 'name' | 'nodeArgs' | 'apart' | 'env'>> & { readonly root: string | undefined },
) {
  const prefix = `bench-${name}`;
  const port = await freePort();
  const jwtKeys = `k1:${randomBytes(36).toString('base64url')}`;
  const env = {
    NODE_ENV: 'production',
    PAYMENT_GATEWAYS: 'sandbox',
    DATABASE_URL: databaseUrl,
    REDIS_URL: started.redis.appUrl,
    QUEUE_PREFIX: prefix,
    ROOMY_DATA_DIR: path.join(started.directory, name),
    JWT_KEYS: jwtKeys,
    SEAL_KEYS: jwtKeys,
    FIELD_KEYS: BENCH_FIELD_KEYS,
    HOST: '127.0.0.1',
    PORT: String(port),
    OPS_PORT: 'off',
    LOG_LEVEL: 'info',
    // Longer than any saga of an overloaded machine takes, so that each answer is an end.
    SAGA_WAIT_MS: '60000',
    // One client asks as fast as it can, about few people: what is measured is the work, with the counting.
    RATE_LIMITS: 'reads=100000000,writes=100000000,payments=100000000,open-sagas=100000',
    MESSAGES_A_DAY:
      'guest-email=1000000,guest-sms=1000000,owner-email=1000000,owner-sms=1000000,staff-email=1000000,staff-sms=1000000',
    ...more,
  };
  const open = (queue: string) => {
    const opened = new Queue(queue, { connection: { url: started.redis.url }, prefix: `{${prefix}}` });
    opened.on('error', () => undefined);
    return opened;
  };
  const queues = {
    forward: open(FORWARD_QUEUE),
    compensation: open(COMPENSATION_QUEUE),
    notifications: open(NOTIFICATION_QUEUE),
    tasks: open(TASK_QUEUE),
  };
  const tree = root === undefined ? {} : { root };
  const startWorker = (roles: readonly WorkerRole[] | null, queue: Queue) =>
    started.node('src/worker.ts', {
      env: roles === null ? env : { ...env, ROLES: roles.join(',') },
      nodeArgs: nodeArgs('worker'),
      ...tree,
      ready: async () => (await queue.getWorkersCount()) > 0,
    });
  const worker = await startWorker(apart ? ['sagas'] : null, queues.forward);
  const background = apart ? await startWorker(BACKGROUND_ROLES, queues.notifications) : null;
  const api = await started.node('src/api.ts', {
    env,
    nodeArgs: nodeArgs('api'),
    ...tree,
    ready: () => isReady(port),
  });
  const jwt = readJwtConfig({ JWT_KEYS: jwtKeys });
  const clientOf: System['clientOf'] = (role, sub) => {
    const inForce = letIn(databaseUrl, role, sub);
    const token = renewed(jwt, { sub, grant: { role } });
    return createClient(port, () => inForce.then(token));
  };
  const client = clientOf('ADMIN', 'bench');
  return {
    ...queues,
    api,
    worker,
    background,
    client,
    clientOf,
    close: async () => {
      client.close();
      await Promise.all(Object.values(queues).map((queue) => queue.close()));
      await Promise.all([api.stop(), worker.stop(), background?.stop()]);
    },
  };
}

/** By indexes, here and below: over a long history anything else would cost more than what is measured. */
const OPEN_SAGAS = `SELECT count(*) AS n FROM saga WHERE finished_at IS NULL AND status <> 'parked'`;
const ENDED_SINCE =
  'SELECT count(*) AS n FROM saga WHERE name = $1 AND status = $2 AND requested_at >= to_timestamp($3::float8)';
const BACKLOG = `SELECT (SELECT count(*) FROM task WHERE status = 'UNASSIGNED' AND next_assign_at <= now())
  + (SELECT count(*) FROM notification_due WHERE due_at <= now()) AS n`;
const COUNTS = {
  assigned: `SELECT count(*) AS n FROM task WHERE status = 'ASSIGNED'`,
  sent: `SELECT count(*) AS n FROM notification WHERE status = 'SENT'`,
  numbered: 'SELECT last_seq AS n FROM event_feed',
  sagas: `SELECT count(*) AS n FROM saga WHERE status IN ('completed', 'compensated')`,
} as const;
/** Before marks of their own stood for them. */
const UNMARKED = `(SELECT r.id FROM reservation r WHERE r.reminded_version IS DISTINCT FROM r.version
    AND (r.status <> 'PENDING' OR r.reminded_version IS NOT NULL) ORDER BY r.id LIMIT 1) IS NOT NULL`;
/** Soon due counts as due: what somebody else was quicker with is put off by a second. Cheap, as it is asked meanwhile: the order leads to the index. */
const leftIn = (
  hasMarks: boolean,
): string => `SELECT ((SELECT s.id FROM saga s WHERE s.finished_at IS NULL AND s.status <> 'parked' ORDER BY s.next_check_at LIMIT 1) IS NOT NULL
  OR (SELECT t.id FROM task t WHERE t.status = 'UNASSIGNED' AND t.next_assign_at <= now() + interval '5 seconds' ORDER BY t.next_assign_at LIMIT 1) IS NOT NULL
  OR (SELECT d.due_at FROM notification_due d WHERE d.due_at <= now() + interval '5 seconds' ORDER BY d.due_at LIMIT 1) IS NOT NULL
  OR ${hasMarks ? 'EXISTS (SELECT FROM reminder_mark)' : UNMARKED}
  OR (SELECT e.id FROM domain_event e WHERE e.id >= (SELECT f.from_id FROM event_feed f)
    AND coalesce((SELECT p.event_id + coalesce((to_jsonb(p) ->> 'events')::int, 1) FROM event_run p WHERE p.event_id <= e.id ORDER BY p.event_id DESC LIMIT 1), 0) <= e.id
    ORDER BY e.id LIMIT 1) IS NOT NULL)::int AS n`;
