import type { Db } from '../db/client.ts';
import { retryContention } from '../db/errors.ts';
import { approvalsOver } from '../domain/approvals/store.ts';
import { findDueEvents, processEvents } from '../domain/finance/due-events.ts';
import { passNightly, verifyMarked } from '../domain/finance/integrity-now.ts';
import { alertOldDebts } from '../domain/finance/owner-debts.ts';
import { batchOf, type DueBatch, dueBatches } from '../domain/finance/payout-batches.ts';
import { reconcileNight } from '../domain/finance/reconciliation-night.ts';
import { lockUnsent, unsentRefunds } from '../domain/finance/refund.ts';
import { addUpLedger } from '../domain/finance/totals.ts';
import type { Ports } from '../domain/ports.ts';
import { expireApproval } from '../domain/stays/decide-approval.ts';
import { attemptEach } from '../domain/sweeps/isolate.ts';
import type { SagaOrchestrator } from '../engine/types.ts';
import { RoomyError } from '../kernel/errors.ts';
import { newId } from '../kernel/ids.ts';
import { canonicalJson, sha256 } from '../kernel/json.ts';
import type { Logger } from '../kernel/log.ts';
import { startRefunds } from '../sagas/execute-refund/start.ts';
import { processOwnerPayout } from '../sagas/index.ts';
import { resumeAfter } from '../sagas/resume-approved.ts';
import { BY_GATEWAY, startCapturedPayment } from '../sagas/start-captured-payment.ts';
import { type Rounds, untilFewer, untilNothing } from './rounds.ts';

export interface FinanceWork {
  readonly db: Db;
  readonly ports: Ports;
  readonly orchestrator: SagaOrchestrator;
  readonly log: Logger;
}

/** Owners paid by one wake-up, at the most; the next tick goes on. */
const MAX_BATCHES = 100;
/** Of adding up what was posted; the next tick goes on. */
const MAX_ROUNDS = 100;
/** In whose name the schedule acts. */
const SCHEDULER = { sub: 'system:payouts', requestId: null };

/** Releases what is due, one bank instruction per owner and currency; what the owner owes is netted (domain.md 8). */
export async function releaseDuePayouts({ db, ports, orchestrator, log }: FinanceWork): Promise<number> {
  let released = 0;
  await attemptEach(db, 'payouts', await dueBatches(db, MAX_BATCHES), {
    id: ({ owner_id, currency }) => `${owner_id} ${currency}`,
    work: async (due) => {
      const batch = await batchOf(db, ports, due);
      if (batch && (await release(orchestrator, batch))) released += 1;
    },
  });
  if (released > 0) log.info({ released }, 'due payouts released');
  return released;
}

/** False when somebody was faster: a person who released it, or another worker's sweep. */
async function release(
  orchestrator: SagaOrchestrator,
  { payoutIds: [payoutId, ...also], keepMinor }: DueBatch,
): Promise<boolean> {
  if (payoutId === undefined) return false;
  const input = { payoutId, also, netting: true, strict: false, keepMinor };
  try {
    await orchestrator.accept(processOwnerPayout, {
      subjectId: payoutId,
      input,
      requester: SCHEDULER,
      idempotency: { key: newId('payout'), requestHash: sha256(canonicalJson(input)) },
    });
    return true;
  } catch (error) {
    if (error instanceof RoomyError && error.code === 'SAGA_IN_PROGRESS') return false;
    throw error;
  }
}

/** Events of gateways taken up by one round, at the most, and how many at once: each asks its gateway. */
const NEWS_AT_ONCE = 50;
const NEWS_LANES = 4;

/** Books the waiting events of gateways whose stays are free by now; answers how many charges and other events it found. */
export async function takeUpGatewayNews(
  work: Pick<FinanceWork, 'db' | 'ports' | 'orchestrator'>,
  limit = NEWS_AT_ONCE,
): Promise<number> {
  const { db, ports } = work;
  const due = await findDueEvents(db, limit);
  await attemptEach(db, 'gateway-events', due, {
    id: ({ id }) => id,
    lanes: NEWS_LANES,
    work: async (events) => {
      if ((await processEvents(db, ports, events)) === 'done') return;
      for (const eventId of events.eventIds) await startCapturedPayment(work, { ...events, eventId });
    },
  });
  return due.length;
}

