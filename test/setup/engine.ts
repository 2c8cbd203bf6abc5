import { createHash, randomUUID } from 'node:crypto';
import { Redis } from 'ioredis';
import { sql } from 'kysely';
import pg from 'pg';
import { inject } from 'vitest';
import { createDb, createPool, type Db } from '../../src/db/client.ts';
import type { Direction, SagaStatus } from '../../src/db/schema.ts';
import type { Amenities, Ports } from '../../src/domain/ports.ts';
import { checkDefinition, type SagaDefinition } from '../../src/engine/definition.ts';
import { StepRetry } from '../../src/engine/errors.ts';
import { type Failpoint, noFailpoint } from '../../src/engine/failpoint.ts';
import { createRegistry } from '../../src/engine/registry.ts';
import type { AcceptedSaga, StepOutcome, StepPointer } from '../../src/engine/types.ts';
import { pause } from '../../src/kernel/clock.ts';
import { createCounters } from '../../src/kernel/counters.ts';
import { createLogger } from '../../src/kernel/log.ts';
import { keyPrefix } from '../../src/queues/connection.ts';
import { stepJobId } from '../../src/queues/jobs.ts';
import { COMPENSATION_QUEUE, FORWARD_QUEUE } from '../../src/queues/names.ts';
import { createEngine, type Engine } from '../../src/wiring.ts';
import { stepWork } from '../../src/workers/steps.ts';
import { createWorker, type QueueWorker, workerOptions } from '../../src/workers/worker.ts';
import { createTestDatabase, type TestDatabase } from './database.ts';
import { testFieldKeys } from './field-keys.ts';
import { APP_ROLE } from './template.ts';

/** Engines as the programs build them, in this process, on a database of their own; they can vanish like killed ones. */

/** Who asks in tests. */
export const PRINCIPAL = 'tester';
/** Undoing a step gives up after this many attempts here, and after twenty in production. */
export const COMPENSATION_ATTEMPTS = 2;
/** Production's waits between attempts are for outages, not for tests. */
const FAST_RETRY = { attempts: 25, baseMs: 2, maxMs: 20 };
const WITHIN_MS = 15_000;

export interface ProcessOptions {
  /** Those with the same prefix share queues: they are each other's competitors and heirs. */
  readonly prefix: string;
  readonly failpoint?: Failpoint;
  /** Takes jobs. Without, it only accepts, relays and does what `step` asks of it. Default true. */
  readonly works?: boolean;
  /** Executes the steps behind a job's own one as well, as production does. Default true. */
  readonly runOn?: boolean;
  readonly beforeJobEnds?: (pointer: StepPointer) => Promise<void>;
  /** Default: the testbed's. */
  readonly redisUrl?: string;
  readonly databaseUrl?: string;
  /** Starts the relay's loop. Default true. */
  readonly relay?: boolean;
  /** The definitions that this build knows. Default: every one of the testbed. */
  readonly knows?: (name: string, version?: number) => SagaDefinition | undefined;
  /** How soon it notices that the worker of a job has died. Default: as in production. */
  readonly stalledIntervalMs?: number;
  /** So often may a job be taken over before BullMQ gives up on it. */
  readonly maxStalledCount?: number;
  readonly logLevel?: string;
}

/** One process of the product, as a saga sees it. */
export interface TestProcess {
  readonly engine: Engine;
  readonly db: Db;
  readonly prefix: string;
  /** Runs what the pointer points at, without a job, and not the steps behind it. */
  step(pointer: StepPointer): Promise<StepOutcome>;
  /** Ends as SIGKILL ends a process: sockets are cut, promises never settle, nothing is handed back. */
  vanish(): Promise<void>;
  stop(): Promise<void>;
}

export interface Subject {
  readonly subjectId: string;
  readonly input: unknown;
}
export interface Asked extends AcceptedSaga {
  readonly key: string;
}

export interface Testbed {
  readonly url: string;
  readonly redisUrl: string;
  /** An onlooker's pool; no process under test uses it. */
  readonly db: Db;
  /** All processes of this bed know the definition from now on. */
  register(definition: SagaDefinition): void;
  newPrefix(): string;
  start(options: ProcessOptions): Promise<TestProcess>;
  /** Asks with an idempotency key, a new one by default, and notes the answer for the invariants. */
  accept(process: TestProcess, definition: SagaDefinition, subject: Subject, key?: string): Promise<Asked>;
  /** A connection of the harness, for holding locks. */
  client(): Promise<pg.Client>;
  drop(): Promise<void>;
}

