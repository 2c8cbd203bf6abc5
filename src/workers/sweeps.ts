import type { Db } from '../db/client.ts';
import { assignDueTasks } from '../domain/assignment/assign-sweep.ts';
import { forgetHolds } from '../domain/assignment/holds.ts';
import { reassignUnanswered } from '../domain/assignment/offers.ts';
import { forgetEvents } from '../domain/events/feed.ts';
import { pruneKeys } from '../domain/idempotency/prune.ts';
import { MAX_CLAIM } from '../domain/messages/delivery.ts';
import { advanceLateCleanings } from '../domain/stay-tasks/late-turnovers.ts';
import { followDepartures } from '../domain/stays/access.ts';
import { pruneFailures } from '../domain/sweeps/prune.ts';
import { escalateEmergencies, sweepRecurrences } from '../domain/tasks/recurring.ts';
import { deliverWebhooks, type WebhookDeps } from '../domain/webhooks/deliver.ts';
import type { KeptKind } from '../kernel/retention.ts';
import { startAccessChange } from '../sagas/change-access/start.ts';
import { goesOn, type Rounds, untilFewer, untilNothing } from './rounds.ts';

/**
 * The sweeps of messages, tasks and webhooks (those of money are in `finance.ts`). A job is only a wake-up: the work that is
 * due stands in Postgres, so a lost, doubled or edited job changes nothing. One job at a time per process; more processes
 * share the rows. Each sweep has a bound of rounds; the next tick goes on.
 */

export interface DeliveryWork {
  /** Sends what is due, at most `limit`, and returns how many messages it took: `deliverDue`. */
  readonly deliver: (limit: number) => Promise<number>;
  /** Plans reminders of at most `limit` stays and returns of how many: `planDueReminders`. */
  readonly plan: (limit: number) => Promise<number>;
}

/** While one batch is sent, others are claimed, rendered and recorded: the connections never wait for the database. */
export const DELIVERY_LANES = 3;

export const inLanes = <T>(lanes: number, work: () => Promise<T>): Promise<T[]> =>
  Promise.all(Array.from({ length: lanes }, work));

/** Far more than a second's worth. */
const DELIVERY_ROUNDS = 100;
/** Stays whose reminders are planned in one transaction. */
const REMINDED_AT_ONCE = 100;

const sum = (counts: readonly number[]): number => counts.reduce((all, count) => all + count, 0);

/** So many messages in one batch, fewer than any channel takes, and others are due, most likely. */
const WORTH_LANES = 10;

/** One lane, unless its first batch shows that much is due: an empty look of each other lane would cost two statements. */
export async function deliverMessages({ deliver }: Pick<DeliveryWork, 'deliver'>, run: Rounds) {
  const startedAt = performance.now();
  const first = await deliver(run.pace.sizeOf(MAX_CLAIM));
  if (first === 0 || !goesOn(run)) return { messages: first };
  await run.pace.giveWay(performance.now() - startedAt, run.signal);
  const lanes = first < WORTH_LANES ? 1 : DELIVERY_LANES;
  const rounds = () => untilNothing(DELIVERY_ROUNDS, run, () => deliver(run.pace.sizeOf(MAX_CLAIM)));
  return { messages: first + sum(await inLanes(lanes, rounds)) };
}

export const planReminders = async ({ plan }: Pick<DeliveryWork, 'plan'>, run: Rounds) => ({
  stays: await untilNothing(DELIVERY_ROUNDS, run, () => plan(run.pace.sizeOf(REMINDED_AT_ONCE))),
});

const TASK_BATCH = 50;
const TASK_ROUNDS = 20;

/** Moves on what nobody answered or must be done sooner, and assigns what Postgres says is due. */
export async function assignTasks({ db }: { readonly db: Db }, run: Rounds) {
  const unanswered = await reassignUnanswered(db, TASK_BATCH);
  await forgetHolds(db);
  const hurried = await advanceLateCleanings(db, TASK_BATCH);
  const looked = await untilFewer(TASK_BATCH, TASK_ROUNDS, run, (limit) => assignDueTasks(db, limit));
  return { looked, unanswered, hurried };
}

export const followAccess = async ({ db }: { readonly db: Db }, run: Rounds) => ({
  looked: await untilFewer(TASK_BATCH, TASK_ROUNDS, run, (limit) => followDepartures(db, startAccessChange, limit)),
});

const RULE_BATCH = 20;
const RULE_ROUNDS = 50;

/** Which rule is due, and which emergency waits, stands in Postgres. */
export async function doRecurringWork({ db, now }: { readonly db: Db; readonly now: () => Date }, run: Rounds) {
  const escalated = await escalateEmergencies(db, now());
  const looked = await untilFewer(RULE_BATCH, RULE_ROUNDS, run, (limit) => sweepRecurrences(db, now(), limit));
  return { looked, escalated };
}

const WEBHOOK_ROUNDS = 20;

/** Which endpoint is to be called, and with what, stands in Postgres. */
export const callWebhooks = async (deps: WebhookDeps, run: Rounds) => ({
  served: await untilNothing(WEBHOOK_ROUNDS, run, () => deliverWebhooks(deps)),
});

export interface RetentionDeps {
  readonly db: Db;
  readonly retentionDays: number;
  readonly isHeld?: (kind: KeptKind) => boolean;
}
export const forgetOldRecords = async ({ db, retentionDays, isHeld = () => false }: RetentionDeps) => ({
  forgotten: isHeld('events') ? 0 : await forgetEvents(db, retentionDays),
  keys: isHeld('keys') ? 0 : await pruneKeys(db),
  failures: isHeld('failures') ? 0 : await pruneFailures(db),
});
