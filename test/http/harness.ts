import type { z } from '@hono/zod-openapi';
import { sql } from 'kysely';
import { createDb, createPool, type Db } from '../../src/db/client.ts';
import { type GatewayMovement, gatewayUnknown, type PaymentGateway, type Ports } from '../../src/domain/ports.ts';
import type { AcceptedSaga, Intervention, RetryOutcome, SagaAnswer, SagaOrchestrator } from '../../src/engine/types.ts';
import { createWebhookSender } from '../../src/gateways/webhooks.ts';
import { createApp } from '../../src/http/app.ts';
import type { Role } from '../../src/http/auth.ts';
import type { App, AppDeps } from '../../src/http/context.ts';
import { mintToken, type TokenRequest } from '../../src/http/mint.ts';
import { describeApi } from '../../src/http/openapi/document.ts';
import { PLAN_TYPE, PLANNED } from '../../src/http/schemas/rehearsals.ts';
import { type Clock, systemClock } from '../../src/kernel/clock.ts';
import { createLogger } from '../../src/kernel/log.ts';
import { type Contract, createContract, objectAt } from '../openapi/contract.ts';
import { createTestDatabase } from '../setup/database.ts';
import { NO_DEVICES } from '../setup/engine.ts';
import { testFieldKeys } from '../setup/field-keys.ts';

export const API = '/api/production';
export const PUBLIC_URL = 'https://roomy.example';
export const JWT = {
  keys: [
    { kid: 'new', secret: new TextEncoder().encode('a-new-secret-of-forty-characters-0123456') },
    { kid: 'old', secret: new TextEncoder().encode('an-old-secret-of-forty-characters-012345') },
  ],
  issuer: 'roomy',
  audience: 'roomy-api',
} as const;

export const tokenFor = (grant: TokenRequest['grant'], sub: string, clock: Clock = systemClock): Promise<string> =>
  mintToken(JWT, clock, { sub, grant, lifetimeSeconds: 600 });

/** Remembers what it was asked; answers what a test has set. */
export interface FakeOrchestrator extends SagaOrchestrator {
  readonly accepts: { readonly name: string; readonly request: unknown }[];
  readonly waits: number[];
  readonly interventions: Intervention[];
  refusal: Error | null;
  accepted: AcceptedSaga;
  end: SagaAnswer | null;
  retryOutcome: RetryOutcome;
  reset(): void;
}
const ACCEPTED_BODY = JSON.stringify({
  success: true,
  data: { sagaExecutionId: 'saga-1', status: 'pending', links: { self: `${API}/sagas/executions/saga-1` } },
  message: 'Accepted',
});
const FRESH = (): Pick<FakeOrchestrator, 'refusal' | 'accepted' | 'end' | 'retryOutcome'> => ({
  refusal: null,
  accepted: { sagaId: 'saga-1', replayed: false, accepted: { status: 202, body: Buffer.from(ACCEPTED_BODY) } },
  end: null,
  retryOutcome: 'resumed',
});
function createFakeOrchestrator(): FakeOrchestrator {
  const fake: FakeOrchestrator = {
    accepts: [],
    waits: [],
    interventions: [],
    ...FRESH(),
    reset: () => {
      Object.assign(fake, FRESH());
      for (const log of [fake.accepts, fake.waits, fake.interventions]) log.length = 0;
    },
    accept: async (definition, request) => {
      if (fake.refusal) throw fake.refusal;
      fake.accepts.push({ name: definition.name, request });
      return fake.accepted;
    },
    waitForAnswer: async (_sagaId, waitMs) => {
      fake.waits.push(waitMs);
      return fake.end;
    },
    retry: async (intervention) => {
      if (fake.refusal) throw fake.refusal;
      fake.interventions.push(intervention);
      return fake.retryOutcome;
    },
    retryWithin: async (_tx, intervention) => {
      if (fake.refusal) throw fake.refusal;
      fake.interventions.push(intervention);
      return { outcome: fake.retryOutcome, announce: () => undefined };
    },
    signal: () => Promise.reject(new Error('no route signals')),
    retryNowWithin: async (_tx, intervention) => {
      if (fake.refusal) throw fake.refusal;
      fake.interventions.push(intervention);
      return () => undefined;
    },
    amendWithin: async (_tx, intervention) => {
      if (fake.refusal) throw fake.refusal;
      fake.interventions.push(intervention);
      return () => undefined;
    },
    skipWithin: async (_tx, intervention) => {
      if (fake.refusal) throw fake.refusal;
      fake.interventions.push(intervention);
      return () => undefined;
    },
    cancelWithin: async (_tx, intervention) => {
      if (fake.refusal) throw fake.refusal;
      fake.interventions.push(intervention);
      return () => undefined;
    },
    resolveWithin: async (_tx, intervention) => {
      if (fake.refusal) throw fake.refusal;
      fake.interventions.push(intervention);
      return () => undefined;
    },
    resolve: async (intervention) => {
      if (fake.refusal) throw fake.refusal;
      fake.interventions.push(intervention);
      return { status: 409, body: Buffer.from('{}') };
    },
  };
  return fake;
}

