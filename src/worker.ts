import { deliverDue } from './domain/notifications/delivery.ts';
import { storeDevMail } from './domain/notifications/delivery-mailbox.ts';
import { planDueReminders } from './domain/notifications/reminders.ts';
import type { Messenger } from './domain/ports.ts';
import { createBreakers } from './gateways/breaker.ts';
import { withCircuit } from './gateways/channel-circuit.ts';
import { createDevMailbox } from './gateways/dev-mailbox.ts';
import { createSmtp } from './gateways/smtp.ts';
import { createTwilio } from './gateways/twilio.ts';
import { createWebhookSender } from './gateways/webhooks.ts';
import { randomBetween } from './kernel/backoff.ts';
import { systemClock } from './kernel/clock.ts';
import { assemble, endInOrder, fail } from './programs.ts';
import { COMPENSATION_QUEUE, FORWARD_QUEUE, NOTIFICATION_QUEUE } from './queues/names.ts';
import { createAssignWorker } from './workers/assign.ts';
import { createDeliveryWorker } from './workers/deliver.ts';
import { createFinanceWorker } from './workers/finance.ts';
import { workerOptions } from './workers/options.ts';
import { createRecurringWorker } from './workers/recurring.ts';
import { createStepWorker } from './workers/steps.ts';
import { createWebhookWorker } from './workers/webhooks.ts';

/** Stays whose reminders are planned in one transaction. */
const REMINDED_AT_ONCE = 100;

/** `npm run worker`, as many as wanted: executes steps, delivers messages, assigns tasks, relays, reconciles. */
function main(): void {
  const { config, log, db, ports, engine } = assemble('worker');
  const options = workerOptions(config.redisUrl, config.queuePrefix);
  const steps = { concurrency: config.workerConcurrency, execute: engine.execute, log, options };
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
  const workers = [
    createStepWorker({ ...steps, queueName: FORWARD_QUEUE }),
    createStepWorker({ ...steps, queueName: COMPENSATION_QUEUE }),
    createDeliveryWorker({
      queue: NOTIFICATION_QUEUE,
      deliver: () => deliverDue(delivery),
      plan: () => planDueReminders(db, REMINDED_AT_ONCE),
      log,
      worker: options,
    }),
    createAssignWorker(db, log, options),
    createRecurringWorker(db, () => systemClock.now(), log, options),
    createWebhookWorker({ db, sender, random: () => randomBetween(0, 1), log }, config.webhooks.retentionDays, options),
    createFinanceWorker({ db, ports, orchestrator: engine.orchestrator, log }, () => systemClock.now(), options),
  ];
  engine.relay.start();
  engine.reconciler.start();
  endInOrder(log, async () => {
    await Promise.all(workers.map((worker) => worker.close()));
    await engine.close();
    await Promise.all([mail.close(), sms.close(), mailbox.close(), ports.close()]);
    await db.destroy();
  });
  void Promise.all(workers.map((worker) => worker.waitUntilReady())).then(() => log.info('ready'));
}

try {
  main();
} catch (error) {
  fail(error);
}