/** For what speaks to no devices. */
export const NO_DEVICES: Amenities = {
  activate: async () => {
    throw new Error('no devices in this test');
  },
  changePeriod: async () => {
    throw new Error('no devices in this test');
  },
  deactivate: async () => {
    throw new Error('no devices in this test');
  },
  grantsOf: async () => [],
};

/** For sagas that speak to nobody. */
const NO_PORTS: Ports = {
  amenities: NO_DEVICES,
  gatewayIds: [],
  gateway: () => {
    throw new Error('no gateway in this test');
  },
  payouts: () => {
    throw new Error('no gateway in this test');
  },
  amountStep: () => 1,
};

export async function createTestbed(
  definitions: readonly SagaDefinition[],
  ports: Ports = NO_PORTS,
  own?: TestDatabase,
  /** False: one installation alone has the database, whose schema stays as migrations make it. */
  isShared = true,
): Promise<Testbed> {
  const database = own ?? (await createTestDatabase());
  const redisUrl = inject('redisUrl');
  const onlookers = createPool({ connectionString: database.url, max: 4, applicationName: 'onlooker' });
  const db = createDb(onlookers, testFieldKeys());
  const registry = createRegistry(definitions);
  const added = new Map<string, SagaDefinition>();
  const definitionOf = (name: string, version?: number): SagaDefinition | undefined =>
    added.get(`${name}@${version}`) ?? registry.definitionOf(name, version);
  const living = new Set<TestProcess>();
  const clients: pg.Client[] = [];
  const prefixes = new Set<string>();
  if (isShared) await sql.raw(CHAOS).execute(db);

  return {
    url: database.url,
    redisUrl,
    db,
    register(definition) {
      checkDefinition(definition);
      added.set(`${definition.name}@${definition.version}`, definition);
    },
    newPrefix: () => `t-${randomUUID()}`.slice(0, 16),
    async start(options) {
      prefixes.add(options.prefix);
      const process = await startProcess({ databaseUrl: database.url, redisUrl, ...options, definitionOf, ports });
      living.add(process);
      const forgetting = (end: () => Promise<void>) => () => {
        living.delete(process);
        return end();
      };
      return Object.assign(process, { stop: forgetting(process.stop), vanish: forgetting(process.vanish) });
    },
    async accept({ engine }, definition, { subjectId, input }, key = randomUUID()) {
      const accepted = await engine.orchestrator.accept(definition, {
        subjectId,
        input,
        requester: { sub: PRINCIPAL, requestId: `request-${key}` },
        idempotency: { key, requestHash: sha256(`${definition.name} ${subjectId} ${JSON.stringify(input)}`) },
      });
      await noteAnswer(db, key, accepted.sagaId, accepted.accepted);
      return { ...accepted, key };
    },
    async client() {
      const client = new pg.Client({ connectionString: database.url, application_name: 'harness' });
      client.on('error', () => undefined);
      await client.connect();
      clients.push(client);
      return client;
    },
    async drop() {
      await Promise.all([...living].map((process) => process.stop()));
      await Promise.all(clients.map((client) => client.end()));
      await db.destroy();
      await forgetQueues(redisUrl, [...prefixes]);
      await database.drop();
    },
  };
}

/**
 * The clients' log of guarantees.md 3.5, and a shorter temper for undoing. Many installations share the database, one
 * per prefix: each relay sees the orders of its own only, which row security of a lesser role brings about.
 */