/** Knows one gateway, `sandbox`, which has made these movements and can do nothing else. */
export function recordKeeper(movements: readonly GatewayMovement[]): Ports {
  const refuse = async (): Promise<never> => {
    throw new Error('no money moves in these tests');
  };
  const gateway: PaymentGateway = {
    charge: refuse,
    undoCharge: refuse,
    refund: refuse,
    payOut: refuse,
    cardOf: refuse,
    recordOf: async () => ({ refunds: [], disputes: [] }),
    disputes: async () => [],
    movements: async (_gatewayId, from, to, limit) =>
      movements.filter(({ at }) => at >= from && at < to).slice(0, limit),
  };
  return {
    amenities: NO_DEVICES,
    gatewayIds: ['sandbox'],
    gateway: (gatewayId) => {
      if (gatewayId !== 'sandbox') throw gatewayUnknown(gatewayId, ['sandbox']);
      return gateway;
    },
    payouts: () => gateway,
    amountStep: () => 1,
  };
}

export interface Answer {
  readonly status: number;
  readonly headers: Headers;
  readonly text: string;
  /** The parsed body; `any`-like access is by `at`. */
  readonly body: Record<string, unknown>;
}
export interface Call {
  readonly as?: Role | { readonly scope: string } | null;
  readonly sub?: string;
  readonly body?: unknown;
  /** A body as it is, with no Content-Type but what `headers` say. */
  readonly raw?: NonNullable<RequestInit['body']>;
  readonly headers?: Readonly<Record<string, string>>;
}

export interface Http {
  readonly app: App;
  readonly db: Db;
  readonly orchestrator: FakeOrchestrator;
  call(method: string, path: string, call?: Call): Promise<Answer>;
  stop(): Promise<void>;
}

/** `more` may need the database. */
export async function startHttp(
  overrides: Partial<AppDeps> = {},
  more: (db: Db) => Partial<AppDeps> = () => ({}),
): Promise<Http> {
  const database = await createTestDatabase();
  const pool = createPool({ connectionString: database.url, max: 6, applicationName: 'http-test' });
  const db = createDb(pool, testFieldKeys());
  const orchestrator = createFakeOrchestrator();
  const app = createApp({
    db,
    orchestrator,
    jwt: JWT,
    agencyTimeZone: 'Asia/Dubai',
    sagaWaitMs: 2_000,
    log: createLogger('test', 'silent'),
    clock: systemClock,
    publicUrl: PUBLIC_URL,
    ports: recordKeeper([]),
    receivers: new Map(),
    webhooks: createWebhookSender({ clock: systemClock, allowed: [] }),
    readiness: async () => ({ ok: true, failing: [] }),
    schedules: {
      all: [{ name: 'assign-sweep', queue: 'tasks', job: 'sweep', everyMs: 10_000 }],
      run: async () => true,
    },
    queues: { names: ['finance'], states: async () => [{ name: 'finance', isPaused: false }], set: async () => true },
    ...overrides,
    ...more(db),
  });
  return {
    app,
    db,
    orchestrator,
    call: (method, path, call = {}) => send(app, method, path, call),
    stop: async () => {
      await db.destroy();
      await database.drop();
    },
  };
}

async function send(app: App, method: string, path: string, call: Call): Promise<Answer> {
  const { as = 'ADMIN', sub = 'admin-1' } = call;
  const grant = as === null ? null : typeof as === 'string' ? { role: as } : as;
  const headers = new Headers(call.headers);
  if (grant) headers.set('authorization', `Bearer ${await tokenFor(grant, sub)}`);
  if (call.body !== undefined) headers.set('content-type', 'application/json');
  const body = call.raw ?? (call.body === undefined ? undefined : JSON.stringify(call.body));
  const response = await app.request(path, {
    method,
    headers,
    ...(body === undefined ? {} : { body, duplex: 'half' }),
  } as RequestInit);
  const text = await response.text();
  const type = response.headers.get('content-type') ?? '';
  const isPlan = type.startsWith(PLAN_TYPE);
  const isJson = type.startsWith('application/json') || isPlan;
  if (type.startsWith('application/problem+json')) assertProblem(app, `${method} ${path}`, JSON.parse(text));
  const parsed: Record<string, unknown> = isJson && text !== '' ? JSON.parse(text) : {};
  if (isPlan) assertPlan(app, method, path, parsed);
  else if (isJson && text !== '') assertDeclared(app, method, path, response, parsed);
  return { status: response.status, headers: response.headers, text, body: parsed };
}

const contracts = new WeakMap<App, Contract>();
function contractOf(app: App): Contract {
  const known = contracts.get(app) ?? createContract(describeApi(app, { publicUrl: PUBLIC_URL }));
  contracts.set(app, known);
  return known;
}