/** Sends the refunds that are owed since a gateway's news; answers how many it found. */
export async function sendOwedRefunds({ db }: Pick<FinanceWork, 'db'>, limit = NEWS_AT_ONCE): Promise<number> {
  const due = await unsentRefunds(db, limit);
  await attemptEach(db, 'refunds', due, {
    id: (refundId) => refundId,
    work: (refundId) =>
      db.transaction().execute(async (tx) => {
        const unsent = await lockUnsent(tx, refundId);
        if (unsent) await startRefunds(tx, [refundId], BY_GATEWAY.sub, `-${unsent.version}`);
      }),
  });
  return due.length;
}

/** Ends the questions that nobody has decided in time, and refuses what waits for them; answers how many it found. */
export async function expireApprovals(
  { db, orchestrator }: Pick<FinanceWork, 'db' | 'orchestrator'>,
  limit = NEWS_AT_ONCE,
): Promise<number> {
  const due = await approvalsOver(db, limit);
  await attemptEach(db, 'approvals', due, {
    id: (approvalId) => approvalId,
    work: async (approvalId) => {
      let announces: (() => void)[] = [];
      await retryContention(() =>
        db.transaction().execute((tx) => {
          announces = [];
          return expireApproval(
            tx,
            approvalId,
            resumeAfter(orchestrator, (announce) => announces.push(announce)),
          );
        }),
      );
      for (const announce of announces) announce();
    },
  });
  return due.length;
}

/** The night's reconciliation of every gateway that was used, and owners who have owed for long; once per night. */
export async function doNight({ db, ports, log }: FinanceWork, now: Date): Promise<void> {
  const night = new Date(now.getTime() - DAY_MS).toISOString().slice(0, 10);
  const { done, failures } = await reconcileNight(db, ports, night);
  if (done.length > 0) {
    await alertOldDebts(db);
    log.info({ night, reconciled: done.length }, 'night done');
  }
  // Said to the job, which looks again in ten minutes; each has its reason recorded.
  if (failures.length > 0) throw new AggregateError(failures, `${failures.length} gateways were not reconciled`);
}
const DAY_MS = 24 * 60 * 60_000;

export const payOutDue = async (work: FinanceWork) => ({ released: await releaseDuePayouts(work) });

export async function takeUpNewsAndRefunds(work: Pick<FinanceWork, 'db' | 'ports' | 'orchestrator'>, run: Rounds) {
  let looks = 0;
  let refunds = 0;
  try {
    looks = await untilFewer(NEWS_AT_ONCE, MAX_ROUNDS, run, (limit) => takeUpGatewayNews(work, limit));
  } finally {
    // Refunds that are owed already do not wait for a gateway that cannot be asked.
    refunds = await untilFewer(NEWS_AT_ONCE, MAX_ROUNDS, run, (limit) => sendOwedRefunds(work, limit));
  }
  return { looks, refunds };
}

export const endApprovals = async (work: Pick<FinanceWork, 'db' | 'orchestrator'>, run: Rounds) => ({
  ended: await untilFewer(NEWS_AT_ONCE, MAX_ROUNDS, run, (limit) => expireApprovals(work, limit)),
});

export const addUpTotals = async ({ db }: Pick<FinanceWork, 'db'>, run: Rounds) => ({
  added: await untilNothing(MAX_ROUNDS, run, () => addUpLedger(db)),
});

/** Takes off what has changed and is in order, then looks at everything when that has not been done today. */
export async function lookAtIntegrity({ db, log }: Pick<FinanceWork, 'db' | 'log'>, run: Rounds) {
  const place = { after: '0' };
  const looked = await untilNothing(MAX_ROUNDS, run, () => verifyMarked(db, place));
  const full = await passNightly(db);
  if (full) log.info({ looked }, 'all of the money was looked at');
  return { looked, full };
}

export const nightlyWork = ({ now, ...work }: FinanceWork & { readonly now: () => Date }) => doNight(work, now());