const CHAOS = `
CREATE SCHEMA chaos;
GRANT USAGE ON SCHEMA chaos TO ${APP_ROLE};
ALTER DEFAULT PRIVILEGES IN SCHEMA chaos GRANT ALL ON TABLES TO ${APP_ROLE};
ALTER TABLE outbox ADD COLUMN installation text DEFAULT current_setting('chaos.installation', true);
ALTER TABLE outbox ENABLE ROW LEVEL SECURITY;
CREATE POLICY own_orders ON outbox USING (installation IS NOT DISTINCT FROM current_setting('chaos.installation', true));
CREATE TABLE chaos.client_op (op_id text PRIMARY KEY DEFAULT gen_random_uuid()::text, principal text NOT NULL, idem_key text,
  http_status int NOT NULL, saga_status text, error_code text, saga_id text, body_sha256 bytea);
CREATE FUNCTION chaos.impatient() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  NEW.max_attempts := least(NEW.max_attempts, ${COMPENSATION_ATTEMPTS});
  RETURN NEW;
END $$;
CREATE TRIGGER impatient BEFORE INSERT ON saga_step FOR EACH ROW WHEN (NEW.direction = 'C') EXECUTE FUNCTION chaos.impatient();
`;

export const sha256 = (bytes: string | Uint8Array): Buffer => createHash('sha256').update(bytes).digest();

/** `pending` or `parked` of a 202; null of a final answer. */
function acceptedStatus({ status, body }: { readonly status: number; readonly body: Uint8Array }): string | null {
  if (status !== 202) return null;
  const { data } = JSON.parse(Buffer.from(body).toString()) as { readonly data: { readonly status: string } };
  return data.status;
}

/** The answers that clients got, for I01 and I24 to I26. */
export async function noteAnswer(
  db: Db,
  key: string | null,
  sagaId: string,
  answer: { readonly status: number; readonly body: Uint8Array },
): Promise<void> {
  await sql`INSERT INTO chaos.client_op (principal, idem_key, http_status, saga_status, saga_id, body_sha256)
    VALUES (${PRINCIPAL}, ${key}, ${answer.status}, ${acceptedStatus(answer)}, ${sagaId}, ${sha256(answer.body)})`.execute(
    db,
  );
}

interface StartOptions extends ProcessOptions {
  readonly databaseUrl: string;
  readonly redisUrl: string;
  readonly definitionOf: (name: string, version?: number) => SagaDefinition | undefined;
  readonly ports: Ports;
}

/** Put on every connection of pg; not in its types. */
interface WithSocket {
  readonly connection: { readonly stream: { destroy(): void } };
}

