import { serve } from '@hono/node-server';
import { readConfig } from '../../../src/config.ts';
import { createDb, createPool } from '../../../src/db/client.ts';
import { createPorts } from '../../../src/gateways/index.ts';
import { createWebhookSender } from '../../../src/gateways/webhooks.ts';
import { createApp } from '../../../src/http/app.ts';
import { systemClock } from '../../../src/kernel/clock.ts';
import { newProcessId } from '../../../src/kernel/ids.ts';
import { createLogger } from '../../../src/kernel/log.ts';
import { definitionOf } from '../../../src/sagas/index.ts';
import { createEngine } from '../../../src/wiring.ts';

/**
 * The API as the product wires it, but with a failpoint: at the CHAOS_DIE_AT-th saga it is killed after the commit that
 * accepted it and before anything was told to Redis (crash point A2 of guarantees.md 2.9). It runs no relay, so that only the acceptance
 * itself publishes.
 */
const dieAt = Number(process.env.CHAOS_DIE_AT);
let published = 0;

const config = readConfig();
const log = createLogger('api-that-dies', config.logLevel);
const pool = createPool({ connectionString: config.databaseUrl, max: 4, applicationName: 'roomy-api-that-dies' });
const db = createDb(pool);
const ports = await createPorts({ providers: config.payments }, log);
const engine = createEngine({
  db,
  databaseUrl: config.databaseUrl,
  redisUrl: config.redisUrl,
  queuePrefix: config.queuePrefix,
  log,
  processId: newProcessId('api'),
  definitionOf,
  ports,
  failpoint: async (name) => {
    if (name !== 'before-publish') return;
    published += 1;
    if (published >= dieAt) process.kill(process.pid, 'SIGKILL');
    // The signal comes at once, but not within this very instruction.
    if (published >= dieAt) await new Promise(() => undefined);
  },
});
const app = createApp({
  db,
  orchestrator: engine.orchestrator,
  ports,
  receivers: new Map(),
  jwt: config.jwt,
  agencyTimeZone: config.agencyTimeZone,
  sagaWaitMs: config.sagaWaitMs,
  log,
  clock: systemClock,
  publicUrl: `http://localhost:${config.http.port}`,
  webhooks: createWebhookSender({ clock: systemClock, allowed: [] }),
  readiness: () => Promise.resolve({ ok: true, failing: [] }),
});
serve({ fetch: app.fetch, hostname: config.http.host, port: config.http.port }, () => log.info('ready'));
