import { randomUUID } from 'node:crypto';
import { Queue, type Worker } from 'bullmq';
import { createDb, createPool, type Db } from '../../src/db/client.ts';
import { recordAudit } from '../../src/domain/audit/record.ts';
import type { Intervention, RetryOutcome } from '../../src/engine/types.ts';
import { createTokenVerifier, type Role } from '../../src/http/auth.ts';
import { mintToken } from '../../src/http/mint.ts';
import { systemClock } from '../../src/kernel/clock.ts';
import { RoomyError } from '../../src/kernel/errors.ts';
import { createLogger } from '../../src/kernel/log.ts';
import { createOpsApp, type OpsDeps } from '../../src/ops/app.ts';
import { keyPrefix } from '../../src/queues/connection.ts';
import { createTestDatabase } from '../setup/database.ts';

/** Where the operator's browser is. */
export const OPERATOR_IP = '198.51.100.4';
const PEER = { incoming: { socket: { remoteAddress: OPERATOR_IP } } };
export const ORIGIN = 'http://ops.test:3001';
export const QUEUES = ['saga-forward', 'saga-compensation', 'notifications', 'tasks'] as const;
const jwt = {
  keys: [{ kid: 'k1', secret: new TextEncoder().encode(randomUUID() + randomUUID()) }],
  issuer: 'roomy',
  audience: 'roomy-api',
};

export type Harness = Awaited<ReturnType<typeof startHarness>>;

/** The ops app on a real Postgres and Redis, with an orchestrator that says what it was asked. */
export async function startHarness(
  redisUrl: string,
  publicUrl: string | null = null,
  more: (db: Db) => Partial<OpsDeps> = () => ({}),
) {
  const database = await createTestDatabase();
  const db: Db = createDb(createPool({ connectionString: database.url, max: 4, applicationName: 'ops-test' }));
  const prefix = keyPrefix(`ops-${randomUUID().slice(0, 8)}`);
  const connection = { url: redisUrl, maxRetriesPerRequest: null };
  const queues = QUEUES.map((name) => new Queue(name, { connection, prefix }));
  const workers: Worker[] = [];

  const retries: Intervention[] = [];
  /** The state of a saga by the orchestrator; default: parked. */
  const outcomes = new Map<string, RetryOutcome | 'missing' | 'broken'>();
  const retry = async (intervention: Intervention): Promise<RetryOutcome> => {
    const outcome = outcomes.get(intervention.sagaId) ?? 'resumed';
    if (outcome === 'missing') throw new RoomyError('SAGA_NOT_FOUND');
    if (outcome === 'broken') throw new Error('the database is away');
    retries.push(intervention);
    return outcome;
  };

  const verify = createTokenVerifier(jwt, systemClock);
  const app = createOpsApp({
    db,
    queues,
    orchestrator: { retry },
    parkedOf: async (ids) =>
      new Set(ids.filter((id) => !['stale', 'missing', 'needs-approval'].includes(outcomes.get(id) ?? ''))),
    verifyToken: async (token) => {
      const caller = await verify(`Bearer ${token}`);
      return { sub: caller.principal, role: caller.kind === 'person' ? caller.role : null };
    },
    audit: (entry) => recordAudit(db, entry),
    log: createLogger('test', 'silent'),
    publicUrl,
    ...more(db),
  });

  const token = (sub: string, role: Role, lifetimeSeconds = 600): Promise<string> =>
    mintToken(jwt, systemClock, { sub, grant: { role }, lifetimeSeconds });

  /** A call as a browser on the board makes it. */
  const call = (path: string, init: RequestInit & { cookie?: string } = {}): Promise<Response> => {
    const { cookie, headers, ...rest } = init;
    const sent = new Headers({ 'sec-fetch-site': 'same-origin', ...Object.fromEntries(new Headers(headers)) });
    if (cookie) sent.set('cookie', cookie);
    return Promise.resolve(app.request(`${ORIGIN}${path}`, { redirect: 'manual', ...rest, headers: sent }, PEER));
  };
  const login = async (sub: string, role: Role): Promise<string> => {
    const body = new URLSearchParams({ token: await token(sub, role) });
    const answer = await call('/login', { method: 'POST', body });
    return (answer.headers.get('set-cookie') ?? '').split(';')[0] ?? '';
  };
  const audits = (actor: string) =>
    db.selectFrom('audit_log').selectAll().where('actor', '=', actor).orderBy('seq').execute();

  return {
    db,
    app,
    prefix,
    connection,
    workers,
    retries,
    outcomes,
    token,
    call,
    login,
    audits,
    queue: (name: (typeof QUEUES)[number]): Queue => {
      const queue = queues.find((one) => one.name === name);
      if (!queue) throw new Error(name);
      return queue;
    },
    stop: async () => {
      for (const worker of workers) await worker.close();
      for (const queue of queues) {
        await queue.obliterate({ force: true });
        await queue.close();
      }
      await db.destroy();
      await database.drop();
    },
  };
}