async function startProcess(options: StartOptions): Promise<TestProcess> {
  const { prefix, redisUrl, runOn = true } = options;
  const definitionOf = options.knows ?? options.definitionOf;
  const databaseUrl = ofInstallation(options.databaseUrl, prefix);
  const log = createLogger('test', options.logLevel ?? 'silent');
  const sockets = new Set<WithSocket>();
  const pool = createPool({ connectionString: databaseUrl, max: 5, applicationName: prefix });
  const death = Promise.withResolvers<never>();
  death.promise.catch(() => undefined);
  let vanished = false;
  pool.on('connect', (client) => {
    const socket = client as unknown as WithSocket;
    sockets.add(socket);
    // One that was being opened when the process died was never open.
    if (vanished) socket.connection.stream.destroy();
  });
  const db = createDb(pool, testFieldKeys());
  /** Stops a saga's run-on, after the step that is being run. */
  const stops = new Map<string, AbortController>();
  /** Sagas of `stops` whose step has begun. */
  const begun = new Set<string>();
  const strike = options.failpoint ?? noFailpoint;
  let atFailpoints = 0;
  const engine = createEngine({
    db,
    databaseUrl,
    redisUrl,
    queuePrefix: prefix,
    log,
    processId: `process-${randomUUID().slice(0, 8)}`,
    definitionOf,
    ports: options.ports,
    failpoint: async (name, place) => {
      const stop = stops.get(place.sagaId);
      if (name === 'after-commit') stop?.abort();
      if (name === 'before-step' && stop) {
        // A step behind it, which may be sent before the first is committed.
        if (begun.has(place.sagaId)) return stop.abort();
        begun.add(place.sagaId);
      }
      // The relay's loop must not wait for ever where the process died: its end would wait for the loop.
      const struck = strike(name, place);
      atFailpoints += 1;
      await (name.endsWith('-publish') ? Promise.race([struck, death.promise]) : struck).finally(() => {
        atFailpoints -= 1;
      });
    },
  });

  async function step(pointer: StepPointer, signal?: AbortSignal): Promise<StepOutcome> {
    const stop = new AbortController();
    stops.set(pointer.sagaId, stop);
    // A call is not to be cut short by its own commit.
    const bounded = signal ? AbortSignal.any([signal, stop.signal]) : stop.signal;
    return engine.execute(pointer, bounded).finally(() => {
      stops.delete(pointer.sagaId);
      begun.delete(pointer.sagaId);
    });
  }
  async function execute(pointer: StepPointer, signal: AbortSignal): Promise<StepOutcome> {
    try {
      const outcome = runOn ? await engine.execute(pointer, signal) : await step(pointer, signal);
      if (outcome.outcome === 'done') await options.beforeJobEnds?.(pointer);
      return outcome;
    } catch (error) {
      throw error instanceof StepRetry ? new StepRetry(error.cause, FAST_RETRY) : error;
    }
  }

  const workers: QueueWorker[] = [];
  if (options.works ?? true) {
    const base = {
      ...workerOptions(redisUrl, prefix),
      ...(options.stalledIntervalMs === undefined ? {} : { stalledInterval: options.stalledIntervalMs }),
      ...(options.maxStalledCount === undefined ? {} : { maxStalledCount: options.maxStalledCount }),
    };
    const runtime = { options: base, log, counters: createCounters(), alert: async () => undefined };
    for (const queue of [FORWARD_QUEUE, COMPENSATION_QUEUE] as const)
      workers.push(createWorker(stepWork({ queue, concurrency: 16, execute }), runtime));
  }
  if (options.relay ?? true) engine.relay.start();
  await Promise.all(workers.map(({ bullmq }) => bullmq.waitUntilReady()));
  if (engine.queues.producer.status !== 'ready') {
    await new Promise<void>((resolve) => {
      engine.queues.producer.once('ready', resolve);
      engine.queues.producer.once('error', () => resolve());
    });
  }

  /** From here on, nothing of it can reach Postgres again; its own promises may wait for ever. */
  function cutOff(): void {
    for (const { connection } of sockets) connection.stream.destroy();
    void pool.end().catch(() => undefined);
  }

  return {
    engine,
    db,
    prefix,
    step: (pointer) => step(pointer),
    async vanish() {
      vanished = true;
      cutOff();
      death.reject(new Error('this process is dead'));
      engine.queues.producer.disconnect();
      await Promise.all(workers.map(({ bullmq }) => bullmq.close(true)));
      await engine.close();
    },
    async stop() {
      await Promise.all(workers.map((worker) => worker.close()));
      await engine.close();
      // What died at a failpoint may keep its connection for ever.
      if (atFailpoints > 0) cutOff();
      else await db.destroy();
    },
  };
}

function ofInstallation(databaseUrl: string, prefix: string): string {
  const url = new URL(databaseUrl);
  url.searchParams.set('options', `-c role=${APP_ROLE} -c chaos.installation=${prefix}`);
  return url.href;
}

/** Removes all that these installations have in Redis: as the account that may list keys, which that of the programs may not. */
export async function forgetQueues(redisUrl: string, prefixes: readonly string[]): Promise<void> {
  const shared = inject('redisUrl');
  const redis = new Redis(redisUrl === shared ? inject('redisAdminUrl') : redisUrl);
  for (const prefix of prefixes) {
    for await (const keys of redis.scanStream({ match: `${keyPrefix(prefix)}:*`, count: 1_000 })) {
      const found: unknown = keys;
      if (Array.isArray(found) && found.length > 0) await redis.unlink(found.map(String));
    }
  }
  redis.disconnect();
}

/** Resolves with the first answer that is not undefined; fails with `what` after the deadline. */
export async function until<T>(what: string, look: () => Promise<T | undefined>, withinMs = WITHIN_MS): Promise<T> {
  const deadline = performance.now() + withinMs;
  for (;;) {
    const answer = await look();
    if (answer !== undefined) return answer;
    if (performance.now() > deadline) throw new Error(`waited in vain: ${what}`);
    await pause(15);
  }
}

