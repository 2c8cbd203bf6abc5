import type { Config } from './config.ts';
import { gapsOf } from './config-gaps.ts';
import { recordAudit } from './domain/audit/record.ts';
import { createIdentityProvider } from './gateways/identity-provider.ts';
import { receiptReceivers } from './gateways/message-channels.ts';
import { createSealFiles } from './gateways/seal-files.ts';
import { createWebhookSender } from './gateways/webhooks.ts';
import { createHeartbeat } from './heartbeat.ts';
import { operatorSessions } from './http/accounts/operators.ts';
import { createApp } from './http/app.ts';
import { createTokenVerifier } from './http/auth.ts';
import { createStandingGuard, type StandingGuard, verifierInForce } from './http/standing.ts';
import { systemClock } from './kernel/clock.ts';
import { closeServer, listen } from './listen.ts';
import { assemble, assertFieldKeys, endInOrder, fail, metricsAccess, type Program, untilReady } from './programs.ts';
import { queuesReader } from './queues/depths.ts';
import { queuesByHand } from './queues/paused.ts';
import { createRateLimiter } from './queues/rate-limiter.ts';
import { schedulesByHand } from './queues/schedules.ts';
import { connectStandingNews } from './queues/standing-news.ts';
import { createReadiness, type Readiness } from './readiness.ts';
import { keptReader, sealsReader } from './telemetry/records-kept.ts';
import { dueReader } from './telemetry/rows-due.ts';
import { startWatch } from './watching.ts';
import { JOBS } from './workers/jobs.ts';

/** `npm run api`: accepts requests on PORT, and serves operators on OPS_PORT. It executes no steps. */
async function main(): Promise<void> {
  const program = await assemble('api');
  const { config, log, db, ports, engine, telemetry, processId } = program;
  const { orchestrator, queues, relay } = engine;
  if (config.sealsWithTokenKeys)
    log.warn('SEAL_KEYS is not set: cursors, links and kept answers are sealed with JWT_KEYS');
  for (const gap of gapsOf(config)) log.warn(gap);
  const auditSeals = config.auditSeals && {
    db,
    keys: config.auditSeals.keys,
    copy: createSealFiles(config.auditSeals.directory),
  };
  const readiness = createReadiness(db, queues.producer, relay);
  const closing = new AbortController();
  const isProduction = config.production;
  const standingNews = connectStandingNews(config.redisUrl, queues);
  const standing = createStandingGuard({ db, clock: systemClock, isProduction, standingNews });
  const limiter = createRateLimiter({ redisUrl: config.redisUrl, prefix: config.queuePrefix });
  const app = createApp({
    db,
    orchestrator,
    ports,
    receivers: new Map([...ports.receivers, ...(await receiptReceivers(config.channels))]),
    jwt: config.jwt,
    sealKeys: config.sealKeys,
    agencyTimeZone: config.agencyTimeZone,
    sagaWaitMs: config.sagaWaitMs,
    payoutFourEyes: config.payoutFourEyes,
    log,
    clock: systemClock,
    publicUrl: config.publicUrl,
    proxyTrust: config.proxyTrust,
    limits: { limiter, numbers: config.rateLimits },
    corsOrigins: config.corsOrigins,
    readiness,
    webhooks: createWebhookSender({ clock: systemClock, allowed: config.webhooks.allowed }),
    identityProvider:
      config.identityProvider && createIdentityProvider(config.identityProvider, { clock: systemClock, log }),
    closing: closing.signal,
    isProduction,
    standing,
    standingNews,
    opsUrl: opsUrlOf(config),
    system: {
      queues: queuesReader(queues),
      due: dueReader(db),
      kept: keptReader(db, config.retention.eventRetentionDays),
      seals: sealsReader(db),
    },
    auditSeals,
    schedules: schedulesByHand(queues, JOBS),
    queues: queuesByHand(queues),
  });
  const servers = [await listen('PORT', config.http, app.fetch)];
  if (config.ops) servers.push(await listen('OPS_PORT', config.ops, await opsFetch(program, { readiness, standing })));
  const watch = await startWatch(config, { db, queues, holder: processId, auditSeals, log });
  const heartbeat = createHeartbeat({ db, log, id: processId, program: 'api', roles: [], circuits: ports.circuits });
  endInOrder(log, async () => {
    closing.abort();
    await Promise.all([...servers.map(closeServer), watch.close(), heartbeat.stop()]);
    standingNews.close();
    await Promise.all([engine.close(), limiter.close()]);
    await Promise.all([ports.close(), telemetry.close()]);
    await db.destroy();
  });
  log.info({ port: config.http.port, opsPort: config.ops?.port ?? null }, 'listening');
  // The relay waits for Redis by itself; without the schema everything that it does would fail.
  if (!(await untilReady(log, () => readiness(['postgres', 'migrations']), closing.signal))) return;
  await assertFieldKeys(program, closing.signal);
  if (closing.signal.aborted) return;
  relay.start();
  heartbeat.start();
  watch.start();
  if (!(await untilReady(log, readiness, closing.signal))) return;
  log.info({ port: config.http.port, opsPort: config.ops?.port ?? null }, 'ready');
}

/** What answers on the ops port: queues and mailbox for operators, and probes for programs. */
async function opsFetch(
  { config, log, db, engine: { queues, orchestrator }, telemetry }: Program,
  { readiness, standing }: { readonly readiness: Readiness; readonly standing: StandingGuard },
): Promise<Parameters<typeof listen>[2]> {
  const [{ createOpsApp }, { createProbes, probesBefore }] = await Promise.all([
    import('./ops/app.ts'),
    import('./ops/probes.ts'),
  ]);
  const isProduction = config.production;
  const verify = verifierInForce(createTokenVerifier(config.jwt, systemClock), standing);
  const ops = createOpsApp({
    db,
    queues: queues.queues,
    orchestrator,
    verifyToken: async (token) => {
      const caller = await verify(`Bearer ${token}`);
      return { sub: caller.principal, role: caller.kind === 'person' ? caller.role : null };
    },
    sessions: operatorSessions(db, systemClock, standing, isProduction),
    takesTokens: !isProduction,
    signInUrl: `${config.publicUrl}/sign-in`,
    consoleUrl: `${config.publicUrl}/console`,
    audit: (entry) => recordAudit(db, entry),
    log,
    publicUrl: config.opsPublicUrl,
    proxyTrust: config.proxyTrust,
  });
  const access = metricsAccess(config, config.ops?.host ?? '');
  if (access === 'closed') log.info('METRICS_TOKEN is not set: nobody may read /metrics on the ops port');
  const probes = createProbes({ readiness, metricsText: telemetry.metricsText, access });
  return probesBefore(probes, ops.fetch);
}

/** As browsers reach it. By default it listens on this machine alone, under the host by which the API is reached. */
function opsUrlOf({ ops, opsPublicUrl, publicUrl }: Config): string | null {
  if (ops === null || opsPublicUrl !== null) return opsPublicUrl;
  const url = new URL(publicUrl);
  return `${url.protocol}//${url.hostname}:${ops.port}`;
}

main().catch((error: unknown) => fail('api', error));
