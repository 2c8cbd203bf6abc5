import { literal } from '../../src/db/literal.ts';
import { deliverDue } from '../../src/domain/messages/delivery.ts';
import { planDueReminders } from '../../src/domain/messages/reminders.ts';
import { systemClock } from '../../src/kernel/clock.ts';
import { createLogger } from '../../src/kernel/log.ts';
import { QUEUE_NAMES } from '../../src/queues/names.ts';
import { createDueLook } from '../../src/workers/due-look.ts';
import { JOBS, type SweepParts, type SweepQueueRow } from '../../src/workers/jobs.ts';
import { unhurried } from '../../src/workers/pacing.ts';
import type { JobRun } from '../../src/workers/worker.ts';
import { mailboxDeps } from '../setup/deliver.ts';
import { book, MANY, payment, WEBHOOKS } from './life.ts';
import type { QuietSystem } from './system.ts';

/** Longer than any history here is old: a look for what is to be deleted that finds nothing. */
const RETENTION_DAYS = 36_500;

/** The work of the workers by themselves: every job that the clock makes, and the loops beside the queues. */
export function sweepsOf(system: QuietSystem): Readonly<Record<string, () => Promise<unknown>>> {
  const { db, engine } = system;
  const log = createLogger('test', 'silent');
  const parts = partsOf(system);
  const jobs = Object.entries<SweepQueueRow<SweepParts>>(JOBS).flatMap(([queue, rows]) =>
    Object.entries(rows.jobs).map(([job, { run }]) => [`${queue}.${job}`, () => run(parts, RUN)] as const),
  );
  return {
    ...Object.fromEntries(jobs),
    'due look': () => createDueLook(JOBS, QUEUE_NAMES, { db, queues: engine.queues, log }).look(),
    reconciler: () => engine.reconciler.tick(),
    relay: async () => {
      engine.relay.start();
      await engine.relay.stop();
    },
  };
}

/** As a worker is given it. */
const partsOf = ({ db, engine, sandbox }: QuietSystem): SweepParts => ({
  ...WEBHOOKS(db),
  ports: sandbox.ports,
  orchestrator: engine.orchestrator,
  log: createLogger('test', 'silent'),
  now: () => systemClock.now(),
  retentionDays: RETENTION_DAYS,
  deliver: () => deliverDue(mailboxDeps(db)),
  plan: () => planDueReminders(db, 100),
});
const RUN: JobRun = {
  signal: new AbortController().signal,
  isClosing: () => false,
  pace: unhurried,
  name: 'measured',
  data: {},
  id: 'measured',
} as never;

/** The sagas that everybody waits for, on stays of today. */
export function pathsOf(
  system: QuietSystem,
  which: 'before' | 'now' | 'again',
): Readonly<Record<string, () => Promise<unknown>>> {
  const { db } = system;
  const stay = `stay-${which}-a`;
  const cancelled = `stay-${which}-b`;
  return {
    confirm: async () => {
      await book(system, stay, 0, 2, which === 'before' ? 'property-h6' : MANY.property);
      await system.run(`/reservations/${stay}/confirm`);
    },
    payment: () => system.run(`/reservations/${stay}/payment`, payment(`ref-${which}-a`)),
    'check-in': () => system.run(`/reservations/${stay}/check-in`),
    'check-out': () => system.run(`/reservations/${stay}/check-out`),
    payout: async () => {
      const payout = await db
        .selectFrom('transaction')
        .select('id')
        .where('reservation_id', '=', stay)
        .where('type', '=', literal('OWNER_PAYOUT'))
        .executeTakeFirstOrThrow();
      await system.run(`/transactions/${payout.id}/payout`);
    },
    cancel: async () => {
      await book(system, cancelled, 30, 32, MANY.property);
      await system.run(`/reservations/${cancelled}/confirm`);
      await system.run(`/reservations/${cancelled}/payment`, payment(`ref-${which}-b`));
      await system.run(`/reservations/${cancelled}/cancel`);
      const open = await db.selectFrom('saga').select('id').where('finished_at', 'is', null).execute();
      for (const { id } of open) await system.finish(id);
    },
    'a task': async () => {
      const made = await system.call('POST', '/tasks', {
        body: {
          propertyId: 'property-h2',
          type: 'INSPECTION',
          title: 'Look',
          scheduledDate: systemClock.now().toISOString(),
        },
      });
      if (made.status !== 201) throw new Error(made.text);
    },
  };
}
