import type { ConfiguredProvider } from '../../src/gateways/payment-provider.ts';
import { createWebhookSender } from '../../src/gateways/webhooks.ts';
import { createApp } from '../../src/http/app.ts';
import type { Role } from '../../src/http/auth.ts';
import type { App, AppDeps } from '../../src/http/context.ts';
import { systemClock } from '../../src/kernel/clock.ts';
import { createLogger } from '../../src/kernel/log.ts';
import { DEFINITIONS } from '../../src/sagas/index.ts';
import { API, JWT, PUBLIC_URL, tokenFor } from '../http/harness.ts';
import { openSandbox, type Sandbox } from '../sagas/money.ts';
import type { SimulatedDatabase } from './database.ts';
import { createTestbed, type Testbed, type TestProcess } from './engine.ts';
import { unsignedEvents } from './receivers.ts';

/** The API and a worker in this process, on a database and a sandbox gateway of their own: what a client would see. */
export interface System {
  readonly bed: Testbed;
  readonly process: TestProcess;
  readonly sandbox: Sandbox;
  call(method: string, path: string, options?: CallOptions): Promise<Answer>;
  /** For answers that are not JSON: the app itself, and an administrator's headers. */
  as(who: CallOptions): Promise<{ readonly app: App; readonly headers: Record<string, string> }>;
  close(): Promise<void>;
}
export interface CallOptions {
  readonly body?: unknown;
  /** Instead of `body`: sent as it is. */
  readonly text?: string;
  readonly role?: Role;
  /** A service client's token instead of a person's. */
  readonly scope?: string;
  readonly sub?: string;
  readonly headers?: Readonly<Record<string, string>>;
}
export interface Answer {
  readonly status: number;
  // biome-ignore lint/suspicious/noExplicitAny: a test asserts what it reads.
  readonly body: any;
  readonly text: string;
  readonly headers: Headers;
}

/** On a database whose time a test moves, if it gives one, and with other providers beside the sandbox, if it gives any. */
export async function startSystem(
  simulated?: SimulatedDatabase,
  overrides: Partial<AppDeps> = {},
  others: readonly ConfiguredProvider[] = [],
): Promise<System> {
  const sandbox = await openSandbox(others);
  const bed = await createTestbed(DEFINITIONS, sandbox.ports, simulated);
  const process = await bed.start({ prefix: bed.newPrefix() });
  return systemOf({ bed, process, sandbox }, { clock: simulated?.clock ?? systemClock, ...overrides });
}

/** On a process that runs already. */
export function systemOf(
  { bed, process, sandbox }: Pick<System, 'bed' | 'process' | 'sandbox'>,
  overrides: Partial<AppDeps> = {},
): System {
  const clock = overrides.clock ?? systemClock;
  const app = createApp({
    db: process.db,
    orchestrator: process.engine.orchestrator,
    ports: sandbox.ports,
    jwt: JWT,
    agencyTimeZone: 'Asia/Dubai',
    sagaWaitMs: 20_000,
    log: createLogger('test', 'silent'),
    clock,
    publicUrl: PUBLIC_URL,
    webhooks: createWebhookSender({ clock, allowed: [] }),
    readiness: async () => ({ ok: true, failing: [] }),
    receivers: new Map([...unsignedEvents('good'), ...sandbox.ports.receivers]),
    ...overrides,
  });
  return {
    bed,
    process,
    sandbox,
    async call(method, path, { body, text, role = 'ADMIN', scope, sub = 'admin-1', headers = {} } = {}) {
      const content = text ?? (body === undefined ? undefined : JSON.stringify(body));
      const response = await app.request(`${API}${path}`, {
        method,
        headers: {
          authorization: `Bearer ${await tokenFor(scope === undefined ? { role } : { scope }, sub, clock)}`,
          ...(content === undefined ? {} : { 'content-type': 'application/json' }),
          ...headers,
        },
        ...(content === undefined ? {} : { body: content }),
      });
      const answered = await response.text();
      return { status: response.status, text: answered, headers: response.headers, body: JSON.parse(answered) };
    },
    as: async ({ role = 'ADMIN', sub = 'admin-1', headers = {} }) => ({
      app,
      headers: { authorization: `Bearer ${await tokenFor({ role }, sub, clock)}`, ...headers },
    }),
    async close() {
      await bed.drop();
      await sandbox.close();
    },
  };
}
