import type { Db } from './db/client.ts';
import { findUnknownGateways } from './domain/finance/booked-gateways.ts';
import { deliverDue } from './domain/messages/delivery.ts';
import { storeDevMail } from './domain/messages/delivery-mailbox.ts';
import { planDueReminders } from './domain/messages/reminders.ts';
import type { Messenger, Ports } from './domain/ports.ts';
import { findUnusableValues } from './domain/saved-values.ts';
import { createBreakers } from './gateways/breaker.ts';
import { withCircuit } from './gateways/channel-circuit.ts';
import { createDevMailbox } from './gateways/dev-mailbox.ts';
import { createSmtp } from './gateways/smtp.ts';
import { createTwilio } from './gateways/twilio.ts';
import { createWebhookSender } from './gateways/webhooks.ts';
import { randomBetween } from './kernel/backoff.ts';
import { systemClock } from './kernel/clock.ts';
import type { Logger } from './kernel/log.ts';
import { logFailure } from './kernel/outages.ts';
import { assemble, endInOrder, fail, untilReady } from './programs.ts';
import { createReadiness } from './readiness.ts';
import { taskJobs } from './workers/assign.ts';
import { deliveryJobs } from './workers/deliver.ts';
import { financeJobs } from './workers/finance.ts';
import { alertFailingSweep, createWorkers, workOf } from './workers/jobs.ts';
import { workerOptions } from './workers/options.ts';
import { recurringJobs } from './workers/recurring.ts';
import { webhookJobs } from './workers/webhooks.ts';

/** Stays whose reminders are planned in one transaction. */
const REMINDED_AT_ONCE = 100;

/** `npm run worker`, as many as wanted: executes steps, delivers messages, assigns tasks, relays, reconciles. */
async function main(): Promise<void> {
  const { config, log, outages, db, ports, engine } = assemble('worker');
  const mailbox = createDevMailbox((messages) => storeDevMail(db, messages));
  const mail =
    config.mail.smtpUrl === null ? mailbox : createSmtp({ url: config.mail.smtpUrl, from: config.mail.from });
  const breakers = createBreakers(log);
  const sms = config.sms === null ? mailbox : createTwilio(config.sms);
  const guarded = (messenger: Messenger, circuit: string): Messenger =>
    messenger === mailbox ? mailbox : withCircuit(messenger, breakers, circuit);
  const messengers = { EMAIL: guarded(mail, 'mail'), SMS: guarded(sms, 'sms') };
  const sender = createWebhookSender({ clock: systemClock, allowed: config.webhooks.allowed });
  const delivery = { db, messengers, opsEmail: config.mail.opsEmail, publicUrl: config.publicUrl, log };
  const steps = { concurrency: config.workerConcurrency, execute: engine.execute };
  const jobs = {
    notifications: deliveryJobs({
      deliver: () => deliverDue(delivery),
      plan: () => planDueReminders(db, REMINDED_AT_ONCE),
    }),
    tasks: taskJobs(db),
    recurring: recurringJobs(db, () => systemClock.now()),
    webhooks: webhookJobs({ db, sender, random: () => randomBetween(0, 1), outages }, config.webhooks.retentionDays),
    finance: financeJobs({ db, ports, orchestrator: engine.orchestrator, log }, () => systemClock.now()),
  };
  const closing = new AbortController();
  let crew: ReturnType<typeof createWorkers> | null = null;
  endInOrder(log, async () => {
    closing.abort();
    await crew?.close();
    await engine.close();
    await Promise.all([mail.close(), sms.close(), mailbox.close(), ports.close()]);
    await db.destroy();
  });
  const readiness = createReadiness(db, engine.queues.producer, engine.relay);
  // Without Redis a worker waits by itself; without the schema everything that it does would fail.
  if (!(await untilReady(log, () => readiness(['postgres', 'migrations']), closing.signal))) return;
  crew = createWorkers(workOf(jobs, steps), {
    options: workerOptions(config.redisUrl, config.queuePrefix),
    log,
    alert: (sweep) => alertFailingSweep(db, sweep),
  });
  engine.relay.start();
  engine.reconciler.start();
  await crew.ready();
  log.info('ready');
  await reportUnusable(db, ports, log);
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
