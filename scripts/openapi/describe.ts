import { createDb, createPool } from '../../src/db/client.ts';
import { createApp } from '../../src/http/app.ts';
import { describeApi } from '../../src/http/openapi/document.ts';
import { systemClock } from '../../src/kernel/clock.ts';
import type { JsonObject } from '../../src/kernel/json.ts';
import { createLogger } from '../../src/kernel/log.ts';

/** The OpenAPI document of the source as it is, without a database, a queue or a port: nothing is asked of them. */

/** Stands for a service that is handed on and never called. */
const unused = <T extends object>(): T =>
  new Proxy(
    {},
    {
      get: (_target, name) => {
        throw new Error(`describing the API does not use ${String(name)}`);
      },
    },
  ) as T;

export function describeSource(): JsonObject {
  const publicUrl = 'https://api.example.com';
  const app = createApp({
    db: createDb(createPool({ connectionString: 'postgres://localhost/unused', max: 1, applicationName: 'openapi' })),
    orchestrator: unused(),
    ports: unused(),
    jwt: { keys: [{ kid: 'none', secret: new Uint8Array(32) }], issuer: 'roomy', audience: 'roomy-api' },
    agencyTimeZone: 'UTC',
    sagaWaitMs: 0,
    log: createLogger('openapi', 'silent'),
    clock: systemClock,
    publicUrl,
    receivers: new Map(),
    webhooks: unused(),
    readiness: async () => ({ ok: true, failing: [] }),
  });
  return describeApi(app, { publicUrl });
}
