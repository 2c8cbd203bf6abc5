import { recordAudit } from './domain/audit/record.ts';
import { receiptReceivers } from './gateways/message-channels.ts';
import { createWebhookSender } from './gateways/webhooks.ts';
import { createApp } from './http/app.ts';
import { createTokenVerifier } from './http/auth.ts';
import { systemClock } from './kernel/clock.ts';
import { closeServer, listen } from './listen.ts';
import { assemble, endInOrder, fail, untilReady } from './programs.ts';
import { createReadiness } from './readiness.ts';

/** `npm run api`: accepts requests on PORT, and serves operators on OPS_PORT. It executes no steps. */
async function main(): Promise<void> {
  const { config, log, db, ports, engine } = await assemble('api');
  const { orchestrator, queues, relay } = engine;
  const readiness = createReadiness(db, queues.producer, relay);
  const closing = new AbortController();
  const app = createApp({
    db,
    orchestrator,
    ports,
    receivers: new Map([...ports.receivers, ...(await receiptReceivers(config.channels))]),
    jwt: config.jwt,
    agencyTimeZone: config.agencyTimeZone,
    sagaWaitMs: config.sagaWaitMs,
    log,
    clock: systemClock,
    publicUrl: config.publicUrl,
    proxyTrust: config.proxyTrust,
    readiness,
    webhooks: createWebhookSender({ clock: systemClock, allowed: config.webhooks.allowed }),
    closing: closing.signal,
  });
  const servers = [await listen('PORT', config.http, app.fetch)];
  if (config.ops) {
    const { createOpsApp } = await import('./ops/app.ts');
    const verify = createTokenVerifier(config.jwt, systemClock);
    const ops = createOpsApp({
      db,
      queues: queues.queues,
      orchestrator,
      verifyToken: async (token) => {
        const caller = await verify(`Bearer ${token}`);
        return { sub: caller.principal, role: caller.kind === 'person' ? caller.role : null };
      },
      audit: (entry) => recordAudit(db, entry),
      log,
      publicUrl: config.opsPublicUrl,
      proxyTrust: config.proxyTrust,
    });
    servers.push(await listen('OPS_PORT', config.ops, ops.fetch));
  }
  endInOrder(log, async () => {
    closing.abort();
    await Promise.all(servers.map(closeServer));
    await engine.close();
    await ports.close();
    await db.destroy();
  });
  log.info({ port: config.http.port, opsPort: config.ops?.port ?? null }, 'listening');
  // The relay waits for Redis by itself; without the schema everything that it does would fail.
  if (!(await untilReady(log, () => readiness(['postgres', 'migrations']), closing.signal))) return;
  relay.start();
  if (!(await untilReady(log, readiness, closing.signal))) return;
  log.info({ port: config.http.port, opsPort: config.ops?.port ?? null }, 'ready');
}

main().catch((error: unknown) => fail('api', error));
