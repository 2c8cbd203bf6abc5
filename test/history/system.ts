import { inject } from 'vitest';
import { createDb, createPool, type Db } from '../../src/db/client.ts';
import { createRegistry } from '../../src/engine/registry.ts';
import { createWebhookSender } from '../../src/gateways/webhooks.ts';
import { createApp } from '../../src/http/app.ts';
import type { Role } from '../../src/http/auth.ts';
import type { App } from '../../src/http/context.ts';
import { systemClock } from '../../src/kernel/clock.ts';
import { createLogger } from '../../src/kernel/log.ts';
import { DEFINITIONS } from '../../src/sagas/index.ts';
import { createEngine, type Engine } from '../../src/wiring.ts';
import { API, JWT, tokenFor } from '../http/harness.ts';
import { openSandbox, type Sandbox } from '../sagas/money.ts';
import { duePointer } from '../setup/engine.ts';
import { unsignedEvents } from '../setup/receivers.ts';
import type { Recorder } from './measure.ts';

/** The product on one database, without workers: whatever runs, runs because a test says so, and one after the other. */
export interface QuietSystem {
  readonly db: Db;
  readonly app: App;
  readonly engine: Engine;
  readonly sandbox: Sandbox;
  call(method: string, path: string, options?: Call): Promise<Answered>;
  /** Runs a saga to its rest. */
  finish(sagaId: string): Promise<void>;
  /** A request that starts a saga, which is then run to its rest. Answers the saga's id. */
  run(path: string, body?: object): Promise<string>;
  close(): Promise<void>;
}
export interface Call {
  readonly body?: unknown;
  readonly role?: Role;
  readonly sub?: string;
}
export interface Answered {
  readonly status: number;
  readonly text: string;
  // biome-ignore lint/suspicious/noExplicitAny: a test asserts what it reads.
  readonly body: any;
}

const STEP_WITHIN_MS = 20_000;
let opened = 0;

export async function openSystem(
  databaseUrl: string,
  recorder?: Recorder,
  redisUrl: string = inject('redisUrl'),
): Promise<QuietSystem> {
  opened += 1;
  const log = createLogger('test', 'silent');
  // One connection: each statement is planned once, and what is measured is in order.
  const pool = createPool({ connectionString: databaseUrl, max: 3, applicationName: 'history' });
  recorder?.attach(pool);
  const db = createDb(pool);
  const sandbox = await openSandbox();
  const engine = createEngine({
    db,
    databaseUrl,
    redisUrl,
    queuePrefix: `history-${process.pid}-${opened}`,
    log,
    processId: `history-${opened}`,
    definitionOf: createRegistry(DEFINITIONS).definitionOf,
    ports: sandbox.ports,
  });
  const app = createApp({
    db,
    orchestrator: engine.orchestrator,
    ports: sandbox.ports,
    jwt: JWT,
    sagaWaitMs: 1,
    agencyTimeZone: 'Asia/Dubai',
    publicUrl: 'https://roomy.example',
    log,
    clock: systemClock,
    webhooks: createWebhookSender({ clock: systemClock, allowed: [] }),
    readiness: async () => ({ ok: true, failing: [] }),
    receivers: unsignedEvents(),
    queues: { names: ['finance'], states: async () => [{ name: 'finance', isPaused: true }], set: async () => true },
  });
  const call: QuietSystem['call'] = async (method, path, { body, role = 'ADMIN', sub = 'admin-1' } = {}) => {
    const response = await app.request(path.startsWith('/') && !path.startsWith('/api') ? `${API}${path}` : path, {
      method,
      headers: {
        authorization: `Bearer ${await tokenFor({ role }, sub)}`,
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    const text = await response.text();
    const isJson = response.headers.get('content-type')?.includes('json') ?? false;
    return { status: response.status, text, body: isJson ? JSON.parse(text) : null };
  };
  return {
    db,
    app,
    engine,
    sandbox,
    call,
    finish: (sagaId) => finish(db, engine, sagaId),
    async run(path, body = {}) {
      const answered = await call('POST', path, { body });
      if (answered.status >= 300) throw new Error(`POST ${path} ${answered.status}: ${answered.text}`);
      const sagaId: string = answered.body.data.sagaExecutionId;
      await finish(db, engine, sagaId);
      return sagaId;
    },
    async close() {
      await engine.close();
      await db.destroy();
      await sandbox.close();
    },
  };
}

const MAX_STEPS = 100;

async function finish(db: Db, engine: Engine, sagaId: string): Promise<void> {
  for (let step = 0; step < MAX_STEPS; step += 1) {
    const pointer = await duePointer(db, sagaId);
    if (!pointer) return;
    await engine.execute(pointer, AbortSignal.timeout(STEP_WITHIN_MS));
  }
  throw new Error(`${sagaId} does not come to rest`);
}
