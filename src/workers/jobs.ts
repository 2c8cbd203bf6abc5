import type { RawBuilder } from 'kysely';
import { approvalsDue } from '../domain/approvals/store.ts';
import { assignmentsDue } from '../domain/assignment/assign-sweep.ts';
import { holdsOver } from '../domain/assignment/holds.ts';
import { answersOverdue } from '../domain/assignment/offers.ts';
import { gatewayEventsDue } from '../domain/finance/due-events.ts';
import { refundsDue } from '../domain/finance/refund.ts';
import { messagesDue } from '../domain/messages/delivery-rows.ts';
import { remindersDue } from '../domain/messages/reminders.ts';
import type { Ports } from '../domain/ports.ts';
import { cleaningsLate } from '../domain/stay-tasks/late-turnovers.ts';
import { departuresDue } from '../domain/stays/access.ts';
import type { WebhookDeps } from '../domain/webhooks/deliver.ts';
import { endpointsDue } from '../domain/webhooks/store.ts';
import type { SagaOrchestrator } from '../engine/types.ts';
import type { Logger } from '../kernel/log.ts';
import type { KeptKind } from '../kernel/retention.ts';
import type { COMPENSATION_QUEUE, FORWARD_QUEUE, QueueName } from '../queues/names.ts';
import type { Schedule } from '../queues/schedules.ts';
import { addUpTotals, endApprovals, lookAtIntegrity, nightlyWork, payOutDue, takeUpNewsAndRefunds } from './finance.ts';
import {
  assignTasks,
  callWebhooks,
  type DeliveryWork,
  deliverMessages,
  doRecurringWork,
  followAccess,
  forgetOldRecords,
  planReminders,
} from './sweeps.ts';
import type { JobRun } from './worker.ts';

/**
 * Queue x job x handler x interval of everything that the clock wakes: the one table that workers (`crew.ts`) and job
 * schedulers (`queues/schedules.ts`) are made of. A new sweep is a row here. Names of queues, jobs and schedulers are in
 * Redis and in Bull Board: a row that is renamed leaves its scheduler behind.
 */

/** Queues of sweeps; the two of sagas have one handler for all jobs (`steps.ts`). */
export type SweepQueue = Exclude<QueueName, typeof FORWARD_QUEUE | typeof COMPENSATION_QUEUE>;

/** All that handlers need; each names its own part. */
export interface SweepParts extends WebhookDeps, DeliveryWork {
  readonly ports: Ports;
  readonly orchestrator: SagaOrchestrator;
  readonly log: Logger;
  readonly now: () => Date;
  /** How long events can be read from the feed. */
  readonly retentionDays: number;
  /** What must not be deleted now, whatever its age; default: nothing. */
  readonly isHeld?: (kind: KeptKind) => boolean;
}

export interface SweepRow<Parts> extends Schedule {
  /**
   * SQL: each is whether something is due, at the cost of a look into an index. With any of them, workers look every second
   * and run the job then (`due-look.ts`), and the schedule is only what finds everything if they do not.
   */
  readonly due?: readonly RawBuilder<boolean>[];
  /** After this the job has failed, and its signal is aborted. */
  readonly limitMs: number;
  /** Its result is kept as the job's return value. Safe to run twice at once. */
  readonly run: (parts: Parts, run: JobRun) => Promise<unknown>;
}
export interface SweepQueueRow<Parts> {
  /** Jobs at once, per process: sweeps of one queue run one after the other, unless they wait for other systems. */
  readonly concurrency: number;
  /** By the job's name. */
  readonly jobs: Readonly<Record<string, SweepRow<Parts>>>;
}
export type JobTable<Parts> = { readonly [Queue in SweepQueue]: SweepQueueRow<Parts> };

const SECOND_MS = 1_000;
const MINUTE_MS = 60 * SECOND_MS;
/** Of a sweep that is run when something is due: soon enough that the watchdog need not tell of what nobody has looked for. */
const ANYWAY_MS = MINUTE_MS;

