import type { Db } from './db/client.ts';
import { findUnknownGateways } from './domain/finance/booked-gateways.ts';
import { deliverDue } from './domain/messages/delivery.ts';
import { storeDevMail } from './domain/messages/delivery-mailbox.ts';
import { planDueReminders } from './domain/messages/reminders.ts';
import type { Ports } from './domain/ports.ts';
import { findUnusableValues } from './domain/saved-values.ts';
import { createDevMailbox } from './gateways/dev-mailbox.ts';
import { openMessengers } from './gateways/message-channels.ts';
import { createWebhookSender } from './gateways/webhooks.ts';
import { createHeartbeat } from './heartbeat.ts';
import { randomBetween } from './kernel/backoff.ts';
import { systemClock } from './kernel/clock.ts';
import { createLinkSeal } from './kernel/link-seal.ts';
import type { Logger } from './kernel/log.ts';
import { logFailure } from './kernel/outages.ts';
import { createTextSeal } from './kernel/text-seal.ts';
import { closeServer, listen } from './listen.ts';
import { assemble, assertFieldKeys, endInOrder, fail, metricsAccess, type Program, untilReady } from './programs.ts';
import { stepsAtHand } from './queues/at-hand.ts';
import { createReadiness, type Readiness } from './readiness.ts';
import { alertFailingSweep, createWorkers, workOf } from './workers/crew.ts';
import { createDueLook } from './workers/due-look.ts';
import { JOBS } from './workers/jobs.ts';
import { createPace } from './workers/pacing.ts';
import { createRedriver } from './workers/redriver.ts';
import { workOfRoles } from './workers/roles.ts';
import { workerOptions } from './workers/worker.ts';

/**
 * `npm run worker`, as many as wanted: executes steps, delivers messages, assigns tasks, or what `ROLES` names of it; relays
 * and reconciles in any case.
 */
async function main(): Promise<void> {
  const program = await assemble('worker');
  const { config, log, outages, db, ports, engine, telemetry, processId } = program;
  const mailbox = createDevMailbox((messages) => storeDevMail(db, messages));
  const { messengers, circuits, close: closeMessengers } = await openMessengers(config.channels, mailbox, log);
  program.channels.circuits = circuits;
  const sender = createWebhookSender({ clock: systemClock, allowed: config.webhooks.allowed });
  const { opsEmail, publicUrl, agencyTimeZone, messageCaps: caps } = config;
  const secrets = createTextSeal(config.sealKeys);
  const links = createLinkSeal(config.sealKeys, systemClock);
  const delivery = { db, messengers, opsEmail, publicUrl, agencyTimeZone, secrets, links, caps, log };
  const steps = { concurrency: config.workerConcurrency, execute: engine.execute };
  const parts = {
    db,
    ports,
    orchestrator: engine.orchestrator,
    log,
    outages,
    sender,
    now: () => systemClock.now(),
    random: () => randomBetween(0, 1),
    retentionDays: config.retention.eventRetentionDays,
    isHeld: config.retention.isHeld,
    deliver: (limit: number) => deliverDue(delivery, { limit }),
    plan: (limit: number) => planDueReminders(db, limit),
  };
  const closing = new AbortController();
  const work = workOfRoles(workOf(JOBS, parts, steps), config.workerRoles);
  const served = work.map(({ queue }) => queue);
  const dueLook = createDueLook(JOBS, served, { db, queues: engine.queues, log });
  const redriver = createRedriver({ db, orchestrator: engine.orchestrator, log });
  const heartbeat = createHeartbeat({
    db,
    log,
    id: processId,
    program: 'worker',
    roles: config.workerRoles,
    circuits: () => [...ports.circuits(), ...circuits()],
  });
  let crew: ReturnType<typeof createWorkers> | null = null;
  const readiness = createReadiness(db, engine.queues.producer, engine.relay);
  const ops = await serveProbes(program, readiness);
  endInOrder(log, async () => {
    closing.abort();
    await Promise.all([dueLook.stop(), redriver.stop(), crew?.close(), ops && closeServer(ops)]);
    await heartbeat.stop();
    await engine.close();
    await Promise.all([closeMessengers(), ports.close(), telemetry.close()]);
    await db.destroy();
  });
  // Without Redis a worker waits by itself; without the schema everything that it does would fail.
  if (!(await untilReady(log, () => readiness(['postgres', 'migrations']), closing.signal))) return;
  await assertFieldKeys(program, closing.signal);
  if (closing.signal.aborted) return;
  crew = createWorkers(work, {
    options: workerOptions(config.redisUrl, config.queuePrefix),
    log,
    alert: (sweep) => alertFailingSweep(db, sweep),
    pace: createPace({ stepsAtHand: () => stepsAtHand(engine.queues) }),
  });
  engine.relay.start();
  engine.reconciler.start();
  dueLook.start();
  redriver.start();
  heartbeat.start();
  await crew.ready();
  log.info('ready');
  await reportUnusable(db, ports, log);
}

/** On `WORKER_OPS_PORT`; null: this worker has none. */
async function serveProbes({ config, telemetry, log }: Program, readiness: Readiness) {
  const at = config.workerOps;
  if (at === null) return null;
  const { createProbes } = await import('./ops/probes.ts');
  const access = metricsAccess(config, at.host);
  const probes = createProbes({ readiness, metricsText: telemetry.metricsText, access });
  const server = await listen('WORKER_OPS_PORT', at, probes.fetch);
  const address = server.address();
  const opsPort = typeof address === 'object' ? address?.port : at.port;
  log.info({ opsPort, metrics: access === 'closed' ? 'METRICS_TOKEN is not set' : 'served' }, 'listening');
  return server;
}

/**
 * Once a start: names rows whose saved values cannot be used, one line for each column, and gateways on which money is open
 * and that this process does not know, one line for each. No start fails because of it.
 */
async function reportUnusable(db: Db, ports: Ports, log: Logger): Promise<void> {
  try {
    for (const values of await findUnusableValues(db)) log.warn(values, 'saved values that cannot be used');
    for (const gateway of await findUnknownGateways(db, ports))
      log.warn(gateway, 'money is open on an unknown gateway');
  } catch (error) {
    logFailure(log, error, 'saved values could not be looked at');
  }
}

main().catch((error: unknown) => fail('worker', error));