/** The saga's status as soon as it rests: it has ended, or waits for a person. */
export async function restOf(db: Db, sagaId: string, withinMs = WITHIN_MS): Promise<SagaStatus> {
  let last = '';
  try {
    return await until(
      `${sagaId} comes to rest`,
      async () => {
        const row = await db
          .selectFrom('saga')
          .select(['status', 'current_step', 'generation'])
          .where('id', '=', sagaId)
          .executeTakeFirst();
        last = JSON.stringify(row);
        return row && !['pending', 'running', 'compensating'].includes(row.status) ? row.status : undefined;
      },
      withinMs,
    );
  } catch (error) {
    throw new Error(`saga is still open: ${last}`, { cause: error });
  }
}

/** Nothing that the saga ordered waits to be carried any more. */
export async function drained(db: Db, sagaId: string): Promise<void> {
  await until(`the outbox of ${sagaId} is drained`, async () => {
    const left = await db
      .selectFrom('outbox')
      .select('id')
      .where('saga_id', '=', sagaId)
      .where('published_at', 'is', null)
      .executeTakeFirst();
    return left ? undefined : true;
  });
}

/** Lets the time pass that a dead process's locks, leases and grace would take to run out. */
export async function letTimePass(
  bed: Testbed,
  prefix: string,
  sagaId: string,
  redisUrl = bed.redisUrl,
): Promise<void> {
  const saga = await bed.db
    .selectFrom('saga')
    .select(['generation', 'total_steps'])
    .where('id', '=', sagaId)
    .executeTakeFirstOrThrow();
  const redis = new Redis(redisUrl);
  const locks = jobIds(sagaId, saga).map(({ queue, id }) => `${keyPrefix(prefix)}:${queue}:${id}:lock`);
  const looks = [FORWARD_QUEUE, COMPENSATION_QUEUE].map((queue) => `${keyPrefix(prefix)}:${queue}:stalled-check`);
  await redis.del(...locks, ...looks);
  redis.disconnect();
  await endLeases(bed.db, sagaId);
  await bed.db
    .updateTable('outbox')
    .set({ available_at: sql`now()` })
    .where('saga_id', '=', sagaId)
    .where('published_at', 'is', null)
    .execute();
}

/** A call's claim may be taken over from now on. */
export async function endLeases(db: Db, sagaId: string): Promise<void> {
  await db
    .updateTable('saga_step')
    .set({ lease_until: sql<Date>`clock_timestamp() - interval '1 ms'` })
    .where('saga_id', '=', sagaId)
    .where('status', '=', 'running')
    .execute();
}

function jobIds(sagaId: string, saga: { readonly generation: number; readonly total_steps: number }) {
  const ids: { readonly queue: string; readonly id: string }[] = [];
  for (let generation = 1; generation <= saga.generation; generation += 1) {
    for (let step = 1; step <= saga.total_steps; step += 1) {
      ids.push({ queue: FORWARD_QUEUE, id: stepJobId(sagaId, generation, 'F', step) });
      ids.push({ queue: COMPENSATION_QUEUE, id: stepJobId(sagaId, generation, 'C', step) });
    }
  }
  return ids;
}

/** The step that is due in the saga now; undefined when none is. */
export async function duePointer(db: Db, sagaId: string): Promise<StepPointer | undefined> {
  const saga = await db
    .selectFrom('saga')
    .select(['status', 'current_step', 'generation'])
    .where('id', '=', sagaId)
    .executeTakeFirstOrThrow();
  const directions: Partial<Record<SagaStatus, Direction>> = { pending: 'F', running: 'F', compensating: 'C' };
  const direction = directions[saga.status];
  return direction && { sagaId, step: saga.current_step, direction, generation: saga.generation };
}

/** Runs a saga to its rest without its jobs, which may have died with the process that ordered them. */
export async function finishByHand(bed: Testbed, process: TestProcess, sagaId: string): Promise<void> {
  await until(`${sagaId} is finished by hand`, async () => {
    const pointer = await duePointer(bed.db, sagaId);
    if (!pointer) return true;
    await endLeases(bed.db, sagaId);
    await process.step(pointer).catch(() => undefined);
    return undefined;
  });
  await bed.db
    .updateTable('outbox')
    .set({ published_at: sql`now()` })
    .where('saga_id', '=', sagaId)
    .where('published_at', 'is', null)
    .execute();
}