export const JOBS = {
  notifications: {
    concurrency: 1,
    jobs: {
      sweep: {
        scheduler: 'deliver-sweep',
        everyMs: ANYWAY_MS,
        due: [messagesDue],
        limitMs: 10 * MINUTE_MS,
        run: deliverMessages,
      },
      // Stays whose reminders are not as they should be; when a reminder is due is in its row, and `sweep` sends it.
      reminders: {
        scheduler: 'reminder-sweep',
        everyMs: ANYWAY_MS,
        due: [remindersDue],
        limitMs: 2 * MINUTE_MS,
        run: planReminders,
      },
    },
  },
  tasks: {
    concurrency: 1,
    jobs: {
      sweep: {
        scheduler: 'assign-sweep',
        everyMs: ANYWAY_MS,
        due: [assignmentsDue, answersOverdue, cleaningsLate, holdsOver],
        limitMs: 2 * MINUTE_MS,
        run: assignTasks,
      },
      // Departures that what opens the door has not followed yet; which they are stands in Postgres.
      access: {
        scheduler: 'access-sweep',
        everyMs: ANYWAY_MS,
        due: [departuresDue],
        limitMs: 2 * MINUTE_MS,
        run: followAccess,
      },
    },
  },
  finance: {
    // One may wait for a gateway, or be at all of the money.
    concurrency: 2,
    jobs: {
      payouts: { scheduler: 'payout-sweep', everyMs: 10 * SECOND_MS, limitMs: 2 * MINUTE_MS, run: payOutDue },
      // The news of a gateway is in Postgres, and waits there until its stay has no open saga.
      news: {
        scheduler: 'gateway-news-sweep',
        everyMs: ANYWAY_MS,
        due: [gatewayEventsDue, refundsDue],
        limitMs: 2 * MINUTE_MS,
        run: takeUpNewsAndRefunds,
      },
      // Until when a question can be answered stands in Postgres; what waits for it is refused then.
      approvals: {
        scheduler: 'approval-sweep',
        everyMs: ANYWAY_MS,
        due: [approvalsDue],
        limitMs: 2 * MINUTE_MS,
        run: endApprovals,
      },
      // Postings are in Postgres and in every sum; this only saves adding them anew each time.
      totals: { scheduler: 'ledger-totals', everyMs: 10 * SECOND_MS, limitMs: MINUTE_MS, run: addUpTotals },
      // Changes are marked in Postgres; this checks them, and once a day all of the money, which may be years of it.
      integrity: { scheduler: 'integrity-look', everyMs: MINUTE_MS, limitMs: 30 * MINUTE_MS, run: lookAtIntegrity },
      // The night itself stands in Postgres; this only looks whether it has been done. A gateway's record of a day may be long.
      night: { scheduler: 'nightly-look', everyMs: 10 * MINUTE_MS, limitMs: 30 * MINUTE_MS, run: nightlyWork },
    },
  },
  webhooks: {
    concurrency: 2,
    jobs: {
      // Which endpoint is due stands in Postgres, as does the event that it gets next. An endpoint may be slow: a round ends
      // within its lease, and they run one after the other.
      sweep: {
        scheduler: 'webhook-sweep',
        everyMs: ANYWAY_MS,
        due: [endpointsDue],
        limitMs: 15 * MINUTE_MS,
        run: callWebhooks,
      },
      retention: {
        scheduler: 'event-retention',
        everyMs: 60 * MINUTE_MS,
        limitMs: 10 * MINUTE_MS,
        run: forgetOldRecords,
      },
    },
  },
  recurring: {
    concurrency: 1,
    jobs: {
      // Which rule is due stands in Postgres: each is looked at every ten minutes.
      sweep: { scheduler: 'recurring-sweep', everyMs: 30 * SECOND_MS, limitMs: 2 * MINUTE_MS, run: doRecurringWork },
    },
  },
} as const satisfies JobTable<SweepParts>;