/** The contract: what is answered fits the schema that the OpenAPI document declares for it. */
function assertDeclared(app: App, method: string, path: string, { status, headers }: Response, body: unknown): void {
  if (status === 404 || status === 405) return;
  const [pathname = ''] = path.split('?');
  for (const { route } of declaredRoutes(app)) {
    const pattern = new RegExp(`^${route.path.replaceAll(/\{.+?\}/g, '[^/]+')}$`);
    if (route.method !== method.toLowerCase() || !pattern.test(pathname)) continue;
    const schema = responseSchema(route.responses, status);
    if (schema === undefined) throw new Error(`${method} ${path} answered ${status}, which is not declared`);
    const fits = schema.safeParse(body);
    if (!fits.success) throw new Error(`${method} ${path} ${status}: ${fits.error.message}\n${JSON.stringify(body)}`);
    const contract = contractOf(app);
    const operation = contract.operationAt(method, pathname);
    const problem =
      operation &&
      (contract.problemOfAnswer(operation, status, 'application/json', body) ??
        contract.problemOfHeaders(operation, status, headers));
    if (problem)
      throw new Error(`${method} ${path} ${status} is not as documented: ${problem}\n${JSON.stringify(body)}`);
    return;
  }
}

/** A plan is the one that the route declares beside its answer, without a field that is not there. */
function assertPlan(app: App, method: string, path: string, body: unknown): void {
  const [pathname = ''] = path.split('?');
  const contract = contractOf(app);
  const operation = contract.operationAt(method, pathname);
  const media = objectAt(operation?.operation, 'responses', '200', PLANNED, PLAN_TYPE);
  const problem = contract.problem(objectAt(media, 'schema'), body);
  if (problem !== null) throw new Error(`${method} ${path}: the plan is not as documented: ${problem}`);
}

const PROBLEM = { $ref: '#/components/schemas/Problem' };

/** Each failure as RFC 9457 is the one that the document declares, and has no member that it does not. */
function assertProblem(app: App, call: string, body: object): void {
  const contract = contractOf(app);
  const declared = Object.keys(objectAt(contract.resolve(PROBLEM), 'properties'));
  const problem = contract.problem(PROBLEM, body) ?? Object.keys(body).find((key) => !declared.includes(key));
  if (problem !== undefined)
    throw new Error(`${call}: the problem is not as documented: ${problem}\n${JSON.stringify(body)}`);
}

export const declaredRoutes = (app: App) =>
  app.openAPIRegistry.definitions.flatMap((definition) => (definition.type === 'route' ? [definition] : []));

interface WithContent {
  readonly content?: Readonly<Record<string, { readonly schema?: unknown; readonly example?: unknown }>>;
}
export const responseOf = (responses: object, status: number): WithContent | undefined =>
  (responses as Readonly<Record<number, WithContent>>)[status];
function responseSchema(responses: object, status: number): z.ZodType | undefined {
  return responseOf(responses, status)?.content?.['application/json']?.schema as z.ZodType | undefined;
}

/** A value deep inside an answer: `at(answer.body, 'data', 0, 'id')`. */
export function at(value: unknown, ...path: readonly (string | number)[]): unknown {
  let here = value;
  for (const key of path) {
    here = typeof here === 'object' && here !== null ? Reflect.get(here, key) : undefined;
  }
  return here;
}

/** An owner, a guest, an agent and a property, under the brief's ids. */
export async function seed(db: Db): Promise<void> {
  const email = 'someone@example.com';
  await db.insertInto('owner').values({ id: 'owner-1', name: 'Layla Haddad', email }).execute();
  await db.insertInto('guest').values({ id: 'guest-1', name: 'John Doe', email }).execute();
  await db.insertInto('staff').values({ id: 'agent-1', name: 'Amina', email, role: 'AGENT' }).execute();
  await db.insertInto('staff').values({ id: 'cleaner-1', name: 'Clara', email, role: 'CLEANER' }).execute();
  await db.insertInto('property').values({ id: 'property-1', name: 'Marina 1204', owner_id: 'owner-1' }).execute();
}

let stays = 0;
export async function addReservation(db: Db, id?: string, propertyId = 'property-1'): Promise<string> {
  stays += 1;
  const row = await db
    .insertInto('reservation')
    .values({
      id: id ?? `stay-${stays}`,
      property_id: propertyId,
      guest_id: 'guest-1',
      check_in_date: '2024-02-01',
      check_out_date: '2024-02-03',
      total_minor: 100_000,
      currency: 'AED',
      created_by: 'test',
    })
    .returning('id')
    .executeTakeFirstOrThrow();
  return row.id;
}

const TABLES = [
  'owner',
  'guest',
  'staff',
  'property',
  'reservation',
  'task',
  'transaction',
  'notification',
  'saga',
  'outbox',
  'idempotency_key',
] as const;
/** Rows of every table but the audit trail: what a refused request must leave alone. */
export async function countRows(db: Db): Promise<Record<string, number>> {
  const counts: Record<string, number> = {};
  for (const table of TABLES) {
    const { rows } = await sql<{ n: number }>`SELECT count(*) AS n FROM ${sql.table(table)}`.execute(db);
    counts[table] = rows[0]?.n ?? -1;
  }
  return counts;
}
